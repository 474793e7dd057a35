"""How each layer of the sandwich is made: its exact expectation, and one run from log weights."""

import math
from collections.abc import Callable
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
from iwae_core.evaluation.studies.tightness import exact_log_marginal, make_q, posterior
from iwae_core.sampling.divergences import log_chi_square_moment

N_SAMPLES = (
    *(1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 70, 100, 200, 300, 500),
    *(1000, 2000, 3000, 5000, 10_000),
)  # K
_MAX_SUBSETS = 5000  # of a jackknife whose single runs are shown
_ROUNDING = 1e-14  # of one exact bound beside its neighbors, and
CUT = 1e-9  # what the quadrature's last node cuts off

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to make one layer; the attributes are those of :class:`~.layers.Layer`.

    Attributes:
        name: In the address.
        title: For people.
        expected: Exact expectation for each K, nats; NaN where the estimate needs more samples.
        resolution: Distance from log p(x) below which ``expected`` is rounding.
        limit: Of ``expected`` for K to infinity.
        single: One run from log weights ``(K, R)`` and those of exact draws ``(R,)`` to ``(R,)``.
        shown: Whether single runs are worked out at this K.
    """

    name: str
    title: str
    expected: Array
    resolution: Array
    limit: float
    single: Callable[[Tensor, Tensor], Tensor]  # log_w (K, R), log_w of exact draws (R,) -> (R,)
    shown: Callable[[int], bool]  # whether single runs are worked out at this K


@lru_cache(maxsize=4)
def plans_of(shift: float, scale: float, correlated: bool) -> list[Plan]:
    """The layers for one q, in the order in which they are drawn."""
    settings = (shift, scale, correlated)
    law, exact = oracle_law(*settings), exact_draw_law(*settings)
    log_marginal = exact_log_marginal()
    flat = np.full(len(N_SAMPLES), CUT)
    lower = law.bound(N_SAMPLES).numpy()
    plans = [
        Plan(
            name="iwae",
            title="Importance-weighted bound",
            expected=lower,
            resolution=flat,
            limit=log_marginal,
            single=lambda log_w, _: iwae(log_w),
            shown=lambda _: True,
        ),
        Plan(
            name="elbo",
            title="ELBO (mean of K logs)",
            expected=np.full(len(N_SAMPLES), lower[0]),
            resolution=flat,
            limit=lower[0].item(),
            single=lambda log_w, _: elbo(log_w),
            shown=lambda _: True,
        ),
        Plan(
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


def _jackknife(law: Law, order: int, log_marginal: float) -> Plan:
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
            resolution[i] = CUT + _ROUNDING * sum(map(abs, c))
    estimate = Jackknife(order)
    return Plan(
        name=f"jackknife_{order}",
        title=f"Jackknife of order {order}",
        expected=expected,
        resolution=resolution,
        limit=log_marginal,
        single=lambda log_w, _: estimate(log_w),
        shown=lambda K: order < K and (order == 1 or math.comb(K, order) <= _MAX_SUBSETS),
    )


def _renyi(law: Law, settings: tuple[float, float, bool], alpha: float) -> Plan:
    objective, power = Renyi(alpha), 1 - alpha
    bound = Law(power * law.log_w, law.probability).bound(N_SAMPLES).numpy() / power
    # E[w^power] by quadrature where weights are tempered, in closed form where they are squared
    limit = torch.logsumexp(power * law.log_w + law.probability.log(), dim=0).item() / power
    if power == 2:
        square = log_chi_square_moment(posterior(), make_q(*settings))
        limit = exact_log_marginal() + 0.5 * square
    return Plan(
        name=f"renyi_{alpha:g}",
        title=f"Renyi, alpha = {alpha:g}",
        expected=bound,
        resolution=np.full(len(N_SAMPLES), CUT),
        limit=limit,
        single=lambda log_w, _: objective(log_w),
        shown=lambda _: True,
    )
