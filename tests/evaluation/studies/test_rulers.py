"""The oracle of the board: its truth, its rulers and its rows, against closed forms."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from iwae_core.evaluation.studies import rulers, saved
from iwae_core.evaluation.studies.ruler_board import BoardReport, below_truth, difference
from iwae_core.evaluation.studies.rulers import RulersConfig
from iwae_core.models.linear_vae import optimum
from iwae_core.places import ASSETS

SHORT = RulersConfig(n_steps=60, n_samples=5, seed=3)


@pytest.fixture(scope="module")
def trained():
    return rulers.train(SHORT)


def normal_of(model):
    """The marginal of a linear model, by scipy."""
    W = model.weight.numpy()
    covariance = W @ W.T + model.noise_scale**2 * np.eye(len(W))
    return multivariate_normal(model.bias.numpy(), covariance)


def shipped(name):
    text = (ASSETS / "studies" / f"board_{name}.json").read_text("utf-8")
    return saved.from_json(BoardReport, text)


def test_the_truth_of_the_held_out_data_is_the_normal_they_come_from():
    expected = normal_of(rulers.truth()).logpdf(rulers.held_out().numpy())
    np.testing.assert_allclose(rulers.true_log_marginal(), expected, rtol=1e-10)
    assert rulers.held_out().shape == (rulers.N_HELD_OUT, 6)
    # Their mean lies where entropy says: |z| > 5 by chance 6e-7.
    entropy = normal_of(rulers.truth()).entropy()
    error = expected.std(ddof=1) / np.sqrt(len(expected))
    assert abs(expected.mean() + entropy) < 5 * error


def test_the_last_ruler_is_exact_and_the_first_is_the_elbo(trained):
    values = rulers.measure(trained)
    assert values.shape == (len(rulers.TEST_K) + 1, rulers.N_HELD_OUT)
    exact = normal_of(trained.decoder).logpdf(rulers.held_out().numpy())
    np.testing.assert_allclose(values[-1], exact, rtol=1e-10)
    # L_1 is one draw of the ELBO at each datapoint, which has a closed form: |z| > 5 by chance
    # 6e-7; an error of 5 * sd / sqrt(2000) = 0.1 sd in the mean would be seen.
    apart = values[0] - trained.elbo(rulers.held_out()).numpy()
    assert abs(apart.mean()) < 5 * apart.std(ddof=1) / np.sqrt(len(apart))
    assert apart.std() > 0.1


def test_rulers_climb_to_the_exact_one(trained):
    means = rulers.measure(trained).mean(axis=1)
    assert (np.diff(means[:-1]) > 0).all()
    assert 0 < means[-1] - means[-2] < 0.05 < means[-1] - means[0]


def test_a_round_q_has_one_width_and_a_free_one_several(trained):
    assert len(set(trained.log_scale.tolist())) == 1
    free = rulers.train(dataclasses.replace(SHORT, family="free"))
    assert len(set(free.log_scale.tolist())) == 3


def test_a_free_q_can_be_the_exact_posterior_of_the_truth_and_a_round_one_cannot():
    truth = rulers.truth()
    covariance = truth.weight @ truth.weight.T + truth.noise_scale**2 * torch.eye(6).double()
    best = optimum(covariance, truth.bias, 3, truth.noise_scale)
    found = rulers.measure(best)
    np.testing.assert_allclose(found, np.broadcast_to(rulers.true_log_marginal(), found.shape))
    widths = best.log_scale.exp()
    assert widths.max() / widths.min() > 2  # so that one width fits at most one latent


def test_equal_configs_give_equal_rows_and_another_seed_another():
    row = rulers.run(SHORT)
    assert np.array_equal(row.values, rulers.run(SHORT).values)
    assert (row.n_samples, row.seed) == (5, 3)
    assert not np.array_equal(row.values, rulers.run(dataclasses.replace(SHORT, seed=4)).values)


def test_bad_settings_are_refused_all_at_once():
    with pytest.raises(ValueError, match=r"n_samples must.*n_steps must.*seed must"):
        RulersConfig(n_samples=0, n_steps=-1, seed=-1)
    with pytest.raises(ValueError, match="family of q"):
        RulersConfig(family="square")


def test_the_shipped_board_holds_a_row_that_is_trained_anew():
    # Some seconds: nothing else ties the file to the study that wrote it. Other machines round
    # otherwise, and training ends near its optimum, so the means agree to a thousandth of a nat.
    report = shipped("round")
    fresh = rulers.run(RulersConfig(family="round", n_samples=1, n_steps=1500, seed=1))
    C = len(report.rulers)
    np.testing.assert_allclose(report.by_seed[0, :C], fresh.values.mean(axis=1), atol=2e-3)
    assert report.true_mean == pytest.approx(rulers.true_log_marginal().mean(), rel=1e-9)


def test_training_with_more_samples_gives_a_better_model_and_a_worse_elbo():
    report = shipped("round")
    gap, error = below_truth(report)
    assert (np.diff(gap[:, -1]) < 0).all()
    assert (np.diff(gap[:, 0]) > 0).all()
    assert gap[0, -1] > 0.15
    assert abs(gap[-1, -1]) < 3 * error[-1, -1] + 0.01
    assert difference(report, (0, 6), (3, 6)).seen


def test_where_q_can_fit_one_sample_is_enough():
    gap, _ = below_truth(shipped("free"))
    assert np.abs(gap[0]).max() < 0.02
    assert gap[-1, 0] > 0.1
