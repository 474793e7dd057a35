"""Densities on the line, against scipy.stats and against their own definitions."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from support import assert_mean

from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling.densities import (
    Density,
    Exponential,
    Laplace,
    Mixture,
    Normal,
    Scaled,
    StudentT,
    Tabulated,
    Truncated,
    Uniform,
    defensive_mixture,
)

# Off-centre everywhere, so that a swapped sign cannot hide.
AGAINST_SCIPY = [
    (Normal(1.3, 0.7), stats.norm(1.3, 0.7)),
    (StudentT(-0.4, 1.7, 3.5), stats.t(3.5, -0.4, 1.7)),
    (StudentT(2.0, 0.5, 1.0), stats.cauchy(2.0, 0.5)),
    (Laplace(0.9, 1.2), stats.laplace(0.9, 1.2)),
    (Uniform(-1.5, 2.5), stats.uniform(-1.5, 4.0)),
    (Exponential(0.5, 2.0), stats.expon(0.5, 2.0)),
    (Truncated(Normal(1.0, 2.0), 0.0, 2.0), stats.truncnorm(-0.5, 0.5, 1.0, 2.0)),
    (Truncated(Normal(0.0, 1.0), low=6.0), stats.truncnorm(6.0, np.inf)),
    (Truncated(Laplace(0.0, 1.0), high=-2.0), None),
    (Mixture((Normal(-1.0, 0.5), StudentT(3.0, 1.0, 4.0)), (0.3, 0.7)), None),
    (Mixture((Uniform(0.0, 1.0), Uniform(2.0, 4.0)), (0.25, 0.75)), None),
    (Tabulated((-1.0, 0.0, 0.5, 2.0), (0.0, 3.0, 1.0, 2.0)), None),
    (Tabulated((0.0, 1.0, 2.0, 3.0), (1.0, 0.0, 0.0, 4.0)), None),
    (Scaled(Normal(1.0, 2.0), 1.5), None),
]
DENSITIES = [density for density, _ in AGAINST_SCIPY]


def name(value):
    return type(value).__name__ if isinstance(value, Density) else ""


def test_draws_of_a_table_come_with_their_log_densities():
    table = Tabulated((-1.0, 0.0, 0.5, 2.0), (0.0, 3.0, 1.0, 2.0))
    z, log_q = table.sample_with_log_prob((40, 500), make_generator(2))
    torch.testing.assert_close(log_q, table.log_prob(z), rtol=1e-9, atol=1e-9)
    assert_mean(z.flatten(), table.mean)
    # Kolmogorov: beyond 1.95 / sqrt(n) once in a thousand
    u = table.cdf(z.flatten()).sort().values
    n = len(u)
    assert (u - torch.arange(n) / n).abs().max() < 1.95 / math.sqrt(n)


@pytest.mark.parametrize(
    ("density", "theirs"), [pair for pair in AGAINST_SCIPY if pair[1]], ids=name
)
def test_equals_scipy(density, theirs):
    u = np.array([1e-12, 1e-4, 0.2, 0.5, 0.7, 0.999])
    z = np.concatenate([theirs.ppf(u), [-2.0, 0.3, 7.0]])
    points = torch.from_numpy(z)
    np.testing.assert_allclose(density.log_prob(points), theirs.logpdf(z), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(density.cdf(points), theirs.cdf(z), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(density.sf(points), theirs.sf(z), rtol=1e-9, atol=1e-15)
    quantiles, upper = density.icdf(torch.from_numpy(u)), density.isf(torch.from_numpy(u))
    np.testing.assert_allclose(quantiles, theirs.ppf(u), rtol=1e-7, atol=1e-15)
    np.testing.assert_allclose(theirs.sf(upper.numpy()), u, rtol=1e-9, atol=1e-15)
    if np.isfinite(theirs.mean()):
        assert density.mean == pytest.approx(theirs.mean(), rel=1e-9)
        assert density.variance == pytest.approx(theirs.var(), rel=1e-7)


@pytest.mark.parametrize("density", [d for d, theirs in AGAINST_SCIPY if theirs is None], ids=name)
def test_integral_and_moments_agree_with_quadrature(density):
    marks = [-np.inf, *density.landmarks, np.inf]

    def moment(function):
        def term(z):
            log_p = density.log_prob(torch.tensor(z, dtype=torch.float64))
            return function(z) * log_p.exp().item()

        return sum(integrate.quad(term, a, b)[0] for a, b in pairwise(marks))

    total = moment(lambda z: 1.0)
    assert total == pytest.approx(math.exp(density.log_normalizer), rel=1e-6)
    assert moment(lambda z: z) / total == pytest.approx(density.mean, rel=1e-6)
    center = density.mean
    variance = moment(lambda z: (z - center) ** 2) / total
    assert variance == pytest.approx(density.variance, rel=1e-5)


@pytest.mark.parametrize("density", DENSITIES, ids=name)
def test_quantiles_invert_probabilities_in_both_tails(density):
    u = torch.tensor([1e-10, 1e-3, 0.1, 0.4, 0.75, 0.99], dtype=torch.float64)
    # Where a support ends at z, the spacing of floats near z limits small probabilities.
    torch.testing.assert_close(density.cdf(density.icdf(u)), u, rtol=1e-9, atol=2e-14)
    torch.testing.assert_close(density.sf(density.isf(u)), u, rtol=1e-9, atol=2e-14)
    z = density.icdf(u)
    torch.testing.assert_close(density.cdf(z) + density.sf(z), torch.ones_like(z))
    eps = torch.linspace(-6, 6, 41, dtype=torch.float64)
    moved = density.from_noise(eps)
    assert (moved.diff() >= 0).all()
    torch.testing.assert_close(density.sf(moved), torch.special.ndtr(-eps), rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("density", DENSITIES, ids=name)
def test_samples_follow_the_density(density):
    # Kolmogorov-Smirnov on 20,000 draws: false alarm 1e-7, finds a CDF off by 0.03 surely.
    z = density.sample((200, 100), make_generator(11), torch.float64)
    assert z.shape == (200, 100)
    assert torch.isfinite(density.log_prob(z)).all()
    u = density.cdf(z).flatten().numpy()
    assert stats.kstest(u, "uniform").pvalue > 1e-7
    assert_mean((density.cdf(z) < 0.1).double(), 0.1)


@pytest.mark.parametrize("density", DENSITIES, ids=name)
def test_samples_obey_the_generator_the_shape_and_the_dtype(density):
    first = density.sample((5, 2), make_generator(1))
    assert first.dtype == torch.float32
    assert torch.equal(first, density.sample((5, 2), make_generator(1)))
    assert not torch.equal(first, density.sample((5, 2), make_generator(2)))
    assert density.sample((), make_generator(1), torch.float64).shape == ()
    assert density.sample((0,), make_generator(1)).shape == (0,)
    # Draws rounded to float32 stay in the support.
    many = density.sample((2000,), make_generator(3))
    log_p = density.log_prob(many)
    assert log_p.dtype == torch.float32
    assert torch.isfinite(log_p).all()


@pytest.mark.parametrize("density", DENSITIES, ids=name)
def test_densities_are_values(density):
    assert density == pickle.loads(pickle.dumps(density))
    assert hash(density) == hash(pickle.loads(pickle.dumps(density)))
    assert isinstance(density, Density)
    assert density.event_dim == 0


def test_the_same_noise_moves_with_the_handles():
    eps = standard_normal((50,), make_generator(5), torch.float64)
    for before, after in [
        (StudentT(0.0, 1.0, 4.0), StudentT(0.5, 2.0, 4.0)),
        (Laplace(0.0, 1.0), Laplace(0.5, 2.0)),
    ]:
        moved = 0.5 + 2.0 * before.from_noise(eps)
        torch.testing.assert_close(after.from_noise(eps), moved)
    a = Mixture((Normal(-2.0, 1.0), Normal(2.0, 1.0)), (0.5, 0.5)).from_noise(eps)
    b = Mixture((Normal(-2.0, 1.0), Normal(2.0, 1.0)), (0.5001, 0.4999)).from_noise(eps)
    assert 0 < (a - b).abs().max() < 0.01


def test_normal_transport_carries_gradients():
    eps = torch.tensor([1.5, -0.5], requires_grad=True)
    Normal(1.0, 3.0).from_noise(eps).sum().backward()
    assert eps.grad is not None
    assert eps.grad.tolist() == [3.0, 3.0]


def test_a_scaled_density_says_its_normalizer():
    z = torch.tensor([0.2, 3.0], dtype=torch.float64)
    scaled = Scaled(Scaled(Normal(1.0, 2.0), 0.7), -2.0)
    torch.testing.assert_close(scaled.log_prob(z), Normal(1.0, 2.0).log_prob(z) - 1.3)
    assert scaled.log_normalizer == pytest.approx(-1.3)
    assert scaled.mean == 1.0


def test_moments_that_do_not_exist_are_refused_and_infinite_ones_are_infinite():
    with pytest.raises(ValueError, match="no mean"):
        _ = StudentT(0.0, 1.0, 1.0).mean
    with pytest.raises(ValueError, match="no mean"):
        _ = Truncated(StudentT(0.0, 1.0, 0.9), low=0.0).mean
    assert StudentT(1.0, 1.0, 2.0).variance == math.inf
    assert Truncated(StudentT(0.0, 1.0, 1.5), low=0.0).variance == math.inf


def test_a_defensive_mixture_bounds_the_weights():
    target = StudentT(1.0, 1.0, 3.0)
    mixed = defensive_mixture(Normal(0.0, 1.0), target, share=0.2)
    z = torch.linspace(-1e3, 1e3, 999, dtype=torch.float64)
    assert (target.log_prob(z) - mixed.log_prob(z)).max() <= math.log(5) + 1e-12
    assert mixed.weights == (0.8, 0.2)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Normal(0.0, 0.0), "scale.*log scale"),
        (lambda: Normal(math.nan, 1.0), "loc"),
        (lambda: Laplace(0.0, math.inf), "scale"),
        (lambda: StudentT(0.0, 1.0, 0.0), "df"),
        (lambda: Uniform(2.0, 1.0), "high - low"),
        (lambda: Exponential(math.inf, 1.0), "loc"),
        (lambda: Mixture((), ()), "one weight per component"),
        (lambda: Mixture((Normal(), Normal()), (0.5, 0.6)), "sum to one"),
        (lambda: Mixture((Normal(), Normal()), (1.5, -0.5)), "positive"),
        (lambda: Mixture((Scaled(Normal(), 1.0),), (1.0,)), "normalized"),
        (lambda: Truncated(Normal(), 1.0, 0.0), "below high"),
        (lambda: Truncated(Uniform(), 3.0, 4.0), "no probability"),
        (lambda: Truncated(Scaled(Normal(), 1.0), 3.0, 4.0), "normalized"),
        (lambda: Scaled(Normal(), math.inf), "log_scale"),
        (lambda: Tabulated((0.0,), (1.0,)), "two points"),
        (lambda: Tabulated((0.0, 1.0, 1.0), (1.0, 1.0, 1.0)), "increase"),
        (lambda: Tabulated((0.0, 1.0), (1.0, -1.0)), "not negative"),
        (lambda: Tabulated((0.0, 1.0), (0.0, 0.0)), "every height is zero"),
        (lambda: defensive_mixture(Normal(), Normal(), 1.0), "share"),
        (lambda: Normal().log_prob(torch.tensor([math.nan])), "NaN"),
        (lambda: Normal().log_prob(torch.tensor([1])), "floating point"),
        (lambda: Normal().icdf(torch.tensor([1.5])), r"\[0, 1\]"),
        (lambda: Normal().isf(torch.tensor([math.nan])), r"\[0, 1\]"),
        (lambda: Normal().sample((-1,), make_generator(0)), "non-negative"),
        (lambda: Normal().sample((1,), make_generator(0), torch.int64), "dtype"),
    ],
)
def test_bad_input_is_refused_with_the_rule(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()


numbers = st.one_of(st.floats(-10, 10), st.floats(), st.sampled_from([0.0, 1e-300, 1e300]))


@given(a=numbers, b=numbers, c=numbers, z=numbers, u=st.floats(), eps=st.floats(-7, 7))
def test_any_numbers_give_a_density_without_nan_or_a_value_error(a, b, c, z, u, eps):
    point, prob, noise = (torch.tensor([v], dtype=torch.float64) for v in (z, u, eps))
    recipes = [
        lambda: Normal(a, b),
        lambda: StudentT(a, b, c),
        lambda: Laplace(a, b),
        lambda: Uniform(a, b),
        lambda: Exponential(a, b),
        lambda: Truncated(Normal(0.0, 1.0), a, b),
        lambda: Mixture((Normal(a, 1.0), Laplace(0.0, b)), (c, 1 - c)),
        lambda: Tabulated((-1.0, a, 2.0), (b, c, 1.0)),
        lambda: Scaled(Normal(a, b), c),
    ]
    for recipe in recipes:
        try:
            density = recipe()
        except ValueError:
            continue
        assert not torch.isnan(density.from_noise(noise)).any()
        assert not math.isnan(density.log_normalizer)
        for function, argument in [
            (density.log_prob, point),
            (density.cdf, point),
            (density.sf, point),
            (density.icdf, prob),
            (density.isf, prob),
        ]:
            try:
                assert not torch.isnan(function(argument)).any()
            except ValueError:
                continue
