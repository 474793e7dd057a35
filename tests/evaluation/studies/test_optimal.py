"""The optimal proposal and the cures' deviations: closed forms and simulation."""

import math

import pytest
import torch
from support import assert_mean

from iwae_core.evaluation.studies import optimal
from iwae_core.rng import stream
from iwae_core.sampling import estimators, multiple
from iwae_core.sampling.densities import (
    Laplace,
    Mixture,
    Normal,
    Scaled,
    StudentT,
    Truncated,
    Uniform,
    drawn,
)
from iwae_core.sampling.integrands import Exceeds, Power, Tilt
from iwae_core.sampling.problems import make_problem

TARGETS = [
    Normal(1.0, 0.8),
    Mixture((Normal(-2.0, 0.6), Normal(3.0, 0.6)), (0.5, 0.5)),
    StudentT(1.0, 1.0, 3.5),
    Laplace(1.0, 0.5),
    Uniform(-1.0, 2.0),
    drawn.from_code("AAAcz_zcAAABGQ_QGBAA"),
]


@pytest.mark.parametrize("f", [Power(1), Exceeds(1.2), Tilt(0.5)], ids=str)
@pytest.mark.parametrize("target", TARGETS, ids=lambda p: type(p).__name__)
def test_no_draw_of_the_optimal_proposal_differs_in_size(target, f):
    if isinstance(f, Tilt) and isinstance(target, StudentT):
        return  # no mean
    q = optimal.optimal_proposal(target, f)
    z = q.sample((4000,), stream(1, "z"), torch.float64)
    terms = f(z) * torch.exp(target.log_prob(z) - q.log_prob(z))
    size = terms.abs()
    # All |w f| are one number, E|f|; a table is off by a little between its points.
    assert ((size / size.median() - 1).abs() < 1e-3).double().mean() > 0.98
    assert size.std() < 0.005 * size.median()
    exact_answer = make_problem(target, Normal(0.0, 5.0), f).exact
    std = optimal.optimal_std(target, f, exact_answer)
    assert math.hypot(std, exact_answer) == pytest.approx(size.median().item(), rel=1e-3)
    assert abs(terms.mean().item() - exact_answer) <= 5 * std / math.sqrt(4000) + 1e-3 * abs(
        exact_answer
    )


def test_the_optimal_proposal_is_exact_where_it_has_a_name():
    assert optimal.optimal_proposal(Normal(1.0, 2.0), Tilt(0.5)) == Normal(3.0, 2.0)
    assert optimal.optimal_proposal(Scaled(Normal(), 1.0), Exceeds(3.0)) == Truncated(
        Normal(), low=3.0
    )
    assert optimal.optimal_proposal(Normal(1.0, 2.0), Power(0)) == Normal(1.0, 2.0)
    # f = z under N(0, 1): E|f| = sqrt(2 / pi), the answer is 0.
    std = optimal.optimal_std(Normal(), Power(1), 0.0)
    assert std == pytest.approx(math.sqrt(2 / math.pi), rel=1e-9)
    assert optimal.optimal_std(Normal(), Power(2), 1.0) == 0


def test_the_deviations_of_the_cures_are_the_spread_of_many_estimates():
    # 4000 estimates: spread known to 1.1 %; the control variate's 1/K terms are below 1 %.
    p, q, wide, f = Normal(1.0, 1.0), Normal(0.3, 1.2), Normal(0.0, 4.0), Power(1)
    z = q.sample((400, 4000), stream(2, "z"), torch.float64)
    value = estimators.control_variate(f(z), p.log_prob(z) - q.log_prob(z)).value
    std = optimal.control_variate_std(p, q, f, 1.0)
    assert value.std().item() * 20 == pytest.approx(std, rel=0.07)
    assert std < 0.95 * make_problem(p, q, f).std_of_term
    counts = (300, 100)
    z = multiple.sample_each((q, wide), counts, stream(3, "z"), (4000,), torch.float64)
    log_w = multiple.balance_log_weights(p, (q, wide), counts, z)
    value = multiple.multiple_importance(f(z), log_w, counts).value
    std = optimal.balance_std(p, (q, wide), (0.75, 0.25), f)
    assert_mean(value, 1.0)
    assert value.std().item() * 20 == pytest.approx(std, rel=0.06)
    mixed = make_problem(p, Mixture((q, wide), (0.75, 0.25)), f).std_of_term
    assert std < mixed  # fixed counts leave less to chance


def test_deviations_that_diverge_are_infinite_and_those_that_vanish_are_zero():
    p, narrow = Normal(1.0, 1.0), Normal(1.0, 0.6)
    assert optimal.control_variate_std(p, narrow, Power(1), 1.0) == math.inf
    assert optimal.balance_std(p, (narrow,), (1.0,), Power(1)) == math.inf
    # A constant is known from the mean weight; weights that are all one teach nothing.
    assert optimal.control_variate_std(p, Normal(0.5, 1.5), Power(0), 1.0) == 0
    assert optimal.control_variate_std(p, p, Power(1), 1.0) == pytest.approx(1.0)
    assert optimal.balance_std(p, (p,), (1.0,), Power(1)) == pytest.approx(1.0)
