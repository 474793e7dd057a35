r"""Annealed importance sampling: log p(x) from both sides, where q alone is not trusted.

A chain starts at a known density p_0 (the prior, or q) and walks to the posterior along

    log f_beta(z) = (1 - beta) log p_0(z) + beta log p(x, z),      0 = beta_0 < .. < beta_T = 1,

with a Hamiltonian Monte Carlo move that leaves f_beta invariant at each step. Its weight is the
product of the ratios ``f_{beta_t} / f_{beta_{t-1}}`` met on the way, and averages to p(x): a lower
bound on log p(x) in expectation, like the IWAE's, that tightens with T instead of K alone. Run
backwards from an exact posterior draw, the inverse weight averages to 1 / p(x): an upper bound.
Data simulated from the model come with such a draw, the z they were made from; for other data
only the lower side holds.

The moves happen in ``u = (z - loc) / scale`` of p_0, where p_0 is N(0, I). Step sizes are tuned
towards the wanted acceptance in a pilot run with its own draws and then held: a step size that
listened to the very chains it moves would void the unbiasedness that both sides rest on.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import check_count, is_count
from iwae_core.evaluation.inputs import check_data
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.names import check_known
from iwae_core.rng import standard_normal
from iwae_core.sampling.weights import ess, log_mean_exp

SCHEDULES = ("linear", "sigmoid")
_SIGMOID_REACH = 4.0  # Wu et al. (2017): betas from sigmoid(-4) to sigmoid(4), stretched to [0, 1]
_GAIN = 1.0  # log step size per unit of acceptance above its target
_N_WARM_UP = 20  # pilot moves at p_0 itself, before the path starts


class Joint(Protocol):
    """Any model with a log joint density that torch can differentiate by z."""

    def log_joint(self, x: Tensor, z: Tensor, /) -> Tensor:
        """``log p(x, z)`` in nats, from ``x (B, D)`` and ``z (K, B, d)`` to ``(K, B)``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AisConfig:
    """How hard the chains work; the cost is ``n_temperatures * n_leapfrog`` gradients per chain.

    Attributes:
        n_chains: K, independent chains per datapoint.
        n_temperatures: T, steps of the path.
        n_leapfrog: Leapfrog steps of one move.
        target_acceptance: Mean acceptance that the step sizes are tuned to.
        step_size: First guess of the step, in units of p_0's scale.
        schedule: ``"sigmoid"`` takes small steps at both ends of the path, ``"linear"`` equal
            ones.
        n_pilot: Chains of the pilot run.
    """

    n_chains: int = 16
    n_temperatures: int = 500
    n_leapfrog: int = 10
    target_acceptance: float = 0.8
    step_size: float = 0.1
    schedule: str = "sigmoid"
    n_pilot: int = 8

    def __post_init__(self) -> None:
        check_known(self.schedule, SCHEDULES, "schedule")
        faults = [
            f"{name} must be at least 1, got {getattr(self, name)}: a whole number?"
            for name in ("n_chains", "n_temperatures", "n_leapfrog", "n_pilot")
            if not is_count(getattr(self, name))
        ]
        if not 0 < self.target_acceptance < 1:
            faults.append(f"target_acceptance must lie in (0, 1), got {self.target_acceptance}")
        if not 0 < self.step_size < math.inf:
            faults.append(f"step_size must be positive and finite, got {self.step_size}")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AisReport:
    """Log p(x) from below, and from above where exact posterior draws were given.

    Attributes:
        log_lower: Forward estimate, shape ``(B,)``, nats; at most log p(x) in expectation.
        log_upper: Reverse estimate, shape ``(B,)``, nats; at least log p(x) in expectation. None
            without posterior draws.
        ess: Effective sample size of the forward chains, shape ``(B,)``, of ``n_chains``. Small:
            take more temperatures before more chains.
        acceptance: Mean acceptance of the forward chains per temperature, shape ``(T,)``.
        step_size: Mean tuned step per temperature, shape ``(T,)``, in units of p_0's scale.
        n_chains: K.
    """

    log_lower: NDArray[np.float64]
    log_upper: NDArray[np.float64] | None
    ess: NDArray[np.float64]
    acceptance: NDArray[np.float64]
    step_size: NDArray[np.float64]
    n_chains: int

    @property
    def gap(self) -> float:
        """Mean over the data of upper minus lower, nats; NaN without an upper side."""
        if self.log_upper is None:
            return math.nan
        return float((self.log_upper - self.log_lower).mean())


