"""A posterior and a q over two latent coordinates as tables: all that does not depend on K."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.evaluation.ais import Joint
from iwae_core.evaluation.posterior import Grid, exact_posterior
from iwae_core.evaluation.studies.expected import Law, normal_nodes
from iwae_core.evaluation.studies.posterior_targets import N_GRID
from iwae_core.models.networks import DiagonalNormal
from iwae_core.sampling.densities import Multivariate

STEP = 0.25  # of the rule over q, in its standard deviations
_NEGLIGIBLE = 1e-10
_COARSE, _FARTHER = 1.4, 1e-15  # times the step, and farther out: to tell the error

Array = NDArray[np.float64]


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


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What does not depend on K: a posterior and a q as tables, and the law of one weight."""

    model: Joint
    x: Tensor
    q: DiagonalNormal
    grid: Grid
    log_marginal: float  # log p(x), nats
    log_joint: Tensor  # at the points of the grid, (n * n,)
    log_q: Tensor
    law: Law
    coarse: Law  # by a coarser rule that reaches farther
    mass_on_grid: float


def ground(
    model: Joint,
    x: Tensor,
    q: DiagonalNormal,
    grid: Grid,
    *,
    log_marginal: float | None = None,
    step: float = STEP,
) -> Ground:
    """Tabulate any joint density over two coordinates and any diagonal Gaussian q.

    Args:
        model: Anything with ``log_joint``.
        x: One datapoint, shape ``(1, D)``.
        q: Parameters of shape ``(1, 2)``, float64.
        grid: Where to draw; decides log p(x) too if that is not given.
        log_marginal: Exact log p(x), where known.
        step: Of the rule over q, in its standard deviations; finer where p is much narrower.
    """
    p = exact_posterior(model, x, grid)
    known = p.log_normalizer if log_marginal is None else log_marginal
    return Ground(
        model,
        x,
        q,
        grid,
        log_marginal=known,
        log_joint=torch.from_numpy(p.log_density).flatten() + p.log_normalizer,
        log_q=q.log_prob(grid.points().unsqueeze(1))[:, 0],
        law=weight_law(model, x, q, step, _NEGLIGIBLE),
        coarse=weight_law(model, x, q, _COARSE * step, _FARTHER),
        mass_on_grid=math.exp(p.log_normalizer - known),
    )


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
