"""The rare event: closed forms for all three ways, and the scenes' claims."""

import math

import numpy as np
import pytest
from scipy import stats

from iwae_core.evaluation.studies.rare import SCENES, RareConfig, run


@pytest.mark.parametrize("settings", [{}, {"threshold": 2.0, "shift": 1.5}, {"shift": 3.0}])
def test_exact_errors_are_closed_forms_and_are_met(settings):
    config = RareConfig(**settings)
    report, a, m, K = run(config), config.threshold, config.shift, 1000
    P = stats.norm.sf(a)
    assert report.exact == pytest.approx(P, rel=1e-10)
    assert report.naive.true_rmse == pytest.approx(math.sqrt((1 - P) / P / K), rel=1e-8)
    # E_q[(w f)^2] = e^{m^2} P(z > a + m)
    moment = math.exp(m**2) * stats.norm.sf(a + m)
    assert report.shifted.true_rmse == pytest.approx(math.sqrt((moment / P**2 - 1) / K), rel=1e-8)
    assert report.optimal.true_rmse == 0
    assert report.optimal.rmse < 1e-9
    assert report.shifted.needed == pytest.approx(100 * (moment / P**2 - 1), rel=1e-8)
    assert report.naive.hit == pytest.approx(P)
    assert report.shifted.hit == pytest.approx(stats.norm.sf(a - m))
    assert report.optimal.hit == 1
    assert report.naive.nothing == pytest.approx((1 - P) ** K)
    chance = report.naive.nothing
    sd = math.sqrt(chance * (1 - chance) / 200)
    assert abs(report.naive.found_nothing - chance) <= 5 * sd + 1e-12
    assert abs(report.shifted.value.mean() / P - 1) < 5 * report.shifted.true_rmse / math.sqrt(200)
    off = abs(report.shifted.rmse - report.shifted.true_rmse)
    assert off < 5 * report.shifted.rmse_error + 0.02 * report.shifted.true_rmse


def test_the_curve_is_the_closed_form_and_the_best_shift_its_lowest_point():
    report = run(RareConfig())
    P = stats.norm.sf(4)
    m = report.shifts
    moment = np.exp(m**2 + stats.norm.logsf(4 + m)) / P**2
    np.testing.assert_allclose(report.term_rmse, np.sqrt(moment - 1), rtol=1e-8)
    fine = np.linspace(3, 5, 20_001)
    lowest = fine[np.argmin(fine**2 + stats.norm.logsf(4 + fine))]
    assert report.best_shift == pytest.approx(lowest, abs=2e-4)
    at_zero = run(RareConfig(threshold=0.0, shift=0.0))
    fine = np.linspace(0, 2, 20_001)
    lowest = fine[np.argmin(fine**2 + stats.norm.logsf(fine))]
    assert at_zero.best_shift == pytest.approx(lowest, abs=2e-4)


def test_the_scenes_are_what_they_say():
    four = run(RareConfig(**dict(SCENES["four"].settings)))
    assert 1 / four.exact == pytest.approx(31_600, abs=50)
    assert 1 - four.naive.nothing == pytest.approx(0.03, abs=0.005)
    assert four.shifted.true_rmse == pytest.approx(0.07, abs=0.005)
    six = run(RareConfig(**dict(SCENES["six"].settings)))
    assert 1 / six.exact == pytest.approx(1e9, rel=0.05)
    assert six.naive.needed == pytest.approx(1e11, rel=0.05)
    assert six.shifted.needed == pytest.approx(700, rel=0.1)
    short = run(RareConfig(**dict(SCENES["short"].settings)))
    assert short.shifted.hit / short.exact == pytest.approx(700, rel=0.05)
    assert 1000 * short.shifted.hit == pytest.approx(23, abs=0.5)
    assert short.shifted.true_rmse == pytest.approx(0.25, abs=0.03)
    assert short.shifted.true_rmse > four.shifted.true_rmse
    beyond = run(RareConfig(**dict(SCENES["beyond"].settings)))
    assert beyond.shifted.hit > 0.99
    assert beyond.shifted.true_rmse > 5 * four.shifted.true_rmse


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"at most 5000.*threshold must.*shift must"):
        RareConfig(n_samples=5001, threshold=9, shift=-1)
