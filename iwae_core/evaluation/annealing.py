r"""The path of annealed importance sampling: its temperatures and the moves along it.

At inverse temperature beta stands f_beta, between a known density p_0 and the joint log p(x, z);
see :mod:`iwae_core.evaluation.ais`. The moves happen in ``u = (z - loc) / scale`` of p_0, where
p_0 is N(0, I). Step sizes are tuned towards the wanted acceptance in a pilot run with its own
draws and then held: a step size that listened to the very chains it moves would void the
unbiasedness that both sides rest on.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from iwae_core.counts import is_count
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.names import check_known
from iwae_core.precision import in_float64
from iwae_core.rng import standard_normal

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


class Point(NamedTuple):
    """Where chains stand, and what the path needs there; ratio = log p(x, z) - log p_0(z)."""

    u: Tensor  # (K, B, d)
    ratio: Tensor  # (K, B)
    slope: Tensor  # (K, B, d), gradient of the ratio by u


def temperatures(config: AisConfig) -> list[float]:
    """The T + 1 inverse temperatures from 0 to 1."""
    line = torch.linspace(-1, 1, config.n_temperatures + 1, dtype=torch.float64)
    if config.schedule == "sigmoid":
        line = torch.sigmoid(_SIGMOID_REACH * line)
    stretched = (line - line[0]) / (line[-1] - line[0])
    return [float(beta) for beta in stretched]


class Path:
    """The path of one data set: points on it, moves along it."""

    def __init__(self, model: Joint, x: Tensor, start: DiagonalNormal, config: AisConfig) -> None:
        self.model, self.x, self.start, self.config = model, x, start, config
        self.betas = temperatures(config)

    def at(self, u: Tensor) -> Point:
        """Evaluate the model at ``u``, outside any graph of the caller."""
        with torch.enable_grad():
            leaf = u.detach().requires_grad_()
            log_joint = self.model.log_joint(self.x, self.start.from_noise(leaf))
            # log p_0(z) is N(u; 0, I) less the log volume of the map from u to z.
            ratio = log_joint - standard_normal_log_prob(leaf) + self.start.log_scale.sum(dim=-1)
            (slope,) = torch.autograd.grad(ratio.sum(), leaf)
        return Point(u.detach(), ratio.detach(), slope)

    def begin(self, u: Tensor) -> Point:
        """Evaluate a start, where a model without a value is a fault and not bad luck."""
        point = self.at(u)
        if not (torch.isfinite(point.ratio).all() and torch.isfinite(point.slope).all()):
            raise ValueError(
                "log_joint or its gradient is not finite at a start of the chains: the start "
                "misses the support, or the model has diverged"
            )
        return point

    def noise(self, n_chains: int, generator: torch.Generator) -> Tensor:
        """Standard normal numbers ``(n_chains, B, d)``: starts in u, and momenta."""
        shape = (n_chains, *self.start.loc.shape)
        return standard_normal(shape, generator, dtype=self.start.loc.dtype)

    def move(
        self, point: Point, beta: float, step: Tensor, generator: torch.Generator
    ) -> tuple[Point, Tensor]:
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
        moved = Point(
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
        log_w = torch.zeros_like(in_float64(point.ratio))
        acceptance = []
        for t, step in enumerate(steps):
            log_w += (self.betas[t + 1] - self.betas[t]) * in_float64(point.ratio)
            point, accepted = self.move(point, self.betas[t + 1], step, generator)
            acceptance.append(in_float64(accepted).mean())
        return log_w, torch.stack(acceptance)

    def reverse(self, z: Tensor, steps: list[Tensor], generator: torch.Generator) -> Tensor:
        """Log weights ``(K, B)`` of the chains back to p_0; their mean weight averages 1 / p(x).

        The forward move at beta_{t+1} comes after the weight's step to it, so its reversal, which
        is the same move because HMC is reversible, comes before the step back.
        """
        u = (z - self.start.loc) / self.start.scale
        point = self.begin(u.expand(self.config.n_chains, *u.shape))
        log_w = torch.zeros_like(in_float64(point.ratio))
        for t in reversed(range(len(steps))):
            point, _ = self.move(point, self.betas[t + 1], steps[t], generator)
            log_w -= (self.betas[t + 1] - self.betas[t]) * in_float64(point.ratio)
        return log_w


def _energy(point: Point, beta: float, momentum: Tensor) -> Tensor:
    squares = point.u.square().sum(dim=-1) + momentum.square().sum(dim=-1)
    return 0.5 * squares - beta * point.ratio
