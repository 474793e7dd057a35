r"""The posterior that the bound really uses: q, weighted and resampled, flows into p(z | x).

The importance-weighted bound with K samples is a lower bound on the ELBO of another approximate
posterior (Cremer et al., 2017): the expectation, over the other K - 1 draws, of the reweighted q,

    q_K(z) = E[ p(x, z) / ((w(z) + w_2 + .. + w_K) / K) ],    w = p(x, z) / q(z),

which is also the density of one draw picked from K by its weight (sampling importance
resampling). So ``average`` draws the density, ``resample`` draws from it: two views of one q_K.

    L_K <= log p(x) - KL(q_K || p) <= log p(x)

q_K / q depends on z through w alone (:class:`.expected.Share`), so densities and Kullback-Leibler
divergences are exact by quadrature over q, without the noise of averaging over other draws.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.evaluation.inputs import check_data
from iwae_core.evaluation.posterior import resampled_posterior
from iwae_core.evaluation.studies.expected import (
    Law,
    Share,
    quick_bound,
    quick_concentration,
    share_of,
)
from iwae_core.evaluation.studies.posterior_ground import (
    ANY_X,
    Encoding,
    GivenJoint,
    Ground,
    fitted_grid,
    ground,
    round_q,
)
from iwae_core.evaluation.studies.posterior_targets import (
    SCENES,
    TARGETS,
    PosteriorUsedConfig,
)
from iwae_core.models.networks import DiagonalNormal
from iwae_core.rng import stream

__all__ = [
    "SCENES",
    "TARGETS",
    "PosteriorUsedConfig",
    "PosteriorUsedReport",
    "kl_of_used",
    "run",
    "run_model",
    "used",
]

N_DRAWS = 300  # resampled points, or fewer where K is large:
MAX_DRAWN = 50_000  # draws from q behind them
REACH = 60.0  # nats between weights, up to which the browser's tables are exact (used.js)
# K of the curve of KL(q_K || p)
CURVE = (1, 2, 3, 4, 6, 8, 12, 16, 25, 40, 64, 100, 160, 250, 400, 630, 1000)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PosteriorUsedReport:
    """Three densities over the latent plane, and what they cost; nats.

    Attributes:
        first: Grid midpoints along z_1, ``(n,)``.
        second: Along z_2, ``(n,)``.
        log_p: Log density of the exact posterior, ``(n, n)``, axis 0 is z_1.
        log_q: Of q.
        log_q_used: Of q_K.
        loc: Mean of q, ``(2,)``.
        scale: Standard deviations of q, ``(2,)``.
        resampled: Draws from q_K, ``(n, 2)``: each picked from K by weight; none if not asked.
        n_samples: K.
        log_marginal: log p(x).
        elbo: Exact L_1 = log p(x) - KL(q || p).
        bound: Exact L_K.
        elbo_used: Exact ELBO of q_K; between ``bound`` and ``log_marginal``.
        kl_q: KL(q || p).
        kl_used: KL(q_K || p).
        kl_curve: The same for every K of CURVE, ``(len(CURVE),)``; empty where weights lie within
            REACH of each other, so that the browser works it out from ``log_w`` itself.
        effective: 1 / E[sum of squared normalized weights]: how many of the K draws count.
        kl_q_error: How far off a coarser rule that reaches farther puts KL(q || p):
            what this one errs by, or more.
        kl_used_error: The same of KL(q_K || p).
        log_w: One log weight at the nodes of the rule over q, ``(m,)``; see :func:`nodes`.
        mass_on_grid: Of the exact posterior, by the midpoint rule; one if the grid holds it.
    """

    first: Array
    second: Array
    log_p: Array
    log_q: Array
    log_q_used: Array
    loc: Array
    scale: Array
    resampled: Array
    n_samples: int
    log_marginal: float
    elbo: float
    bound: float
    elbo_used: float
    kl_q: float
    kl_used: float
    kl_curve: Array
    effective: float
    kl_q_error: float
    kl_used_error: float
    log_w: Array
    mass_on_grid: float


def run(config: PosteriorUsedConfig, *, resample: bool = True) -> PosteriorUsedReport:
    """What K samples make of this q; without draws from it unless ``resample``."""
    on = _ground(config.target, config.loc_1, config.loc_2, config.scale)
    noise = stream(config.seed, "resampled") if resample else None
    return used(on, config.n_samples, noise)


@lru_cache(maxsize=16)
def _ground(name: str, loc_1: float, loc_2: float, scale: float) -> Ground:
    target = TARGETS[name]
    return ground(
        GivenJoint(target.joint),
        ANY_X,
        round_q((loc_1, loc_2), scale),
        target.grid,
        log_marginal=target.joint.log_normalizer,
    )


def run_model(
    model: Encoding, x: Tensor, n_samples: int, generator: torch.Generator
) -> PosteriorUsedReport:
    """The same report for one datapoint of a trained model with two latent coordinates.

    The grid is fitted to the exact posterior and to q; log p(x) is its quadrature.

    Args:
        model: With ``log_joint`` and a diagonal Gaussian ``posterior``, such as a ``Vae``.
        x: One datapoint, shape ``(1, D)``.
        n_samples: K.
        generator: Of the resampled draws.

    Raises:
        ValueError: If ``x`` is not one finite row, or the model has not two latent coordinates.
    """
    check_data(x)
    with torch.no_grad():
        q = model.posterior(x)
    if q.loc.shape != (1, 2):
        raise ValueError(
            f"needs one datapoint and two latent coordinates, got q of shape {tuple(q.loc.shape)}"
        )
    q = DiagonalNormal(q.loc.double(), q.log_scale.double())
    return used(ground(model, x, q, fitted_grid(model, x, q)), n_samples, generator)


def used(on: Ground, n_samples: int, generator: torch.Generator | None) -> PosteriorUsedReport:
    """What K samples make of a q.

    Args:
        on: The posterior and q.
        n_samples: K.
        generator: Of the resampled draws; None for none.
    """
    law, known = on.law, on.log_marginal
    elbo = law.mean(law.log_w).item()
    share = share_of(law, n_samples)
    kl_used = _kl_of_share(law, share, known)
    log_share = share(on.log_joint - on.log_q).clamp(min=1e-300).log()
    resampled = np.empty((0, 2))
    if generator is not None:
        n_draws = min(N_DRAWS, MAX_DRAWN // n_samples)
        resampled = resampled_posterior(
            on.model, on.x, on.q, n_samples, n_draws, generator
        ).numpy()
    first, second = on.grid.axes
    shape = (on.grid.n, on.grid.n)
    return PosteriorUsedReport(
        first=first,
        second=second,
        log_p=(on.log_joint - known).reshape(shape).numpy(),
        log_q=on.log_q.reshape(shape).numpy(),
        log_q_used=(on.log_q + log_share).reshape(shape).numpy(),
        loc=on.q.loc[0].numpy(),
        scale=on.q.scale[0].numpy(),
        resampled=resampled,
        n_samples=n_samples,
        log_marginal=known,
        elbo=elbo,
        bound=elbo if n_samples == 1 else quick_bound(law, n_samples).item(),
        elbo_used=known - kl_used,
        kl_q=known - elbo,
        kl_used=kl_used,
        kl_curve=_kl_curve(on),
        effective=1 / quick_concentration(law, n_samples).item(),
        kl_q_error=abs(elbo - on.coarse.mean(on.coarse.log_w).item()),
        kl_used_error=abs(kl_used - kl_of_used(on.coarse, n_samples, known)),
        log_w=law.log_w.numpy(),
        mass_on_grid=on.mass_on_grid,
    )


@lru_cache(maxsize=16)
def _kl_curve(on: Ground) -> Array:
    log_w = on.law.log_w
    if (log_w.max() - log_w.min()).item() < REACH:
        return np.empty(0)
    return np.array([kl_of_used(on.law, K, on.log_marginal) for K in CURVE])


def kl_of_used(law: Law, n_samples: int, log_marginal: float) -> float:
    """Exact KL(q_K || p) in nats, from the law of one weight."""
    return _kl_of_share(law, share_of(law, n_samples), log_marginal)


def _kl_of_share(law: Law, share: Share, log_marginal: float) -> float:
    rho = share(law.log_w)
    # log(q_K / p) = log(q_K / q) - log w + log p(x)
    distance = torch.xlogy(rho, rho) - rho * (law.log_w - log_marginal)
    return max(law.mean(distance).item(), 0.0)
