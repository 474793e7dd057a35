"""Figures of the bound: what they show is what the report says."""

import numpy as np
import pytest

from iwae_core.evaluation.studies.tightness import SCENES, TightnessConfig, run, runs_at
from iwae_core.view import tightness

CONFIG = TightnessConfig()


def named(figure, name):
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def test_the_bound_the_elbo_and_the_truth_are_drawn():
    report, at = run(CONFIG), runs_at(CONFIG, 12)
    figure = tightness.bounds(report, at)
    np.testing.assert_array_equal(named(figure, "bound L<sub>K</sub>").y, report.bound)
    assert set(named(figure, "ELBO with K samples").y) == {report.elbo}
    (truth,) = [trace for trace in figure.data if "exact" in trace.name]
    assert set(truth.y) == {report.log_marginal}
    assert tuple(named(figure, "your K = 12").y) == (at.bound,)
    assert figure.layout.annotations[0].text.strip() == "K = 1: the ELBO"
    approximation = named(figure, "1/K approximation")
    assert report.log_marginal - approximation.y[0] == pytest.approx(report.approximate_gap[0])


def test_where_the_variance_is_infinite_no_approximation_is_drawn():
    config = TightnessConfig(shift=0.0, scale=0.6)
    report, at = run(config), runs_at(config, 1)
    for figure in (tightness.bounds(report, at), tightness.gaps(report, at)):
        assert "1/K approximation" not in [trace.name for trace in figure.data]
    assert not tightness.gaps(report, at).layout.shapes


def test_the_gap_shades_where_the_approximation_is_off():
    report = run(CONFIG)
    (shade,) = tightness.gaps(report, runs_at(CONFIG, 4)).layout.shapes
    assert shade.x1 == report.breaks_until > 1


def test_runs_above_the_truth_are_hatched():
    report, at = run(CONFIG), runs_at(CONFIG, 4)
    figure = tightness.runs(at, report.log_marginal)
    below, above = named(figure, "below log p(x)"), named(figure, "above")
    assert below.y.sum() + above.y.sum() == at.counts.sum()
    assert below.x.max() < report.log_marginal < above.x.min()
    assert above.marker.pattern.shape == "/"
    assert above.y.sum() / at.n_runs == pytest.approx(at.share_above, abs=0.03)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("n_samples", [1, 1000])
def test_every_scene_can_be_drawn(scene, n_samples):
    config = TightnessConfig(**dict(SCENES[scene].settings))
    report, at = run(config), runs_at(config, n_samples)
    for figure in (
        tightness.bounds(report, at),
        tightness.gaps(report, at),
        tightness.runs(at, report.log_marginal),
    ):
        figure.to_json()
    low, high = tightness.bounds(report, at).layout.yaxis.range
    assert low < report.elbo <= report.log_marginal < high
