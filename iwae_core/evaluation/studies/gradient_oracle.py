r"""One datapoint whose gradients are known: the linear-Gaussian oracle with a linear encoder.

    z ~ N(0, I),   x | z ~ N(W z + b, s^2 I),   q(z | x) = N(V (x - b), diag v)

Four numbers stand for the networks: the encoder weights V_11 and V_21, that carry the first pixel
to the two latents, and the decoder weights W_11 and W_12, that carry the two latents to the first
pixel. Every datapoint of a batch is a *repeat*: it has its own copy of the four, so one backward
pass gives one gradient per repeat, with the surrogates that training uses.

Beside it stand exact moments: each estimator is :math:`\sum_k c_k^a h(z_k)` with normalized
weights c, and its mean and variance over K draws come from :func:`share_moments`.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.objectives import Objective, iwae, sample_shares
from iwae_core.bounds.surrogates import (
    Shares,
    Weighted,
    doubly_reparameterized,
    reparameterized,
    stick_the_landing,
    wake_sleep,
)
from iwae_core.evaluation.studies.expected import Law, normal_nodes, share_moments
from iwae_core.evaluation.studies.tightness import oracle, posterior
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.sampling.draws import Draws
from iwae_core.sums import over_last

PARAMETERS = ("V_11", "V_21", "W_11", "W_12")  # two of the encoder, two of the decoder
ENCODER, DECODER = slice(0, 2), slice(2, 4)
_DIRECTION = torch.tensor([1.0, 0.5], dtype=torch.float64)  # of q's shift

Array = NDArray[np.float64]


def _own_shares(objective: Objective, log_w: Tensor) -> Shares:
    """The doubly reparameterized shares of the IWAE bound: c for theta, c^2 for phi.

    What ``surrogates`` finds by K Hessian-vector products for any objective, c - dc/dlog w, is
    c - c (1 - c) here; at K = 1024 that is a thousand times less work.
    """
    if objective is not iwae:
        raise ValueError("these shares are those of the IWAE bound alone")
    shares = sample_shares(iwae, log_w)
    return shares, shares.square()


ESTIMATORS: dict[str, Weighted] = {
    "reparameterized": reparameterized,
    "stick_the_landing": stick_the_landing,
    "doubly_reparameterized": Weighted(_own_shares, doubly_reparameterized.scalar),
    "wake_sleep": wake_sleep,
}


@dataclass(frozen=True, slots=True)
class Point:
    """Where the gradient is taken: q's mean off the posterior's, and its width.

    Attributes:
        shift: Of q's mean from the posterior's: so many standard deviations in the first
            coordinate, half as many in the second.
        scale: q's standard deviations over the posterior's; q has no correlation.
    """

    shift: float
    scale: float

    def __post_init__(self) -> None:
        faults = []
        if not abs(self.shift) <= 3:
            faults.append(f"shift must lie within 3 of 0, got {self.shift}")
        if not 1 <= self.scale <= 2:
            # Below 0.95 the second moment of the weights diverges.
            faults.append(f"scale must lie in [1, 2], got {self.scale}")
        if faults:
            raise ValueError("; ".join(faults))


def log_scale_of(point: Point) -> Tensor:
    """Log standard deviations of q, ``(2,)``."""
    return 0.5 * posterior().variance.log() + math.log(point.scale)


def loc_of(point: Point) -> Tensor:
    """Mean of q, ``(2,)``: V (x - b)."""
    exact = posterior()
    return exact.mean + point.shift * _DIRECTION * exact.variance.sqrt()


def first_pixel() -> float:
    """x_1 - b_1, by which dL/dV_i1 is dL/dloc_i."""
    model, x = oracle()
    return (x - model.bias)[0, 0].item()


def draws(point: Point, eps: Tensor) -> tuple[Draws, Tensor]:
    """Draws for R repeats, each with its own four parameters.

    Args:
        point: Where.
        eps: Standard normal noise, shape ``(K, R, 2)`` float64.

    Returns:
        The draws, and the leaf ``(R, 4)`` of parameters their graph leads to, as the distance from
        the point itself (zero).
    """
    offset = torch.zeros(eps.shape[1], 4, dtype=torch.float64, requires_grad=True)
    return _draws_from(point, offset, eps), offset


def gradients(
    point: Point, estimator: str, eps: Tensor, objective: Objective = iwae
) -> tuple[Tensor, Tensor]:
    """One gradient per repeat, ``(R, 4)``, and the log weights ``(K, R)``; nats per unit."""
    found, offset = draws(point, eps)
    with torch.enable_grad():
        scalar, log_w = ESTIMATORS[estimator](found, objective, 1.0)
        # The scalar is a mean over repeats.
        (gradient,) = torch.autograd.grad(scalar * eps.shape[1], offset)
    return gradient, log_w


@lru_cache(maxsize=64)
def exact_moments(point: Point, estimator: str, n_samples: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and standard deviation of the gradient over draws, each ``(len(n_samples), 4)``.

    By quadrature, with a relative error below 2e-4 (nodes 0.25 apart).
    """
    mean, variance = _plain_moments(point, n_samples)
    columns = {"stick_the_landing": [4, 5, 2, 3], "wake_sleep": [6, 7, 2, 3]}
    kept = columns.get(estimator, [0, 1, 2, 3])
    mean, variance = mean[:, kept], variance[:, kept]
    if estimator == "doubly_reparameterized":
        encoder = share_moments(_at_nodes(point)[0], _at_nodes(point)[1][:, 4:6], n_samples, 2)
        mean = torch.cat([encoder[0], mean[:, DECODER]], dim=1)
        variance = torch.cat([encoder[1], variance[:, DECODER]], dim=1)
    return mean.numpy(), variance.sqrt().numpy()


