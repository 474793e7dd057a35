"""Shared judgements of the tests: statistical assertions with a stated false-alarm rate."""

import math

import torch
from torch import Tensor

# |z| > 5 happens by chance once in 1.7 million tests of a true statement.
Z_LIMIT = 5.0


def assert_mean(draws: Tensor, expected: float, allowance: float = 0.0) -> None:
    """Hold the mean of independent draws (axis 0) against its expected value.

    The power is in the number of draws: a bias beyond ``allowance`` larger than about
    ``2 * Z_LIMIT * std / sqrt(n)`` is found almost surely.
    """
    draws = draws.double().flatten()
    std_error = draws.std().item() / math.sqrt(len(draws))
    distance = abs(draws.mean().item() - expected)
    assert torch.isfinite(draws).all()
    assert distance <= allowance + Z_LIMIT * std_error, (
        f"mean {draws.mean().item():.6g} is {distance / max(std_error, 1e-300):.1f} standard "
        f"errors from {expected:.6g} (standard error {std_error:.2g}, n = {len(draws)})"
    )


def assert_mean_differs(draws: Tensor, reference: float, at_least: float = 0.0) -> None:
    """Hold that the mean of independent draws is visibly away from a reference value."""
    draws = draws.double().flatten()
    std_error = draws.std().item() / math.sqrt(len(draws))
    distance = abs(draws.mean().item() - reference)
    assert distance > at_least + Z_LIMIT * std_error, (
        f"mean {draws.mean().item():.6g} is within {distance / max(std_error, 1e-300):.1f} "
        f"standard errors of {reference:.6g}"
    )
