r"""Posteriors one can look at: two latent coordinates, one datapoint, densities on a grid.

With d = 2 the exact posterior is a table: the log joint on a fine grid, normalized by the
midpoint rule. Beside it stands what the encoder says, q(z | x), and what the importance-weighted
bound makes of it. Maximizing L_K over q is a variational problem too, for the *implicit*
posterior

.. math:: q_{IW}(z) = E_{z_2 .. z_K \sim q}\Bigl[\frac{p(x, z)}
          {\frac1K \bigl(w(z) + \sum_{k \ge 2} w(z_k)\bigr)}\Bigr],   w(z) = p(x, z) / q(z),

the density of one draw resampled from K by its weight. K = 1 gives q; as K grows it approaches
the posterior, whatever q, as long as q covers it.

Reference:
    Cremer, Morris and Duvenaud (2017), Reinterpreting importance-weighted autoencoders,
    arXiv:1704.02916.
"""

import math

import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.evaluation.ais import Joint
from iwae_core.evaluation.grid import Grid, GridDensity, kl_on_grid, tabulate
from iwae_core.evaluation.inputs import check_data
from iwae_core.models.networks import DiagonalNormal
from iwae_core.precision import in_float64, widest
from iwae_core.rng import standard_normal

__all__ = [
    "Grid",
    "GridDensity",
    "exact_posterior",
    "implicit_posterior",
    "kl_on_grid",
    "resampled_posterior",
    "variational_posterior",
]

_BLOCK = 1 << 20  # numbers of one intermediate tensor
_CHUNK = 8192  # points that a model sees at a time


def exact_posterior(model: Joint, x: Tensor, grid: Grid) -> GridDensity:
    """The posterior p(z | x) of one datapoint, normalized on the grid.

    Args:
        model: Anything with ``log_joint`` and two latent coordinates.
        x: One datapoint, shape ``(1, D)``.
        grid: Must hold nearly all of the posterior; see :attr:`GridDensity.border_mass`.

    Raises:
        ValueError: If ``x`` is not one finite row, or the log joint is NaN, +inf, or -inf on the
            whole grid.
    """
    log_joint = _on_grid(model, x, grid)
    log_z = torch.logsumexp(log_joint, dim=0).item() + math.log(grid.cell_area)
    return tabulate(log_joint - log_z, grid, log_z)


def variational_posterior(q: DiagonalNormal, grid: Grid) -> GridDensity:
    """The encoder's q(z | x) of one datapoint on the grid, from its own formula.

    Args:
        q: One density, parameters of shape ``(1, 2)``, as ``model.posterior(x)`` gives it.
        grid: The grid; nothing is renormalized.

    Raises:
        ValueError: If ``q`` is not one density over two finite coordinates.
    """
    return tabulate(_double(q).log_prob(grid.points().unsqueeze(1))[:, 0], grid)


