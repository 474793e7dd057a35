r"""K particles of an encoder's q for one drawn digit, each with its weight.

    z_k ~ q(z | x),    w_k = p(x, z_k) / q(z_k | x),    L_K = log of the mean weight

q may be squeezed or moved by hand, and the weights repair it as far as the particles reach. With
two latent coordinates :math:`\log p(x)` is an integral over a plane, so every estimate has its
exact partner, and the posterior is a table.

``assets/pretrained/make.py`` trains the networks and lists :math:`\log p(x)` of every test digit
under each of them, by which a drawing can be told from the data.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core import datasets
from iwae_core.counts import is_count
from iwae_core.datasets.dataset import binarize
from iwae_core.evaluation.posterior import Grid, GridDensity, exact_posterior
from iwae_core.evaluation.studies.drawing import pixels
from iwae_core.evaluation.studies.posterior_ground import Encoding
from iwae_core.evaluation.studies.xray_scenes import CLEAN_THREE, NETWORKS
from iwae_core.models.networks import DiagonalNormal
from iwae_core.names import check_known
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling.psis import k_hat
from iwae_core.sampling.weights import ess, log_mean_exp, max_weight, normalize

MAX_SAMPLES = 1000  # K
MAX_SHIFT = 3.0  # of q in each latent coordinate
SQUEEZE = (0.25, 4.0)  # of the widths of q
N_REPEATS = 200  # other draws of the bound, or fewer where K is large:
MAX_REPEATED = 50_000  # particles in them
_WIDE = Grid(low=(-8.0, -8.0), high=(8.0, 8.0), n=128)
_FINE, _COARSE = 192, 136  # cells per side where the posterior is
_DEEP = 20.0  # nats below the peak, where it ends: beyond lies less than 1e-4 of it

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class XrayConfig:
    """One drawing and the q that looks at it.

    Attributes:
        network: A name from NETWORKS.
        drawing: The string of a drawing; see :mod:`.drawing`.
        squeeze: Factor on the encoder's standard deviations.
        shift_1: Added to the mean of q along z_1.
        shift_2: Along z_2.
        n_samples: K.
        seed: Of the particles; the first K of 1,000, so that more keep the earlier ones.
    """

    network: str = "iwae"
    drawing: str = CLEAN_THREE
    squeeze: float = 1.0
    shift_1: float = 0.0
    shift_2: float = 0.0
    n_samples: int = 64
    seed: int = 1

    def __post_init__(self) -> None:
        check_known(self.network, NETWORKS, "network")
        pixels(self.drawing)
        faults = []
        if not SQUEEZE[0] <= self.squeeze <= SQUEEZE[1]:
            faults.append(f"squeeze must lie in {SQUEEZE[0]}..{SQUEEZE[1]}, got {self.squeeze}")
        for shift in (self.shift_1, self.shift_2):
            if not abs(shift) <= MAX_SHIFT:
                faults.append(f"a shift must lie in -{MAX_SHIFT}..{MAX_SHIFT}, got {shift}")
        if not (is_count(self.n_samples) and self.n_samples <= MAX_SAMPLES):
            faults.append(f"n_samples must lie in 1..{MAX_SAMPLES}, got {self.n_samples}")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class XrayReport:
    """What K particles say about one drawing; nats.

    Attributes:
        x: Black and white pixels, ``(64,)``.
        loc: Mean of q as used, ``(2,)``.
        scale: Its standard deviations.
        z: Particles, ``(K, 2)``.
        log_w: Their log weights, ``(K,)``.
        weight: Normalized.
        ess: Effective number of particles.
        max_weight: Share of the heaviest.
        k_hat: Tail shape of the weights; infinite where K is too small for a tail.
        elbo: Mean of ``log_w``: L_1, estimated by these particles.
        bound: Log of the mean weight: L_K of this draw.
        others: L_K of other draws of K particles, ``(n,)``.
        log_marginal: log p(x), by quadrature.
        log_marginal_error: How far a coarser rule lies off: what this one errs by, or more.
    """

    x: Array
    loc: Array
    scale: Array
    z: Array
    log_w: Array
    weight: Array
    ess: float
    max_weight: float
    k_hat: float
    elbo: float
    bound: float
    others: Array
    log_marginal: float
    log_marginal_error: float


def run(model: Encoding, config: XrayConfig) -> XrayReport:
    """Draw the particles and weigh them.

    Args:
        model: The network of ``config.network``, in float64.
        config: The drawing and q.
    """
    x = pixels(config.drawing)
    q = used_q(model, config)
    z, log_w = _weighed(model, x, q, noise(config.seed)[: config.n_samples])
    evidence = log_marginal(model, config.drawing)
    return XrayReport(
        x=x[0].numpy(),
        loc=q.loc[0].numpy(),
        scale=q.scale[0].numpy(),
        z=z.numpy(),
        log_w=log_w.numpy(),
        weight=normalize(log_w).numpy(),
        ess=ess(log_w).item(),
        max_weight=max_weight(log_w).item(),
        k_hat=k_hat(log_w).item(),
        elbo=log_w.mean().item(),
        bound=log_mean_exp(log_w).item(),
        others=_others(model, x, q, config).numpy(),
        log_marginal=evidence.value,
        log_marginal_error=evidence.error,
    )


def noise(seed: int) -> Tensor:
    """The standard normal noise of all particles, ``(MAX_SAMPLES, 2)`` float64."""
    return standard_normal((MAX_SAMPLES, 2), stream(seed, "particles"), torch.float64)


def used_q(model: Encoding, config: XrayConfig) -> DiagonalNormal:
    """The encoder's q for the drawing, squeezed and moved; parameters of shape ``(1, 2)``."""
    with torch.no_grad():
        q = model.posterior(pixels(config.drawing))
    shift = torch.tensor([[config.shift_1, config.shift_2]], dtype=torch.float64)
    return DiagonalNormal(q.loc + shift, q.log_scale + math.log(config.squeeze))


