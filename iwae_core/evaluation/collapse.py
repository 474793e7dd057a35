r"""Posterior collapse: latent coordinates that the encoder leaves at the prior.

A coordinate that carries nothing has ``q(z_i | x) = N(0, 1)`` for every x: its KL is zero and its
mean does not move with x. The two usual readings are both here. They can disagree: the mean may
move while the KL is tiny, and the KL may be large while every x gets the same q.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.evaluation.inputs import check_data
from iwae_core.models.model import LatentModel
from iwae_core.models.networks import DiagonalNormal
from iwae_core.precision import in_float64

# Burda et al. (2016), appendix C: a unit is active if its posterior mean varies more than this.
ACTIVE_VARIANCE = 0.01

_BLOCK = 1 << 22  # numbers of one intermediate tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CollapseReport:
    """What each latent coordinate carries, on one stated set of data.

    With two stochastic layers the coordinates of both stand side by side, the layer next to the
    data first.

    Attributes:
        kl_per_dim: Mean over x of KL(q(z_i | x) || p(z_i)), shape ``(d,)``, nats; with two layers
            a mean over draws of each unit's part of log q(z | x) - log p(z).
        mean_variance: Variance over x of E[z_i | x] (ddof 0), shape ``(d,)``.
        active: ``mean_variance > 0.01``, shape ``(d,)``.
        mutual_information: Estimate of I(x; z) under q, nats; at most its cap. With two layers
            that of the layer next to the data: what lies above sees x through it alone.
        mutual_information_cap: log N: what N datapoints can show at most.
        n_points: N, datapoints that the report is about.
        layer_dims: Coordinates of each stochastic layer.
    """

    kl_per_dim: NDArray[np.float64]
    mean_variance: NDArray[np.float64]
    active: NDArray[np.bool_]
    mutual_information: float
    mutual_information_cap: float
    n_points: int
    layer_dims: tuple[int, ...]

    @property
    def n_active(self) -> int:
        """Number of active units."""
        return int(self.active.sum())

    @property
    def n_active_per_layer(self) -> tuple[int, ...]:
        """Number of active units of each stochastic layer."""
        layers = np.split(self.active, np.cumsum(self.layer_dims)[:-1])
        return tuple(int(layer.sum()) for layer in layers)


@torch.no_grad()
def collapse_report(
    model: LatentModel, x: Tensor, generator: torch.Generator, *, n_samples: int = 64
) -> CollapseReport:
    r"""Measure every latent coordinate on the data ``x``.

    The mutual information is :math:`E_x KL(q(z|x) \| p) - KL(q(z) \| p)` with the aggregated
    posterior q(z) taken as the mixture over the same N datapoints and one draw from each. The
    mixture holds the draw's own component, so the estimate cannot exceed log N.

    Args:
        model: The model.
        x: Data, shape ``(N, D)``; use at least 1000 rows where the mutual information matters.
        generator: Draws one z per datapoint, and the samples of the layer below.
        n_samples: Draws per datapoint over which what has no closed form is averaged: the costs of
            two layers, and the mean of layer 2, taken over draws of layer 1.

    Raises:
        ValueError: If ``x`` is no finite matrix with at least two rows.

    Reference:
        Burda et al. (2016) for activity; Hoffman and Johnson (2016) for the decomposition.
    """
    check_data(x, at_least=2)
    q = model.posterior(x)
    z = model.draws(x, 1, generator).z[0, :, : q.loc.shape[1]]
    means = model.layer_means(x, n_samples, generator)
    kl_per_dim = in_float64(model.kl_per_unit(x, n_samples, generator)).mean(dim=0)
    mean_variance = in_float64(torch.cat(means, dim=1)).var(dim=0, correction=0)
    information = (in_float64(q.log_prob(z)) - log_aggregate(q, z)).mean().item()
    return CollapseReport(
        kl_per_dim=kl_per_dim.cpu().numpy(),
        mean_variance=mean_variance.cpu().numpy(),
        active=(mean_variance > ACTIVE_VARIANCE).cpu().numpy(),
        mutual_information=information,
        mutual_information_cap=math.log(len(x)),
        n_points=len(x),
        layer_dims=tuple(layer.shape[1] for layer in means),
    )


def log_aggregate(q: DiagonalNormal, z: Tensor) -> Tensor:
    r"""Log density of the mixture :math:`\frac1N \sum_j q(z \mid x_j)`, ``(M, d) -> (M,)``.

    Takes M x N densities in blocks of rows; float64, in nats.

    Raises:
        ValueError: If q is no list of N densities over d coordinates, or z no M finite points
            there.
    """
    if q.loc.ndim != 2 or q.loc.numel() == 0 or q.log_scale.shape != q.loc.shape:
        raise ValueError(
            "q must hold means and log scales of shape (N, d), got "
            f"{tuple(q.loc.shape)} and {tuple(q.log_scale.shape)}"
        )
    if z.ndim != 2 or z.shape[1] != q.loc.shape[1]:
        raise ValueError(f"z must have shape (M, {q.loc.shape[1]}), got {tuple(z.shape)}")
    if not all(torch.isfinite(part).all() for part in (q.loc, q.log_scale, z)):
        raise ValueError("q and z must be finite, got NaN or infinity: the encoder has diverged")
    n_rows = max(1, _BLOCK // q.loc.numel())
    blocks = [
        torch.logsumexp(in_float64(q.log_prob(rows.unsqueeze(1))), dim=1)
        for rows in z.split(n_rows)
    ]
    return torch.cat(blocks) - math.log(len(q.loc))
