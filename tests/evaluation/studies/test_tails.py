"""Light tails: exact indices, coverage against brute force, and what each scene claims."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from iwae_core.evaluation.studies.tails import SCENES, SWEEP, TailsConfig, run, sweep
from iwae_core.rng import stream
from iwae_core.sampling import psis


def scene(name, **changes):
    return TailsConfig(**{**dict(SCENES[name].settings), **changes})


def test_every_number_of_a_run_is_that_of_an_independent_computation():
    config = TailsConfig(loc=0.3, scale=0.8, target_scale=1.2, n_samples=300, seed=5)
    report = run(config)
    eps = torch.randn((300, 200), generator=stream(5, "tails"), dtype=torch.float64).numpy()
    z = 0.3 + 0.8 * eps
    log_w = stats.norm(0, 1.2).logpdf(z) - stats.norm(0.3, 0.8).logpdf(z)
    np.testing.assert_allclose(report.z, z[:, 0])
    np.testing.assert_allclose(report.log_w, log_w[:, 0], atol=1e-12)
    terms = np.exp(log_w) * z**2
    np.testing.assert_allclose(report.estimate, terms.mean(axis=0))
    error = terms.std(axis=0, ddof=1) / math.sqrt(300)
    np.testing.assert_allclose(report.std_error, error)
    w = np.exp(log_w)
    np.testing.assert_allclose(report.ess, w.sum(axis=0) ** 2 / (w**2).sum(axis=0))
    np.testing.assert_allclose(report.k_hat, psis.k_hat(torch.from_numpy(log_w)))
    covers = np.abs(terms.mean(axis=0) - 1.44) <= 1.96 * error
    np.testing.assert_array_equal(report.covers, covers)
    assert report.exact == pytest.approx(1.44)
    assert report.coverage == covers.mean()
    assert report.tail_index == pytest.approx(1 - (0.8 / 1.2) ** 2)
    assert report.flagged_variance == np.mean(report.k_hat > 0.5)
    assert report.flagged_trust == np.mean(report.k_hat > 0.7)
    assert report.misses == 200 - covers.sum()
    assert report.misses_warned == np.sum(~covers & (report.k_hat > 0.5))
    assert report.misses_flagged == np.sum(~covers & (report.k_hat > 0.7))


def test_where_all_is_well_intervals_cover_as_promised():
    # 600 runs: 95 % has a standard error of 0.9 %; 5 of them are 4.5 %.
    reports = [run(scene("safe", seed=seed)) for seed in (1, 2, 3)]
    assert np.mean([r.coverage for r in reports]) == pytest.approx(0.95, abs=0.045)
    spread = np.std(np.concatenate([r.estimate for r in reports]), ddof=1)
    assert spread == pytest.approx(reports[0].true_std, rel=0.15)  # known to 2.9 %
    assert reports[0].flagged_variance == reports[0].tail_index == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_scene_shows_what_its_sentence_says(seed):
    fine = run(scene("looks_fine", seed=seed))
    assert fine.tail_index == 0.75
    assert fine.true_std == fine.second_moment == math.inf
    assert 0.35 < fine.coverage < 0.65
    missed = fine.estimate[~fine.covers]
    assert np.mean(missed < fine.exact) > 0.95
    assert fine.flagged_variance > 0.75
    assert fine.misses_flagged < 0.5 * fine.misses
    assert np.median(fine.std_error) < 0.25 * fine.exact
    covering = 200 - fine.misses
    flagged_covering = fine.flagged_trust * 200 - fine.misses_flagged
    assert flagged_covering / covering > 2 * fine.misses_flagged / fine.misses
    borderline = run(scene("borderline", seed=seed))
    assert borderline.tail_index == pytest.approx(0.6, abs=0.005)
    assert 0.6 < borderline.coverage < 0.9
    # "About 80 of 100" is answered: at 0.69. 1,000 runs: five standard deviations are 0.063.
    shares = [run(scene("borderline", scale=0.69, seed=10 * seed + i)).coverage for i in range(5)]
    assert np.mean(shares) == pytest.approx(0.8, abs=0.063)
    student = run(scene("student", seed=seed))
    assert student.tail_index == 1
    assert student.exact == pytest.approx(5 / 3)
    assert student.flagged_variance < 0.2
    assert 0.5 < student.coverage < 0.8
    shifted = run(scene("shifted", seed=seed))
    assert shifted.tail_index == 0
    assert shifted.second_moment == pytest.approx(math.exp(9))
    assert shifted.flagged_trust > 0.9
    assert shifted.coverage < 0.5


def test_the_sweep_has_k_hat_of_the_same_draws_at_each_scale():
    config = TailsConfig(n_samples=200, target_scale=2.0, loc=0.4, seed=3)
    swept = sweep(config)
    np.testing.assert_allclose(swept.scale, 2 * SWEEP)
    np.testing.assert_allclose(swept.tail_index, np.maximum(0, 1 - SWEEP**2), atol=1e-12)
    at = 3
    eps = torch.randn((200, 40), generator=stream(3, "tails"), dtype=torch.float64)
    z = (0.4 + swept.scale[at] * eps).numpy()
    log_w = stats.norm(0, 2).logpdf(z) - stats.norm(0.4, swept.scale[at]).logpdf(z)
    k_hat = psis.k_hat(torch.from_numpy(log_w)).numpy()
    assert swept.k_hat[at] == pytest.approx(np.median(k_hat))
    assert swept.low[at] == pytest.approx(np.quantile(k_hat, 0.05))
    assert swept.high[at] == pytest.approx(np.quantile(k_hat, 0.95))


def test_k_hat_falls_with_the_scale_and_follows_the_exact_index_where_it_is_high():
    swept = sweep(TailsConfig(n_samples=2000))
    light = swept.tail_index > 0.3
    assert (np.diff(swept.k_hat[light]) < 0).all()
    assert (np.abs(swept.k_hat - swept.tail_index)[light] < 0.2).all()
    assert (swept.low <= swept.k_hat).all()
    assert (swept.k_hat <= swept.high).all()


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"at most 2000.*loc must.*scale must.*df must"):
        TailsConfig(n_samples=2001, loc=11, scale=0.0, df=0.1)
    with pytest.raises(ValueError, match="n_samples must be at least 25, got 24"):
        TailsConfig(n_samples=24)
    with pytest.raises(ValueError, match="unknown target 'nrmal'"):
        TailsConfig(target="nrmal")
    with pytest.raises(ValueError, match="no mean for df at most 1"):
        run(TailsConfig(target="student_t", df=1.0, integrand="z"))
