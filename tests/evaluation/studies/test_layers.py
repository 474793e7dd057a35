"""The sandwich, layer by layer, and its report as JSON."""

import json
import math

import numpy as np
import pytest

from iwae_core.evaluation.studies import tightness
from iwae_core.evaluation.studies.expected import oracle_law
from iwae_core.evaluation.studies.layer_plans import _jackknife
from iwae_core.evaluation.studies.layers import LayersConfig, LayersReport, run, steps
from iwae_core.evaluation.studies.saved import from_json, to_json
from iwae_core.evaluation.studies.tightness import TightnessConfig


@pytest.fixture(scope="module")
def shifted():
    return run(LayersConfig(shift=1.0))


def test_runs_agree_with_the_exact_curves(shifted):
    # 7 layers x 20 K, mostly the same draws: |z| > 5 by chance in less than 1 of 10,000 seeds.
    for layer in shifted.layers:
        z = (layer.mean - layer.expected) / layer.std_error
        assert np.nanmax(np.abs(z)) < 5, layer.name
        assert np.nanmin(layer.std_error) < 0.05
        shown = ~np.isnan(layer.low)
        assert shown.sum() >= 9
        assert (layer.low[shown] < layer.mean[shown]).all()
        assert (layer.mean[shown] < layer.high[shown]).all()


def test_the_sandwich_closes_from_both_sides(shifted):
    lower, upper = shifted.layer("iwae").expected, shifted.layer("upper").expected
    truth = shifted.log_marginal
    assert (np.diff(lower) > 0).all()
    assert (np.diff(upper) < 0).all()
    assert (lower < truth).all()
    assert (truth < upper).all()
    # Equal covariances one standard deviation apart: both Kullback-Leibler divergences are 1/2.
    assert truth - lower[0] == pytest.approx(0.5, abs=1e-9)
    assert upper[0] - truth == pytest.approx(0.5, abs=1e-9)
    assert shifted.upper_at_one == pytest.approx(upper[0], abs=1e-9)
    assert shifted.elbo == pytest.approx(lower[0], abs=1e-9)
    assert upper[-1] - lower[-1] < 3e-4


def test_the_bound_is_the_tightness_studys(shifted):
    other = tightness.run(TightnessConfig(shift=1.0, seed=3))
    for K, bound, error in zip(other.n_samples, other.bound, other.std_error, strict=True):
        at = np.flatnonzero(shifted.n_samples == K)
        if len(at):
            assert abs(shifted.layer("iwae").expected[at[0]] - bound) < 5 * error
    assert shifted.relative_variance == pytest.approx(math.e - 1)


def test_gaps_fall_with_the_known_powers(shifted):
    # Between K = 300 and 3000, away from rounding.
    n, truth = shifted.n_samples, shifted.log_marginal
    for name, power in (("iwae", 1), ("jackknife_1", 2)):
        layer = shifted.layer(name)
        i, j = np.searchsorted(n, [300, 3000])
        gap = truth - layer.expected[[i, j]]
        assert (gap > 50 * layer.resolution[[i, j]]).all()
        assert math.log(gap[0] / gap[1]) / math.log(10) == pytest.approx(power, abs=0.05)
    # Lighter tails, where the third order is reached before rounding.
    layer = next(iter(steps(LayersConfig(shift=0.5))))[1].layer("jackknife_2")
    i, j = np.searchsorted(n, [20, 100])
    gap = truth - layer.expected[[i, j]]
    assert (gap > 10 * layer.resolution[[i, j]]).all()
    assert math.log(gap[0] / gap[1]) / math.log(5) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("settings", [(1.0, 1.0, True), (0.0, 2.0, True), (0.4, 1.2, False)])
def test_what_is_called_resolved_does_not_change_under_a_finer_rule(settings):
    for order in (1, 2):
        coarse = _jackknife(oracle_law(*settings), order, -2.7)
        fine = _jackknife(oracle_law(*settings, step=0.13), order, -2.7)
        shown = ~np.isnan(coarse.expected)
        difference = np.abs(coarse.expected - fine.expected)[shown]
        assert (difference <= 2 * coarse.resolution[shown]).all()


def test_the_approximation_holds_from_where_the_report_says(shifted):
    gap = shifted.log_marginal - shifted.layer("iwae").expected
    error = np.abs(shifted.approximate_gap / gap - 1)
    assert 1 < shifted.breaks_until < 1000
    assert (error[shifted.n_samples <= shifted.breaks_until] > 0.1).all()
    assert error[shifted.n_samples > shifted.breaks_until].max() <= 0.1


def test_renyi_bounds_tend_to_their_own_limits(shifted):
    # Renyi divergence of Gaussians d apart with one covariance: alpha d^2 / 2, so the limit of
    # the bound on p(x) is log p(x) - alpha d^2 / 2.
    for alpha in (0.5, -1.0):
        layer = shifted.layer(f"renyi_{alpha:g}")
        assert layer.limit == pytest.approx(shifted.log_marginal - alpha / 2, abs=1e-9)
        assert layer.expected[0] == pytest.approx(shifted.elbo, abs=1e-9)
        assert layer.expected[-1] == pytest.approx(layer.limit, abs=0.02)
    narrow = next(iter(steps(LayersConfig(shift=0.0, scale=0.6))))[1]
    assert narrow.layer("renyi_-1").limit == math.inf == narrow.breaks_until
    with pytest.raises(ValueError, match="no layer 'renyi'"):
        narrow.layer("renyi")


def test_steps_show_progress_and_end_with_the_whole(shifted):
    seen = []
    for share, report in steps(LayersConfig(shift=1.0)):
        seen.append((share, report.n_repeats))
        if len(seen) == 3:
            break  # a page may stop at any step
    assert seen[0][1] == 0 < seen[1][1] < seen[2][1] < shifted.n_repeats == 512
    assert [share for share, _ in seen] == sorted(share for share, _ in seen)
    first = next(iter(steps(LayersConfig(shift=1.0))))[1]
    assert np.isnan(first.layer("iwae").low).all()
    np.testing.assert_array_equal(first.layer("upper").expected, shifted.layer("upper").expected)


def test_the_exact_posterior_leaves_no_gap_on_either_side():
    report = next(iter(steps(LayersConfig(shift=0.0))))[1]
    for layer in report.layers:
        expected = layer.expected[~np.isnan(layer.expected)]
        np.testing.assert_allclose(expected, report.log_marginal, atol=1e-6)
    assert report.breaks_until == 0


def test_a_saved_report_comes_back_to_the_bit(shifted):
    infinite = next(iter(steps(LayersConfig(correlated=False))))[1]
    for report in (shifted, infinite):
        text = to_json(report)
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        back = from_json(LayersReport, text)
        assert to_json(back) == text
        assert back.relative_variance == report.relative_variance
        for one, other in zip(back.layers, report.layers, strict=True):
            assert (one.name, one.title, one.limit) == (other.name, other.title, other.limit)
            np.testing.assert_array_equal(one.expected, other.expected)
            np.testing.assert_array_equal(one.low, other.low)
            assert one.low.dtype == np.float64


def test_what_is_no_saved_report_is_refused(shifted):
    with pytest.raises(ValueError, match="another version"):
        from_json(LayersReport, '{"layers": []}')
    with pytest.raises(ValueError, match="another version"):
        from_json(LayersReport, "[1]")
    with pytest.raises(ValueError, match="only a report can be saved, got dict"):
        to_json({"a": 1})
