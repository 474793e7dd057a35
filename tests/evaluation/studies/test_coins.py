"""The same 64 weights: brute force in NumPy, closed forms at both ends."""

import numpy as np
import pytest

from iwae_core.evaluation.studies.coins import SCENES, CoinsConfig, _draw, run
from iwae_core.evaluation.studies.tightness import exact_log_marginal
from iwae_core.rng import stream


@pytest.mark.parametrize("scene", SCENES)
def test_boxes_and_needle_are_brute_force(scene):
    report = run(CoinsConfig(**dict(SCENES[scene].settings)))
    w = np.exp(report.log_w)
    for K, boxes, needle in zip(report.n_samples, report.boxes, report.needle, strict=True):
        neighbors = w.reshape(-1, int(K))
        np.testing.assert_allclose(boxes, np.log(neighbors.mean(axis=1)), rtol=1e-12)
        assert needle == pytest.approx(np.log(neighbors.mean(axis=1)).mean(), rel=1e-12)
    assert report.needle[0] == pytest.approx(report.log_w.mean())


@pytest.mark.parametrize("seed", range(20))
def test_the_needle_never_falls_at_a_merge(seed):
    report = run(CoinsConfig(seed=seed, shift=2.0))
    assert (np.diff(report.needle) > 0).all()


def test_the_average_needle_starts_at_the_elbo_and_stays_below_the_truth():
    report = run(CoinsConfig(shift=1.5))
    assert report.expected[0] == pytest.approx(report.elbo, abs=1e-12)
    assert report.log_marginal - report.elbo == pytest.approx(1.125)
    assert (np.diff(report.expected) > 0).all()
    assert report.expected[-1] < report.log_marginal


def test_many_rows_have_the_expected_needle_and_the_reported_share():
    # 1000 other rows: share 0.36 known to 0.015, the needle's mean to 0.01; both within 5 sigma.
    report = run(CoinsConfig(shift=1.5))
    rows = _draw(1.5, 1.0, True, 1000, stream(9, "others")).numpy()
    for i, K in enumerate((1, 2, 4, 8, 16, 32, 64)):
        needles = np.log(np.exp(rows).reshape(1000, -1, K).mean(axis=2)).mean(axis=1)
        error = needles.std() / np.sqrt(1000)
        assert abs(needles.mean() - report.expected[i]) < 5 * error
        share = (needles > report.log_marginal).mean()
        spread = np.hypot(report.share_error[i], np.sqrt((share * (1 - share) + 1e-3) / 1000))
        assert abs(share - report.share_above[i]) < 5 * spread
        inside = (needles > report.needle_low[i]) & (needles < report.needle_high[i])
        assert inside.mean() == pytest.approx(0.9, abs=0.06)
    assert 0.2 < report.share_above[-1] < 0.5
    assert report.share_above[0] < 0.001


def test_with_the_exact_posterior_every_coin_is_the_truth():
    report = run(CoinsConfig(shift=0.0))
    truth = exact_log_marginal()
    for values in (report.log_w, report.needle, report.expected, report.needle_low):
        np.testing.assert_allclose(values, truth, atol=1e-10)
    assert (report.share_above == 0).all()


def test_new_coins_are_the_next_seed_and_change_nothing_but_the_coins():
    one, again, other = (run(CoinsConfig(seed=seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.log_w, again.log_w)
    assert not np.isin(one.log_w, other.log_w).any()
    np.testing.assert_array_equal(one.share_above, other.share_above)
    np.testing.assert_array_equal(one.expected, other.expected)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="scale must lie in"):
        CoinsConfig(scale=0.0)
