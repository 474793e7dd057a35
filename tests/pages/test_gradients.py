"""The lesson on gradients: its parts, its address, and the numbers it sends and prints."""

import harness
import numpy as np
import pytest
from by_hand import ByHand
from harness import values

from iwae_core.evaluation.studies import contributions, fans, snr
from iwae_core.evaluation.studies.contributions import ContributionsConfig
from iwae_core.evaluation.studies.fans import FansConfig, FansSweep
from iwae_core.evaluation.studies.snr import SnrConfig, SnrReport
from iwae_core.runtime import executor
from iwae_core.ui import (
    gradients_fans,
    gradients_samples,
    gradients_snr,
    jobs,
)

NAME = "gradients"


pytestmark = pytest.mark.usefixtures("workers")


def shown(app):
    return harness.prose(app)


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
    app = harness.open_page(NAME, shift=0.3, answer_samples="few")
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


@pytest.mark.parametrize("answer", ["all", "half", "few"])
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


def until_scene(app, name):
    """The scene, once a worker has answered."""
    harness.until(app, lambda: harness.scene(app, name))
    return harness.scene(app, name)


def test_the_shipped_fans_are_those_of_single_runs():
    shipped = jobs.shipped(FansSweep, "gradients_fans")
    for estimator, K in [
        ("reparameterized", 1),
        ("doubly_reparameterized", 64),
        ("wake_sleep", 8),
    ]:
        report = fans.run(FansConfig(estimator=estimator, n_samples=K))
        e, s = shipped.estimators.index(estimator), fans.N_SAMPLES.index(K)
        np.testing.assert_allclose(shipped.arrows[e, s], report.arrows, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(shipped.mean[e, s], report.mean, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(shipped.std[e, s], report.std, rtol=1e-7)
        assert tuple(shipped.agreeing[e, s]) == report.agreeing
        np.testing.assert_allclose(shipped.bound_gradient[s], report.bound_gradient, rtol=1e-7)
        assert shipped.bound[s] == pytest.approx(report.bound, rel=1e-9)


def test_a_mean_of_zero_agrees_with_nothing():
    shipped = jobs.shipped(FansSweep, "gradients_fans")
    e = shipped.estimators.index("wake_sleep")
    assert (shipped.mean[e, 0, :2] == 0).all()
    assert np.isnan(shipped.agreeing[e, 0, 0])
    assert not np.isnan(shipped.agreeing[e, 1:]).any()


def test_fans_of_another_q_come_from_a_worker():
    app = harness.open_page(NAME, part="fans", shift=0.5, K=4, estimator="stick_the_landing")
    meta, arrays = until_scene(app, "fans")
    assert meta["state"] == {"estimator": "stick_the_landing", "K": 4}
    config = FansConfig(shift=0.5, n_samples=4, estimator="stick_the_landing")
    report = fans.run(config)
    np.testing.assert_allclose(arrays["arrows"][1, 2], report.arrows, rtol=1e-9)
    np.testing.assert_allclose(arrays["mean"][1, 2], report.mean, rtol=1e-9)


def test_a_worker_that_is_not_waited_for_can_be_asked_again(monkeypatch):
    monkeypatch.setattr(executor, "_shared", ByHand())  # whose work does not end by itself
    app = harness.open_page(NAME, part="fans", shift=0.7)
    (cancel,) = [button for button in app.button if button.label == "Cancel"]
    cancel.click().run()
    harness.assert_no_error(app)
    monkeypatch.undo()
    (again,) = [button for button in app.button if button.label == "Work it out"]
    again.click().run()
    until_scene(app, "fans")


@pytest.mark.parametrize("name", gradients_fans.SCENES)
def test_what_the_scenes_of_fans_say_is_so(name):
    scene = dict(gradients_fans.SCENES[name].settings)
    app = harness.open_page(
        NAME,
        part="fans",
        estimator=scene["estimator"],
        K=scene["n_samples"],
        answer_fans="both",
    )
    harness.assert_no_error(app)
    assert gradients_fans.SCENES[name].why in [caption.value for caption in app.caption]


def test_the_encoders_mean_shrinks_four_thousand_times_and_its_noise_sixty_times():
    assert "four thousand times and its noise only sixty" in gradients_fans.SCENES["tight"].why
    one, many = fans.run(FansConfig()), fans.run(FansConfig(n_samples=1024))
    shrunk = np.hypot(*one.mean[:2]) / np.hypot(*many.mean[:2])
    assert shrunk == pytest.approx(4000, rel=0.05)
    np.testing.assert_allclose(one.std[:2] / many.std[:2], 60, rtol=0.1)


@pytest.mark.parametrize(
    "config",
    [FansConfig(), FansConfig(shift=-0.4, estimator="doubly_reparameterized", n_samples=32)],
)
def test_the_script_on_fans_prints_the_pages_numbers(config):
    found, report = values(gradients_fans.script(config)), fans.run(config)
    for group, name in enumerate(("encoder", "decoder")):
        assert found[f"{name}_agreeing"] == pytest.approx(report.agreeing[group])
        mean = report.snr[2 * group : 2 * group + 2].mean()
        assert found[f"{name}_snr"] == pytest.approx(mean, rel=1e-8)


def test_nothing_of_the_curves_is_on_the_page_before_a_prediction():
    app = harness.open_page(NAME, part="snr", guess=0.25)
    harness.assert_no_error(app)
    meta, arrays = harness.scene(app, "snr")
    assert arrays == {}
    assert not meta["answered"]
    assert meta["start"] == pytest.approx(snr.run(SnrConfig()).snr[0, 0, 0], rel=1e-9)
    assert not any(scene.why in [c.value for c in app.caption] for scene in snr.SCENES.values())
    harness.predict(app, "falls")
    harness.assert_no_error(app)
    meta, arrays = harness.scene(app, "snr")
    assert meta["answered"]
    assert app.query_params["answer_snr"] == "falls"
    assert any("doubly reparameterized one has the same mean" in text for text in shown(app))


@pytest.mark.parametrize("name", snr.SCENES)
def test_the_shipped_curves_are_those_of_the_study(name):
    shipped = jobs.shipped(SnrReport, f"gradients_snr_{name}")
    fresh = snr.run(SnrConfig(**dict(snr.SCENES[name].settings)))
    real = fresh.snr > 1e-9
    np.testing.assert_array_equal(shipped.snr > 1e-9, real)
    np.testing.assert_allclose(shipped.snr[real], fresh.snr[real], rtol=1e-6)
    np.testing.assert_allclose(shipped.snr_hat, fresh.snr_hat, rtol=1e-5)
    np.testing.assert_allclose(shipped.slope, fresh.slope, rtol=1e-5)


def test_a_q_in_its_place_is_moved_with_a_word():
    app = harness.open_page(NAME, part="snr", shift=-0.02, answer_snr="stays")
    assert any("no signal" in info.value for info in app.info)
    _, arrays = until_scene(app, "snr")
    fresh = snr.run(SnrConfig(shift=-0.1))
    np.testing.assert_allclose(arrays["snr"][0], fresh.snr[0], rtol=1e-6)


@pytest.mark.parametrize(("estimator", "K"), [("reparameterized", 64), ("wake_sleep", 4096)])
def test_the_script_on_signal_to_noise_prints_the_pages_numbers(estimator, K):
    found = values(gradients_snr.script(SnrConfig(), estimator, K))
    report = snr.run(SnrConfig())
    e, s = report.estimators.index(estimator), snr.N_SAMPLES.index(K)
    for group, name in enumerate(("encoder", "decoder")):
        assert found[f"{name}_snr"] == pytest.approx(report.snr[e, s, group], rel=1e-7)
        assert found[f"{name}_slope"] == pytest.approx(report.slope[e, group], rel=1e-6)
        if K <= snr.MAX_REPEATED:
            measured = found[f"{name}_measured"]
            assert measured == pytest.approx(report.snr_hat[e, s, group], rel=1e-6)


def test_far_off_only_a_few_samples_are_heard():
    scene = dict(contributions.SCENES["far"].settings)
    for seed in range(1, 6):
        assert contributions.run(ContributionsConfig(**scene, seed=seed)).ess < 8
