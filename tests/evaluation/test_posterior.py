"""Posteriors on a grid, against the oracle's closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_mean, assert_mean_differs

from iwae_core.evaluation.posterior import (
    Grid,
    exact_posterior,
    implicit_posterior,
    kl_on_grid,
    resampled_posterior,
    variational_posterior,
)
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.networks import DiagonalNormal
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator

MODEL = LinearGaussian(
    torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.1]], dtype=torch.float64),
    torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64),
    0.8,
)
X = torch.tensor([[1.4, -0.3, 1.1]], dtype=torch.float64)
MEAN, COVARIANCE = MODEL.posterior(X)
POSTERIOR = torch.distributions.MultivariateNormal(MEAN[0], COVARIANCE)
# Off the posterior and wider, so weights are bounded and visibly unequal.
Q = DiagonalNormal(
    MEAN + torch.tensor([[0.4, -0.3]], dtype=torch.float64),
    COVARIANCE.diagonal().sqrt().log().expand(1, 2) + 0.25,
)
NORMAL_Q = torch.distributions.MultivariateNormal(Q.loc[0], torch.diag(Q.scale[0] ** 2))
GRID = Grid(low=(-4.5, -4.0), high=(5.0, 4.0), n=110)


def test_the_posterior_and_log_p_equal_their_closed_forms():
    found = exact_posterior(MODEL, X, GRID)
    exact = POSTERIOR.log_prob(GRID.points()).reshape(110, 110)
    np.testing.assert_allclose(found.log_density, exact, atol=1e-8)
    assert found.log_normalizer == pytest.approx(MODEL.log_marginal(X).item(), abs=1e-9)
    assert found.mass == pytest.approx(1.0)
    np.testing.assert_allclose(found.mean, MEAN[0], atol=1e-8)
    assert found.border_mass < 1e-8
    cut = exact_posterior(MODEL, X, Grid(low=(0.0, -4.0), high=(1.0, 4.0), n=60))
    assert cut.border_mass > 0.005


def test_kl_on_the_grid_is_the_closed_form_in_both_directions():
    p, q = exact_posterior(MODEL, X, GRID), variational_posterior(Q, GRID)
    forward = torch.distributions.kl_divergence(POSTERIOR, NORMAL_Q).item()
    backward = torch.distributions.kl_divergence(NORMAL_Q, POSTERIOR).item()
    assert kl_on_grid(p, q) == pytest.approx(forward, abs=1e-5)
    assert kl_on_grid(q, p) == pytest.approx(backward, abs=1e-5)
    assert abs(forward - backward) > 0.02
    assert kl_on_grid(p, p) == 0
    with pytest.raises(ValueError, match="one grid"):
        kl_on_grid(p, variational_posterior(Q, Grid(n=20)))


def test_one_sample_gives_q_and_many_the_posterior():
    p, q = exact_posterior(MODEL, X, GRID), variational_posterior(Q, GRID)
    one = implicit_posterior(MODEL, X, Q, 1, GRID, make_generator(0))
    np.testing.assert_array_equal(one.log_density, q.log_density)
    distances = [kl_on_grid(q, p)]
    for K in (2, 5, 20, 200):
        found = implicit_posterior(MODEL, X, Q, K, GRID, make_generator(K), n_repeats=300)
        assert found.mass == pytest.approx(1.0, abs=0.05)
        distances.append(kl_on_grid(found, p))
    assert all(np.diff(distances) < 0)
    assert distances[-1] < 0.001 < 0.1 < distances[0]


def test_two_samples_give_the_integral_over_the_other_one():
    # q_IW at K = 2 by quadrature over z_2 on a coarse grid, at five points.
    grid = Grid(low=(-4.5, -4.0), high=(5.0, 4.0), n=90)
    points = grid.points()
    log_joint = MODEL.log_joint(X, points.unsqueeze(1))[:, 0]
    log_q = NORMAL_Q.log_prob(points)
    w, mass = torch.exp(log_joint - log_q), torch.exp(log_q) * grid.cell_area
    found = implicit_posterior(MODEL, X, Q, 2, grid, make_generator(1), n_repeats=2000)
    for i in torch.multinomial(mass / mass.sum(), 5, generator=make_generator(7)).tolist():
        exact = (mass * 2 * torch.exp(log_joint[i]) / (w[i] + w)).sum().item()
        assert np.exp(found.log_density).ravel()[i] == pytest.approx(exact, rel=0.05)


def test_resampled_draws_have_the_implicit_density():
    K, n = 3, 20_000
    draws = resampled_posterior(MODEL, X, Q, K, n, make_generator(2))
    assert draws.shape == (n, 2)
    density = implicit_posterior(MODEL, X, Q, K, GRID, make_generator(3), n_repeats=800)
    # spread 0.7: an error of 0.05 is found; q's own mean is further away
    assert_mean(draws[:, 0], density.mean[0], allowance=0.01)
    assert_mean(draws[:, 1], density.mean[1], allowance=0.01)
    assert_mean_differs(draws[:, 0], Q.loc[0, 0].item(), at_least=0.1)
    many = resampled_posterior(MODEL, X, Q, 300, 4000, make_generator(4))
    assert_mean(many[:, 0], MEAN[0, 0].item(), allowance=0.01)


def test_a_float32_vae_is_read_off_as_well():
    vae = Vae(5, 2, hidden=(6,), generator=make_generator(0))
    x = torch.ones(1, 5)
    grid = Grid(n=60, low=(-6.0, -6.0), high=(6.0, 6.0))
    p = exact_posterior(vae, x, grid)
    assert p.log_density.dtype == np.float64
    found = implicit_posterior(vae, x, vae.posterior(x), 50, grid, make_generator(1))
    assert kl_on_grid(found, p) < kl_on_grid(variational_posterior(vae.posterior(x), grid), p)


class Flat:
    def __init__(self, value):
        self.value = value

    def log_joint(self, x, z):
        return self.value + 0 * z.sum(-1)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: Grid(n=1), r"n must lie in \[2, 2048\] cells per side, got 1"),
        (lambda: Grid(low=(0.0, 5.0)), "low must be below high"),
        (lambda: Grid(high=(math.inf, 1.0)), "finite"),
        (lambda: exact_posterior(MODEL, X[0], GRID), r"a single datapoint is x\[None\]"),
        (lambda: exact_posterior(MODEL, X.expand(2, -1), GRID), "one datapoint"),
        (lambda: exact_posterior(Flat(math.nan), X, GRID), "NaN or"),
        (lambda: exact_posterior(Flat(-math.inf), X, GRID), "misses the support"),
        (lambda: implicit_posterior(MODEL, X, Q, 0, GRID, make_generator(0)), "n_samples"),
        (
            lambda: implicit_posterior(MODEL, X, Q, 2, GRID, make_generator(0), n_repeats=0),
            "n_repeats must be at least 1, got 0",
        ),
        (lambda: resampled_posterior(MODEL, X, Q, 2, 0, make_generator(0)), "n_draws"),
        (
            lambda: resampled_posterior(Flat(-math.inf), X, Q, 2, 1, make_generator(0)),
            "every weight is zero",
        ),
        (
            lambda: variational_posterior(DiagonalNormal(Q.loc[0], Q.log_scale[0]), GRID),
            "one density",
        ),
        (
            lambda: variational_posterior(DiagonalNormal(Q.loc * math.nan, Q.log_scale), GRID),
            "fin",
        ),
        (lambda: variational_posterior(DiagonalNormal(Q.loc + 1e6, Q.log_scale), GRID), "no mass"),
    ],
)
def test_bad_input_is_refused(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()


@settings(max_examples=25)
@given(
    loc=st.floats(-50, 50),
    log_scale=st.floats(-8, 8),
    spread=st.floats(0.1, 50),
    K=st.integers(1, 4),
)
def test_any_q_gives_a_finite_table_or_a_reason(loc, log_scale, spread, K):
    q = DiagonalNormal(torch.full((1, 2), loc), torch.full((1, 2), log_scale))
    grid = Grid(low=(-spread, -spread), high=(spread, 2 * spread), n=12)
    try:
        found = implicit_posterior(MODEL, X, q, K, grid, make_generator(0), n_repeats=5)
    except ValueError as error:
        assert "no mass on the grid" in str(error)  # noqa: PT017
    else:
        assert found.mass > 0
        assert not np.isnan(found.log_density).any()
        assert kl_on_grid(found, found) == 0
