"""Densities in d dimensions, against scipy.stats, quadrature and their own draws."""

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support import assert_mean

from iwae_core.rng import make_generator
from iwae_core.sampling.densities import (
    Banana,
    Density,
    Funnel,
    Gaussian,
    Laplace,
    MultivariateMixture,
    Normal,
    Product,
    ScaledMultivariate,
    StudentT,
    defensive_mixture,
    two_modes,
)

COV = ((1.0, 0.6, 0.1), (0.6, 2.0, -0.3), (0.1, -0.3, 0.5))
PLANE = Gaussian((0.5, -1.0), ((1.0, 0.7), (0.7, 1.5)))
DENSITIES = [
    Gaussian((1.0, -2.0, 0.5), COV),
    PLANE,
    Banana(-0.8, 1.2, 0.4),
    Funnel(2, 1.0),
    Funnel(4, 0.7),
    Product(Laplace(0.5, 1.5), 3),
    two_modes(3.0, 0.5, (0.3, 0.7)),
    MultivariateMixture((Banana(), PLANE), (0.4, 0.6)),
    ScaledMultivariate(PLANE, 2.5),
]


def name(value):
    return type(value).__name__


def test_gaussian_equals_scipy():
    z = torch.randn(2, 5, 3, generator=make_generator(0), dtype=torch.float64)
    theirs = stats.multivariate_normal([1.0, -2.0, 0.5], np.array(COV)).logpdf(z.numpy())
    ours = Gaussian((1.0, -2.0, 0.5), COV).log_prob(z)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_gaussian_takes_arrays_and_tensors_as_parameters():
    from_array = Gaussian(np.array([1.0, -2.0, 0.5]), np.array(COV))
    from_tensor = Gaussian(torch.tensor([1.0, -2.0, 0.5]), torch.tensor(COV, dtype=torch.float64))
    assert from_array == from_tensor == Gaussian((1.0, -2.0, 0.5), COV)


@pytest.mark.parametrize("density", [d for d in DENSITIES if d.dim == 2], ids=name)
def test_integral_in_the_plane_is_the_normalizer(density):
    x, y = (torch.linspace(-side, side, 601, dtype=torch.float64) for side in (9, 18))
    grid = torch.stack(torch.meshgrid(x, y, indexing="ij"), dim=-1)
    total = density.log_prob(grid).exp().sum().item() * (x[1] - x[0]) * (y[1] - y[0])
    assert total.item() == pytest.approx(math.exp(density.log_normalizer), rel=2e-4)


@pytest.mark.parametrize("density", DENSITIES, ids=name)
def test_draws_have_the_exact_mean_and_covariance(density):
    z = density.sample((20_000,), make_generator(4), torch.float64)
    assert z.shape == (20_000, density.dim)
    assert density.log_prob(z).shape == (20_000,)
    apart = z - density.mean
    for i in range(density.dim):
        assert_mean(apart[:, i], 0.0)
        assert density.variance[i].item() == pytest.approx(density.covariance[i, i].item())
        for j in range(density.dim):
            assert_mean(apart[:, i] * apart[:, j], density.covariance[i, j].item())


@pytest.mark.parametrize("density", DENSITIES, ids=name)
def test_draws_follow_log_prob(density):
    # E_p[q / p] = 1 for a normalized q inside the support: a draw or a density that is wrong
    # shows as a mean away from one. sd of a term <= 3, so 20,000 draws find 11 % surely.
    q = Product(Normal(0.4, 0.3), density.dim)
    z = density.sample((20_000,), make_generator(9), torch.float64)
    log_ratio = q.log_prob(z) - density.log_prob(z) + density.log_normalizer
    assert_mean(log_ratio.exp(), 1.0)


@pytest.mark.parametrize("density", DENSITIES, ids=name)
def test_densities_are_values_and_obey_the_generator(density):
    assert density == pickle.loads(pickle.dumps(density))
    assert hash(density) == hash(pickle.loads(pickle.dumps(density)))
    assert isinstance(density, Density)
    assert density.event_dim == 1
    first = density.sample((3, 2), make_generator(1))
    assert first.dtype == torch.float32
    assert first.shape == (3, 2, density.dim)
    assert torch.equal(first, density.sample((3, 2), make_generator(1)))
    assert density.log_prob(first).dtype == torch.float32


