r"""Backward through few samples: most of K samples carry almost no weight.

The gradient of the IWAE bound is :math:`\sum_k w_k \nabla \log w_k` with normalized weights, and
after some training a few of 50 samples hold nearly all of it. So: run all K samples forward
without a graph, which is cheap and gives every share exactly, then build the graph again only for

- the heaviest samples that together hold ``1 - epsilon`` of each datapoint's shares
  (:func:`truncated`; what is dropped is at most epsilon of the weight), or
- a few samples drawn in proportion to their shares, each counted by the inverse of its chance
  (:func:`resampled`; unbiased for the estimator's own expectation).

Both work with every estimator that weights samples.
"""

import torch
from torch import Tensor

from iwae_core.bounds.objectives import Objective
from iwae_core.bounds.surrogates import Weighted, check_batch
from iwae_core.counts import check_count
from iwae_core.precision import in_float64
from iwae_core.rng import uniform
from iwae_core.sampling.draws import Draws

BACKWARD = ("exact", "truncated", "resampled")


def truncated(
    estimator: Weighted, draws: Draws, objective: Objective, beta: float, *, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Backward through the heaviest samples of each datapoint.

    Args:
        estimator: What to estimate with.
        draws: All K draws; must be able to ``pick``.
        objective: The bound.
        beta: As in :meth:`Draws.log_w`.
        epsilon: Share of the weight that may be left out, in [0, 1).

    Returns:
        Scalar to maximize and the detached log weights of all samples, ``(K, B)`` in nats.

    Raises:
        ValueError: If ``epsilon`` is out of range, the model cannot pick, or the batch is empty.
    """
    if not 0 <= epsilon < 1:
        raise ValueError(f"epsilon must lie in [0, 1), got {epsilon}")
    log_w, shares, size = _forward(estimator, draws, objective, beta)
    heaviest, order = size.sort(dim=0, descending=True)
    before = heaviest.cumsum(dim=0) - heaviest
    kept = before < (1 - epsilon) * heaviest.sum(dim=0)
    mask = torch.zeros_like(kept).scatter_(0, order, kept)
    return _on_picked(estimator, draws, beta, shares, mask, torch.ones_like(log_w)), log_w


def resampled(
    estimator: Weighted,
    draws: Draws,
    objective: Objective,
    beta: float,
    *,
    n_picks: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Backward through samples drawn in proportion to their shares, systematically.

    Args:
        estimator: What to estimate with.
        draws: All K draws; must be able to ``pick``.
        objective: The bound.
        beta: As in :meth:`Draws.log_w`.
        n_picks: Draws per datapoint, at least 1; a heavy sample may take several of them.
        generator: Source of one uniform number per datapoint.

    Returns:
        Scalar to maximize and the detached log weights of all samples, ``(K, B)`` in nats.

    Raises:
        ValueError: If ``n_picks`` is below 1, the model cannot pick, or the batch is empty.
    """
    check_count("n_picks", n_picks)
    log_w, shares, size = _forward(estimator, draws, objective, beta)
    size = in_float64(size)
    expected = n_picks * (size / size.sum(dim=0))
    stairs = expected.cumsum(dim=0)
    stairs[-1] = n_picks  # what rounding has left of the last stair
    offset = uniform(log_w.shape[1:], generator)
    reached = torch.floor(stairs + offset)
    counts = torch.diff(reached, dim=0, prepend=torch.floor(offset).unsqueeze(0))
    factors = torch.where(counts > 0, counts / expected, 0.0).to(log_w)
    mask = (counts > 0).to(log_w.device)
    return _on_picked(estimator, draws, beta, shares, mask, factors), log_w


def _forward(
    estimator: Weighted, draws: Draws, objective: Objective, beta: float
) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    """Log weights without a graph, the shares of theta and phi, and their joint size."""
    check_batch(draws)
    with torch.no_grad():
        log_w = draws.log_w(beta)
    for_theta, for_phi = estimator.shares(objective, log_w)
    return log_w, (for_theta, for_phi), for_theta.abs() + for_phi.abs()


def _on_picked(
    estimator: Weighted,
    draws: Draws,
    beta: float,
    shares: tuple[Tensor, Tensor],
    mask: Tensor,
    factors: Tensor,
) -> Tensor:
    if draws.pick is None:
        raise ValueError("this model cannot build the graph of few samples: use backward 'exact'")
    k, b = mask.nonzero(as_tuple=True)
    for_theta, for_phi = ((share * factors)[k, b].unsqueeze(0) for share in shares)
    scalar, _ = estimator.scalar(draws.pick(k, b), beta, lambda _: (for_theta, for_phi))
    return scalar / mask.shape[1]
