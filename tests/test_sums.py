"""Sums over few coordinates are those of torch, gradient included."""

import pytest
import torch

from iwae_core.sums import over_last


@pytest.mark.parametrize("d", [0, 1, 2, 3, 4, 9])
def test_a_sum_over_the_last_axis_is_what_it_says(d):
    values = torch.randn(5, 3, d, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(over_last(values), values.sum(dim=-1), rtol=1e-15, atol=1e-15)
    (gradient,) = torch.autograd.grad(over_last(values.square()).sum(), values)
    torch.testing.assert_close(gradient, 2 * values, rtol=0, atol=0)
