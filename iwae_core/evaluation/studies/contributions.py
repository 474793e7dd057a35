r"""One datapoint, K samples: what each of them adds to the gradient, in the VAE and in the IWAE.

    VAE     sum_k (1 / K) d log w_k          every sample counts the same
    IWAE    sum_k  c_k    d log w_k          by its normalized weight c_k

Each sample is an arrow in the plane of two encoder weights and one in that of two decoder weights
(:mod:`iwae_core.evaluation.studies.gradient_oracle`); the arrows' sum is the gradient.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.bounds.objectives import elbo, iwae, sample_shares
from iwae_core.counts import is_count
from iwae_core.evaluation.studies.gradient_oracle import (
    PARAMETERS,
    Point,
    draws,
    exact_moments,
    loc_of,
    log_scale_of,
)
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.tightness import posterior
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling.weights import ess

MAX_SAMPLES = 64  # K

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributionsConfig:
    """Where q stands, as in :class:`Point`, and how many samples it draws.

    Attributes:
        shift: Of q's mean, in standard deviations of the posterior.
        scale: Of q, over the posterior's.
        n_samples: K.
        seed: Of the samples; the first K of 64 draws, so that more samples keep the earlier ones.
    """

    shift: float = 1.0
    scale: float = 1.3
    n_samples: int = 8
    seed: int = 1

    def __post_init__(self) -> None:
        Point(self.shift, self.scale)
        if not (is_count(self.n_samples) and self.n_samples <= MAX_SAMPLES):
            raise ValueError(f"n_samples must lie in 1..{MAX_SAMPLES}, got {self.n_samples}")

    @property
    def point(self) -> Point:
        """Where the gradient is taken."""
        return Point(self.shift, self.scale)


SCENES = {
    "shifted": Scene(
        title="q looks in the wrong place",
        why="Of eight samples one has two thirds of the weight. The VAE adds eight equal shares, "
        "most of them long arrows of poor samples; the IWAE listens to the good one.",
        settings=(("shift", 1.0), ("scale", 1.3), ("n_samples", 8)),
    ),
    "one": Scene(
        title="One sample",
        why="K = 1: the normalized weight of a single sample is one. The two gradients are the "
        "same arrow, and no importance weight is in use.",
        settings=(("shift", 1.0), ("scale", 1.3), ("n_samples", 1)),
    ),
    "near": Scene(
        title="q lacks only the correlation",
        why="Mean and widths are right. On average the ELBO still pulls the decoder's weights "
        "down, towards a model whose posterior such a q could fit; log p(x) asks for the "
        "opposite, and the weighted samples follow it.",
        settings=(("shift", 0.0), ("scale", 1.0), ("n_samples", 16)),
    ),
    "far": Scene(
        title="Far off",
        why="Of 64 samples one has more than half of the weight and four have nearly all: the "
        "other sixty were decoded for almost nothing.",
        settings=(("shift", 3.0), ("scale", 1.3), ("n_samples", 64)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContributionsReport:
    """Arrows; columns are the parameters V_11, V_21 (encoder), W_11, W_12 (decoder).

    Attributes:
        parameters: Their names.
        z: Samples, ``(K, 2)``.
        log_w: Their log weights, ``(K,)``, nats.
        weight: Normalized, ``(K,)``.
        gradient: d log w_k, ``(K, 4)``, nats per unit.
        vae: Each sample's arrow under equal weights, ``(K, 4)``.
        iwae: Under normalized weights, ``(K, 4)``.
        vae_sum: The VAE's gradient, ``(4,)``.
        iwae_sum: The IWAE's.
        vae_mean: Exact expectation of ``vae_sum``: the gradient of the ELBO.
        iwae_mean: Exact expectation of ``iwae_sum``: the gradient of L_K.
        ess: Effective number of samples.
        elbo: Mean of ``log_w``.
        bound: Log of the mean weight.
        q_loc: Mean of q, ``(2,)``.
        q_scale: Its standard deviations.
        posterior_mean: Of the exact posterior, ``(2,)``.
        posterior_covariance: Of it, ``(2, 2)``.
    """

    parameters: tuple[str, ...]
    z: Array
    log_w: Array
    weight: Array
    gradient: Array
    vae: Array
    iwae: Array
    vae_sum: Array
    iwae_sum: Array
    vae_mean: Array
    iwae_mean: Array
    ess: float
    elbo: float
    bound: float
    q_loc: Array
    q_scale: Array
    posterior_mean: Array
    posterior_covariance: Array


def run(config: ContributionsConfig) -> ContributionsReport:
    """Draw K samples and take the gradient of each one's log weight."""
    K, point = config.n_samples, config.point
    eps = standard_normal((MAX_SAMPLES, 2), stream(config.seed, "samples"), torch.float64)[:K]
    with torch.enable_grad():
        # Each sample as a datapoint of its own, so that one pass gives every sample's gradient.
        found, offset = draws(point, eps.unsqueeze(0))
        log_w = found.log_w()
        (gradient,) = torch.autograd.grad(log_w.sum(), offset)
    log_w = log_w.detach()[0]
    equal, weight = sample_shares(elbo, log_w), sample_shares(iwae, log_w)
    vae, weighted = equal[:, None] * gradient, weight[:, None] * gradient
    return ContributionsReport(
        parameters=PARAMETERS,
        z=found.z.detach()[0].numpy(),
        log_w=log_w.numpy(),
        weight=weight.numpy(),
        gradient=gradient.numpy(),
        vae=vae.numpy(),
        iwae=weighted.numpy(),
        vae_sum=vae.sum(dim=0).numpy(),
        iwae_sum=weighted.sum(dim=0).numpy(),
        vae_mean=exact_moments(point, "reparameterized", (1,))[0][0],
        iwae_mean=exact_moments(point, "reparameterized", (K,))[0][0],
        ess=ess(log_w).item(),
        elbo=elbo(log_w).item(),
        bound=iwae(log_w).item(),
        q_loc=loc_of(point).numpy(),
        q_scale=log_scale_of(point).exp().numpy(),
        posterior_mean=posterior().mean.numpy(),
        posterior_covariance=posterior().covariance.numpy(),
    )
