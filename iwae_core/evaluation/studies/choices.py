"""What a learner may choose for importance sampling on the line, and the named scenes.

A new target, family of proposals or integrand is one new entry here; a named problem of
``sampling.problems`` becomes a scene by itself as soon as it can be put together from them.

A target drawn by hand has no entry: its name is :data:`DRAWN` and the string of the drawing
(:mod:`iwae_core.sampling.densities.drawn`), so one word in an address still says everything.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from iwae_core.evaluation.studies.scene import Scene
from iwae_core.names import check_known
from iwae_core.sampling.densities import (
    Exponential,
    Laplace,
    Mixture,
    Normal,
    Scaled,
    StudentT,
    Tail,
    Truncated,
    Uniform,
    Univariate,
    drawn,
)
from iwae_core.sampling.divergences import expectation
from iwae_core.sampling.integrands import Exceeds, Integrand, Power, Tails, Tilt
from iwae_core.sampling.problems import get_problem, problem_names

Made = TypeVar("Made", covariant=True)


class Named(NamedTuple, Generic[Made]):
    """Something to choose, and how to call it in front of people (HTML)."""

    title: str
    made: Made


TARGETS: dict[str, Named[Univariate]] = {
    "normal": Named("Normal(1, 1)", Normal(1.0, 1.0)),
    "standard_normal": Named("Normal(0, 1)", Normal(0.0, 1.0)),
    "student_t": Named("Student t, 3 degrees of freedom", StudentT(1.0, 1.0, 3.0)),
    "two_modes": Named("Two modes", Mixture((Normal(-2.0, 0.6), Normal(3.0, 0.6)), (0.5, 0.5))),
    "far_bump": Named(
        "Normal with a far bump", Mixture((Normal(0.0, 1.0), Normal(5.0, 0.5)), (0.9, 0.1))
    ),
    "unnormalized": Named("3 times Normal(1, 1)", Scaled(Normal(1.0, 1.0), math.log(3))),
    "half_normal": Named("Normal(0, 1), cut below 0", Truncated(Normal(0.0, 1.0), low=0.0)),
    "near_normal": Named("Normal(0.5, 1)", Normal(0.5, 1.0)),
    "laplace": Named("Laplace(1, 1)", Laplace(1.0, 1.0)),
    "uniform": Named("Uniform(\N{MINUS SIGN}1, 2)", Uniform(-1.0, 2.0)),
    "exponential": Named("Exponential(1)", Exponential(0.0, 1.0)),
}

DRAWN = "drawn."  # and the string of the drawing

SAFE = Normal(0.0, 4.0)  # the wide part of a defensive mixture
SAFE_SHARE = 0.2

# From location, scale and degrees of freedom to a normalized density.
FAMILIES: dict[str, Named[Callable[[float, float, float], Univariate]]] = {
    "normal": Named("Normal", lambda loc, scale, df: Normal(loc, scale)),
    "student_t": Named("Student t", StudentT),
    "laplace": Named("Laplace", lambda loc, scale, df: Laplace(loc, scale)),
    "uniform": Named("Uniform", lambda loc, scale, df: Uniform(loc - scale, loc + scale)),
    "defensive": Named(
        "Normal, with 20 % from a wide one",
        lambda loc, scale, df: Mixture((Normal(loc, scale), SAFE), (1 - SAFE_SHARE, SAFE_SHARE)),
    ),
}

INTEGRANDS: dict[str, Named[Integrand]] = {
    "z": Named("z", Power(1)),
    "z_squared": Named("z²", Power(2)),
    "above_3": Named("1 if z > 3, else 0", Exceeds(3.0)),
    "above_5": Named("1 if z > 5, else 0", Exceeds(5.0)),
    "exp_z": Named("exp(z)", Tilt(1.0)),
}


@dataclass(frozen=True, slots=True)
class Centered(Integrand):
    """``f(z) - center``."""

    f: Integrand
    center: float

    @property
    def tails(self) -> Tails:
        """The heavier of f's and a constant's, on each side."""
        left, right = (min(tail or Tail(), Tail()) for tail in self.f.tails)
        return left, right

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Those of f."""
        return self.f.breakpoints

    def __call__(self, z: Tensor) -> Tensor:
        """Elementwise difference."""
        return self.f(z) - self.center

    def log_abs(self, z: Tensor) -> Tensor:
        """Logarithm of the distance from the center, in nats."""
        log_f = self.f.log_abs(z)
        # Where f dwarfs the center, its logarithm is the answer, even if f itself overflows.
        dwarfs = log_f > 40 + math.log(max(abs(self.center), 1e-300))
        return torch.where(dwarfs, log_f, torch.log(torch.abs(self(z))))


def find_target(name: str) -> Named[Univariate]:
    """The target of this name, or the one drawn in it.

    Raises:
        ValueError: If the name is unknown, or the drawing is broken.

    >>> find_target("normal").made
    Normal(loc=1.0, scale=1.0)
    >>> find_target("drawn.A_A").made.variance
    6.0
    """
    if name.startswith(DRAWN):
        return Named("Your drawing", drawn.from_code(name.removeprefix(DRAWN)))
    return TARGETS[check_known(name, TARGETS, "target")]


@cache
def scenes() -> dict[str, Scene]:
    """Every named problem that the choices above can express, in teaching order."""
    found = {}
    for name in problem_names():
        named = get_problem(name)
        target = _key(TARGETS, named.target)
        integrand = _key(INTEGRANDS, named.f)
        proposal = _settings(named.proposal)
        if target and integrand and proposal:
            settings = {"target": target, "integrand": integrand, **proposal}
            found[name] = Scene(title=named.title, why=named.why, settings=tuple(settings.items()))
    return found


@lru_cache(maxsize=256)  # drawings have no end
def has_answer(target: str, integrand: str) -> bool:
    """Whether the mean of the integrand exists under the target.

    >>> has_answer("student_t", "exp_z")
    False
    """
    try:
        expectation(find_target(target).made, INTEGRANDS[integrand].made)
    except ValueError:
        return False
    return True


def _key(table: Mapping[str, Named[object]], value: object) -> str | None:
    return next((name for name, entry in table.items() if entry.made == value), None)


def _settings(proposal: Univariate) -> dict[str, float | str] | None:
    """The family and parameters that make this very proposal, or None."""
    core = proposal.components[0] if isinstance(proposal, Mixture) else proposal
    if isinstance(core, Uniform):
        loc, scale = core.mean, 0.5 * (core.high - core.low)
    elif isinstance(core, Normal | StudentT | Laplace):
        loc, scale = core.loc, core.scale
    else:
        return None
    df = core.df if isinstance(core, StudentT) else 3.0
    for family, (_, make) in FAMILIES.items():
        if make(loc, scale, df) == proposal:
            shape = {"df": df} if isinstance(core, StudentT) else {}
            return {"family": family, "loc": loc, "scale": scale, **shape}
    return None
