"""The oracle against an independent computation, and every bound against the oracle."""

import numpy as np
import pytest
import torch
from scipy import stats
from support import assert_mean

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.rng import make_generator, standard_normal


@pytest.fixture
def model():
    generator = make_generator(11)
    return LinearGaussian(
        standard_normal((5, 2), generator, torch.float64),
        torch.tensor([0.5, -1.0, 2.0, 0.0, 0.3], dtype=torch.float64),
        0.6,
    )


def test_marginal_and_posterior_equal_conditioning_one_joint_normal(model):
    # The joint of (z, x) as one normal, conditioned by the textbook block formula in NumPy.
    W, b, s = model.weight.numpy(), model.bias.numpy(), model.noise_scale
    covariance_x = W @ W.T + s**2 * np.eye(5)
    x, _ = model.sample(4, make_generator(1))
    np.testing.assert_allclose(
        model.log_marginal(x), stats.multivariate_normal(b, covariance_x).logpdf(x.numpy())
    )
    gain = W.T @ np.linalg.inv(covariance_x)
    mean, covariance = model.posterior(x)
    np.testing.assert_allclose(mean, (x.numpy() - b) @ gain.T, atol=1e-12)
    np.testing.assert_allclose(covariance, np.eye(2) - gain @ W, atol=1e-12)


@pytest.mark.parametrize("n_samples", [1, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_exact_posterior_makes_every_log_weight_log_p_x(model, n_samples, seed):
    x, _ = model.sample(3, make_generator(2))
    mean, covariance = model.posterior(x)
    factor = torch.linalg.cholesky(covariance)
    eps = standard_normal((n_samples, 3, 2), make_generator(seed), torch.float64)
    z = mean + eps @ factor.T
    log_q = torch.distributions.MultivariateNormal(mean, covariance).log_prob(z)
    log_w = model.log_joint(x, z) - log_q
    exact = model.log_marginal(x)
    torch.testing.assert_close(log_w, exact.expand_as(log_w), rtol=0, atol=1e-10)
    torch.testing.assert_close(elbo(log_w), exact, rtol=0, atol=1e-10)
    torch.testing.assert_close(iwae(log_w), exact, rtol=0, atol=1e-10)


def test_samples_have_the_marginal_covariance(model):
    x, z = model.sample(40_000, make_generator(3))
    assert_mean(x[:, 2], 2.0)
    covariance = model.weight @ model.weight.T + 0.36 * torch.eye(5)
    centred = x - model.bias
    assert_mean(centred[:, 0] * centred[:, 3], covariance[0, 3].item())
    assert_mean(centred[:, 1] * z[:, 0], model.weight[1, 0].item())


@pytest.mark.parametrize(
    ("weight", "bias", "scale", "rule"),
    [
        (torch.zeros(3), torch.zeros(3), 1.0, "weight must have shape"),
        (torch.zeros(3, 2), torch.zeros(2), 1.0, "bias"),
        (torch.zeros(3, 2), torch.zeros(3), 0.0, "noise_scale must be positive, got 0.0"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(weight, bias, scale, rule):
    with pytest.raises(ValueError, match=rule):
        LinearGaussian(weight, bias, scale)


def test_noise_that_the_type_cannot_hold_beside_the_weight_is_named():
    model = LinearGaussian(torch.ones(2, 1), torch.zeros(2), 1e-5)
    with pytest.raises(ValueError, match=r"noise_scale 1e-05 is lost in torch.float32"):
        model.log_marginal(torch.zeros(1, 2))
    precise = LinearGaussian(torch.ones(2, 1).double(), torch.zeros(2).double(), 1e-5)
    # Eigenvalues 2 + s^2 and s^2.
    exact = -0.5 * (np.log((2 + 1e-10) * 1e-10) + 2 * np.log(2 * np.pi))
    assert precise.log_marginal(torch.zeros(1, 2).double()).item() == pytest.approx(
        exact, rel=1e-6
    )
