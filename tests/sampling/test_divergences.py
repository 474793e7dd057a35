"""Exact answers about a pair of densities, against closed forms, scipy and the weights' mean."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate as scipy_integrate
from scipy import special
from support import assert_mean

from iwae_core.rng import make_generator
from iwae_core.sampling.densities import (
    Banana,
    Exponential,
    Gaussian,
    Laplace,
    Mixture,
    Normal,
    Product,
    Scaled,
    StudentT,
    Tabulated,
    Truncated,
    Uniform,
)
from iwae_core.sampling.divergences import (
    chi_square_moment,
    covers,
    kl_divergence,
    log_chi_square_moment,
    log_second_moment,
    tail_index,
)
from iwae_core.sampling.integrands import Power

NORMAL = Normal(0.7, 1.2)


def plain(density):
    """The same density without its closed forms: a mixture of one."""
    return Mixture((density,), (1.0,))


def by_scipy(function, edges):
    return math.fsum(scipy_integrate.quad(function, a, b)[0] for a, b in pairwise(edges))


# --- second moment of the weights ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("d", "s"), [(0.0, 1.5), (1.0, 1.0), (-2.0, 0.8), (0.5, 3.0), (3.0, 0.75)]
)
def test_second_moment_of_normals_is_the_closed_form_of_science_md(d, s):
    exact = s**2 / math.sqrt(2 * s**2 - 1) * math.exp(d**2 / (2 * s**2 - 1))
    # the same pair moved and stretched
    target, proposal = Normal(5.0, 2.0), Normal(5.0 + 2 * d, 2 * s)
    assert chi_square_moment(target, proposal) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("target", "proposal"),
    [
        (NORMAL, Normal(-0.5, 1.0)),
        (NORMAL, StudentT(0.0, 1.0, 3.0)),
        (NORMAL, Laplace(1.0, 0.9)),
        (Laplace(0.5, 1.0), Laplace(0.0, 0.8)),
        (StudentT(0.3, 1.0, 5.0), StudentT(0.0, 1.2, 2.0)),
        (Uniform(-0.5, 1.0), Normal(0.2, 0.5)),
        (Mixture((Normal(-2.0, 0.5), Normal(2.0, 0.7)), (0.3, 0.7)), Normal(0.5, 2.2)),
        (Exponential(0.0, 1.0), Exponential(-0.5, 1.6)),
        (Tabulated((0.0, 1.0, 3.0), (1.0, 2.0, 0.5)), Uniform(-0.5, 3.5)),
    ],
)
def test_second_moment_and_kl_by_quadrature_agree_with_scipy(target, proposal):
    def parts(z):
        point = torch.tensor(z, dtype=torch.float64)
        return target.log_prob(point).item(), proposal.log_prob(point).item()

    def ratio(z):
        log_p, log_q = parts(z)
        return math.exp(2 * log_p - log_q) if log_p > -math.inf else 0.0

    def term(z):
        log_p, log_q = parts(z)
        return math.exp(log_p) * (log_p - log_q) if log_p > -math.inf else 0.0

    edges = sorted({-60.0, -10.0, 0.0, 10.0, 60.0, *target.breakpoints, *proposal.breakpoints})
    # t with 5 and 2 degrees of freedom: 1e-4 of the moment lies beyond 60
    loose = 1e-3 if isinstance(target, StudentT) else 1e-7
    moment = chi_square_moment(plain(target), plain(proposal))
    assert moment == pytest.approx(by_scipy(ratio, edges), rel=loose)
    assert chi_square_moment(target, proposal) == pytest.approx(moment, rel=1e-9)
    kl = kl_divergence(plain(target), plain(proposal))
    assert kl == pytest.approx(by_scipy(term, edges), rel=loose, abs=1e-9)
    assert kl_divergence(target, proposal) == pytest.approx(kl, rel=1e-9)
    assert kl <= math.log(moment) + 1e-12  # Jensen


@pytest.mark.parametrize(
    ("target", "proposal", "k", "finite"),
    [
        (Normal(1.0, 1.0), Normal(1.0, 0.5), 0.75, False),
        (Normal(1.0, 1.0), Normal(-3.0, 0.8), 1 - 0.64, True),
        (Normal(1.0, 1.0), Normal(3.0, 1.0), 0.0, True),  # log-normal weights: every moment
        (Normal(1.0, 1.0), Normal(1.0, 1.5), 0.0, True),
        (Normal(1.0, 1.0), StudentT(0.0, 0.2, 3.0), 0.0, True),
        (StudentT(0.0, 1.0, 3.0), Normal(0.0, 5.0), 1.0, False),
        (Laplace(0.0, 1.0), Normal(0.0, 5.0), 1.0, False),
        (StudentT(0.0, 1.0, 3.0), Laplace(0.0, 5.0), 1.0, False),
        (Laplace(0.0, 1.0), Laplace(3.0, 0.6), 0.4, True),
        (Laplace(0.0, 1.0), Laplace(3.0, 0.5), 0.5, False),
        (Laplace(0.0, 1.0), Laplace(3.0, 0.4), 0.6, False),
        (StudentT(0.0, 1.0, 2.0), StudentT(0.0, 1.0, 6.0), 2 / 3, False),
        (StudentT(0.0, 1.0, 2.0), StudentT(0.0, 1.0, 3.0), 1 / 3, True),
        (StudentT(0.0, 1.0, 2.0), StudentT(0.0, 1.0, 4.0), 0.5, False),
        (Exponential(0.0, 1.0), Exponential(0.0, 0.6), 0.4, True),
        (Uniform(0.0, 1.0), Normal(0.0, 0.1), 0.0, True),
        (Mixture((Normal(0.0, 0.3), Normal(0.0, 1.0)), (0.9, 0.1)), Normal(0.0, 0.5), 0.75, False),
        (Normal(0.0, 1.0), Mixture((Normal(0.0, 0.3), Laplace(0.0, 1.0)), (0.9, 0.1)), 0.0, True),
        (Normal(0.0, 1.0), Uniform(-3.0, 3.0), math.inf, False),
        (Normal(0.0, 1.0), Truncated(Normal(0.0, 2.0), low=-1.0), math.inf, False),
        (Truncated(Normal(0.0, 1.0), low=0.0), Exponential(0.0, 1.0), 0.0, True),
        (Truncated(StudentT(0.0, 1.0, 3.0), low=-1.0, high=2.0), Normal(0.0, 1.0), 0.0, True),
        (Truncated(StudentT(0.0, 1.0, 3.0), low=-1.0), Normal(0.0, 1.0), 1.0, False),
        (Truncated(StudentT(0.0, 1.0, 3.0), high=2.0), Normal(0.0, 1.0), 1.0, False),
        (Uniform(0.0, 2.0), Tabulated((0.0, 1.0, 2.0), (0.0, 1.0, 1.0)), 0.5, False),
        (
            Uniform(0.0, 3.0),
            Tabulated((0.0, 1.0, 2.0, 3.0), (1.0, 0.0, 0.0, 1.0)),
            math.inf,
            False,
        ),
    ],
)
def test_tails_decide_the_index_and_whether_the_moment_is_finite(target, proposal, k, finite):
    assert tail_index(target, proposal) == pytest.approx(k)
    assert math.isfinite(chi_square_moment(plain(target), plain(proposal))) is finite
    assert math.isfinite(chi_square_moment(target, proposal)) is finite
    assert finite or log_chi_square_moment(target, proposal) == math.inf
    # Above k = 1/2 the second moment is infinite; below it is finite.
    assert finite == (k < 0.5)


@pytest.mark.parametrize(
    ("p", "q", "finite"),
    [
        (StudentT(0.0, 1.0, 2.0), Normal(0.0, 1.0), False),
        (StudentT(0.0, 1.0, 2.1), Normal(0.0, 1.0), True),
        (StudentT(0.0, 1.0, 1.0), Laplace(0.0, 1.0), False),
        (StudentT(0.0, 1.0, 1.1), Laplace(0.0, 1.0), True),
        (StudentT(0.0, 1.0, 1.0), StudentT(0.0, 1.0, 9.0), True),
        (Normal(0.0, 1.0), Uniform(-9.0, 9.0), False),
        (Uniform(-9.0, 9.0), Normal(0.0, 1.0), True),
    ],
)
def test_kl_is_infinite_exactly_where_a_moment_is_missing(p, q, finite):
    assert math.isfinite(kl_divergence(p, q)) is finite


def test_factors_of_an_unnormalized_target_count_in_the_moment_and_not_in_the_kl():
    p, q = NORMAL, StudentT(0.0, 1.0, 3.0)
    scaled = Scaled(p, 0.8)
    assert log_chi_square_moment(scaled, q) == pytest.approx(1.6 + log_chi_square_moment(p, q))
    assert kl_divergence(scaled, q) == pytest.approx(kl_divergence(p, q))
    assert tail_index(scaled, Normal(0.7, 0.6)) == pytest.approx(tail_index(p, Normal(0.7, 0.6)))


def test_the_moment_of_a_far_proposal_is_kept_on_the_log_scale():
    assert log_chi_square_moment(Normal(0.0, 1.0), Normal(60.0, 1.0)) == pytest.approx(3600.0)
    far = log_chi_square_moment(plain(Normal(0.0, 1.0)), plain(Normal(60.0, 1.0)))
    assert far == pytest.approx(3600.0, abs=1e-6)
    assert chi_square_moment(Normal(0.0, 1.0), Normal(60.0, 1.0)) == math.inf


def test_exact_second_moments_are_the_mean_of_squared_weights():
    p, q, f = NORMAL, StudentT(0.0, 1.3, 4.0), Power(2)
    z = q.sample((200_000,), make_generator(6), torch.float64)
    w = (p.log_prob(z) - q.log_prob(z)).exp()
    assert_mean(w.square(), chi_square_moment(p, q))
    assert_mean((w * f(z)).square(), math.exp(log_second_moment(p, q, f)))


# --- d dimensions --------------------------------------------------------------------------------


def test_independent_coordinates_multiply():
    p, q = Normal(0.3, 1.0), Normal(0.0, 1.2)
    assert log_chi_square_moment(Product(p, 50), Product(q, 50)) == pytest.approx(
        50 * log_chi_square_moment(p, q)
    )
    assert kl_divergence(Product(p, 50), Product(q, 50)) == pytest.approx(50 * kl_divergence(p, q))
    assert tail_index(Product(p, 50), Product(Normal(0.3, 0.6), 50)) == pytest.approx(0.64)


def test_gaussians_with_a_diagonal_covariance_are_products_of_normals():
    p = Gaussian((0.5, -1.0), ((1.0, 0.0), (0.0, 4.0)))
    q = Gaussian((0.0, 0.0), ((0.81, 0.0), (0.0, 6.25)))
    pairs = [(Normal(0.5, 1.0), Normal(0.0, 0.9)), (Normal(-1.0, 2.0), Normal(0.0, 2.5))]
    assert log_chi_square_moment(p, q) == pytest.approx(
        sum(log_chi_square_moment(a, b) for a, b in pairs)
    )
    assert kl_divergence(p, q) == pytest.approx(sum(kl_divergence(a, b) for a, b in pairs))
    assert tail_index(p, q) == pytest.approx(0.19)


def test_correlated_gaussians_agree_with_their_own_draws():
    p = Gaussian((0.5, -0.3), ((1.0, 0.5), (0.5, 1.5)))
    q = Gaussian((0.0, 0.0), ((1.5, 0.3), (0.3, 2.0)))
    z = q.sample((200_000,), make_generator(6), torch.float64)
    log_w = p.log_prob(z) - q.log_prob(z)
    assert_mean((2 * log_w).exp(), chi_square_moment(p, q))
    z = p.sample((200_000,), make_generator(7), torch.float64)
    assert_mean(p.log_prob(z) - q.log_prob(z), kl_divergence(p, q))
    narrow = Gaussian((0.0, 0.0), ((1.0, 0.9), (0.9, 1.0)))
    wide = Gaussian((0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)))
    assert tail_index(wide, narrow) == pytest.approx(0.9)  # smallest eigenvalue 0.1
    assert chi_square_moment(wide, narrow) == math.inf


@pytest.mark.parametrize("function", [log_chi_square_moment, kl_divergence, tail_index])
@pytest.mark.parametrize(
    ("p", "q", "rule"),
    [
        (Normal(), Banana(), "Normal and Banana"),
        (Banana(), Banana(), "two Products or two Gaussians"),
        (Product(Normal(), 2), Product(Normal(), 3), "dimension: 2 and 3"),
        (Gaussian((0.0,), ((1.0,),)), Gaussian((0.0, 0.0), ((1.0, 0.0), (0.0, 1.0))), "dimension"),
    ],
)
def test_pairs_without_an_exact_answer_are_refused(function, p, q, rule):
    with pytest.raises(ValueError, match=rule):
        function(p, q)


scales = st.floats(0.05, 20)


@settings(max_examples=15)
@given(a=st.floats(-5, 5), b=st.floats(-5, 5), s=scales, t=scales, df=st.floats(0.5, 30))
def test_any_pair_has_answers_that_agree_with_each_other(a, b, s, t, df):
    densities = [Normal(a, s), Laplace(b, t), StudentT(a, t, df), Uniform(b, b + s)]
    for p in densities:
        for q in densities:
            log_moment, k = log_chi_square_moment(p, q), tail_index(p, q)
            assert not math.isnan(log_moment)
            assert log_moment >= -1e-9  # E[w^2] >= E[w]^2 = 1
            if abs(k - 0.5) > 1e-6:
                assert math.isfinite(log_moment) == (k < 0.5)
            kl = kl_divergence(p, q)
            assert not math.isnan(kl)
            assert kl >= -1e-9
            assert kl <= log_moment + 1e-6 * max(1.0, kl)
            assert covers(p, q) or (k == kl == math.inf)


def test_normal_tails_beyond_eight_deviations_are_exact():
    exact = special.ndtr(-np.array([5.0, 8.0, 12.0]))
    ours = [Normal(1.0, 2.0).sf(torch.tensor(1.0 + 2 * x).double()).item() for x in (5, 8, 12)]
    np.testing.assert_allclose(ours, exact, rtol=1e-12)