class _Point(NamedTuple):
    """Where chains stand, and what the path needs there; ratio = log p(x, z) - log p_0(z)."""

    u: Tensor  # (K, B, d)
    ratio: Tensor  # (K, B)
    slope: Tensor  # (K, B, d), gradient of the ratio by u


def prior_start(x: Tensor, latent_dim: int) -> DiagonalNormal:
    """The prior N(0, I) as a start of the path, for each row of ``x``."""
    check_data(x)
    check_count("latent_dim", latent_dim)
    zeros = x.new_zeros(len(x), latent_dim)
    return DiagonalNormal(zeros, zeros)


def ais(
    model: Joint,
    x: Tensor,
    start: DiagonalNormal,
    config: AisConfig,
    generator: torch.Generator,
    *,
    posterior_draw: Tensor | None = None,
) -> AisReport:
    """Estimate log p(x) by annealing, from below and, with posterior draws, from above.

    Args:
        model: Anything with ``log_joint``; the path needs no encoder.
        x: Data, shape ``(B, D)``.
        start: p_0 for each datapoint, ``(B, d)``: :func:`prior_start`, or ``model.posterior(x)``.
        config: The effort.
        generator: Source of every draw, on the model's device.
        posterior_draw: One exact draw from p(z | x) per datapoint, shape ``(B, d)``: the z that
            simulated data were made from. Starts the reverse chains.

    Returns:
        The report; float64 whatever the model's dtype.

    Raises:
        ValueError: If shapes do not fit, ``x`` or ``posterior_draw`` is not finite, or the log
            joint is NaN, +inf, or -inf at a start.

    Reference:
        Neal (2001), Statistics and Computing 11, 125-139; Grosse, Ancha and Roy (2016),
        arXiv:1606.02275; Wu, Burda, Salakhutdinov and Grosse (2017), arXiv:1611.04273.
    """
    check_data(x)
    shape = start.loc.shape
    if len(shape) != 2 or shape[0] != len(x):
        raise ValueError(
            f"start must hold one density per row of x, shape ({len(x)}, d), got {tuple(shape)}"
        )
    if posterior_draw is not None and posterior_draw.shape != shape:
        raise ValueError(
            "posterior_draw must hold one z per datapoint, shape "
            f"{tuple(shape)}, got {tuple(posterior_draw.shape)}"
        )
    path = _Path(model, x, start.detach(), config)
    steps = path.tune(generator)
    log_w, acceptance = path.forward(steps, generator)
    log_upper = None
    if posterior_draw is not None:
        log_upper = -log_mean_exp(path.reverse(posterior_draw, steps, generator)).cpu().numpy()
    return AisReport(
        log_lower=log_mean_exp(log_w).cpu().numpy(),
        log_upper=log_upper,
        ess=ess(log_w).cpu().numpy(),
        acceptance=acceptance.cpu().numpy(),
        step_size=torch.stack(steps).double().mean(dim=1).cpu().numpy(),
        n_chains=config.n_chains,
    )


def temperatures(config: AisConfig) -> list[float]:
    """The T + 1 inverse temperatures from 0 to 1."""
    line = torch.linspace(-1, 1, config.n_temperatures + 1, dtype=torch.float64)
    if config.schedule == "sigmoid":
        line = torch.sigmoid(_SIGMOID_REACH * line)
    stretched = (line - line[0]) / (line[-1] - line[0])
    return [float(beta) for beta in stretched]


