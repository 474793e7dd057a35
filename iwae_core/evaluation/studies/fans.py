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
_ROUNDING = 1e-12  # of a mean over its standard deviation
N_SAMPLES = tuple(2**power for power in range(11))  # K of a sweep
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
        "four thousand times and its noise only sixty times: the arrows point everywhere.",
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FansSweep:
    """Fans by estimator (E = 4) and K (S = 11); columns as in :class:`FansReport`.

    Attributes:
        estimators: Names.
        arrows: ``(E, S, 60, 4)``, those of :func:`run`.
        mean: Exact mean, ``(E, S, 4)``; what is zero but for rounding is zero.
        std: Exact standard deviation.
        bound_gradient: Exact gradient of L_K, ``(S, 4)``.
        agreeing: Share of arrows within 90 degrees of their exact mean, encoder and decoder,
            ``(E, S, 2)``; NaN where the mean is zero.
        bound: Exact L_K, ``(S,)``, nats.
        log_marginal: Exact log p(x), nats.
    """

    estimators: tuple[str, ...]
    arrows: Array
    mean: Array
    std: Array
    bound_gradient: Array
    agreeing: Array
    bound: Array
    log_marginal: float


def sweep(shift: float, scale: float, seed: int) -> FansSweep:
    """The fans of every estimator at every K of ``N_SAMPLES``: a second or two.

    Args:
        shift: As in :class:`FansConfig`, like the others.
        scale: Of q, over the posterior's.
        seed: Of the noise, which the estimators share.
    """
    point = Point(shift, scale)
    shape = (len(ESTIMATORS), len(N_SAMPLES))
    arrows, agreeing = np.empty((*shape, N_ARROWS, 4)), np.full((*shape, 2), np.nan)
    mean, std = np.empty((*shape, 4)), np.empty((*shape, 4))
    for s, K in enumerate(N_SAMPLES):
        eps = standard_normal((K, N_ARROWS, 2), stream(seed, "fan", K), torch.float64)
        for e, name in enumerate(ESTIMATORS):
            arrows[e, s] = gradients(point, name, eps)[0].numpy()
    for e, name in enumerate(ESTIMATORS):
        mean[e], std[e] = exact_moments(point, name, N_SAMPLES)
    mean[np.abs(mean) < _ROUNDING * std] = 0.0
    for group, part in enumerate((ENCODER, DECODER)):
        along = np.einsum("esri,esi->esr", arrows[..., part], mean[..., part])
        known = np.any(mean[..., part] != 0, axis=-1)
        agreeing[known, group] = (along[known] > 0).mean(axis=-1)
    return FansSweep(
        estimators=tuple(ESTIMATORS),
        arrows=arrows,
        mean=mean,
        std=std,
        bound_gradient=exact_moments(point, "reparameterized", N_SAMPLES)[0],
        agreeing=agreeing,
        bound=point_law(point).bound(N_SAMPLES).numpy(),
        log_marginal=exact_log_marginal(),
    )


@lru_cache(maxsize=64)
def _bounds(point: Point, K: int) -> tuple[float, float]:
    """Exact L_1 and L_K."""
    first, last = point_law(point).bound((1, K)).tolist()
    return first, last