def implicit_posterior(
    model: Joint,
    x: Tensor,
    q: DiagonalNormal,
    n_samples: int,
    grid: Grid,
    generator: torch.Generator,
    *,
    n_repeats: int = 500,
) -> GridDensity:
    """The importance-weighted posterior q_IW of one datapoint, averaged over the other draws.

    Exact for K = 1, where there are no others. Otherwise the expectation is a mean over
    ``n_repeats`` sets of K - 1 draws; its integral is one only on average, so :attr:`mass` also
    shows how well the mean has settled.

    Args:
        model: Anything with ``log_joint`` and two latent coordinates.
        x: One datapoint, shape ``(1, D)``.
        q: The proposal, parameters of shape ``(1, 2)``.
        n_samples: K.
        grid: The grid; nothing is renormalized.
        generator: Draws the K - 1 others.
        n_repeats: Sets of others.

    Raises:
        ValueError: If ``n_samples`` or ``n_repeats`` is below 1, or see :func:`exact_posterior`
            and :func:`variational_posterior`.
    """
    _check_counts(n_samples=n_samples, n_repeats=n_repeats)
    if n_samples == 1:
        check_data(x)
        return variational_posterior(q, grid)
    log_joint = _on_grid(model, x, grid)
    log_q = _double(q).log_prob(grid.points().unsqueeze(1))[:, 0]
    others = _log_sums(model, x, q, n_samples - 1, n_repeats, generator)
    # log of K p(x, z) / (w(z) + sum of the others), averaged over the sets on the linear scale
    log_density = torch.cat(
        [
            torch.logsumexp(joint.unsqueeze(1) - torch.logaddexp(w.unsqueeze(1), others), dim=1)
            for joint, w in zip(
                log_joint.split(max(1, _BLOCK // n_repeats)),
                (log_joint - log_q).split(max(1, _BLOCK // n_repeats)),
                strict=True,
            )
        ]
    )
    return tabulate(log_density + math.log(n_samples / n_repeats), grid)


def resampled_posterior(
    model: Joint,
    x: Tensor,
    q: DiagonalNormal,
    n_samples: int,
    n_draws: int,
    generator: torch.Generator,
) -> Tensor:
    """Draws from q_IW: each is one of K draws from q, picked by its weight.

    Args:
        model: Anything with ``log_joint``; any number of latent coordinates.
        x: One datapoint, shape ``(1, D)``.
        q: The proposal, parameters of shape ``(1, d)``.
        n_samples: K, drawn anew for every result.
        n_draws: Independent results.
        generator: Source of the draws and of the choice.

    Returns:
        Tensor of shape ``(n_draws, d)``, float64.

    Raises:
        ValueError: If a count is below 1, or ``x`` or ``q`` is not one finite row.

    Reference:
        Rubin (1988), sampling importance resampling; Cremer et al. (2017), algorithm 1.
    """
    _check_counts(n_samples=n_samples, n_draws=n_draws)
    picked = []
    per_pass = max(1, _CHUNK * 8 // n_samples)
    for start in range(0, n_draws, per_pass):
        n = min(per_pass, n_draws - start)
        z, log_w = _draw(model, x, q, n_samples * n, generator)
        log_w, z = log_w.reshape(n, n_samples), z.reshape(n, n_samples, -1)
        if torch.isneginf(log_w).all(dim=1).any():
            raise ValueError(
                "every weight is zero: the proposal never visits the target's support"
            )
        shares = torch.softmax(log_w, dim=1).to(generator.device, widest(generator.device))
        choice = torch.multinomial(shares, 1, generator=generator)[:, 0].to(z.device)
        picked.append(z[torch.arange(n, device=z.device), choice])
    return torch.cat(picked)


@torch.no_grad()
def _on_grid(model: Joint, x: Tensor, grid: Grid) -> Tensor:
    """Log joint at every point, ``(n * n,)``, float64."""
    _check_one(x)
    points = grid.points()
    found = [model.log_joint(x, z.to(x).unsqueeze(1)) for z in points.split(_CHUNK)]
    log_joint = in_float64(torch.cat(found))[:, 0]
    if torch.isnan(log_joint).any() or torch.isposinf(log_joint).any():
        raise ValueError("the log joint is NaN or +inf on the grid: the model has diverged")
    if torch.isneginf(log_joint).all():
        raise ValueError("the log joint is -inf on the whole grid: it misses the support")
    return log_joint


@torch.no_grad()
def _draw(
    model: Joint, x: Tensor, q: DiagonalNormal, n: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draws ``(n, d)`` from q and their log weights ``(n,)``, float64."""
    _check_one(x)
    q = _double(q)
    z = q.from_noise(standard_normal((n, *q.loc.shape), generator, dtype=torch.float64))
    log_joint = torch.cat([model.log_joint(x, rows.to(x)) for rows in z.split(_CHUNK)])
    log_w = in_float64(log_joint)[:, 0] - q.log_prob(z)[:, 0]
    if torch.isnan(log_w).any() or torch.isposinf(log_w).any():
        raise ValueError("a log weight is NaN or +inf: the model or q has diverged")
    return z[:, 0], log_w


def _log_sums(
    model: Joint,
    x: Tensor,
    q: DiagonalNormal,
    n_samples: int,
    n_repeats: int,
    generator: torch.Generator,
) -> Tensor:
    """Log of the summed weights of ``n_samples`` draws, ``(n_repeats,)``."""
    per_pass = max(1, _BLOCK // (8 * n_samples))
    passes = [min(per_pass, n_repeats - start) for start in range(0, n_repeats, per_pass)]
    return torch.cat(
        [
            _draw(model, x, q, n * n_samples, generator)[1].reshape(n, -1).logsumexp(dim=1)
            for n in passes
        ]
    )


def _double(q: DiagonalNormal) -> DiagonalNormal:
    if q.loc.ndim != 2 or len(q.loc) != 1 or q.log_scale.shape != q.loc.shape:
        raise ValueError(
            f"q must be one density, parameters of shape (1, d), got {tuple(q.loc.shape)}"
        )
    if not (torch.isfinite(q.loc).all() and torch.isfinite(q.log_scale).all()):
        raise ValueError("q's parameters must be finite: the encoder has diverged")
    return DiagonalNormal(in_float64(q.loc.detach()), in_float64(q.log_scale.detach()))


def _check_one(x: Tensor) -> None:
    check_data(x)
    if len(x) != 1:
        raise ValueError(f"x must be one datapoint of shape (1, D), got {tuple(x.shape)}")


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        check_count(name, count)
