r"""The sandwich: L_K from K = 1 to 10,000 with everything that is said about it laid over.

Below log p(x) lies the importance-weighted bound, above it the same mean with one draw from the
exact posterior among the K (:mod:`iwae_core.bounds.upper`). Laid over: the approximation
-Var(w) / (2 K p(x)^2), the jackknife of orders 1 and 2, whose bias falls like K^-2 and K^-3, and
Renyi bounds, which tend to another value than log p(x) unless alpha = 0.

All expectations are exact, by quadrature; the bands show where single runs fall, in N_REPEATS
repeats. They come in batches that any worker process can work out (:func:`batch`), so a page shows
progress and may stop between any two; :func:`steps` hands the report out as they come in.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.evaluation.studies.layer_plans import CUT, N_SAMPLES, Plan, plans_of
from iwae_core.evaluation.studies.tightness import (
    APPROXIMATION_LIMIT,
    BAND,
    SCENES,
    TightnessConfig,
    exact_log_marginal,
    make_q,
    oracle,
    posterior,
    relative_variance,
)
from iwae_core.rng import stream
from iwae_core.sampling.divergences import kl_divergence

__all__ = ["SCENES", "Layer", "LayersConfig", "LayersReport", "batch", "report", "run", "steps"]

N_REPEATS = 512
_PER_STEP = 64  # repeats

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersConfig(TightnessConfig):
    """q and seed as in :class:`TightnessConfig`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One estimate of log p(x) against K, in nats; arrays have one entry per K.

    Attributes:
        name: "iwae", "elbo", "upper", "jackknife_1", "jackknife_2", "renyi_0.5" or "renyi_-1".
        title: Name for people.
        expected: Exact expectation; NaN where the estimate needs more samples.
        resolution: Below this distance from log p(x) ``expected`` is rounding: draw no gap there.
        limit: Of ``expected`` for K to infinity; may be inf.
        low: BAND of single runs; NaN where a run would visit too many subsets, or before any.
        high: Its upper end.
        mean: Of the single runs, NaN likewise.
        std_error: Of ``mean``.
    """

    name: str
    title: str
    expected: Array
    resolution: Array
    limit: float
    low: Array
    high: Array
    mean: Array
    std_error: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayersReport:
    """The layers, and the numbers beside them; nats."""

    n_samples: Array  # K, (J,)
    layers: tuple[Layer, ...]
    n_repeats: int  # so far
    log_marginal: float  # exact log p(x)
    elbo: float  # closed form of L_1
    upper_at_one: float  # closed form: log p(x) + KL(posterior || q)
    relative_variance: float  # Var(w) / p(x)^2; may be inf
    approximate_gap: Array  # relative_variance / (2 K), (J,)
    breaks_until: float  # the approximation is off from K = 1 up to here; 0 if nowhere, inf if all

    def layer(self, name: str) -> Layer:
        """The layer of that name.

        Raises:
            ValueError: If there is none.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"no layer {name!r}; there are {[layer.name for layer in self.layers]}")


STARTS = tuple(range(0, N_REPEATS, _PER_STEP))  # first repeat of each batch
Batch = Mapping[str, Sequence[Array]]  # by layer, then by K: single runs (R,), or none


def run(config: LayersConfig) -> LayersReport:
    """All of :func:`steps`; some seconds."""
    *_, (_, found) = steps(config)
    return found


def steps(config: LayersConfig) -> Iterator[tuple[float, LayersReport]]:
    """Work the report out bit by bit.

    Yields:
        The share done in [0, 1], and the report as it stands: first the exact curves alone, then
        with bands from more and more repeats. The last one is what :func:`run` returns.
    """
    batches: list[Batch] = []
    yield 0.02, report(config, batches)
    for start in STARTS:
        batches.append(batch(config, start))
        yield (start + _PER_STEP) / N_REPEATS, report(config, batches)


def batch(config: LayersConfig, start: int) -> Batch:
    """Single runs of every layer in the repeats from ``start`` on, one of STARTS.

    Batches do not depend on each other: any process may work one out.
    """
    (model, x), q, p = oracle(), make_q(config.shift, config.scale, config.correlated), posterior()
    generator = stream(config.seed, "layers", start)
    z = q.sample((max(N_SAMPLES), _PER_STEP), generator, torch.float64)
    z_exact = p.sample((_PER_STEP,), generator, torch.float64)
    log_w = model.log_joint(x, z.reshape(-1, 1, 2)).reshape(z.shape[:2]) - q.log_prob(z)
    log_w_exact = model.log_joint(x, z_exact[:, None, :])[:, 0] - q.log_prob(z_exact)
    nothing = np.empty(0)
    return {
        plan.name: [
            plan.single(log_w[:K], log_w_exact).numpy() if plan.shown(K) else nothing
            for K in N_SAMPLES
        ]
        for plan in plans_of(config.shift, config.scale, config.correlated)
    }


def report(config: LayersConfig, batches: Sequence[Batch]) -> LayersReport:
    """Put the batches so far together with the exact curves; none is well too."""
    plans = plans_of(config.shift, config.scale, config.correlated)
    q = make_q(config.shift, config.scale, config.correlated)
    counts, log_marginal = np.array(N_SAMPLES, dtype=np.float64), exact_log_marginal()
    variance = relative_variance(q)
    approximate_gap = variance / (2 * counts)
    gap = log_marginal - plans[0].expected
    off = np.abs(approximate_gap - gap) > APPROXIMATION_LIMIT * gap + CUT
    last = counts[off.cumprod().astype(bool)].max(initial=0.0).item()
    return LayersReport(
        n_samples=counts,
        layers=tuple(_layer(plan, [each[plan.name] for each in batches]) for plan in plans),
        n_repeats=_PER_STEP * len(batches),
        log_marginal=log_marginal,
        elbo=log_marginal - kl_divergence(q, posterior()),
        upper_at_one=log_marginal + kl_divergence(posterior(), q),
        relative_variance=variance,
        approximate_gap=approximate_gap,
        breaks_until=math.inf if off.all() else last,
    )


def _layer(plan: Plan, batches: Sequence[Sequence[Array]]) -> Layer:
    low, high, mean, std_error = np.full((4, len(N_SAMPLES)), np.nan)
    for i, parts in enumerate(zip(*batches, strict=True)):
        values = np.concatenate(parts)
        if len(values):
            low[i], high[i] = np.quantile(values, BAND)
            mean[i], std_error[i] = values.mean(), values.std(ddof=1) / math.sqrt(len(values))
    return Layer(
        name=plan.name,
        title=plan.title,
        expected=plan.expected,
        resolution=plan.resolution,
        limit=plan.limit,
        low=low,
        high=high,
        mean=mean,
        std_error=std_error,
    )
