"""The dimension lift: predicted shares in closed form, floats by their own limits."""

import math

import numpy as np
import pytest
import torch

from iwae_core.evaluation.studies.lift import MAX_DIMS, SCENES, LiftConfig, run
from iwae_core.evaluation.studies.noise import NormalNoise


def scene(name, **changes):
    return LiftConfig(**{**dict(SCENES[name].settings), **changes})


def test_the_prediction_is_the_closed_form():
    # science.md: E_q[w^2] = s^2 / sqrt(2 s^2 - 1) exp(m^2 / (2 s^2 - 1)), to the power d.
    s, m = 1.3, 0.4
    report = run(LiftConfig(shift=m, ratio=s, n_samples=50))
    moment = s**2 / math.sqrt(2 * s**2 - 1) * math.exp(m**2 / (2 * s**2 - 1))
    assert report.log_moment == pytest.approx(math.log(moment))
    np.testing.assert_allclose(report.predicted_share, moment**-report.d, rtol=1e-9)
    assert report.ends_at == pytest.approx(math.log(50) / math.log(moment))
    assert report.kl == pytest.approx(math.log(s) + (1 + m**2) / (2 * s**2) - 0.5)


def test_measured_weights_are_those_of_a_plain_computation():
    config = LiftConfig(shift=0.3, ratio=1.1, n_samples=40, seed=6)
    report = run(config)
    for repeat in range(3):
        z = 0.3 + 1.1 * NormalNoise(6, "lift", repeat)((MAX_DIMS, 40)).numpy()
        per_coordinate = -0.5 * z**2 + 0.5 * ((z - 0.3) / 1.1) ** 2 + math.log(1.1)
        for j in (0, 10, 25):
            w = np.exp(per_coordinate[: int(report.d[j])].sum(axis=0))
            assert report.ess[j, repeat] == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=1e-9)
            assert report.max_weight[j, repeat] == pytest.approx(w.max() / w.sum(), rel=1e-9)
        if repeat == 0:
            w = np.exp(per_coordinate[:30].sum(axis=0))
            assert report.log_mean[29] == pytest.approx(np.log(w.mean()), abs=1e-9)


def test_while_draws_are_plenty_the_prediction_holds():
    # In few dimensions Var(ESS / K) is small: 2000 draws, a tenth is more than 5 sigma.
    report = run(LiftConfig(ratio=1.25, n_samples=2000))
    few = report.d <= 8
    for repeat in range(3):
        np.testing.assert_allclose(
            report.ess[few, repeat] / 2000, report.predicted_share[few], rtol=0.1
        )


def test_equal_densities_lose_nothing_in_any_dimension():
    report = run(LiftConfig(ratio=1.0))
    np.testing.assert_allclose(report.ess, 1000)
    np.testing.assert_allclose(report.predicted_share, 1.0)
    np.testing.assert_allclose(report.log_mean, 0.0, atol=1e-12)
    assert report.ends_at == math.inf
    # The densities' products still underflow: 745 / (1/2 log 2 pi + 1/2) is 525 on average.
    assert 400 < report.plain["float64"].first_nan < 525
    assert report.plain["float64"].first_lost == math.inf


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_plain_products_end_where_the_floats_do(name):
    report = run(scene("underflow"))
    plain = report.plain[name]
    dtype = torch.float32 if name == "float32" else torch.float64
    tiny = math.log(torch.finfo(dtype).tiny)
    # Subnormal numbers reach below by the digits of the format, unless they are flushed to zero.
    lowest = tiny + math.log(torch.finfo(dtype).eps)
    ends = int(plain.first_lost) - 1  # index of the first d at which the mean is zero
    assert np.isneginf(plain.log_mean[ends:]).all()
    assert np.isfinite(plain.log_mean[:ends]).all()
    assert plain.first_zero <= plain.first_lost <= plain.all_zero < math.inf
    assert (plain.zeros[int(plain.all_zero) - 1 :] == 1).all()
    assert report.log_mean[ends] < tiny + math.log(1000)
    assert report.log_mean[ends - 1] > lowest - 1
    # Until some weight is zero both ways agree to rounding.
    until = int(plain.first_zero) - 1
    assert plain.zeros[until] > 0 == plain.zeros[:until].max()
    np.testing.assert_allclose(
        plain.log_mean[:until], report.log_mean[:until], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_scenes_are_what_they_say(seed):
    wide = run(scene("a_little_wide", seed=seed))
    assert math.exp(-wide.log_moment) == pytest.approx(0.93, abs=0.005)
    assert 1000 * math.exp(-100 * wide.log_moment) == pytest.approx(1.0, abs=0.05)
    at = np.searchsorted(wide.d, 100)
    assert (wide.ess[at] > 1000 * wide.predicted_share[at]).all()
    assert (wide.ess[at] < 60).all()
    off = run(scene("a_little_off", seed=seed))
    assert off.log_moment == pytest.approx(0.04)
    assert math.exp(-100 * off.log_moment) == pytest.approx(0.02, abs=0.005)
    narrow = run(scene("narrow", seed=seed))
    assert narrow.log_moment == math.inf
    assert narrow.ends_at == 0
    assert narrow.predicted_share.max() == 0
    assert (narrow.ess[np.searchsorted(narrow.d, 20)] <= 100).all()
    floats = run(scene("underflow", seed=seed))
    assert floats.plain["float32"].first_lost <= floats.plain["float32"].all_zero < 100
    assert floats.plain["float64"].all_zero < 500
    assert np.isfinite(floats.log_mean).all()
    assert floats.log_mean[-1] < -200


def test_every_dimension_of_run_0_is_kept_for_the_hand():
    report = run(LiftConfig(shift=0.3, ratio=1.2, n_samples=200, seed=4))
    at = report.d.astype(int) - 1
    np.testing.assert_allclose(report.ess_each[at], report.ess[:, 0])
    np.testing.assert_allclose(report.top_each[at, 0], report.max_weight[:, 0])
    assert report.top_each.shape == (500, 40)
    assert (np.diff(report.top_each, axis=1) <= 0).all()
    # Squares underflow before the weights do; until then plain ESS is the same number.
    far = run(LiftConfig(shift=2.0, ratio=1.0, seed=4))
    plain = far.plain["float64"].ess
    until = int(np.flatnonzero(~np.isfinite(plain))[0])
    assert until < far.plain["float64"].first_lost
    np.testing.assert_allclose(plain[: until // 2], far.ess_each[: until // 2], rtol=1e-9)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"at most 2000.*shift must.*ratio must"):
        LiftConfig(n_samples=2001, shift=6, ratio=0.1)
    with pytest.raises(ValueError, match="n_samples must be at least 2, got 1"):
        LiftConfig(n_samples=1)
