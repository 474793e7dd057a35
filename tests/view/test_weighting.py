"""Figures of importance sampling: what they show is what the report says."""

import numpy as np
import pytest

from iwae_core.evaluation.studies.choices import scenes
from iwae_core.evaluation.studies.weighting import WeightingConfig, run
from iwae_core.view import weighting


def named(figure, name):
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def test_stems_stand_at_the_draws_and_are_tall_as_the_weights():
    report = run(WeightingConfig(n_samples=40))
    figure = weighting.draws(report, "z")
    marks, stems = named(figure, "draws from q"), named(figure, "stems")
    np.testing.assert_array_equal(marks.x, report.z)
    np.testing.assert_array_equal(marks.y, report.w)
    np.testing.assert_array_equal(stems.x[0::3], report.z)
    np.testing.assert_array_equal(stems.y[1::3], report.w)
    np.testing.assert_array_equal(named(figure, "target p").y, report.p)
    np.testing.assert_array_equal(named(figure, "proposal q").y, report.q)


def test_of_many_draws_the_first_and_the_heaviest_have_a_stem():
    report = run(WeightingConfig(loc=-1.5, n_samples=1000))
    marks = named(weighting.draws(report, "z"), "draws from q")
    assert weighting.MAX_STEMS <= len(marks.x) <= weighting.MAX_STEMS + weighting.N_HEAVIEST
    assert set(np.sort(report.w)[-weighting.N_HEAVIEST :]) <= set(marks.y)


@pytest.mark.parametrize("n_samples", [1, 3, 128])
def test_the_heaviest_are_ranked_once_each(n_samples):
    report = run(WeightingConfig(n_samples=n_samples))
    labels = named(weighting.draws(report, "z"), "heaviest")
    ranks = sorted(int(rank) for text in labels.text for rank in text.split(", "))
    assert ranks == list(range(1, min(5, n_samples) + 1))
    assert labels.y[0] == report.w.max()


def test_the_histogram_counts_every_draw():
    report = run(WeightingConfig())
    figure = weighting.log_weights(report)
    assert named(figure, "draws").y.sum() == 128
    assert named(figure, "exact mean weight").x[0] == 0
    assert named(figure, "the draws' mean weight").x[0] == pytest.approx(
        np.log(np.exp(report.log_w).mean())
    )


def test_the_running_estimate_ends_in_its_band_at_the_estimate():
    report = run(WeightingConfig())
    figure = weighting.running(report)
    assert named(figure, "estimate").y[-1] == pytest.approx(report.estimate)
    assert set(named(figure, "exact 1.00").y) == {1.0}
    lower, upper = [t for t in figure.data if t.name == "± 2 s.e., reported"]
    assert upper.y[-1] - lower.y[-1] == pytest.approx(4 * report.std_error)
    true = [trace for trace in figure.data if trace.name == "± 2 s.e., true"]
    assert true[1].y[-1] - report.limit == pytest.approx(2 * report.std_of_term / 128**0.5)


def test_an_infinite_standard_error_has_no_band():
    report = run(WeightingConfig(**dict(scenes()["too_narrow"].settings)))
    assert not [t for t in weighting.running(report).data if t.name == "± 2 s.e., true"]


@pytest.mark.parametrize("scene", scenes())
@pytest.mark.parametrize("n_samples", [1, 300])
def test_every_scene_can_be_drawn(scene, n_samples):
    report = run(WeightingConfig(**dict(scenes()[scene].settings), n_samples=n_samples))
    for figure in (
        weighting.draws(report, "f"),
        weighting.log_weights(report),
        weighting.running(report),
    ):
        figure.to_json()  # refuses what the browser could not read
    low, high = weighting.running(report).layout.yaxis.range
    assert low < report.exact < high


@pytest.mark.parametrize(
    ("k_hat", "said"),
    [(-1.0, "no alarm"), (0.6, "infinite"), (0.71, "do not trust"), (np.inf, "no tail")],
)
def test_k_hat_is_judged_by_its_thresholds(k_hat, said):
    assert said in weighting.verdict(k_hat)
