r"""The posterior that the bound really uses: q, weighted and resampled, flows into p(z | x).

The importance-weighted bound with K samples is a lower bound on the ELBO of another approximate
posterior (Cremer et al., 2017): the expectation, over the other K - 1 draws, of the reweighted q,

    q_K(z) = E[ p(x, z) / ((w(z) + w_2 + .. + w_K) / K) ],    w = p(x, z) / q(z),

which is also the density of one draw picked from K by its weight (sampling importance
resampling). So ``average`` draws the density, ``resample`` draws from it: two views of one q_K.

    L_K <= log p(x) - KL(q_K || p) <= log p(x)

q_K / q depends on z through w alone (:func:`expected_share`), so densities and Kullback-Leibler
divergences are exact by quadrature over q, without the noise of averaging over other draws.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.evaluation.ais import Joint
from iwae_core.evaluation.inputs import check_data
from iwae_core.evaluation.posterior import Grid, exact_posterior, resampled_posterior
from iwae_core.evaluation.studies.expected import Law, expected_share, normal_nodes, share_moments
from iwae_core.evaluation.studies.posterior_targets import (
    N_GRID,
    SCENES,
    TARGETS,
    PosteriorUsedConfig,
)
from iwae_core.models.networks import DiagonalNormal
from iwae_core.rng import stream
from iwae_core.sampling.densities import Multivariate

__all__ = [
    "SCENES",
    "STEP",
    "TARGETS",
    "Encoding",
    "PosteriorUsedConfig",
    "PosteriorUsedReport",
    "kl_of_used",
    "nodes",
    "run",
    "run_model",
    "used",
]

N_DRAWS = 300  # resampled points, or fewer where K is large:
MAX_DRAWN = 50_000  # draws from q behind them
STEP = 0.25  # of the rule over q, in its standard deviations
_NEGLIGIBLE = 1e-10
_COARSE, _FARTHER = 1.4, 1e-15  # times the step, and farther out: to tell the error

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
        resampled: Draws from q_K, ``(n, 2)``: each picked from K by weight.
        n_samples: K.
        log_marginal: log p(x).
        elbo: Exact L_1 = log p(x) - KL(q || p).
        bound: Exact L_K.
        elbo_used: Exact ELBO of q_K; between ``bound`` and ``log_marginal``.
        kl_q: KL(q || p).
        kl_used: KL(q_K || p).
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
    effective: float
    kl_q_error: float
    kl_used_error: float
    log_w: Array
    mass_on_grid: float


class Encoding(Joint, Protocol):
    """A model with an encoder; a :class:`iwae_core.models.vae.Vae` is one."""

    def posterior(self, x: Tensor, /) -> DiagonalNormal:
        """q(z | x), ``(B, D)`` to parameters of shape ``(B, d)``."""
        ...


class GivenJoint:
    """A density of z as a model of one datapoint."""

    def __init__(self, density: Multivariate) -> None:
        self.density = density

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """``log p(x, z)``; x is not looked at."""
        return self.density.log_prob(z)


ANY_X = torch.zeros(1, 1, dtype=torch.float64)


def run(config: PosteriorUsedConfig) -> PosteriorUsedReport:
    """What K samples make of this q."""
    target = TARGETS[config.target]
    q = round_q((config.loc_1, config.loc_2), config.scale)
    return used(
        GivenJoint(target.joint),
        ANY_X,
        q,
        config.n_samples,
        target.grid,
        stream(config.seed, "resampled"),
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
    return used(model, x, q, n_samples, fitted_grid(model, x, q), generator)


def used(
    model: Joint,
    x: Tensor,
    q: DiagonalNormal,
    n_samples: int,
    grid: Grid,
    generator: torch.Generator,
    *,
    log_marginal: float | None = None,
    step: float = STEP,
) -> PosteriorUsedReport:
    """The report for any joint density over two coordinates and any diagonal Gaussian q.

    Args:
        model: Anything with ``log_joint``.
        x: One datapoint, shape ``(1, D)``.
        q: Parameters of shape ``(1, 2)``, float64.
        n_samples: K.
        grid: Where to draw; decides log p(x) too if that is not given.
        generator: Of the resampled draws.
        log_marginal: Exact log p(x), where known.
        step: Of the rule over q, in its standard deviations; finer where p is much narrower.
    """
    p = exact_posterior(model, x, grid)
    log_joint = torch.from_numpy(p.log_density).flatten() + p.log_normalizer
    known = p.log_normalizer if log_marginal is None else log_marginal
    log_q = q.log_prob(grid.points().unsqueeze(1))[:, 0]
    law = weight_law(model, x, q, step, _NEGLIGIBLE)
    elbo, bound = law.bound((1, n_samples)).tolist()
    kl_used = kl_of_used(law, n_samples, known)
    coarse = weight_law(model, x, q, _COARSE * step, _FARTHER)
    log_share = expected_share(law, log_joint - log_q, n_samples).clamp(min=1e-300).log()
    concentration, _ = share_moments(law, torch.ones_like(law.log_w)[:, None], (n_samples,), 2)
    n_draws = min(N_DRAWS, MAX_DRAWN // n_samples)
    first, second = grid.axes
    shape = (grid.n, grid.n)
    return PosteriorUsedReport(
        first=first,
        second=second,
        log_p=(log_joint - known).reshape(shape).numpy(),
        log_q=log_q.reshape(shape).numpy(),
        log_q_used=(log_q + log_share).reshape(shape).numpy(),
        loc=q.loc[0].numpy(),
        scale=q.scale[0].numpy(),
        resampled=resampled_posterior(model, x, q, n_samples, n_draws, generator).numpy(),
        n_samples=n_samples,
        log_marginal=known,
        elbo=elbo,
        bound=bound,
        elbo_used=known - kl_used,
        kl_q=known - elbo,
        kl_used=kl_used,
        effective=1 / concentration.item(),
        kl_q_error=abs(elbo - coarse.mean(coarse.log_w).item()),
        kl_used_error=abs(kl_used - kl_of_used(coarse, n_samples, known)),
        log_w=law.log_w.numpy(),
        mass_on_grid=math.exp(p.log_normalizer - known),
    )


def kl_of_used(law: Law, n_samples: int, log_marginal: float) -> float:
    """Exact KL(q_K || p) in nats, from the law of one weight."""
    share = expected_share(law, law.log_w, n_samples)
    # log(q_K / p) = log(q_K / q) - log w + log p(x)
    distance = torch.xlogy(share, share) - share * (law.log_w - log_marginal)
    return max(law.mean(distance).item(), 0.0)


def nodes(step: float = STEP) -> tuple[Array, Array]:
    """The rule over q: standard normal noise ``(m, 2)`` and its probabilities ``(m,)``."""
    eps, probability = normal_nodes(2, step, _NEGLIGIBLE)
    return eps.numpy(), probability.numpy()


def weight_law(model: Joint, x: Tensor, q: DiagonalNormal, step: float, negligible: float) -> Law:
    """The weights of one draw from q, at nodes as in :func:`normal_nodes`."""
    eps, probability = normal_nodes(2, step, negligible)
    z = q.from_noise(eps.unsqueeze(1))
    with torch.no_grad():
        log_joint = model.log_joint(x, z.to(x.dtype))
    return Law((log_joint.double() - q.log_prob(z))[:, 0], probability)


def round_q(loc: Sequence[float] | Array, scale: float) -> DiagonalNormal:
    """A Gaussian with one standard deviation in both directions."""
    mean = torch.tensor([[float(loc[0]), float(loc[1])]], dtype=torch.float64)
    return DiagonalNormal(mean, torch.full_like(mean, math.log(scale)))


def fitted_grid(model: Joint, x: Tensor, q: DiagonalNormal) -> Grid:
    """A square that holds the posterior and q: found on a wide grid, then on a closer one."""
    low, high = (q.loc - 8 * q.scale)[0].tolist(), (q.loc + 8 * q.scale)[0].tolist()
    grid = Grid(
        low=(min(low[0], -5.0), min(low[1], -5.0)),
        high=(max(high[0], 5.0), max(high[1], 5.0)),
        n=2 * N_GRID,
    )
    for n in (2 * N_GRID, N_GRID):
        p = np.exp(exact_posterior(model, x, grid).log_density)
        ends = []
        for axis, (points, cells) in enumerate(zip(grid.axes, (p.sum(1), p.sum(0)), strict=True)):
            held = points[cells > 1e-7 * cells.max()]
            width = points[1] - points[0]
            near = 4 * q.scale[0, axis].item()
            center = q.loc[0, axis].item()
            ends.append(
                (min(held[0] - width, center - near), max(held[-1] + width, center + near))
            )
        grid = Grid(low=(ends[0][0], ends[1][0]), high=(ends[0][1], ends[1][1]), n=n)
    return grid
