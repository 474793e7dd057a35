"""Slow motion on the Train page: what it sends is the study of the run's state; its words hold."""

import dataclasses
import json
import re

import numpy as np
import pytest
from harness import assert_no_error, code, open_page, printed, scene
from patience import wait_for

from iwae_core.runtime import watched
from iwae_core.runtime.lineage import Lineage, replay
from iwae_core.training import TrainConfig, begin
from iwae_core.training.slow_motion import slow_motion
from iwae_core.ui import player
from iwae_core.ui import slow_motion as page
from iwae_core.view.numbers import digits, fixed, percent

BOX = "slow_motion"
PAIR = re.compile(r"(\w+) = ([^\s,]+)")


def held(app):
    (element,) = [
        element
        for element in app.get("bidi_component")
        if element.proto.component_name == player.NAME
    ]
    return watched.find(json.loads(element.proto.json)["run_id"])


def press(app, label):
    (button,) = [button for button in app.button if button.label == label]
    button.click().run()
    assert_no_error(app)


pytestmark = pytest.mark.usefixtures("workers")


@pytest.fixture
def open_box():
    opened = []

    def make(**query):
        app = open_page("train", **query)
        opened.append(app)
        assert "Next datapoint" not in [button.label for button in app.button]  # nothing is done
        run = held(app)
        wait_for(lambda: run.state is not None)
        app.session_state[BOX] = True
        app.run()
        assert_no_error(app)
        return app

    yield make
    for app in opened:
        watched.close(held(app).run_id)


def assert_is(app, report):
    meta, arrays = scene(app, BOX)
    for name in ("log_w", "log_joint", "log_q", "weight", "share", "encoder_share", "all_log_w"):
        np.testing.assert_allclose(arrays[name], getattr(report, name), atol=1e-12), name
    for name in ("elbo", "bound", "objective", "ess"):
        assert meta[name] == pytest.approx(getattr(report, name), abs=1e-12)
    for part in ("encoder", "decoder"):
        pulls = getattr(report, part)
        np.testing.assert_allclose(arrays[f"{part}_along"], pulls.along, atol=1e-12)
        sent = meta[part]
        together = arrays[f"{part}_along"].sum() + sent["rest"] + sent["kl"]
        assert together == pytest.approx(sent["total"], rel=1e-9)
        assert sent["text"] == digits(pulls.total)
    return [phase["caption"] for phase in meta["phases"]]


def test_it_shows_the_run_s_own_state_and_its_captions_hold(open_box):
    app = open_box(K=6, slow_point=4, slow_noise=9)
    run = held(app)
    run.step()
    wait_for(lambda: run.status().step == 1)
    press(app, "The run as it is now")
    report = slow_motion(run.state, 4, 9)
    assert report.step == 1
    told = assert_is(app, report)
    assert "6 samples are drawn" in told[0]
    assert f"from {fixed(report.log_w.min())} to {fixed(report.log_w.max())} nats" in told[1]
    assert f"holds {percent(report.weight.max())} of the sum" in told[2]
    assert f"in effect {digits(report.ess)} of 6" in told[2]
    assert f"L_6 of this draw is {fixed(report.bound)} nats" in told[3]
    assert f"ELBO, is {fixed(report.elbo)}" in told[3]
    assert f"together {digits(report.encoder.total)} for the encoder" in told[4]


def test_another_datapoint_and_other_samples(open_box):
    app = open_box(K=3, data="moons")
    press(app, "Next datapoint")
    press(app, "New samples")
    assert app.query_params["slow_point"] == "1"
    assert app.query_params["slow_noise"] == "2"
    assert_is(app, slow_motion(held(app).state, 1, 2))


@pytest.mark.parametrize(
    ("objective", "kind", "words"),
    [
        ("vae", "closed", ("closed form", "each counts 1/7", "no average to take a log of", "KL")),
        ("elbo", "elbo", ("log p(x, z)", "averages the logs", "The logs came first", "share")),
        ("ciwae", "other", ("log p(x, z)", "∂L/∂log w", "The objective is", "share")),
        ("piwae", "other", ("log p(x, z)", "∂L/∂log w", "The objective is", "decoder's shares")),
    ],
)
def test_every_objective_says_what_it_does(open_box, objective, kind, words):
    app = open_box(K=7, objective=objective, data="moons")
    report = slow_motion(begin(held(app).config), 0, 1)
    told = assert_is(app, report)
    assert scene(app, BOX)[0]["kind"] == kind
    for caption, word in zip(told[1:], words, strict=True):
        assert word in caption
    assert fixed(report.objective) in told[3]


