r"""Signal-to-noise of the gradient against K, exactly: :math:`|E[\Delta_K]| / \sigma[\Delta_K]`.

At large K the plain gradient of the IWAE bound has a mean of order 1 / K for the encoder and
noise of order 1 / sqrt(K): its ratio falls like K^-1/2, while the decoder's rises like K^1/2
(Rainforth et al., 2018). Leaving q's score out, or reparameterizing it a second time, turns the
encoder's slope to +1/2 (Roeder et al., 2017; Tucker et al., 2019); so does wake-sleep.

Ratios from repeats, as one would measure them on a network, stand beside the exact ones. The
mean of R draws of pure noise is not zero, so where the signal is lost they scatter around
``floor``, about sqrt(2 / (pi R)).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.evaluation.studies.gradient_oracle import (
    DECODER,
    ENCODER,
    ESTIMATORS,
    Point,
    exact_moments,
    gradients,
)
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.rng import standard_normal, stream

N_SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)  # K
N_REPEATS = 100
MAX_REPEATED = 256  # K up to which repeats are drawn
THEORY = {  # slope of log SNR against log K at large K, encoder and decoder
    "reparameterized": (-0.5, 0.5),
    "stick_the_landing": (0.5, 0.5),
    "doubly_reparameterized": (0.5, 0.5),
    "wake_sleep": (0.5, 0.5),
}
_LAST = 4  # values of K that the slope is read from

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnrConfig:
    """Where the gradient is taken, as in :class:`Point`, and the noise of the repeats.

    Attributes:
        shift: Of q's mean, in standard deviations of the posterior.
        scale: Of q, over the posterior's.
        seed: Of the repeats.
    """

    shift: float = 1.0
    scale: float = 1.3
    seed: int = 1

    def __post_init__(self) -> None:
        Point(self.shift, self.scale)
        if abs(self.shift) < 0.1:
            raise ValueError(
                f"shift must be at least 0.1 in size, got {self.shift}: with q's mean in its "
                "place the encoder's gradient has no signal at any K"
            )


SCENES = {
    "shifted": Scene(
        title="q looks in the wrong place",
        why="The encoder has something to learn, and the plain IWAE gradient tells it less and "
        "less clearly as K grows.",
        settings=(("shift", 1.0), ("scale", 1.3)),
    ),
    "wide": Scene(
        title="q is too wide",
        why="Less to learn, so smaller signals all over, and the same slopes.",
        settings=(("shift", 0.5), ("scale", 1.6)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SnrReport:
    """Ratios by estimator (E), K (S) and group (encoder, decoder), means over two parameters.

    Attributes:
        estimators: Names, E of them.
        n_samples: K, ``(S,)``.
        snr: Exact, ``(E, S, 2)``.
        snr_hat: From N_REPEATS repeats, ``(E, S, 2)``; NaN above MAX_REPEATED samples.
        slope: Of log snr against log K over the last four K, ``(E, 2)``.
        theory: The slope for K to infinity, ``(E, 2)``.
        floor: What ``snr_hat`` shows on average where there is no signal at all.
        n_repeats: R.
    """

    estimators: tuple[str, ...]
    n_samples: Array
    snr: Array
    snr_hat: Array
    slope: Array
    theory: Array
    floor: float
    n_repeats: int


def run(config: SnrConfig) -> SnrReport:
    """Work out all curves; a second or two, most of it for the repeats."""
    point = Point(config.shift, config.scale)
    shape = (len(ESTIMATORS), len(N_SAMPLES), 2)
    snr, snr_hat = np.empty(shape), np.full(shape, np.nan)
    for e, name in enumerate(ESTIMATORS):
        mean, std = exact_moments(point, name, N_SAMPLES)
        snr[e] = _grouped(np.abs(mean) / std)
        for s, K in enumerate(N_SAMPLES):
            if K > MAX_REPEATED:
                continue
            eps = standard_normal(
                (K, N_REPEATS, 2), stream(config.seed, "snr", name, K), torch.float64
            )
            found = gradients(point, name, eps)[0].numpy()
            snr_hat[e, s] = _grouped(np.abs(found.mean(0)) / found.std(0, ddof=1))
    log_K = np.log(N_SAMPLES[-_LAST:])
    centered = log_K - log_K.mean()
    slope = np.einsum("s,esg->eg", centered, np.log(snr[:, -_LAST:])) / (centered @ centered)
    return SnrReport(
        estimators=tuple(ESTIMATORS),
        n_samples=np.array(N_SAMPLES, dtype=np.float64),
        snr=snr,
        snr_hat=snr_hat,
        slope=slope,
        theory=np.array([THEORY[name] for name in ESTIMATORS]),
        floor=math.sqrt(2 / (math.pi * N_REPEATS)),
        n_repeats=N_REPEATS,
    )


def _grouped(ratios: Array) -> Array:
    """Mean over each group's two parameters, ``(*, 4) -> (*, 2)``."""
    return np.stack([ratios[..., ENCODER].mean(-1), ratios[..., DECODER].mean(-1)], axis=-1)
