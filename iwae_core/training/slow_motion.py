r"""One datapoint of a run in slow motion: sample, weight, average, log, gradient.

For one held-out datapoint the run's own network, K, objective and gradient estimator are taken
apart. Sample k gets the share :math:`c_k = \partial L / \partial \log w_k` of the gradient
(:func:`iwae_core.bounds.objectives.sample_shares`): 1 / K under the ELBO, the normalized weight
under the IWAE bound, something between or beside them under the others. Its contribution is what
the estimator makes of that share; all contributions together are the gradient that a training
step would take from this datapoint.

An estimator with the KL in closed form uses no weights: each sample adds its log-likelihood, and
the KL adds one term of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.objectives import Objective, elbo, iwae, make_objective, sample_shares
from iwae_core.bounds.rate import make_estimator
from iwae_core.bounds.surrogates import Surrogate, Weighted
from iwae_core.counts import is_count
from iwae_core.denormals import flushed
from iwae_core.models.autoregressive import AutoregressiveBernoulli
from iwae_core.models.model import LatentModel
from iwae_core.rng import stream
from iwae_core.sampling.draws import Draws
from iwae_core.sampling.weights import ess, normalize
from iwae_core.training.glance import N_PROBE, probe
from iwae_core.training.schedule import KL_SCHEDULES
from iwae_core.training.state import RunState, model_of

MOST_SHOWN = 16  # samples with numbers of their own; the rest is summed up

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pulls:
    """Contributions to one part of the gradient.

    Attributes:
        norm: Length of each shown sample's contribution, ``(n,)``.
        along: Its part along the whole gradient, ``(n,)``; with ``rest_along`` and
            ``kl_along`` it sums to ``total``.
        rest_along: Of all samples that are not shown.
        kl_along: Of the closed-form KL; 0 where the estimator has none.
        total: Length of the whole gradient.
    """

    norm: Array
    along: Array
    rest_along: float
    kl_along: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlowMotionReport:
    """One datapoint, taken apart; nats. Arrays of n shown samples, the heaviest first.

    Attributes:
        step: Updates the network has taken.
        n_samples: K.
        beta: Factor of ``log p(z) - log q(z | x)`` at this step.
        weighted: Whether the estimator uses weights.
        x: The datapoint, ``(D,)``.
        label: Its class.
        axes: The two latents shown: those with the largest KL for this datapoint.
        loc: Mean of q on these axes, ``(2,)``.
        scale: Standard deviations of q.
        z: Shown samples on these axes, ``(n, 2)``.
        number: Which of the K samples each is, from 0, ``(n,)``.
        decoded: E[x | z] of the shown samples, ``(n, D)``; None where z alone does not decide it.
        log_likelihood: ``log p(x | z_k)`` of the shown, ``(n,)``.
        log_joint: ``log p(x, z_k)`` of the shown, ``(n,)``.
        log_q: ``log q(z_k | x)`` of the shown, ``(n,)``.
        log_w: The log weights that the objective sees, ``(n,)``, tempered by ``beta``.
        weight: Their normalized weights among all K, ``(n,)``.
        share: Share of the decoder's gradient that each gets, ``(n,)``.
        encoder_share: Of the encoder's; for :func:`closed_form_kl` both are 1 / K.
        all_log_w: Of all K, ``(K,)``.
        ess: Effective number of samples.
        elbo: Mean of the log weights.
        bound: Log of the mean weight: L_K of this draw.
        objective: Value of the run's objective on these weights.
        encoder: Contributions to the encoder's gradient.
        decoder: To the decoder's, which holds the prior of a second layer too.
    """

    step: int
    n_samples: int
    beta: float
    weighted: bool
    x: Array
    label: str
    axes: tuple[int, int]
    loc: Array
    scale: Array
    z: Array
    number: NDArray[np.int64]
    decoded: Array | None
    log_likelihood: Array
    log_joint: Array
    log_q: Array
    log_w: Array
    weight: Array
    share: Array
    encoder_share: Array
    all_log_w: Array
    ess: float
    elbo: float
    bound: float
    objective: float
    encoder: Pulls
    decoder: Pulls


@flushed()
def slow_motion(state: RunState, index: int, noise_seed: int) -> SlowMotionReport:
    """Take one step's work on one datapoint apart, in float64 on the CPU.

    Args:
        state: The run, wherever it stands.
        index: Of the datapoint in the probe, below N_PROBE.
        noise_seed: Of the K samples.

    Raises:
        ValueError: If there is no such datapoint.
    """
    config = state.config
    held_out = probe(config.dataset, config.data_folder)
    if not (is_count(index, 0) and index < len(held_out.x)):
        raise ValueError(f"index must lie in 0..{len(held_out.x) - 1}, got {index!r}")
    x = torch.from_numpy(held_out.x[index : index + 1]).double()
    model = model_of(state).cpu().double()
    K = config.n_samples
    factor = KL_SCHEDULES[config.kl_schedule].weight(state.step, config.kl_steps, config.kl_ramp)
    beta = config.beta * factor
    objective = make_objective(config.objective, config.objective_setting)
    estimator = make_estimator(
        config.estimator, free_bits=config.free_bits, target_rate=config.target_rate
    )
    draws = model.draws(x, K, stream(noise_seed, "slow motion", index))
    with torch.no_grad():
        likelihood, prior = draws.log_likelihood(draws.z), draws.log_prior(draws.z)
        log_q = draws.log_q(draws.z)
        log_w = likelihood + beta * (prior - log_q)
        log_joint = likelihood + prior
        shares = _shares(estimator, objective, log_w)
    weight = normalize(log_w)[:, 0]
    shown = torch.argsort(weight, descending=True, stable=True)[:MOST_SHOWN]
    encoder, decoder = _pulls(model, draws, objective, estimator, beta, shown)
    weighted = isinstance(estimator, Weighted)
    value = objective(log_w) if weighted else estimator(draws, objective, beta)[0].detach()
    with torch.no_grad():
        q = model.posterior(x)
        axes = _axes(q.kl_to_standard()[0])
        z = draws.z.detach()[shown, 0]
        alone = not isinstance(model.likelihood, AutoregressiveBernoulli)
        decoded = model.decode(z).numpy() if alone else None
    at = list(axes)
    return SlowMotionReport(
        step=state.step,
        n_samples=K,
        beta=beta,
        weighted=weighted,
        x=x[0].numpy(),
        label=held_out.class_names[held_out.labels[index]] if held_out.class_names else "",
        axes=axes,
        loc=q.loc[0, at].numpy(),
        scale=q.scale[0, at].numpy(),
        z=z[:, at].numpy(),
        number=shown.numpy(),
        decoded=decoded,
        log_likelihood=likelihood[shown, 0].numpy(),
        log_joint=log_joint[shown, 0].numpy(),
        log_q=log_q[shown, 0].numpy(),
        log_w=log_w[shown, 0].numpy(),
        weight=weight[shown].numpy(),
        share=shares[0][shown, 0].numpy(),
        encoder_share=shares[1][shown, 0].numpy(),
        all_log_w=log_w[:, 0].numpy(),
        ess=ess(log_w).item(),
        elbo=elbo(log_w).item(),
        bound=iwae(log_w).item(),
        objective=value.item(),
        encoder=encoder,
        decoder=decoder,
    )


def n_datapoints(state: RunState) -> int:
    """How many datapoints of the run's data can be looked at, at most N_PROBE."""
    return min(N_PROBE, len(probe(state.config.dataset, state.config.data_folder).x))