def _weighed(model: Encoding, x: Tensor, q: DiagonalNormal, eps: Tensor) -> tuple[Tensor, Tensor]:
    """Particles ``(n, 2)`` and their log weights ``(n,)`` from noise ``(n, 2)``."""
    z = q.from_noise(eps.unsqueeze(1))
    with torch.no_grad():
        log_w = model.log_joint(x, z) - q.log_prob_from_noise(eps.unsqueeze(1))
    return z[:, 0], log_w[:, 0]


def _others(model: Encoding, x: Tensor, q: DiagonalNormal, config: XrayConfig) -> Tensor:
    K = config.n_samples
    n = min(N_REPEATS, MAX_REPEATED // K)
    eps = standard_normal((n * K, 2), stream(config.seed, "other draws"), torch.float64)
    return log_mean_exp(_weighed(model, x, q, eps)[1].reshape(n, K).t())


@dataclass(frozen=True, slots=True)
class Evidence:
    """log p(x) in nats, and how far a coarser rule lies off."""

    value: float
    error: float


def log_marginal(model: Encoding, drawing: str) -> Evidence:
    """Log p(x) of a drawing by quadrature over the latent plane.

    The midpoint rule on a wide grid finds where the posterior is; two finer grids there integrate.
    """
    return _evidence(cast(Hashable, model), drawing)


@lru_cache(maxsize=128)
def _evidence(model: Any, drawing: str) -> Evidence:
    return evidence_of(model, pixels(drawing))


def evidence_of(model: Encoding, x: Tensor) -> Evidence:
    """Log p(x) of black and white pixels ``(1, 64)``; see :func:`log_marginal`."""
    low, high = _held(exact_posterior(model, x, _WIDE))
    value, coarse = (
        exact_posterior(model, x, Grid(low=low, high=high, n=n)).log_normalizer
        for n in (_FINE, _COARSE)
    )
    return Evidence(value, abs(value - coarse))


def _held(p: GridDensity) -> tuple[tuple[float, float], tuple[float, float]]:
    """Corners of the box that holds all but a trace of a density."""
    held = p.log_density > p.log_density.max() - _DEEP
    ends = []
    for axis, points in enumerate(p.grid.axes):
        inside = points[held.any(axis=1 - axis)]
        width = points[1] - points[0]
        ends.append((float(inside[0] - width), float(inside[-1] + width)))
    return (ends[0][0], ends[1][0]), (ends[0][1], ends[1][1])


def evidence_of_test_digits(model: Encoding, n_digits: int | None = None) -> Array:
    """Log p(x) of the test digits, smallest first: what a drawing is compared with.

    Args:
        model: A network, in float64.
        n_digits: The first so many; None takes all.
    """
    gray = datasets.load("digits").test[:n_digits].double()
    found = [
        evidence_of(model, binarize(row[None], stream(1, "digit", i))).value
        for i, row in enumerate(gray)
    ]
    return np.sort(np.array(found))
