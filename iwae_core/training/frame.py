"""What a run looks like at one moment: the numbers a live picture shows, on data fixed once.

A :class:`Frame` is the slow half of the picture, bounds and images; with it comes a
:class:`~iwae_core.training.glance.Glance`, the fast half. For figures to quote use
:mod:`iwae_core.evaluation` on the whole test set.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.denormals import flushed
from iwae_core.evaluation.likelihood import log_likelihood
from iwae_core.models.autoregressive import AutoregressiveBernoulli
from iwae_core.models.model import LatentModel
from iwae_core.models.vae import Vae
from iwae_core.rng import stream
from iwae_core.training.glance import (
    N_PROBE,
    PROBE_SEED,
    Glance,
    Probe,
    glance,
    probe,
    probe_data,
)
from iwae_core.training.state import RunState, model_of

__all__ = ["Frame", "Glance", "Probe", "deep_bound", "observe", "probe"]

N_HELD_OUT = 100  # datapoints of the held-out bounds
N_DRAWN = 64  # K of the held-out bound that every frame has
N_DEEP = 512  # K of the tighter one, which takes too long for every frame
N_PICTURES = 10
N_SIDE = 12  # the generated manifold has 12 x 12 places


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One moment of a run.

    Attributes:
        glance: What moves fast, at the same step.
        n_samples: K of the settings in force.
        bound_1: Held-out ELBO, L_1, mean over 100 datapoints of the probe, nats.
        bound_k: Held-out L_K for the K in force, nats; NaN where K is above 512.
        bound_64: Held-out L_64, nats.
        reconstructions: E[x | z = posterior mean] of the first datapoints, shape ``(m, D)``.
        samples: E[x | z], z from the prior, shape ``(m, D)``; draws of x for points in the plane
            and for an autoregressive decoder, whose z alone need not say much.
        manifold: E[x | z] on a grid of two latents, shape ``(12, 12, D)``; see :func:`places`.
            None where there are not two, or where z alone does not decide E[x].
    """

    glance: Glance
    n_samples: int
    bound_1: float
    bound_k: float
    bound_64: float
    reconstructions: NDArray[np.float32]
    samples: NDArray[np.float32]
    manifold: NDArray[np.float32] | None

    @property
    def step(self) -> int:
        """Updates taken."""
        return self.glance.step


@flushed()
@torch.no_grad()
def observe(state: RunState, axes: tuple[int, int] | None = None) -> Frame:
    """Take the picture of a run; equal states give equal frames.

    Args:
        state: Where the run stands.
        axes: The latents shown so far; see :func:`iwae_core.training.glance.glance`.
    """
    model, config = model_of(state), state.config
    K, x = config.n_samples, probe_data(config)
    n_draws = max(N_DRAWN, K) if K <= N_DEEP else N_DRAWN
    noise = stream(PROBE_SEED, "noise", device=x.device)
    log_w = model.log_weights(x[:N_HELD_OUT], n_draws, noise)
    return Frame(
        glance=glance(model, config, state.step, axes),
        n_samples=K,
        bound_1=elbo(log_w).mean().item(),
        bound_k=_grouped(log_w, K),
        bound_64=_grouped(log_w, N_DRAWN),
        reconstructions=model.decode(model.posterior(x[:N_PICTURES]).loc).cpu().numpy(),
        samples=_samples(model, probe(config.dataset, config.data_folder), x.device),
        manifold=_manifold(model, x.device),
    )


@flushed()
@torch.no_grad()
def deep_bound(state: RunState) -> float:
    """Held-out L_512 in nats, on the datapoints of a frame; eight times a frame's work."""
    x = probe_data(state.config)[:N_HELD_OUT]
    noise = stream(PROBE_SEED, "deep", device=x.device)
    return log_likelihood(model_of(state), x, N_DEEP, noise).mean().item()


def places() -> NDArray[np.float32]:
    """Where the manifold looks on each axis: the prior's quantiles at 1/24, 3/24 .. 23/24."""
    shares = (torch.arange(N_SIDE, dtype=torch.float32) + 0.5) / N_SIDE
    return torch.special.ndtri(shares).numpy()


def _grouped(log_w: Tensor, K: int) -> float:
    """L_K as the mean over as many groups of K as the draws allow."""
    n_groups = len(log_w) // K
    if n_groups == 0:
        return math.nan
    return iwae(log_w[: n_groups * K].reshape(K, -1)).mean().item()


def _samples(model: LatentModel, fixed: Probe, device: torch.device) -> NDArray[np.float32]:
    noise = stream(PROBE_SEED, "samples", device=device)
    if fixed.image_shape is None:
        return model.sample(N_PROBE, noise)[0].cpu().numpy()
    if isinstance(model.likelihood, AutoregressiveBernoulli):
        return model.sample(N_PICTURES, noise)[0].cpu().numpy()
    return model.decode(model.sample_prior(N_PICTURES, noise)).cpu().numpy()


def _manifold(model: LatentModel, device: torch.device) -> NDArray[np.float32] | None:
    alone = isinstance(model, Vae) and not isinstance(model.likelihood, AutoregressiveBernoulli)
    if not alone or model.latent_dim != 2:
        return None
    at = torch.from_numpy(places()).to(device)
    # Rows run from the top, the largest z_2, to the bottom, as the picture is drawn.
    second, first = torch.meshgrid(at.flip(0), at, indexing="ij")
    return model.decode(torch.stack([first, second], dim=-1)).cpu().numpy()
