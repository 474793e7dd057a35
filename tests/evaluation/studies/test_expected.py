"""Expectations over K weights: two-point laws by enumeration, lognormal pairs by quadrature."""

import itertools
import math

import numpy as np
import pytest
import torch
from support import assert_mean

from iwae_core.bounds.exact import expected_bound
from iwae_core.bounds.upper import exact_draw_upper_bound
from iwae_core.evaluation.studies.expected import (
    Law,
    exact_draw_law,
    expected_share,
    expected_upper_bound,
    normal_nodes,
    oracle_law,
    quick_bound,
    quick_concentration,
    share_moments,
    share_of,
)
from iwae_core.evaluation.studies.tightness import exact_log_marginal, make_q, posterior
from iwae_core.sampling.divergences import chi_square_moment, kl_divergence

LOG_W = np.array([-1.3, 0.4, 2.0])
P = np.array([0.5, 0.3, 0.2])
H = np.array([[1.0, -2.0], [0.5, 3.0], [-4.0, 0.25]])
LAW = Law(torch.from_numpy(LOG_W), torch.from_numpy(P))


def outcomes(n_samples):
    """Every way K draws can fall: indices, and probability."""
    for chosen in itertools.product(range(3), repeat=n_samples):
        yield list(chosen), P[list(chosen)].prod()


@pytest.mark.parametrize("n_samples", [1, 2, 3, 6])
def test_the_expected_share_is_the_mean_over_all_outcomes(n_samples):
    found = expected_share(LAW, LAW.log_w, n_samples).numpy()
    for i in range(3):
        exact = 0.0
        for others, p in outcomes(n_samples - 1):
            w = np.exp(LOG_W[[i, *others]])
            exact += p * n_samples * w[0] / w.sum()
        assert found[i] == pytest.approx(exact, rel=1e-10)
    assert found @ P == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("n_samples", [2, 3, 6])
def test_the_share_of_any_weight_is_the_mean_over_all_outcomes(n_samples):
    # Between the nodes of its table, and in the straight line below it.
    asked = np.linspace(-60.0, 12.0, 301)
    found = share_of(LAW, n_samples)(torch.from_numpy(asked)).numpy()
    exact = np.zeros_like(asked)
    for others, p in outcomes(n_samples - 1):
        w = np.exp(asked)
        exact += p * n_samples * w / (w + np.exp(LOG_W[others]).sum())
    np.testing.assert_allclose(found, exact, rtol=2e-10)


@pytest.mark.parametrize("power", [1, 2])
def test_moments_of_weighted_sums_are_those_of_all_outcomes(power):
    means, variances = share_moments(LAW, torch.from_numpy(H), (1, 2, 5), power)
    for row, K in enumerate((1, 2, 5)):
        values, p = [], []
        for chosen, probability in outcomes(K):
            w = np.exp(LOG_W[chosen])
            values.append(((w / w.sum()) ** power) @ H[chosen])
            p.append(probability)
        values, p = np.array(values), np.array(p)
        mean = p @ values
        np.testing.assert_allclose(means[row], mean, rtol=1e-9)
        np.testing.assert_allclose(variances[row], p @ (values - mean) ** 2, rtol=1e-8)


def test_the_law_of_the_oracle_has_the_known_moments():
    # Off-centre and wide, so the second moment exists.
    settings = (0.8, 1.3, True)
    law, q = oracle_law(*settings), make_q(*settings)
    truth = exact_log_marginal()
    assert law.probability.sum().item() == pytest.approx(1.0)
    assert law.mean(torch.exp(law.log_w - truth)).item() == pytest.approx(1.0, abs=1e-9)
    square = law.mean(torch.exp(2 * (law.log_w - truth))).item()
    assert square == pytest.approx(chi_square_moment(posterior(), q), rel=1e-9)
    assert law.bound((1,)).item() == pytest.approx(truth - kl_divergence(q, posterior()))
    exact = exact_draw_law(*settings)
    assert exact.mean(exact.log_w).item() == pytest.approx(truth + kl_divergence(posterior(), q))


def test_a_finer_rule_gives_the_same_numbers():
    for settings in ((1.5, 1.0, True), (0.0, 0.6, True), (0.3, 1.0, False), (2.0, 2.5, True)):
        coarse, fine = oracle_law(*settings), oracle_law(*settings, step=0.11)
        K = (1, 2, 8, 128, 4096)
        np.testing.assert_allclose(coarse.bound(K), fine.bound(K), atol=2e-9)


@pytest.mark.parametrize("n_samples", [2, 7])
def test_the_upper_bound_is_the_mean_of_its_runs(n_samples):
    law = oracle_law(1.0, 1.4, True)
    exact = exact_draw_law(1.0, 1.4, True)
    generator = torch.Generator().manual_seed(3)
    n = 40_000
    rows = torch.multinomial(law.probability, n * (n_samples - 1), True, generator=generator)
    first = torch.multinomial(exact.probability, n, True, generator=generator)
    runs = exact_draw_upper_bound(exact.log_w[first], law.log_w[rows].reshape(-1, n))
    assert_mean(runs, expected_upper_bound(law, exact, (n_samples,)).item())


def test_the_upper_bound_of_two_lognormal_weights_by_a_double_integral():
    # log w = s e - s^2 / 2 under q; the exact draw tilts e by s.
    s = 1.2
    e, p = normal_nodes(1, 0.05)
    law = Law(s * e[:, 0] - s * s / 2, p)
    exact = Law(s * e[:, 0] + s * s / 2, p)
    pairs = np.logaddexp(exact.log_w.numpy()[:, None], law.log_w.numpy()) - math.log(2)
    double = p.numpy() @ pairs @ p.numpy()
    found = expected_upper_bound(law, exact, (1, 2))
    assert found[1].item() == pytest.approx(double, abs=1e-9)
    assert found[0].item() == pytest.approx(s * s / 2)


@pytest.mark.parametrize(("depth", "n_samples"), [(12.0, 1000), (90.0, 3), (700.0, 2)])
def test_a_law_of_many_nodes_has_the_same_numbers_by_lattice_as_term_by_term(depth, n_samples):
    # The lattice serves laws of more than 256 nodes only.
    generator = torch.Generator().manual_seed(4)
    log_w = 2.0 - depth * torch.rand(1600, generator=generator, dtype=torch.float64) ** 2
    few = Law(log_w[::8], torch.full((200,), 1 / 200, dtype=torch.float64))
    # the same law, each of its weights listed eight times
    many = Law(log_w[::8].repeat(8), torch.full((1600,), 1 / 1600, dtype=torch.float64))
    asked = torch.linspace(log_w.min().item() - 5, 10.0, 101, dtype=torch.float64)
    np.testing.assert_allclose(
        expected_share(many, asked, n_samples), expected_share(few, asked, n_samples), rtol=1e-9
    )
    exact = expected_bound(few.log_w, few.probability, (n_samples,)).item()
    assert quick_bound(many, n_samples).item() == pytest.approx(exact, abs=1e-10)
    sums, _ = share_moments(few, torch.ones(200, 1, dtype=torch.float64), (n_samples,), 2)
    assert quick_concentration(many, n_samples).item() == pytest.approx(sums.item(), rel=1e-10)
