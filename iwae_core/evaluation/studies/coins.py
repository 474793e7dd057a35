r"""The same 64 weights, bracketed anew: the log moves outside the mean, nothing else happens.

64 weights lie in a row. For K = 1, 2, 4 .. 64 neighbors are boxed into 64 / K groups; a box shows
the log of its mean weight, the needle the average of the boxes. By Jensen's inequality two boxes
that merge never lower the needle, whatever the weights are. Where the needle stands for one set of
weights is chance, and it may stand above log p(x); its expectation is L_K and may not.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.objectives import iwae
from iwae_core.evaluation.studies.expected import oracle_law
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.tightness import (
    BAND,
    TightnessConfig,
    exact_log_marginal,
    make_q,
    oracle,
    posterior,
)
from iwae_core.rng import stream
from iwae_core.sampling.divergences import kl_divergence

N_COINS = 64
N_SAMPLES = (1, 2, 4, 8, 16, 32, 64)  # K
N_SETS = 2048  # of 64 coins, for what happens on average
_SETS_SEED = 64  # one answer to "how often" for all coins that are drawn under one q

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinsConfig(TightnessConfig):
    """q as in :class:`TightnessConfig`; the seed makes the coins, the next one makes new ones."""


SCENES = {
    "shifted": Scene(
        title="Looks in the wrong place",
        why="One weight in a few is large. Alone in its box its logarithm counts 1/64; in a "
        "bigger box it lifts the whole mean, so the needle climbs at every merge.",
        settings=(("shift", 1.5), ("scale", 1.0), ("correlated", True), ("seed", 1)),
    ),
    "exact": Scene(
        title="q is the exact posterior",
        why="All 64 coins are equal, each p(x) itself: however they are boxed, the needle stands "
        "still at log p(x).",
        settings=(("shift", 0.0), ("scale", 1.0), ("correlated", True), ("seed", 1)),
    ),
    "wide": Scene(
        title="Too wide",
        why="Most coins are almost nothing, and their logarithms are huge and negative: with "
        "K = 1 they decide the needle, from K = 8 on they hardly matter.",
        settings=(("shift", 0.0), ("scale", 2.0), ("correlated", True), ("seed", 1)),
    ),
    "far": Scene(
        title="Far off",
        why="The weight that matters is rarer than one in 64. Most rows of coins do not hold it, "
        "and even one box of all 64 stays clearly below log p(x) on average.",
        settings=(("shift", 3.0), ("scale", 1.0), ("correlated", True), ("seed", 1)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoinsReport:
    """One row of coins under every bracketing; nats, arrays of 7 have one entry per K."""

    log_w: Array  # the coins in their order, (64,)
    n_samples: Array  # K, (7,)
    boxes: tuple[Array, ...]  # log of each box's mean weight, (64 / K,) for each K
    needle: Array  # average of the boxes, (7,)
    expected: Array  # exact L_K = E[needle], (7,)
    elbo: float  # closed form of L_1
    log_marginal: float  # exact log p(x)
    share_above: Array  # of rows whose needle passes log p(x), (7,)
    share_error: Array  # its standard error, (7,)
    needle_low: Array  # BAND of the needle over rows, (7,)
    needle_high: Array
    n_sets: int  # rows behind the shares and the band


def run(config: CoinsConfig) -> CoinsReport:
    """Draw the coins, box them for every K, and say what happens on average."""
    q_settings = (config.shift, config.scale, config.correlated)
    log_w = _draw(*q_settings, 1, stream(config.seed, "coins"))[0]
    boxes = [_boxes(log_w[None], K)[0] for K in N_SAMPLES]
    log_marginal = exact_log_marginal()
    needles = _needles(*q_settings)
    # Rounding must not count a needle that equals log p(x) as one that passes it.
    share = (needles > log_marginal + 1e-12 * abs(log_marginal)).double().mean(dim=1).numpy()
    low, high = np.quantile(needles.numpy(), BAND, axis=1)
    return CoinsReport(
        log_w=log_w.numpy(),
        n_samples=np.array(N_SAMPLES, dtype=np.float64),
        boxes=tuple(box.numpy() for box in boxes),
        needle=np.array([box.mean().item() for box in boxes]),
        expected=_expected(*q_settings).numpy(),
        elbo=log_marginal - kl_divergence(make_q(*q_settings), posterior()),
        log_marginal=log_marginal,
        share_above=share,
        share_error=np.sqrt(share * (1 - share) / N_SETS),
        needle_low=low,
        needle_high=high,
        n_sets=N_SETS,
    )


def _draw(
    shift: float, scale: float, correlated: bool, n_rows: int, generator: torch.Generator
) -> Tensor:
    """Log weights of rows of coins, ``(n_rows, 64)``."""
    (model, x), q = oracle(), make_q(shift, scale, correlated)
    z = q.sample((n_rows, N_COINS), generator, torch.float64)
    return model.log_joint(x, z.reshape(-1, 1, z.shape[-1])).reshape(n_rows, -1) - q.log_prob(z)


def _boxes(log_w: Tensor, K: int) -> Tensor:
    """Log of the mean of each K neighbors, ``(n_rows, 64) -> (n_rows, 64 / K)``."""
    return iwae(log_w.reshape(len(log_w), -1, K).movedim(-1, 0))


@lru_cache(maxsize=8)
def _needles(shift: float, scale: float, correlated: bool) -> Tensor:
    """Needles of N_SETS rows for every K, ``(7, N_SETS)``."""
    log_w = _draw(shift, scale, correlated, N_SETS, stream(_SETS_SEED, "rows of coins"))
    return torch.stack([_boxes(log_w, K).mean(dim=1) for K in N_SAMPLES])


@lru_cache(maxsize=8)
def _expected(shift: float, scale: float, correlated: bool) -> Tensor:
    return oracle_law(shift, scale, correlated).bound(N_SAMPLES)
