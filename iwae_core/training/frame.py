"""What a run looks like at one moment: the numbers a live picture shows, on data fixed once.

The probe is a handful of held-out datapoints. Their bits are drawn once, from a stream of their
own, so that a curve moves because the model moves and not because the data were redrawn; the
noise is fixed in the same way. For figures to quote use :mod:`iwae_core.evaluation` on the whole
test set.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core import datasets
from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.denormals import flushed
from iwae_core.evaluation.collapse import ACTIVE_VARIANCE
from iwae_core.models.autoregressive import AutoregressiveBernoulli
from iwae_core.models.model import LatentModel
from iwae_core.rng import stream
from iwae_core.training.state import RunState, model_of

N_PROBE = 300  # dots of the latent plane
N_HELD_OUT = 100  # datapoints of the held-out bounds
N_WEIGHTS = 64  # K of the held-out bound, and weights of the one watched datapoint
N_PICTURES = 10
N_DRAWS = 16  # per datapoint, where a mean over draws is needed
_PROBE_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """The held-out data that frames are about.

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
class Frame:
    """One moment of a run.

    Attributes:
        step: Updates taken.
        bound_1: Held-out ELBO, L_1, mean over the probe, nats.
        bound_64: Held-out L_64, nats.
        kl_per_dim: Mean KL(q(z_i | x) || p) per latent, shape ``(d,)``, nats. With two stochastic
            layers, both side by side, the one next to the data first; a mean over few draws.
        active: Whether the posterior mean of a latent varies (variance > 0.01), shape ``(d,)``.
        axes: The two latents shown: those with the largest KL in the layer next to the data.
        latents: Posterior means of the probe on those axes, shape ``(n, 2)``.
        log_w: Log weights of the watched datapoint, shape ``(64,)``, nats.
        reconstructions: E[x | z = posterior mean] of the first datapoints, shape ``(m, D)``.
        samples: E[x | z], z from the prior, shape ``(m, D)``; draws of x for points in the plane
            and for an autoregressive decoder, whose z alone need not say much.
    """

    step: int
    bound_1: float
    bound_64: float
    kl_per_dim: NDArray[np.float32]
    active: NDArray[np.bool_]
    axes: tuple[int, int]
    latents: NDArray[np.float32]
    log_w: NDArray[np.float32]
    reconstructions: NDArray[np.float32]
    samples: NDArray[np.float32]


@functools.lru_cache(maxsize=8)
def probe(dataset: str, data_folder: str | None) -> Probe:
    """The fixed held-out data of a data set.

    Raises:
        ValueError: If the data are not to be had.
    """
    data = datasets.load(dataset, data_folder)
    rows = torch.randperm(len(data.test), generator=stream(_PROBE_SEED, "probe"))[:N_PROBE]
    x = data.test[rows]
    if data.binary and not data.already_binarized:
        x = datasets.binarize(x, stream(_PROBE_SEED, "probe bits"))
    labels = torch.zeros(len(rows)) if data.test_labels is None else data.test_labels[rows]
    return Probe(
        x=x.numpy(),
        labels=labels.numpy().astype(np.int64),
        class_names=data.class_names,
        image_shape=data.image_shape,
    )


@flushed()
@torch.no_grad()
def observe(state: RunState) -> Frame:
    """Take the picture of a run; equal states give equal frames."""
    model = model_of(state)
    device = state.config.resolved_device()
    fixed = probe(state.config.dataset, state.config.data_folder)
    x = torch.from_numpy(fixed.x).to(device)
    held_out = x[:N_HELD_OUT]
    log_w = model.log_weights(held_out, N_WEIGHTS, stream(_PROBE_SEED, "noise", device=device))
    means = model.layer_means(x, N_DRAWS, stream(_PROBE_SEED, "means", device=device))
    in_sight = means[0]
    kl_per_unit = model.kl_per_unit(x, N_DRAWS, stream(_PROBE_SEED, "kl", device=device))
    kl_per_dim = kl_per_unit.mean(dim=0)
    axes = _two_largest(kl_per_dim[: in_sight.shape[1]])
    return Frame(
        step=state.step,
        bound_1=elbo(log_w).mean().item(),
        bound_64=iwae(log_w).mean().item(),
        kl_per_dim=kl_per_dim.cpu().numpy(),
        active=(torch.cat(means, dim=1).var(dim=0, correction=0) > ACTIVE_VARIANCE).cpu().numpy(),
        axes=axes,
        latents=in_sight[:, list(axes)].cpu().numpy(),
        log_w=log_w[:, 0].cpu().numpy(),
        reconstructions=model.decode(in_sight[:N_PICTURES]).cpu().numpy(),
        samples=_samples(model, fixed, device),
    )


def _two_largest(kl_per_dim: Tensor) -> tuple[int, int]:
    """The two latents that carry most, in their own order so that the axes seldom swap."""
    if len(kl_per_dim) == 1:
        return (0, 0)
    first, second = sorted(torch.topk(kl_per_dim, 2).indices.tolist())
    return (first, second)


def _samples(model: LatentModel, fixed: Probe, device: torch.device) -> NDArray[np.float32]:
    noise = stream(_PROBE_SEED, "samples", device=device)
    if fixed.image_shape is None:
        return model.sample(N_PROBE, noise)[0].cpu().numpy()
    if isinstance(model.likelihood, AutoregressiveBernoulli):
        return model.sample(N_PICTURES, noise)[0].cpu().numpy()
    return model.decode(model.sample_prior(N_PICTURES, noise)).cpu().numpy()
