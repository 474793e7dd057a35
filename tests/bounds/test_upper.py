"""The bound from above, on the oracle with a posterior that can be drawn exactly."""

import math

import pytest
import torch
from support import assert_mean, assert_mean_differs

from iwae_core.bounds.objectives import iwae
from iwae_core.bounds.upper import exact_draw_upper_bound
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.networks import DiagonalNormal
from iwae_core.rng import make_generator, standard_normal

MODEL = LinearGaussian(
    torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.1]], dtype=torch.float64),
    torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64),
    0.8,
)
X = torch.tensor([[1.4, -0.3, 1.1]], dtype=torch.float64)
Q = DiagonalNormal(
    torch.tensor([[0.5, 0.6]], dtype=torch.float64),
    torch.tensor([[-0.4, -0.2]], dtype=torch.float64),
)
LOG_P = MODEL.log_marginal(X).item()


def weigh(z):
    return MODEL.log_joint(X, z) - Q.log_prob(z)


def draws(n_samples, n, seed):
    """Log weights of one exact draw (n,) and of n_samples draws from q (n_samples, n)."""
    generator = make_generator(seed)
    mean, covariance = MODEL.posterior(X)
    eps = standard_normal((n, 1, 2), generator, torch.float64)
    exact = mean + eps @ torch.linalg.cholesky(covariance).T
    noise = standard_normal((n_samples * n, 1, 2), generator, torch.float64)
    return weigh(exact)[:, 0], weigh(Q.from_noise(noise)).reshape(n_samples, n)


def test_one_exact_draw_exceeds_log_p_by_the_mirrored_kl():
    mean, covariance = MODEL.posterior(X)
    posterior = torch.distributions.MultivariateNormal(mean[0], covariance)
    q = torch.distributions.MultivariateNormal(Q.loc[0], torch.diag(Q.scale[0] ** 2))
    gap = torch.distributions.kl_divergence(posterior, q).item()
    assert gap > 0.1
    exact, none = draws(0, 40_000, 0)
    # spread 0.7: an error of 0.035 nat, a tenth of the gap, is found
    assert_mean(exact_draw_upper_bound(exact, none), LOG_P + gap)


def test_more_draws_bring_it_down_and_the_bound_below_up():
    upper = {}
    for K in (1, 5, 50):
        exact, others = draws(K - 1, 20_000, K)
        upper[K] = exact_draw_upper_bound(exact, others)
    assert upper[1].mean() > upper[5].mean() > upper[50].mean()
    assert_mean_differs(upper[5], LOG_P, at_least=0.01)
    assert upper[5].mean() > LOG_P
    _, others = draws(50, 20_000, 9)
    assert_mean(iwae(others), LOG_P, allowance=0.02)
    assert_mean(upper[50], LOG_P, allowance=0.02)


def test_it_is_the_bound_under_draws_that_prefer_large_mean_weights():
    # E_upper[f] = E_q[f(w) mean(w) / p(x)]: the same number from draws of q alone.
    K = 3
    exact, others = draws(K - 1, 40_000, 1)
    _, from_q = draws(K, 40_000, 2)
    log_mean = iwae(from_q)
    tilted = torch.exp(log_mean - LOG_P) * log_mean
    assert_mean(exact_draw_upper_bound(exact, others) - tilted, 0.0)


def test_with_q_the_posterior_both_sides_meet():
    log_w = torch.full((4, 3), LOG_P)
    torch.testing.assert_close(exact_draw_upper_bound(log_w[0], log_w[1:]), log_w[0])


@pytest.mark.parametrize(
    ("exact", "log_w", "rule"),
    [
        (torch.zeros(2), torch.zeros(4, 3), "one exact draw per datapoint"),
        (torch.zeros(2), torch.tensor(0.0), "one exact draw per datapoint"),
        (torch.tensor(math.nan), torch.zeros(3), "NaN"),
        (torch.tensor(-math.inf), torch.full((3,), -math.inf), "every weight is zero"),
    ],
)
def test_misuse_is_refused(exact, log_w, rule):
    with pytest.raises(ValueError, match=rule):
        exact_draw_upper_bound(exact, log_w)
