"""Double precision where there is any: Apple's GPUs compute in float32 at most."""

import torch
from torch import Tensor

_WITHOUT_FLOAT64 = ("mps",)


def widest(device: torch.device) -> torch.dtype:
    """The widest floating-point type of a device.

    >>> widest(torch.device("cpu")), widest(torch.device("mps"))
    (torch.float64, torch.float32)
    """
    return torch.float32 if device.type in _WITHOUT_FLOAT64 else torch.float64


def in_float64(values: Tensor) -> Tensor:
    """The same numbers in float64; brought to the CPU from a device that has none.

    >>> in_float64(torch.ones(2)).dtype
    torch.float64
    """
    return values.double() if widest(values.device) is torch.float64 else values.cpu().double()