def test_noise_is_transported_smoothly_and_a_mixture_says_that_it_cannot():
    eps = torch.tensor([[0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    for density in (PLANE, Banana(-0.8, 1.2, 0.4), Funnel(2, 1.0)):
        z = density.from_noise(eps)
        jacobian = torch.stack(
            [torch.autograd.grad(z[0, i], eps, retain_graph=True)[0][0] for i in range(2)]
        )
        # change of variables: log p(z) = log N(eps) - log |dz / deps|
        log_noise = Product(Normal(), 2).log_prob(eps)
        expected = log_noise - torch.linalg.det(jacobian).abs().log()
        torch.testing.assert_close(density.log_prob(z), expected)
    with pytest.raises(ValueError, match="no smooth transport"):
        two_modes().from_noise(eps)


def test_a_product_adds_its_coordinates():
    z = torch.tensor([[0.3, -1.0], [2.0, 0.0]], dtype=torch.float64)
    t = StudentT(0.5, 1.0, 3.0)
    torch.testing.assert_close(Product(t, 2).log_prob(z), t.log_prob(z).sum(dim=-1))


def test_a_defensive_mixture_works_in_the_plane():
    mixed = defensive_mixture(PLANE, Banana(), 0.25)
    assert mixed == MultivariateMixture((PLANE, Banana()), (0.75, 0.25))
    with pytest.raises(ValueError, match="both be on the line"):
        defensive_mixture(PLANE, Normal())


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Gaussian((0.0, 0.0), ((1.0, 2.0), (2.0, 1.0))), "positive definite"),
        (lambda: Gaussian((0.0, 0.0), ((1.0, 0.1), (0.2, 1.0))), "symmetric"),
        (lambda: Gaussian((0.0, 0.0), ((1.0,),)), "square covariance"),
        (lambda: Gaussian((), ()), "square covariance"),
        (lambda: Gaussian((math.nan,), ((1.0,),)), "finite"),
        (lambda: Banana(1.0, 0.0, 1.0), "width"),
        (lambda: Funnel(1), "at least 2"),
        (lambda: Funnel(2, 50.0), "scale"),
        (lambda: Product(Normal(), 0), "n_dims"),
        (lambda: two_modes(dim=0), "dim"),
        (lambda: MultivariateMixture((PLANE, Funnel(3)), (0.5, 0.5)), "share a dimension"),
        (lambda: MultivariateMixture((ScaledMultivariate(PLANE, 1.0),), (1.0,)), "normalized"),
        (lambda: ScaledMultivariate(PLANE, math.nan), "log_scale"),
        (lambda: PLANE.log_prob(torch.zeros(3)), "2 coordinates"),
        (lambda: PLANE.log_prob(torch.tensor(0.0)), "2 coordinates"),
        (lambda: PLANE.log_prob(torch.tensor([0.0, math.inf])), "infinite"),
        (lambda: PLANE.log_prob(torch.tensor([0, 1])), "floating point"),
        (lambda: PLANE.from_noise(torch.zeros(3)), "2 coordinates"),
        (lambda: PLANE.sample((-1,), make_generator(0)), "non-negative"),
    ],
)
def test_bad_input_is_refused_with_the_rule(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()


numbers = st.one_of(st.floats(-10, 10), st.floats(), st.sampled_from([0.0, 1e-300, 1e300]))


@given(a=numbers, b=numbers, c=numbers, z=st.tuples(numbers, numbers))
def test_any_numbers_give_a_density_without_nan_or_a_value_error(a, b, c, z):
    recipes = [
        lambda: Gaussian((a, 0.0), ((b, c), (c, 1.0))),
        lambda: Banana(a, b, c),
        lambda: Funnel(2, b),
        lambda: two_modes(a, b, (c, 1 - c)),
        lambda: ScaledMultivariate(Banana(a, b, 1.0), c),
    ]
    for recipe in recipes:
        try:
            density = recipe()
            log_p = density.log_prob(torch.tensor(z, dtype=torch.float64))
        except ValueError:
            continue
        assert not torch.isnan(log_p).any()
        assert not torch.isnan(density.covariance).any()
        assert not torch.isnan(density.sample((3,), make_generator(0), torch.float64)).any()
