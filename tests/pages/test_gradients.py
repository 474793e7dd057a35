"""The lesson on gradients: its parts, its address, and the numbers it sends and prints."""

import contextlib
import io
import re

import harness
import numpy as np
import pytest

from iwae_core.evaluation.studies import contributions
from iwae_core.evaluation.studies.contributions import ContributionsConfig
from iwae_core.ui import gradients_samples

NAME = "gradients"


def values(script):
    """Run a script and read what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(script, "script", "exec"), {"__name__": "__main__"})
    return {name: float(value) for name, value in re.findall(r"(\w+) = (\S+)", out.getvalue())}


def shown(app):
    return [element.value for element in app.markdown]


def test_the_page_opens_on_samples_whose_exact_means_are_the_studys():
    app = harness.open_page(NAME)
    harness.assert_no_error(app)
    meta, arrays = harness.scene(app, "contributions")
    report = contributions.run(ContributionsConfig())
    assert meta["state"] == {"shift": 1.0, "scale": 1.3, "samples": 8}
    np.testing.assert_allclose(arrays["vae_mean"], report.vae_mean, rtol=1e-12)
    np.testing.assert_allclose(arrays["iwae_mean"], report.iwae_mean, rtol=1e-12)
    z = report.q_loc + report.q_scale * arrays["eps"][:8]
    np.testing.assert_allclose(z, report.z, rtol=1e-12)


@pytest.mark.parametrize("name", gradients_samples.SCENES)
def test_a_scene_of_samples_sets_its_controls_and_says_why(name):
    app = harness.open_page(NAME, shift=0.3)
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    choice.set_value(name).run()
    harness.assert_no_error(app)
    scene = gradients_samples.SCENES[name]
    assert scene.why in [caption.value for caption in app.caption]
    state = harness.scene(app, "contributions")[0]["state"]
    assert (state["shift"], state["scale"], state["samples"]) == tuple(
        value for _, value in scene.settings
    )


def test_bad_values_fall_back_with_a_message():
    app = harness.open_page(NAME, part="none", shift=4, scale="wide", samples=0)
    harness.assert_no_error(app)
    assert len(app.warning) == 4
    assert harness.scene(app, "contributions")[0]["state"]["samples"] == 8


@pytest.mark.parametrize("answer", ["same", "good", "one"])
def test_the_explanation_of_the_shares_waits_for_a_prediction(answer):
    app = harness.open_page(NAME)
    assert not any("normalized importance weights" in text for text in shown(app))
    harness.predict(app, answer)
    harness.assert_no_error(app)
    assert any("normalized importance weights" in text for text in shown(app))


@pytest.mark.parametrize(
    "config",
    [ContributionsConfig(), ContributionsConfig(shift=-0.7, scale=1.05, n_samples=33, seed=8)],
)
def test_the_script_on_samples_prints_the_pages_numbers(config):
    found, report = values(gradients_samples.script(config)), contributions.run(config)
    for name in ("vae", "iwae"):
        printed = [found[f"{name}_{i}"] for i in range(4)]
        np.testing.assert_allclose(printed, getattr(report, f"{name}_sum"), rtol=1e-8)
    for name in ("ess", "elbo", "bound"):
        assert found[name] == pytest.approx(getattr(report, name), rel=1e-8)
    assert found["max_weight"] == pytest.approx(report.weight.max(), rel=1e-8)
