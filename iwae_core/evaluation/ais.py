r"""Annealed importance sampling: log p(x) from both sides, where q alone is not trusted.

A chain starts at a known density p_0 (the prior, or q) and walks to the posterior along

    log f_beta(z) = (1 - beta) log p_0(z) + beta log p(x, z),      0 = beta_0 < .. < beta_T = 1,

with a Hamiltonian Monte Carlo move that leaves f_beta invariant at each step. Its weight is the
product of the ratios ``f_{beta_t} / f_{beta_{t-1}}`` met on the way, and averages to p(x): a lower
bound on log p(x) in expectation, like the IWAE's, that tightens with T instead of K alone. Run
backwards from an exact posterior draw, the inverse weight averages to 1 / p(x): an upper bound.
Data simulated from the model come with such a draw, the z they were made from; for other data
only the lower side holds.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.annealing import AisConfig, Joint, Path
from iwae_core.evaluation.inputs import check_data
from iwae_core.models.networks import DiagonalNormal
from iwae_core.precision import in_float64
from iwae_core.sampling.weights import ess, log_mean_exp

__all__ = ["AisConfig", "AisReport", "Joint", "ais", "prior_start"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AisReport:
    """Log p(x) from below, and from above where exact posterior draws were given.

    Attributes:
        log_lower: Forward estimate, shape ``(B,)``, nats; at most log p(x) in expectation.
        log_upper: Reverse estimate, shape ``(B,)``, nats; at least log p(x) in expectation. None
            without posterior draws.
        ess: Effective sample size of the forward chains, shape ``(B,)``, of ``n_chains``. Small:
            take more temperatures before more chains.
        acceptance: Mean acceptance of the forward chains per temperature, shape ``(T,)``.
        step_size: Mean tuned step per temperature, shape ``(T,)``, in units of p_0's scale.
        n_chains: K.
    """

    log_lower: NDArray[np.float64]
    log_upper: NDArray[np.float64] | None
    ess: NDArray[np.float64]
    acceptance: NDArray[np.float64]
    step_size: NDArray[np.float64]
    n_chains: int

    @property
    def gap(self) -> float:
        """Mean over the data of upper minus lower, nats; NaN without an upper side."""
        if self.log_upper is None:
            return math.nan
        return float((self.log_upper - self.log_lower).mean())


def prior_start(x: Tensor, latent_dim: int) -> DiagonalNormal:
    """The prior N(0, I) as a start of the path, for each row of ``x``."""
    check_data(x)
    check_count("latent_dim", latent_dim)
    zeros = x.new_zeros(len(x), latent_dim)
    return DiagonalNormal(zeros, zeros)


def ais(
    model: Joint,
    x: Tensor,
    start: DiagonalNormal,
    config: AisConfig,
    generator: torch.Generator,
    *,
    posterior_draw: Tensor | None = None,
) -> AisReport:
    """Estimate log p(x) by annealing, from below and, with posterior draws, from above.

    Args:
        model: Anything with ``log_joint``; the path needs no encoder.
        x: Data, shape ``(B, D)``.
        start: p_0 for each datapoint, ``(B, d)``: :func:`prior_start`, or ``model.posterior(x)``.
        config: The effort.
        generator: Source of every draw, on the model's device.
        posterior_draw: One exact draw from p(z | x) per datapoint, shape ``(B, d)``: the z that
            simulated data were made from. Starts the reverse chains.

    Returns:
        The report; float64 whatever the model's dtype.

    Raises:
        ValueError: If shapes do not fit, ``x`` or ``posterior_draw`` is not finite, or the log
            joint is NaN, +inf, or -inf at a start.

    Reference:
        Neal (2001), Statistics and Computing 11, 125-139; Grosse, Ancha and Roy (2016),
        arXiv:1606.02275; Wu, Burda, Salakhutdinov and Grosse (2017), arXiv:1611.04273.
    """
    check_data(x)
    shape = start.loc.shape
    if len(shape) != 2 or shape[0] != len(x):
        raise ValueError(
            f"start must hold one density per row of x, shape ({len(x)}, d), got {tuple(shape)}"
        )
    if posterior_draw is not None and posterior_draw.shape != shape:
        raise ValueError(
            "posterior_draw must hold one z per datapoint, shape "
            f"{tuple(shape)}, got {tuple(posterior_draw.shape)}"
        )
    path = Path(model, x, start.detach(), config)
    steps = path.tune(generator)
    log_w, acceptance = path.forward(steps, generator)
    log_upper = None
    if posterior_draw is not None:
        log_upper = -log_mean_exp(path.reverse(posterior_draw, steps, generator)).cpu().numpy()
    return AisReport(
        log_lower=log_mean_exp(log_w).cpu().numpy(),
        log_upper=log_upper,
        ess=ess(log_w).cpu().numpy(),
        acceptance=acceptance.cpu().numpy(),
        step_size=in_float64(torch.stack(steps)).mean(dim=1).cpu().numpy(),
        n_chains=config.n_chains,
    )
