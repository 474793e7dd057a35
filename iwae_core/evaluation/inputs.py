"""What every evaluation asks of its data before it spends time on them."""

import torch
from torch import Tensor


def check_data(x: Tensor, at_least: int = 1) -> None:
    """Refuse data that no model here can have made.

    Raises:
        ValueError: If ``x`` is not a floating-point matrix, has fewer than ``at_least`` rows, or
            holds NaN or an infinity.
    """
    if x.ndim != 2 or len(x) < at_least:
        raise ValueError(
            f"x must have shape (B, D) with at least {at_least} rows, got {tuple(x.shape)}; "
            "a single datapoint is x[None]"
        )
    if not x.is_floating_point():
        raise ValueError(f"x must hold floating-point numbers, got {x.dtype}: convert it first")
    if not torch.isfinite(x).all():
        raise ValueError("x holds NaN or an infinity: data were read or scaled wrongly")
