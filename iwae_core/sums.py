"""Sums over an axis of a few: the coordinates of a plane, the pixels of the oracle."""

from functools import reduce

import torch
from torch import Tensor

_FEW = 3


def over_last(values: Tensor) -> Tensor:
    """Sum over the last axis, ``(*, d) -> (*)``.

    torch adds along a last axis of two or three at a tenth of the speed of adding its slices.

    >>> over_last(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([3., 7.])
    """
    if 2 <= values.shape[-1] <= _FEW:
        return reduce(torch.add, values.unbind(dim=-1))
    return values.sum(dim=-1)