def _shares(estimator: Surrogate, objective: Objective, log_w: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of theta's and of phi's gradient, each ``(K, 1)``."""
    if isinstance(estimator, Weighted):
        return estimator.shares(objective, log_w)
    equal = sample_shares(elbo, log_w)
    return equal, equal


def _axes(kl_per_dim: Tensor) -> tuple[int, int]:
    if len(kl_per_dim) == 1:
        return (0, 0)
    first, second = sorted(torch.topk(kl_per_dim, 2).indices.tolist())
    return first, second


def _pulls(
    model: LatentModel,
    draws: Draws,
    objective: Objective,
    estimator: Surrogate,
    beta: float,
    shown: Tensor,
) -> tuple[Pulls, Pulls]:
    """What each sample adds to the encoder's and to the decoder's gradient."""
    named = dict(model.named_parameters())
    parameters = list(named.values())

    def gradient(scalar: Tensor) -> Tensor:
        parts = torch.autograd.grad(
            scalar, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat([part.flatten() for part in parts])

    n = len(draws.z)
    mask = torch.eye(n, dtype=draws.z.dtype)[shown]  # (shown, K)
    rest = 1 - mask.sum(dim=0)
    total = gradient(estimator(draws, objective, beta)[0])
    if isinstance(estimator, Weighted):
        of = [gradient(_part(estimator, draws, objective, beta, row)) for row in (*mask, rest)]
        kl = torch.zeros_like(total)
    else:
        log_likelihood = draws.log_likelihood(draws.z)[:, 0]
        of = [gradient((row * log_likelihood).sum() / n) for row in (*mask, rest)]
        kl = total - torch.stack(of).sum(dim=0)
    is_encoder = torch.cat(
        [torch.full((p.numel(),), "encoder" in name) for name, p in named.items()]
    )
    encoder, decoder = (
        _summed_up([part[where] for part in (*of, kl, total)])
        for where in (is_encoder, ~is_encoder)
    )
    return encoder, decoder


def _part(
    estimator: Weighted, draws: Draws, objective: Objective, beta: float, mask: Tensor
) -> Tensor:
    """The estimator's scalar with the shares of all samples but those of ``mask`` set to zero."""

    def give(log_w: Tensor) -> tuple[Tensor, Tensor]:
        theta, phi = estimator.shares(objective, log_w)
        return theta * mask[:, None], phi * mask[:, None]

    return estimator.scalar(draws, beta, give)[0]


def _summed_up(parts: Iterable[Tensor]) -> Pulls:
    """Lengths and projections of contributions: shown samples, the rest, the KL, and the sum."""
    *shown, rest, kl, total = parts
    length = total.norm()
    direction = total / length if length > 0 else total
    return Pulls(
        norm=np.array([part.norm().item() for part in shown]),
        along=np.array([(part @ direction).item() for part in shown]),
        rest_along=(rest @ direction).item(),
        kl_along=(kl @ direction).item(),
        total=length.item(),
    )
