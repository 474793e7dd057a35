r"""Rules for how much KL the latents may cost: free bits and a target rate.

Both start from the standard VAE, log p(x | z) minus a KL in closed form, and change what the KL is
charged. They keep latents alive whose gain the decoder has not discovered yet. Free bits charge at
least the KL, so on average over a batch what is left is still a lower bound of log p(x), looser
than the ELBO; a target rate may charge less, and bounds nothing. Without a closed-form KL per
latent there is nothing to charge, so models with several stochastic layers are refused.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.bounds.objectives import Objective
from iwae_core.bounds.surrogates import ESTIMATORS, Surrogate, check_batch
from iwae_core.names import check_known
from iwae_core.sampling.draws import Draws


@dataclass(frozen=True, slots=True)
class FreeBits:
    r"""Charge each latent :math:`\max(\lambda, \overline{KL}_i)`, the mean over the batch.

    A latent whose mean KL is below ``nats`` feels no pull towards the prior.

    Attributes:
        nats: lambda, free per latent (nats, whatever the name says).

    Raises:
        ValueError: If ``nats`` is negative or not finite.

    Reference:
        Kingma et al. (2016), arXiv:1606.04934, equation 15.
    """

    nats: float

    def __post_init__(self) -> None:
        _check_nats("free bits", self.nats)

    def __call__(self, draws: Draws, objective: Objective, beta: float) -> tuple[Tensor, Tensor]:
        """Surrogate and detached log weights; ``objective`` is not used, it is the ELBO."""
        log_likelihood, kl_per_dim, log_w = _parts(draws, beta)
        return log_likelihood - beta * kl_per_dim.clamp(min=self.nats).sum(), log_w


@dataclass(frozen=True, slots=True)
class TargetRate:
    r"""Charge :math:`|\overline{KL} - C|`: the total KL is drawn to C from both sides.

    With ``beta`` at least 1 the rate settles near C wherever the model can use that many nats.

    Attributes:
        nats: C, the mean over the batch of the KL summed over latents.

    Raises:
        ValueError: If ``nats`` is negative or not finite.

    Reference:
        Burgess et al. (2018), arXiv:1804.03599, equation 8.
    """

    nats: float

    def __post_init__(self) -> None:
        _check_nats("the target rate", self.nats)

    def __call__(self, draws: Draws, objective: Objective, beta: float) -> tuple[Tensor, Tensor]:
        """Surrogate and detached log weights; ``objective`` is not used, it is the ELBO."""
        log_likelihood, kl_per_dim, log_w = _parts(draws, beta)
        return log_likelihood - beta * (kl_per_dim.sum() - self.nats).abs(), log_w


def make_estimator(
    name: str, *, free_bits: float = 0.0, target_rate: float | None = None
) -> Surrogate:
    """The named gradient estimator, under at most one rule for the KL.

    Args:
        name: A key of :data:`iwae_core.bounds.surrogates.ESTIMATORS`.
        free_bits: Nats free per latent; 0 sets no rule.
        target_rate: Total KL to hold, in nats; None sets no rule.

    Raises:
        ValueError: If the name is unknown, both rules are set, or a rule is asked of an estimator
            that has no closed-form KL to apply it to.
    """
    estimator = ESTIMATORS[check_known(name, ESTIMATORS, "estimator")]
    if not free_bits and target_rate is None:
        return estimator
    if name != "closed_form_kl":
        raise ValueError(
            "free_bits and target_rate act on the closed-form KL of each latent, so they go with "
            f"estimator closed_form_kl only, got {name!r}"
        )
    if target_rate is None:
        return FreeBits(free_bits)
    if free_bits:
        raise ValueError(
            "free_bits and target_rate are two rules for the same KL: set one of them, got "
            f"{free_bits} and {target_rate}"
        )
    return TargetRate(target_rate)


def _parts(draws: Draws, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mean log p(x | z); mean KL per latent ``(d,)``; detached log weights ``(K, B)``."""
    check_batch(draws)
    if draws.kl_per_dim is None:
        raise ValueError(
            "free bits and a target rate need a KL(q || prior) in closed form for each latent; "
            "a model with two stochastic layers has none"
        )
    log_likelihood = draws.log_likelihood(draws.z)
    with torch.no_grad():
        log_w = log_likelihood + beta * (draws.log_prior(draws.z) - draws.log_q(draws.z))
    return log_likelihood.mean(), draws.kl_per_dim().mean(dim=0), log_w


def _check_nats(what: str, nats: float) -> None:
    if not 0 <= nats < math.inf:
        raise ValueError(f"{what} must be finite and not negative, got {nats} nats")