def exact_gradient_of_log_marginal() -> Array:
    """What the decoder's gradient tends to for K to infinity: d log p(x) / d W_11, W_12."""
    model, x = oracle()
    with torch.enable_grad():
        weight = model.weight.clone().requires_grad_()
        moved = LinearGaussian(weight, model.bias, model.noise_scale)
        (gradient,) = torch.autograd.grad(moved.log_marginal(x).sum(), weight)
    return gradient[0].numpy()


@lru_cache(maxsize=16)
def point_law(point: Point) -> Law:
    """The weights of one draw at this point, at the nodes of a quadrature rule."""
    return _at_nodes(point)[0]


@lru_cache(maxsize=64)
def _plain_moments(point: Point, n_samples: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Moments of the sums with plain weights of all eight columns of :func:`_at_nodes`."""
    return share_moments(*_at_nodes(point), n_samples)


@lru_cache(maxsize=16)
def _at_nodes(point: Point) -> tuple[Law, Tensor]:
    """The law, and at its nodes ``(n, 8)``: d log w, path derivative for phi, score of phi."""
    eps, probability = normal_nodes(2, 0.25, 1e-14)
    found, offset = draws(point, eps.unsqueeze(0))
    with torch.enable_grad():
        log_w = found.log_w()
        (h,) = torch.autograd.grad(log_w.sum(), offset, retain_graph=True)
        along = found.log_likelihood(found.z) + found.log_prior(found.z)
        path_log_w = along - found.log_q_path(found.z)
        (path,) = torch.autograd.grad(path_log_w.sum(), offset, retain_graph=True)
        (score,) = torch.autograd.grad(found.log_q(found.z.detach()).sum(), offset)
    law = Law(log_w.detach()[0], probability)
    return law, torch.cat([h, path[:, ENCODER], score[:, ENCODER]], dim=1)


def _draws_from(point: Point, offset: Tensor, eps: Tensor) -> Draws:
    model, x = oracle()
    loc = loc_of(point) + first_pixel() * offset[:, ENCODER]
    q = DiagonalNormal(loc, log_scale_of(point).expand_as(loc))
    first_row = model.weight[0] + offset[:, DECODER]
    residual_to_fixed = x - model.bias

    def log_likelihood(z: Tensor) -> Tensor:
        # log p(x | z) of the oracle, whose first pixel has each repeat's own weights.
        moved = over_last(z * (first_row - model.weight[0]))
        own = (residual_to_fixed[0, 0] - z @ model.weight[0] - moved) / model.noise_scale
        fixed = (residual_to_fixed[0, 0] - z @ model.weight[0]) / model.noise_scale
        rest = model.log_joint(x, z.reshape(-1, 1, 2)).reshape(z.shape[:-1])
        return rest - standard_normal_log_prob(z) - 0.5 * (own.square() - fixed.square())

    return Draws(
        z=q.from_noise(eps),
        log_likelihood=log_likelihood,
        log_prior=standard_normal_log_prob,
        log_q=q.log_prob,
        log_q_path=q.detach().log_prob,
        pick=lambda k, b: _draws_from(point, offset[b], eps[k, b].unsqueeze(0)),
    )
