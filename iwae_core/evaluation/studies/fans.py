r"""Sixty repeated gradients as a fan of arrows: how sure is an estimator of its direction?

The same datapoint and parameters, new noise each time: 60 arrows in the plane of two encoder
weights, 60 in that of two decoder weights. As K grows the decoder's fan closes on the gradient of
log p(x). The encoder's mean shrinks like 1 / K, because a tighter bound depends less on q, while
its noise shrinks like 1 / sqrt(K): relative to its length the fan opens (Rainforth et al., 2018).

Mean and spread of the arrows are known exactly, for every K and estimator.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.counts import is_count
from iwae_core.evaluation.studies.gradient_oracle import (
    DECODER,
    ENCODER,
    ESTIMATORS,
    PARAMETERS,
    Point,
    exact_gradient_of_log_marginal,
    exact_moments,
    gradients,
    point_law,
)
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.tightness import exact_log_marginal
from iwae_core.names import check_known
from iwae_core.rng import standard_normal, stream

N_ARROWS = 60
MAX_SAMPLES = 1024  # K

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FansConfig:
    """An estimator at one point, as in :class:`Point`.

    Attributes:
        shift: Of q's mean, in standard deviations of the posterior.
        scale: Of q, over the posterior's.
        estimator: A key of ``gradient_oracle.ESTIMATORS``.
        n_samples: K.
        seed: Of the noise.
    """

    shift: float = 1.0
    scale: float = 1.3
    estimator: str = "reparameterized"
    n_samples: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        Point(self.shift, self.scale)
        check_known(self.estimator, ESTIMATORS, "estimator")
        if not (is_count(self.n_samples) and self.n_samples <= MAX_SAMPLES):
            raise ValueError(f"n_samples must lie in 1..{MAX_SAMPLES}, got {self.n_samples}")


def _scene(title: str, why: str, estimator: str, n_samples: int) -> Scene:
    settings = (
        ("shift", 1.0),
        ("scale", 1.3),
        ("estimator", estimator),
        ("n_samples", n_samples),
    )
    return Scene(title=title, why=why, settings=settings)


SCENES = {
    "elbo": _scene(
        "K = 1, the ELBO",
        "A noisy bound, and both networks know where to go: the arrows of the encoder point "
        "mostly one way.",
        "reparameterized",
        1,
    ),
    "tight": _scene(
        "A tight bound",
        "At K = 1024 the decoder's fan is a beam. The encoder's mean gradient has shrunk some "
        "three thousand times and its noise only sixty times: the arrows point everywhere.",
        "reparameterized",
        1024,
    ),
    "doubly": _scene(
        "The same bound, doubly reparameterized",
        "The same mean, far less noise: q's score is replaced by a derivative along the path of "
        "the samples that has equal mean. The encoder's fan is a beam again.",
        "doubly_reparameterized",
        1024,
    ),
    "sleep": _scene(
        "Wake-sleep",
        "Steady arrows, for another goal: they do not climb the bound but draw q towards the "
        "posterior, so their length does not shrink with K.",
        "wake_sleep",
        1024,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FansReport:
    """Arrows; columns are V_11, V_21 (encoder), W_11, W_12 (decoder), nats per unit.

    Attributes:
        parameters: The names of the columns.
        arrows: ``(60, 4)``.
        mean: Exact mean of an arrow, ``(4,)``.
        std: Exact standard deviation, ``(4,)``.
        snr: ``|mean| / std``, ``(4,)``.
        bound_gradient: Exact gradient of L_K, ``(4,)``: differs from ``mean`` where the
            estimator is biased, or climbs something else.
        log_marginal_gradient: Exact gradient of log p(x) for W_11, W_12, ``(2,)``.
        agreeing: Share of arrows within 90 degrees of their exact mean: encoder, decoder.
        elbo: Exact L_1, nats.
        bound: Exact L_K, nats.
        log_marginal: Exact log p(x), nats.
    """

    parameters: tuple[str, ...]
    arrows: Array
    mean: Array
    std: Array
    snr: Array
    bound_gradient: Array
    log_marginal_gradient: Array
    agreeing: tuple[float, float]
    elbo: float
    bound: float
    log_marginal: float


def run(config: FansConfig) -> FansReport:
    """Repeat the gradient 60 times."""
    point, K = Point(config.shift, config.scale), config.n_samples
    generator = stream(config.seed, "fan", K)
    eps = standard_normal((K, N_ARROWS, 2), generator, torch.float64)
    arrows = gradients(point, config.estimator, eps)[0].numpy()
    mean, std = (moment[0] for moment in exact_moments(point, config.estimator, (K,)))
    elbo, bound = _bounds(point, K)
    encoder, decoder = (
        float((arrows[:, part] @ mean[part] > 0).mean()) for part in (ENCODER, DECODER)
    )
    return FansReport(
        parameters=PARAMETERS,
        arrows=arrows,
        mean=mean,
        std=std,
        snr=np.abs(mean) / std,
        bound_gradient=exact_moments(point, "reparameterized", (K,))[0][0],
        log_marginal_gradient=exact_gradient_of_log_marginal(),
        agreeing=(encoder, decoder),
        elbo=elbo,
        bound=bound,
        log_marginal=exact_log_marginal(),
    )


@lru_cache(maxsize=64)
def _bounds(point: Point, K: int) -> tuple[float, float]:
    """Exact L_1 and L_K."""
    first, last = point_law(point).bound((1, K)).tolist()
    return first, last
