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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.debias import Jackknife, sharot_coefficients
from iwae_core.bounds.objectives import Renyi, elbo, iwae
from iwae_core.bounds.upper import exact_draw_upper_bound
from iwae_core.evaluation.studies.expected import (
    Law,
    exact_draw_law,
    expected_upper_bound,
    oracle_law,
)
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
from iwae_core.sampling.divergences import kl_divergence, log_chi_square_moment

__all__ = ["SCENES", "Layer", "LayersConfig", "LayersReport", "batch", "report", "run", "steps"]

N_SAMPLES = (
    *(1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 70, 100, 200, 300, 500),
    *(1000, 2000, 3000, 5000, 10_000),
)  # K
N_REPEATS = 512
_PER_STEP = 64  # repeats
_MAX_SUBSETS = 5000  # of a jackknife whose single runs are shown
_ROUNDING = 1e-14  # of one exact bound beside its neighbors, and
_CUT = 1e-9  # what the quadrature's last node cuts off

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How to make one layer: its exact part, and one run from log weights ``(K, R)``."""

    name: str
    title: str
    expected: Array
    resolution: Array
    limit: float
    single: Callable[[Tensor, Tensor], Tensor]  # log_w (K, R), log_w of exact draws (R,) -> (R,)
    shown: Callable[[int], bool]  # whether single runs are worked out at this K


STARTS = tuple(range(0, N_REPEATS, _PER_STEP))  # first repeat of each batch
Batch = Mapping[str, Sequence[Array]]  # by layer, then by K: single runs (R,), or none


def run(config: LayersConfig) -> LayersReport:
    """All of :func:`steps`; some seconds."""
    for _, found in steps(config):  # noqa: B007
        pass
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
        for plan in _plans(config.shift, config.scale, config.correlated)
    }


def report(config: LayersConfig, batches: Sequence[Batch]) -> LayersReport:
    """Put the batches so far together with the exact curves; none is well too."""
    plans = _plans(config.shift, config.scale, config.correlated)
    q = make_q(config.shift, config.scale, config.correlated)
    counts, log_marginal = np.array(N_SAMPLES, dtype=np.float64), exact_log_marginal()
    variance = relative_variance(q)
    approximate_gap = variance / (2 * counts)
    gap = log_marginal - plans[0].expected
    off = np.abs(approximate_gap - gap) > APPROXIMATION_LIMIT * gap + _CUT
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


@lru_cache(maxsize=4)
def _plans(shift: float, scale: float, correlated: bool) -> list[_Plan]:
    settings = (shift, scale, correlated)
    law, exact = oracle_law(*settings), exact_draw_law(*settings)
    log_marginal = exact_log_marginal()
    flat = np.full(len(N_SAMPLES), _CUT)
    lower = law.bound(N_SAMPLES).numpy()
    plans = [
        _Plan(
            name="iwae",
            title="Importance-weighted bound",
            expected=lower,
            resolution=flat,
            limit=log_marginal,
            single=lambda log_w, _: iwae(log_w),
            shown=lambda _: True,
        ),
        _Plan(
            name="elbo",
            title="ELBO (mean of K logs)",
            expected=np.full(len(N_SAMPLES), lower[0]),
            resolution=flat,
            limit=lower[0].item(),
            single=lambda log_w, _: elbo(log_w),
            shown=lambda _: True,
        ),
        _Plan(
            name="upper",
            title="With one exact posterior draw",
            expected=expected_upper_bound(law, exact, N_SAMPLES).numpy(),
            resolution=flat,
            limit=log_marginal,
            single=lambda log_w, log_w_exact: exact_draw_upper_bound(log_w_exact, log_w[1:]),
            shown=lambda _: True,
        ),
    ]
    plans += [_jackknife(law, order, log_marginal) for order in (1, 2)]
    return [*plans, *(_renyi(law, settings, alpha) for alpha in (0.5, -1.0))]


def _jackknife(law: Law, order: int, log_marginal: float) -> _Plan:
    """The subsets' mean of L_{K-j} has the expectation L_{K-j}, so the jackknife's is exact."""
    sizes = sorted({K - j for K in N_SAMPLES for j in range(order + 1) if order < K})
    bound = dict(zip(sizes, law.bound(sizes).tolist(), strict=True))
    expected, resolution = np.full((2, len(N_SAMPLES)), np.nan)
    for i, K in enumerate(N_SAMPLES):
        if order < K:
            c = sharot_coefficients(K, order)
            expected[i] = log_marginal + math.fsum(
                c_j * (bound[K - j] - log_marginal) for j, c_j in enumerate(c)
            )
            resolution[i] = _CUT + _ROUNDING * sum(map(abs, c))
    estimate = Jackknife(order)
    return _Plan(
        name=f"jackknife_{order}",
        title=f"Jackknife of order {order}",
        expected=expected,
        resolution=resolution,
        limit=log_marginal,
        single=lambda log_w, _: estimate(log_w),
        shown=lambda K: order < K and (order == 1 or math.comb(K, order) <= _MAX_SUBSETS),
    )


def _renyi(law: Law, settings: tuple[float, float, bool], alpha: float) -> _Plan:
    objective, power = Renyi(alpha), 1 - alpha
    bound = Law(power * law.log_w, law.probability).bound(N_SAMPLES).numpy() / power
    # E[w^power] by quadrature where weights are tempered, in closed form where they are squared
    limit = torch.logsumexp(power * law.log_w + law.probability.log(), dim=0).item() / power
    if power == 2:
        square = log_chi_square_moment(posterior(), make_q(*settings))
        limit = exact_log_marginal() + 0.5 * square
    return _Plan(
        name=f"renyi_{alpha:g}",
        title=f"Renyi, alpha = {alpha:g}",
        expected=bound,
        resolution=np.full(len(N_SAMPLES), _CUT),
        limit=limit,
        single=lambda log_w, _: objective(log_w),
        shown=lambda _: True,
    )


def _layer(plan: _Plan, batches: Sequence[Sequence[Array]]) -> Layer:
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
