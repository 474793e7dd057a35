r"""Objectives: each turns the K log weights of a datapoint into one number to maximize.

    log_w[k, b] = log p(x_b, z_k) - log q(z_k | x_b),      z_k ~ q(. | x_b)

The ELBO averages the log weights; the importance-weighted bound takes the log of the average
weight. By Jensen's inequality the second is never smaller on the same samples, and since
:math:`E[\frac1K \sum_k w_k] = p(x)` for every K, its expectation never passes
:math:`\log p(x)` and climbs towards it as K grows. At K = 1 the two are the same number. The
other objectives lie between them, around them, or group the samples.

Every objective here is a combination of log-mean-exps of tempered log weights, so its gradient
with respect to ``log_w`` sums to one over the K samples: that is the share of the gradient which
each sample gets (:func:`sample_shares`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.names import check_known
from iwae_core.precision import in_float64
from iwae_core.sampling.weights import check_samples, log_mean_exp

Objective = Callable[[Tensor], Tensor]  # log_w (K, *B) -> bound (*B,), both in nats


def elbo(log_w: Tensor) -> Tensor:
    r"""Evidence lower bound, :math:`\frac1K \sum_k \log w_k`.

    More samples make it less noisy, not tighter.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``.

    Returns:
        Tensor of shape ``(*B,)`` in nats.

    >>> elbo(torch.tensor([0.0, 2.0])).item()
    1.0
    """
    check_samples(log_w)
    return log_w.mean(dim=0)


def iwae(log_w: Tensor) -> Tensor:
    r"""Importance-weighted bound, :math:`\log \frac1K \sum_k w_k`.

    Args:
        log_w: Log weights in nats, shape ``(K, *B)``.

    Returns:
        Tensor of shape ``(*B,)`` in nats.

    Reference:
        Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519, equation 8.

    >>> round(iwae(torch.tensor([0.0, 2.0])).item(), 4)
    1.4338
    """
    return log_mean_exp(log_w)


@dataclass(frozen=True, slots=True)
class Renyi:
    r"""Variational Renyi bound, :math:`\frac1{1-\alpha} \log \frac1K \sum_k w_k^{1-\alpha}`.

    ``alpha = 1`` is the ELBO (the limit), ``alpha = 0`` the IWAE bound, and ``alpha`` towards
    minus infinity takes the largest log weight alone (VR-max). For ``alpha < 0`` the expectation
    may lie above log p(x).

    Attributes:
        alpha: Any finite number, or ``-inf`` for VR-max.

    Reference:
        Li and Turner (2016), arXiv:1602.02311, equation 4.
    """

    alpha: float

    def __post_init__(self) -> None:
        if math.isnan(self.alpha) or self.alpha == math.inf:
            raise ValueError(f"alpha must be a finite number or -inf, got {self.alpha}")

    def __call__(self, log_w: Tensor) -> Tensor:
        """Bound ``(*B,)`` from log weights ``(K, *B)``, in nats.

        Raises:
            ValueError: See :func:`iwae_core.sampling.weights.check_samples`.
        """
        check_samples(log_w)
        if self.alpha == 1:
            return elbo(log_w)
        if self.alpha == -math.inf:
            return log_w.amax(dim=0)
        power = 1 - self.alpha
        if -_NEAR_ELBO < power < _NEAR_ELBO or abs(power) > _NEAR_MAX:
            return _tempered_mean(log_w, power)
        return log_mean_exp(power * log_w) / power


# Beyond these powers of the weights the plain formula loses float32's digits, or overflows.
_NEAR_ELBO = 0.1
_NEAR_MAX = 1e6


def _tempered_mean(log_w: Tensor, power: float) -> Tensor:
    """``log_mean_exp(power log_w) / power`` for tiny and huge powers, ``(K, *B) -> (*B,)``.

    With the log weights measured from the one that counts most, every exponent is at most zero;
    near zero ``log1p(mean(expm1(.)))`` keeps what ``log(mean(exp(.)))`` rounds away before the
    division by the power magnifies it. In float64: a power of 1e-9 is zero in half precision.
    """
    far = log_w.amax(dim=0) if power > 0 else log_w.amin(dim=0)
    center = torch.where(torch.isfinite(far), far, 0.0).detach()
    exponent = power * in_float64(log_w - center)
    if abs(power) < _NEAR_ELBO:
        log_mean = torch.log1p(torch.expm1(exponent).mean(dim=0))
    else:
        log_mean = log_mean_exp(exponent)
    return center + (log_mean / power).to(log_w)


@dataclass(frozen=True, slots=True)
class Ciwae:
    r"""Combination of the two bounds, :math:`\beta\,` ELBO :math:`+ (1 - \beta)\,` IWAE.

    Attributes:
        beta: Share of the ELBO in [0, 1]; 0 is the IWAE bound, 1 the ELBO.

    Reference:
        Rainforth et al. (2018), arXiv:1802.04537, equation 18.
    """

    beta: float

    def __post_init__(self) -> None:
        if not 0 <= self.beta <= 1:
            raise ValueError(f"beta must lie in [0, 1], got {self.beta}")

    def __call__(self, log_w: Tensor) -> Tensor:
        """Bound ``(*B,)`` from log weights ``(K, *B)``, in nats."""
        return self.beta * elbo(log_w) + (1 - self.beta) * iwae(log_w)


@dataclass(frozen=True, slots=True)
class Miwae:
    r"""Mean over M groups of the importance-weighted bound on K / M samples.

    ``n_groups = 1`` is the IWAE bound on all K samples, ``n_groups = K`` the ELBO.

    Attributes:
        n_groups: M, the number of groups; must divide K.

    Reference:
        Rainforth et al. (2018), arXiv:1802.04537, equation 15.
    """

    n_groups: int

    def __post_init__(self) -> None:
        check_count("n_groups", self.n_groups)

    def __call__(self, log_w: Tensor) -> Tensor:
        """Bound ``(*B,)`` from log weights ``(K, *B)``, in nats."""
        check_samples(log_w)
        K, M = log_w.shape[0], self.n_groups
        if K % M != 0:
            raise ValueError(f"n_groups must divide the number of samples, got {M} and {K}")
        groups = log_w.reshape(K // M, M, *log_w.shape[1:])
        return log_mean_exp(groups).mean(dim=0)


def _whole(n_groups: float) -> int:
    if not (math.isfinite(n_groups) and n_groups == int(n_groups)):
        raise ValueError(f"M, the number of groups, must be a whole number, got {n_groups}")
    return int(n_groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveEntry:
    """One named objective: how to make it, and the one setting it may have.

    Attributes:
        title: Name for people.
        make: From the setting to the objective; ignores it if there is none.
        setting: Symbol and meaning of the setting, or None.
        default: Value of the setting where nothing is said.
        bounds: Smallest and largest sensible setting, for a slider.
    """

    title: str
    make: Callable[[float], Objective]
    setting: str | None = None
    default: float = 0.0
    bounds: tuple[float, float] = (0.0, 0.0)


OBJECTIVES: dict[str, ObjectiveEntry] = {
    "elbo": ObjectiveEntry(title="ELBO (VAE)", make=lambda _: elbo),
    "iwae": ObjectiveEntry(title="IWAE", make=lambda _: iwae),
    "renyi": ObjectiveEntry(
        title="Renyi", make=Renyi, setting="alpha", default=0.5, bounds=(-2.0, 2.0)
    ),
    "ciwae": ObjectiveEntry(
        title="CIWAE", make=Ciwae, setting="beta, ELBO share", default=0.5, bounds=(0.0, 1.0)
    ),
    "miwae": ObjectiveEntry(
        title="MIWAE",
        make=lambda n_groups: Miwae(_whole(n_groups)),
        setting="M, groups",
        default=1.0,
        bounds=(1.0, 128.0),
    ),
}


def make_objective(name: str, setting: float | None = None) -> Objective:
    """The objective of that name, with its setting (None: the entry's default).

    Raises:
        ValueError: If the name is unknown or the setting is outside its range.
    """
    entry = OBJECTIVES[check_known(name, OBJECTIVES, "objective")]
    return entry.make(entry.default if setting is None else setting)


def sample_shares(objective: Objective, log_w: Tensor) -> Tensor:
    r"""Share of the gradient that each sample gets, :math:`\partial L / \partial \log w_k`.

    For the ELBO every share is 1 / K; for the IWAE bound the shares are the normalized weights.

    Args:
        objective: The bound.
        log_w: Log weights in nats, shape ``(K, *B)``; its graph, if any, is left alone.

    Returns:
        Detached tensor of shape ``(K, *B)``, summing to one over axis 0.

    Raises:
        ValueError: See :func:`iwae_core.sampling.weights.check_samples`.
    """
    check_samples(log_w)
    if objective in _CLOSED_FORM_SHARES:
        return _CLOSED_FORM_SHARES[objective](log_w.detach())
    # A copy: what was made under torch.inference_mode can never need a gradient itself.
    with torch.inference_mode(False), torch.enable_grad():
        leaf = log_w.detach().clone().requires_grad_()
        (shares,) = torch.autograd.grad(objective(leaf).sum(), leaf)
    return shares


# The two objectives that train most: a step at K = 1 is so short that autograd's way costs 5 %.
_CLOSED_FORM_SHARES: dict[Objective, Callable[[Tensor], Tensor]] = {
    elbo: lambda log_w: torch.full_like(log_w, 1 / log_w.shape[0]),
    iwae: lambda log_w: torch.softmax(log_w, dim=0),
}