class _Path:
    """The path of one data set: points on it, moves along it."""

    def __init__(self, model: Joint, x: Tensor, start: DiagonalNormal, config: AisConfig) -> None:
        self.model, self.x, self.start, self.config = model, x, start, config
        self.betas = temperatures(config)

    def at(self, u: Tensor) -> _Point:
        """Evaluate the model at ``u``, outside any graph of the caller."""
        with torch.enable_grad():
            leaf = u.detach().requires_grad_()
            log_joint = self.model.log_joint(self.x, self.start.from_noise(leaf))
            # log p_0(z) is N(u; 0, I) less the log volume of the map from u to z.
            ratio = log_joint - standard_normal_log_prob(leaf) + self.start.log_scale.sum(dim=-1)
            (slope,) = torch.autograd.grad(ratio.sum(), leaf)
        return _Point(u.detach(), ratio.detach(), slope)

    def begin(self, u: Tensor) -> _Point:
        """Evaluate a start, where a model without a value is a fault and not bad luck."""
        point = self.at(u)
        if not (torch.isfinite(point.ratio).all() and torch.isfinite(point.slope).all()):
            raise ValueError(
                "log_joint or its gradient is not finite at a start of the chains: the start "
                "misses the support, or the model has diverged"
            )
        return point

    def noise(self, n_chains: int, generator: torch.Generator) -> Tensor:
        shape = (n_chains, *self.start.loc.shape)
        return standard_normal(shape, generator, dtype=self.start.loc.dtype)

    def move(
        self, point: _Point, beta: float, step: Tensor, generator: torch.Generator
    ) -> tuple[_Point, Tensor]:
        """One HMC move that leaves f_beta invariant; ``step (B,)``; acceptance ``(K, B)``."""
        size = step.unsqueeze(-1)
        momentum = self.noise(len(point.u), generator)
        # log f_beta(u) = log N(u; 0, I) + beta * ratio(u), up to a constant
        energy = _energy(point, beta, momentum)
        new, p = point, momentum
        for _ in range(self.config.n_leapfrog):
            p = p + 0.5 * size * (beta * new.slope - new.u)
            new = self.at(new.u + size * p)
            p = p + 0.5 * size * (beta * new.slope - new.u)
        # A trajectory that leaves the finite numbers is rejected: its energy compares as NaN.
        gain = energy - _energy(new, beta, p)
        accepted = torch.exp(gain.clamp(max=0)).nan_to_num(nan=0.0)
        finite = torch.isfinite(new.ratio) & torch.isfinite(new.slope).all(dim=-1)
        accepted = torch.where(finite, accepted, 0.0)
        u = torch.rand(
            accepted.shape, generator=generator, device=accepted.device, dtype=accepted.dtype
        )
        go = u < accepted
        moved = _Point(
            torch.where(go.unsqueeze(-1), new.u, point.u),
            torch.where(go, new.ratio, point.ratio),
            torch.where(go.unsqueeze(-1), new.slope, point.slope),
        )
        return moved, accepted

    def tune(self, generator: torch.Generator) -> list[Tensor]:
        """Step size ``(B,)`` for each of the T temperatures, from chains that are thrown away."""
        point = self.begin(self.noise(self.config.n_pilot, generator))
        log_step = torch.full_like(point.ratio[0], math.log(self.config.step_size))
        steps = []
        for t, beta in enumerate([0.0] * _N_WARM_UP + self.betas[1:]):
            point, accepted = self.move(point, beta, torch.exp(log_step), generator)
            excess = accepted.mean(dim=0) - self.config.target_acceptance
            log_step = log_step + _GAIN * excess
            if t >= _N_WARM_UP:
                steps.append(torch.exp(log_step))
        return steps

    def forward(self, steps: list[Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Log weights ``(K, B)`` of chains from p_0, and mean acceptance ``(T,)``."""
        point = self.begin(self.noise(self.config.n_chains, generator))
        log_w = torch.zeros_like(point.ratio, dtype=torch.float64)
        acceptance = []
        for t, step in enumerate(steps):
            log_w += (self.betas[t + 1] - self.betas[t]) * point.ratio.double()
            point, accepted = self.move(point, self.betas[t + 1], step, generator)
            acceptance.append(accepted.double().mean())
        return log_w, torch.stack(acceptance)

    def reverse(self, z: Tensor, steps: list[Tensor], generator: torch.Generator) -> Tensor:
        """Log weights ``(K, B)`` of the chains back to p_0; their mean weight averages 1 / p(x).

        The forward move at beta_{t+1} comes after the weight's step to it, so its reversal, which
        is the same move because HMC is reversible, comes before the step back.
        """
        u = (z - self.start.loc) / self.start.scale
        point = self.begin(u.expand(self.config.n_chains, *u.shape))
        log_w = torch.zeros_like(point.ratio, dtype=torch.float64)
        for t in reversed(range(len(steps))):
            point, _ = self.move(point, self.betas[t + 1], steps[t], generator)
            log_w -= (self.betas[t + 1] - self.betas[t]) * point.ratio.double()
        return log_w


def _energy(point: _Point, beta: float, momentum: Tensor) -> Tensor:
    squares = point.u.square().sum(dim=-1) + momentum.square().sum(dim=-1)
    return 0.5 * squares - beta * point.ratio