def test_one_sample_is_the_elbo(open_box):
    app = open_box(K=1, data="moons")
    report = slow_motion(begin(held(app).config), 0, 1)
    told = assert_is(app, report)
    assert "One sample is drawn" in told[0]
    assert f"here {fixed(report.log_w[0])} nats" in told[1]
    assert "holds 100 % of the sum" in told[2]
    assert report.bound == report.elbo


def shown_step(app):
    (found,) = [
        match
        for caption in app.caption
        if (match := re.match(r"Network after (\d+) steps", caption.value))
    ]
    return int(found[1])


def test_the_state_stays_while_the_run_goes_on_until_it_is_asked_for(open_box):
    app = open_box(K=3, data="moons")
    run, start = held(app), shown_step(app)
    before = scene(app, BOX)[1]["log_w"]
    run.step(5)
    wait_for(lambda: run.status().step == start + 5)
    press(app, "Next datapoint")
    assert shown_step(app) == start
    press(app, "The run as it is now")
    assert shown_step(app) == start + 5
    assert not np.array_equal(before, scene(app, BOX)[1]["log_w"])


def test_settings_that_change_a_run_change_what_is_shown_before_its_next_step(open_box):
    app = open_box(K=3, data="moons")
    app.select_slider(key="train.K").set_value(12).run()
    assert_no_error(app)
    state = dataclasses.replace(held(app).state, config=held(app).config)
    assert state.config.n_samples == 12
    assert_is(app, slow_motion(state, 0, 1))


def test_bad_values_fall_back_with_a_message(open_box):
    app = open_box(data="moons", slow_phase=9, slow_point=-1)
    assert len(app.warning) == 2
    assert scene(app, BOX)[0]["state"] == {"slow_phase": 1.0}


def read(script):
    lines = printed(script).splitlines()
    found = [{key: float(value) for key, value in PAIR.findall(line)} for line in lines]
    numbers = {key: value for line in found if len(line) == 1 for key, value in line.items()}
    return numbers, [line for line in found if len(line) > 1]


def assert_prints(script, report):
    numbers, samples = read(script)
    for name in ("ess", "elbo", "bound", "objective"):
        assert numbers[name] == pytest.approx(getattr(report, name), rel=1e-7), name
    for part in ("encoder", "decoder"):
        assert numbers[part] == pytest.approx(getattr(report, part).total, rel=1e-7)
        along = [line[f"along_{part}"] for line in samples]
        np.testing.assert_allclose(along, getattr(report, part).along, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose([line["log_w"] for line in samples], report.log_w, rtol=1e-7)
    np.testing.assert_allclose([line["weight"] for line in samples], report.weight, rtol=1e-7)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_samples": 20},
        {"objective": "elbo", "estimator": "closed_form_kl", "n_samples": 3},
        {"objective": "miwae", "objective_setting": 2, "estimator": "piwae", "n_samples": 4},
        {"estimator": "doubly_reparameterized", "beta": 0.5, "kl_schedule": "linear"},
        {"estimator": "wake_sleep", "second_latent_dim": 2, "free_bits": 0.0},
    ],
    ids=str,
)
def test_the_code_takes_the_datapoint_through_the_same_numbers(settings):
    lineage = Lineage(TrainConfig(**{"dataset": "moons", "latent_dim": 2, "seed": 3} | settings))
    lineage = lineage.changed(4, {"learning_rate": 0.01})
    state = replay(lineage, 6)
    assert_prints(page.script(lineage, state, 2, 7), slow_motion(state, 2, 7))


def test_the_code_on_the_page_knows_what_was_changed_and_what_is_about_to_be(open_box):
    app = open_box(K=3, data="moons", slow_point=1)
    run, start = held(app), shown_step(app)
    run.step(2)
    wait_for(lambda: run.status().step == start + 2)
    app.select_slider(key="train.K").set_value(12).run()  # in force from the next step on
    press(app, "The run as it is now")
    state = dataclasses.replace(held(app).state, config=held(app).config)
    assert state.step == shown_step(app)
    assert state.config.n_samples == 12
    assert_prints(code(app, BOX), slow_motion(state, 1, 1))
