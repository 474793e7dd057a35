r"""Laplace transforms of the law of one weight, :math:`E[(tw)^a e^{-tw}]`, for many t at once.

Term by term a transform costs an exponential for each pair of a weight and a t. But t w depends on
log t + log w alone. So each weight is first shared out among the points of a lattice in log w, by
Lagrange's polynomials: sums of smooth functions stay what they were. On lattices in log t and
log w a transform is a convolution with one kernel, of which no more is needed than the stretch
where it is neither zero nor one.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

_FEW = 256  # weights, for which term by term is as fast
_SPLIT = 8  # points of the lattice of log w between two of log t
_POINTS = 8  # that share a weight
_BEFORE = _POINTS // 2 - 1  # of them, above it
_HIGHEST = 4.25  # of log t w: exp(-e^4.25) is 4e-31
_LOWEST = -38.0  # there exp(-t w) is one to the last digit
_BLOCK = 1 << 18


def transform(
    log_w: Tensor, probability: Tensor, u: Tensor, step: float, power: int = 0
) -> Tensor:
    r""":math:`E[(tw)^a e^{-tw}]` at t = exp(u).

    Args:
        log_w: Log weights, nats, ``(n,)`` float64.
        probability: Their probabilities, or with a power what else is to be
            summed, ``(n,)``.
        u: Rising values of log t, ``step`` apart, ``(m,)``.
        step: At most 0.25; then the error is below 1e-11 of the largest value of (tw)^a e^(-tw).
        power: a, from 0 to 4.

    Returns:
        Tensor of shape ``(m,)``.
    """
    if len(log_w) <= _FEW:
        return _term_by_term(log_w, probability, u, power)
    cell = step / _SPLIT
    top = log_w.max()
    masses = _shared_out((top - log_w) / cell, probability)
    # Row j sees the lattice from point `first + _SPLIT j` on, down to where nothing changes.
    place = (u[0] + top).item() / cell
    first = math.ceil(place - _HIGHEST / cell)
    kernel = _kernel(cell * (place - first), cell, power)
    start = first + _BEFORE
    found = convolved(masses, kernel, start, len(u), _SPLIT)
    if power > 0:
        return found
    # Weights lighter than those in sight count fully.
    lighter = torch.cat([masses.flip(0).cumsum(0).flip(0), masses.new_zeros(1)])
    ends = start + len(kernel) + _SPLIT * torch.arange(len(u))
    return (found + lighter[ends.clamp(0, len(masses))]).clamp(min=0.0)


def convolved(values: Tensor, kernel: Tensor, start: int, count: int, stride: int = 1) -> Tensor:
    """Sums over windows of ``values`` times a kernel; what lies beyond its ends is zero.

    Args:
        values: Shape ``(n,)``.
        kernel: Shape ``(width, *)``.
        start: Where the first window begins, maybe before the values or behind them.
        count: Number of windows.
        stride: From one window to the next.

    Returns:
        Tensor of shape ``(count, *)``.
    """
    n_seen = stride * (count - 1) + len(kernel)
    seen = values[max(start, 0) : max(start + n_seen, 0)]
    before = min(max(-start, 0), n_seen)
    seen = torch.nn.functional.pad(seen, (before, n_seen - before - len(seen)))
    return seen.unfold(0, len(kernel), stride) @ kernel


def _term_by_term(log_w: Tensor, probability: Tensor, u: Tensor, power: int) -> Tensor:
    parts = []
    for rows in u.split(max(1, _BLOCK // len(log_w))):
        # Beyond e^50 the decay is zero, and a power must not overflow against it.
        tw = torch.exp((rows.unsqueeze(1) + log_w).clamp(max=50.0))
        parts.append((torch.exp(-tw) * tw**power) @ probability)
    return torch.cat(parts)


def _kernel(highest: float, cell: float, power: int) -> Tensor:
    """The function of log t w from ``highest`` down, as far as it changes."""
    count = math.ceil((highest - _LOWEST) / cell)
    v = highest - cell * torch.arange(count, dtype=torch.float64)
    return torch.exp(power * v - torch.exp(v))


def _shared_out(depth: Tensor, probability: Tensor) -> Tensor:
    """Masses at the lattice points -_BEFORE, .., each weight's to the nearest _POINTS of them.

    Args:
        depth: Cells below the largest weight, ``(n,)``.
        probability: ``(n,)``.
    """
    cell = depth.floor()
    x = depth - cell + _BEFORE
    nodes = torch.arange(_POINTS, dtype=torch.float64)
    apart = x.unsqueeze(1) - nodes
    # The product over the other nodes, from both ends: none is divided by.
    ones = torch.ones_like(apart[:, :1])
    left = torch.cat([ones, apart[:, :-1].cumprod(dim=1)], dim=1)
    right = torch.cat([ones, apart.flip(1)[:, :-1].cumprod(dim=1)], dim=1).flip(1)
    shares = left * right * _inverse() * probability.unsqueeze(1)
    at = cell.long().unsqueeze(1) + torch.arange(_POINTS)
    masses = depth.new_zeros(int(at.max()) + 1)
    return masses.index_add_(0, at.flatten(), shares.flatten())


@lru_cache(maxsize=1)
def _inverse() -> Tensor:
    """One over the products of the distances between a node and the others."""
    products = [math.prod(i - j for j in range(_POINTS) if j != i) for i in range(_POINTS)]
    return 1 / torch.tensor(products, dtype=torch.float64)
