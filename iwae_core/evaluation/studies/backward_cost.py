r"""Most weights are near zero: what is lost by going backward through few of K samples?

All K samples are run forward without a graph; then only some of them backward
(:mod:`iwae_core.bounds.backward`): the heaviest that hold all but epsilon of the weight
(*truncated*, a small bias) or a few drawn in proportion to their weight (*resampled*, no bias,
some noise). Here the loss is measured where the exact gradient is known, on the oracle's four
parameters, in repeats that share their noise with the exact backward pass; :func:`measure_ms`
measures the gain in time on this machine.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.backward import resampled, truncated
from iwae_core.bounds.objectives import iwae
from iwae_core.bounds.surrogates import reparameterized
from iwae_core.counts import check_count, is_count
from iwae_core.evaluation.studies.gradient_oracle import (
    PARAMETERS,
    Point,
    draws,
    exact_moments,
)
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, standard_normal, stream
from iwae_core.sampling.draws import Draws

MAX_SAMPLES = 200  # K
N_REPEATS = 800  # or fewer where K is large:
_MOST_SAMPLES = 48_000  # of all repeats
EPSILONS = (1e-3, 1e-2, 1e-1, 0.5)
PICKS = (1, 4, 16)

Array = NDArray[np.float64]
Scalar = Callable[[Draws], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackwardCostConfig:
    """Where the gradient is taken, as in :class:`Point`.

    Attributes:
        shift: Of q's mean, in standard deviations of the posterior.
        scale: Of q, over the posterior's.
        n_samples: K.
        seed: Of the noise.
    """

    shift: float = 1.0
    scale: float = 1.3
    n_samples: int = 50
    seed: int = 1

    def __post_init__(self) -> None:
        Point(self.shift, self.scale)
        if not (is_count(self.n_samples, 2) and self.n_samples <= MAX_SAMPLES):
            raise ValueError(f"n_samples must lie in 2..{MAX_SAMPLES}, got {self.n_samples}")

    @property
    def n_repeats(self) -> int:
        """R; what is measured carries an error that knows of it."""
        return min(N_REPEATS, _MOST_SAMPLES // self.n_samples)


SCENES = {
    "shifted": Scene(
        title="A usual encoder",
        why="Half of the 50 samples hold 99 % of the weight. Leaving the others out errs by a "
        "tenth of the noise that is there anyway; but it errs to one side, and for the encoder, "
        "whose mean gradient is tiny, that bias is as large as the mean itself.",
        settings=(("shift", 1.0), ("scale", 1.3), ("n_samples", 50)),
    ),
    "good": Scene(
        title="A good encoder",
        why="Three quarters of the samples are needed to hold 99 % of the weight: there is little "
        "to leave out, and less need of many samples in the first place.",
        settings=(("shift", 0.0), ("scale", 1.0), ("n_samples", 50)),
    ),
    "poor": Scene(
        title="A poor encoder",
        why="Five of 50 samples hold 99 % of the weight: nine tenths of the backward pass are for "
        "nothing, and four resampled draws do almost as well as all.",
        settings=(("shift", 3.0), ("scale", 1.5), ("n_samples", 50)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mode:
    """One way backward; columns are V_11, V_21 (encoder), W_11, W_12 (decoder).

    Attributes:
        name: "exact", "truncated" or "resampled".
        setting: epsilon or the number of picks; 0 for exact.
        touched: Share of the samples that went backward.
        bias: Mean difference from the exact backward pass on the same noise, ``(4,)``.
        bias_error: Its standard error.
        std: Standard deviation of the gradient over repeats, ``(4,)``.
        added: Root mean square of that difference over the exact gradient's standard deviation,
            ``(4,)``: 0.1 means an error of a tenth of the noise that is there anyway.
    """

    name: str
    setting: float
    touched: float
    bias: Array
    bias_error: Array
    std: Array
    added: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BackwardCostReport:
    """The modes beside each other.

    Attributes:
        parameters: Names of the columns.
        modes: Exact first, then truncated by rising epsilon, then resampled by rising picks.
        mean: Known mean of the exact gradient, ``(4,)``.
        std: Its known standard deviation.
        sorted_weight: Mean over repeats of the normalized weights in falling order, ``(K,)``.
        n_repeats: R.
    """

    parameters: tuple[str, ...]
    modes: tuple[Mode, ...]
    mean: Array
    std: Array
    sorted_weight: Array
    n_repeats: int


def run(config: BackwardCostConfig) -> BackwardCostReport:
    """Compare the ways backward on the same noise."""
    point, K = Point(config.shift, config.scale), config.n_samples
    noise = stream(config.seed, "backward")
    eps = standard_normal((K, config.n_repeats, 2), noise, torch.float64)
    with torch.no_grad():
        log_w = draws(point, eps)[0].log_w()
    exact, _ = _gradient(point, eps, log_w, _exact)
    modes = [_mode("exact", 0.0, exact, exact, 1.0)]
    for epsilon in EPSILONS:
        found, touched = _gradient(point, eps, log_w, partial(_truncated, epsilon=epsilon))
        modes.append(_mode("truncated", epsilon, found, exact, touched))
    for n_picks in PICKS:
        pick = partial(_resampled, n_picks=n_picks, generator=stream(config.seed, "picks"))
        found, touched = _gradient(point, eps, log_w, pick)
        modes.append(_mode("resampled", n_picks, found, exact, touched))
    mean, std = (moment[0] for moment in exact_moments(point, "reparameterized", (K,)))
    weight = torch.softmax(log_w, dim=0).sort(dim=0, descending=True).values
    return BackwardCostReport(
        parameters=PARAMETERS,
        modes=tuple(modes),
        mean=mean,
        std=std,
        sorted_weight=weight.mean(dim=1).numpy(),
        n_repeats=config.n_repeats,
    )


def small_net(seed: int) -> tuple[Vae, Tensor]:
    """An untrained net for images of 8 x 8 pixels and a batch of 100, to measure time with."""
    generator = make_generator(seed)
    model = Vae(64, 8, hidden=(100, 100), generator=generator)
    x = (torch.rand(100, 64, generator=generator) < 0.3).float()
    return model, x


def measure_ms(
    model: Vae, x: Tensor, n_samples: int, generator: torch.Generator, *, n_rounds: int = 7
) -> dict[str, float]:
    """Milliseconds of one forward and backward pass, the median over rounds in turns.

    What a partial backward pass saves depends on the net's size and on how few samples hold the
    weight: an untrained net, whose weights are nearly even, may even lose.

    Args:
        model: Its ``.grad`` is not touched.
        x: A batch, ``(B, D)``.
        n_samples: K.
        generator: Of the noise.
        n_rounds: Rounds; every mode runs once in each.

    Returns:
        "exact", "truncated" (epsilon 0.01) and "resampled" (4 picks) to milliseconds.

    Raises:
        ValueError: If ``n_samples`` or ``n_rounds`` is below 1.
    """
    check_count("n_samples", n_samples)
    check_count("n_rounds", n_rounds)
    ways: dict[str, Scalar] = {
        "exact": _exact,
        "truncated": partial(_truncated, epsilon=0.01),
        "resampled": partial(_resampled, n_picks=4, generator=generator),
    }
    parameters = list(model.parameters())
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(n_rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            with torch.enable_grad():
                torch.autograd.grad(way(model.draws(x, n_samples, generator)), parameters)
            times[name].append(1e3 * (time.perf_counter() - began))
    return {name: float(np.median(found[1:])) for name, found in times.items()}  # warm


def _exact(drawn: Draws) -> Tensor:
    return reparameterized(drawn, iwae, 1.0)[0]


def _truncated(drawn: Draws, *, epsilon: float) -> Tensor:
    return truncated(reparameterized, drawn, iwae, 1.0, epsilon=epsilon)[0]


def _resampled(drawn: Draws, *, n_picks: int, generator: torch.Generator) -> Tensor:
    return resampled(reparameterized, drawn, iwae, 1.0, n_picks=n_picks, generator=generator)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed(Draws):
    """Draws whose log weights are known: the same for every way forward."""

    known: Tensor  # (K, R)

    def log_w(self, beta: float = 1.0) -> Tensor:
        if beta == 1 and not torch.is_grad_enabled():
            return self.known
        return Draws.log_w(self, beta)


def _gradient(point: Point, eps: Tensor, log_w: Tensor, way: Scalar) -> tuple[Tensor, float]:
    """One gradient per repeat ``(R, 4)``, and the share of the samples that was picked."""
    found, offset = draws(point, eps)
    picked = []

    def counted(k: Tensor, b: Tensor) -> Draws:
        picked.append(len(k))
        assert found.pick is not None
        return found.pick(k, b)

    with torch.enable_grad():
        given = {field.name: getattr(found, field.name) for field in fields(found)}
        scalar = way(_Weighed(**{**given, "pick": counted}, known=log_w))
        (gradient,) = torch.autograd.grad(scalar * eps.shape[1], offset)
    return gradient, sum(picked) / log_w.numel()


def _mode(name: str, setting: float, found: Tensor, exact: Tensor, touched: float) -> Mode:
    apart, std = found - exact, exact.std(dim=0)
    return Mode(
        name=name,
        setting=float(setting),
        touched=touched,
        bias=apart.mean(dim=0).numpy(),
        bias_error=(apart.std(dim=0) / len(apart) ** 0.5).numpy(),
        std=found.std(dim=0).numpy(),
        added=(apart.square().mean(dim=0).sqrt() / std).numpy(),
    )
