"""A glance at a run in mid-step: what moves fast, cheap enough to be taken thirty times a second.

The probe is a handful of held-out datapoints. Their bits are drawn once, from a stream of their
own, so that a picture moves because the model moves and not because the data were redrawn; the
noise is fixed in the same way.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core import datasets
from iwae_core.denormals import flushed
from iwae_core.evaluation.collapse import ACTIVE_VARIANCE
from iwae_core.models.model import LatentModel
from iwae_core.models.vae import Vae
from iwae_core.rng import stream
from iwae_core.training.config import TrainConfig

N_PROBE = 300  # dots of the latent plane
N_WEIGHTS = 64  # weights of the one watched datapoint
N_DRAWS = 16  # per datapoint, where a mean over draws is needed
PROBE_SEED = 0
_WORTH_A_TURN = 1.25  # how much more another latent must carry before the plane turns to it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """The held-out data that pictures are about.

    Attributes:
        x: Data, shape ``(n, D)``; binary data have their bits.
        labels: Class of each, shape ``(n,)``; zeros where nobody labeled the data.
        class_names: Names of the classes.
        image_shape: Rows and columns, or None for points in the plane.
    """

    x: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    image_shape: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Glance:
    """What moves fast, at one step.

    Attributes:
        step: Updates taken.
        axes: The two latents shown: those with the largest KL in the layer next to the data.
        means: Posterior means of the probe on those axes, shape ``(n, 2)``.
        scales: Posterior standard deviations on those axes, shape ``(n, 2)``.
        kl_per_dim: Mean KL(q(z_i | x) || p) per latent, shape ``(d,)``, nats. With two stochastic
            layers, both side by side, the one next to the data first; a mean over few draws.
        active: Whether the posterior mean of a latent varies (variance > 0.01), shape ``(d,)``.
        log_w: Log weights of the watched datapoint, shape ``(64,)``, nats.
    """

    step: int
    axes: tuple[int, int]
    means: NDArray[np.floating]
    scales: NDArray[np.floating]
    kl_per_dim: NDArray[np.float32]
    active: NDArray[np.bool_]
    log_w: NDArray[np.float32]


@functools.lru_cache(maxsize=8)
def probe(dataset: str, data_folder: str | None) -> Probe:
    """The fixed held-out data of a data set.

    Raises:
        ValueError: If the data are not to be had.
    """
    data = datasets.load(dataset, data_folder)
    rows = torch.randperm(len(data.test), generator=stream(PROBE_SEED, "probe"))[:N_PROBE]
    x = data.test[rows]
    if data.binary and not data.already_binarized:
        x = datasets.binarize(x, stream(PROBE_SEED, "probe bits"))
    labels = torch.zeros(len(rows)) if data.test_labels is None else data.test_labels[rows]
    return Probe(
        x=x.numpy(),
        labels=labels.numpy().astype(np.int64),
        class_names=data.class_names,
        image_shape=data.image_shape,
    )


def probe_data(config: TrainConfig) -> Tensor:
    """The probe's data on the run's device, shape ``(n, D)``."""
    x = probe(config.dataset, config.data_folder).x
    return torch.from_numpy(x).to(config.resolved_device())


@flushed()
@torch.no_grad()
def glance(
    model: LatentModel, config: TrainConfig, step: int, axes: tuple[int, int] | None = None
) -> Glance:
    """Look at a network, briefly; the same network gives the same glance.

    Args:
        model: The network of a run with settings ``config``; it is only read.
        config: Names the data to look at.
        step: Updates it has taken.
        axes: The latents shown so far. They stay unless another carries clearly more, since a
            plane that turns at every breath cannot be read. None takes the two largest.
    """
    x = probe_data(config)
    q = model.posterior(x)
    if isinstance(model, Vae):
        means, kl_per_unit = q.loc, q.kl_to_standard()
    else:
        noise = functools.partial(stream, PROBE_SEED, device=x.device)
        means = torch.cat(model.layer_means(x, N_DRAWS, noise("means")), dim=1)
        kl_per_unit = model.kl_per_unit(x, N_DRAWS, noise("kl"))
    kl_per_dim = kl_per_unit.mean(dim=0)
    shown = list(axes := _in_sight(kl_per_dim[: q.loc.shape[1]], axes))
    log_w = model.log_weights(x[:1], N_WEIGHTS, stream(PROBE_SEED, "watched", device=x.device))
    return Glance(
        step=step,
        axes=axes,
        means=q.loc[:, shown].cpu().numpy(),
        scales=q.scale[:, shown].cpu().numpy(),
        kl_per_dim=kl_per_dim.cpu().numpy(),
        active=(means.var(dim=0, correction=0) > ACTIVE_VARIANCE).cpu().numpy(),
        log_w=log_w[:, 0].cpu().numpy(),
    )


def _in_sight(kl_per_dim: Tensor, before: tuple[int, int] | None) -> tuple[int, int]:
    """The two latents that carry most, in their own order, or those of before."""
    if len(kl_per_dim) == 1:
        return (0, 0)
    largest = torch.topk(kl_per_dim, 2)
    if before is not None and before[0] != before[1] and max(before) < len(kl_per_dim):
        least_shown = kl_per_dim[list(before)].min()
        if not largest.values[1] > _WORTH_A_TURN * least_shown:
            return before
    first, second = sorted(largest.indices.tolist())
    return (first, second)
