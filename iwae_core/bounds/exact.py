r"""The bound's expectation without noise, from the distribution of one weight.

For a positive sum S, :math:`\log S = \int_0^\infty (e^{-t} - e^{-tS})\,dt / t`. The expectation
of the right side factorizes over independent weights, with :math:`\varphi(t) = E[e^{-tw}]`:

.. math:: E[L_K] = -\log K + \int_0^\infty \frac{e^{-t} - \varphi(t)^K}{t}\,dt.

In u = log t the integrand is analytic in the strip of half width pi / 2, so the trapezoidal rule
with step h errs by about exp(-pi^2 / h): 1e-21 at h = 0.2. Biases of 1e-10 nat become visible
that no number of random repeats could show.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from iwae_core.precision import in_float64
from iwae_core.sampling.weights import check_log_w

_STEP = 0.2
_DIES_BELOW = 42.0  # nats under the sum's scale, where e^-t - phi(t)^K is down to 1e-18
_DIES_ABOVE = 4.0  # nats over the smallest weight's scale: exp(-e^4) = 2e-24
_NOTHING = 1e-24  # of phi(t)^K, which falls from there on
_BLOCK = 1 << 16


def expected_bound(log_w: Tensor, probability: Tensor, n_samples: Sequence[int]) -> Tensor:
    r"""Expectation of the importance-weighted bound on K independent weights, for several K.

    Args:
        log_w: Values that one log weight takes, shape ``(n,)``, in nats: all of them if it is
            discrete, the nodes of a quadrature rule over q if it is not.
        probability: Their probabilities, shape ``(n,)``, summing to one.
        n_samples: Values of K.

    Returns:
        Tensor of shape ``(len(n_samples),)`` in nats, float64; ``-inf`` for every K if a weight
        is zero with positive probability. Accurate to about 1e-13 for the given distribution.

    Raises:
        ValueError: If shapes do not fit, a probability is negative or they do not sum to one, or
            a K is below 1.

    >>> half = torch.tensor([0.5, 0.5], dtype=torch.float64)
    >>> expected_bound(torch.tensor([0.0, 2.0], dtype=torch.float64), half, [1]).item()
    1.0
    """
    check_log_w(log_w)
    if log_w.ndim != 1 or probability.shape != log_w.shape:
        raise ValueError(
            "log_w and probability must be two vectors of one length, "
            f"got shapes {tuple(log_w.shape)} and {tuple(probability.shape)}"
        )
    p = in_float64(probability)
    if not (p >= 0).all() or not abs(p.sum().item() - 1) < 1e-6:
        raise ValueError(
            "probability must hold non-negative numbers that sum to one, got sum "
            f"{p.sum().item():.6g}, smallest {p.min().item():.3g}: is the rule too narrow?"
        )
    if not n_samples or min(n_samples) < 1:
        raise ValueError(f"every K must be at least 1, got {list(n_samples)}")
    values, p = in_float64(log_w)[p > 0], p[p > 0] / p.sum()
    sizes = torch.tensor(n_samples, dtype=torch.float64, device=p.device)
    if torch.isneginf(values).any():
        return torch.full_like(sizes, -math.inf)
    top = values.max()
    values = values - top
    lowest = -_DIES_BELOW - math.log(max(n_samples))
    highest = _DIES_ABOVE - values.min().item()
    u = torch.arange(lowest, highest, _STEP, dtype=torch.float64, device=p.device)
    phi = torch.zeros_like(u)  # which it soon is, raised to K
    least, at = max(2, min(n_samples)), 0
    for rows in u.split(max(1, _BLOCK // len(values))):
        phi[at : at + len(rows)] = torch.exp(-torch.exp(values + rows.unsqueeze(1))) @ p
        at += len(rows)
        if phi[at - 1] ** least < _NOTHING:
            break
    integrand = torch.exp(-torch.exp(u)).unsqueeze(1) - phi.unsqueeze(1) ** sizes
    summed = top + _STEP * integrand.sum(dim=0) - sizes.log()
    # One weight needs no integral, and the mean of the logs is exact.
    return torch.where(sizes == 1, top + values @ p, summed)
