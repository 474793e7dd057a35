"""Show the code: each script of these lessons, run, prints the numbers of its page."""

import re

import numpy as np
import pytest
from harness import printed, values

from iwae_core.evaluation.studies import choices, tightness, weighting
from iwae_core.evaluation.studies.tightness import TightnessConfig
from iwae_core.evaluation.studies.weighting import WeightingConfig
from iwae_core.ui import code
from iwae_core.ui import tightness as tightness_page
from iwae_core.ui import weighting as weighting_page


@pytest.mark.parametrize(
    "config",
    [
        WeightingConfig(),
        WeightingConfig(seed=5, n_samples=1000, estimator="self_normalized", family="student_t"),
        WeightingConfig(target="two_modes", family="defensive", loc=-2.0, scale=0.8, seed=2),
        *(WeightingConfig(**dict(scene.settings)) for scene in choices.scenes().values()),
    ],
)
def test_the_script_on_borrowed_samples_prints_the_pages_numbers(config):
    found, report = values(weighting_page.script(config)), weighting.run(config)
    for name in ("estimate", "exact", "std_error", "ess", "max_weight", "k_hat"):
        assert found[name] == pytest.approx(getattr(report, name), rel=1e-8), name
    normalizer = np.exp(report.log_normalizer)
    if report.expected_ess == 0:
        assert found["mean_square_weight"] == np.inf
    else:
        expected = config.n_samples * normalizer**2 / report.expected_ess
        assert found["mean_square_weight"] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("config", "n_samples"),
    [
        (TightnessConfig(), 16),
        (TightnessConfig(seed=3, shift=0.5, scale=1.7), 37),
        (TightnessConfig(shift=0.0, correlated=False), 1024),
        (TightnessConfig(shift=0.0), 5),
    ],
)
def test_the_script_on_the_bound_prints_the_pages_numbers(config, n_samples):
    found = values(tightness_page.script(config, n_samples))
    at, report = tightness.runs_at(config, n_samples), tightness.run(config)
    assert found["log_marginal"] == pytest.approx(report.log_marginal, rel=1e-8)
    assert found["n_runs"] == at.n_runs
    assert found["share_above"] == pytest.approx(at.share_above, abs=1e-9)
    assert found["bound"] == pytest.approx(at.bound, rel=1e-8)
    assert found["std_error"] == pytest.approx(at.std_error, rel=1e-5, abs=1e-12)
    assert found["average_log"] == pytest.approx(report.elbo, abs=5 * report.std_error[0] + 1e-7)


@pytest.mark.parametrize("seed", [1, 8])
def test_the_script_of_the_home_page_prints_its_picture(seed):
    lines = printed(code.fill(code.template("home"), SEED=seed)).splitlines()
    report = tightness.run(TightnessConfig(seed=seed))
    assert f"{report.log_marginal:.6f}" in lines[0]
    bounds = [float(re.search(r"L_K = (\S+)", line)[1]) for line in lines[1:]]
    np.testing.assert_allclose(bounds, report.bound, atol=5e-7)
