"""The training page: its controls change the run, and its script gives the run's numbers."""

import json
import re
import time

import harness
import numpy as np
import pytest
from patience import wait_for

from iwae_core.runtime import watched
from iwae_core.training import advance, begin
from iwae_core.training.frame import observe
from iwae_core.ui import code, player

pytestmark = pytest.mark.usefixtures("workers")


@pytest.fixture
def page():
    app = harness.open_page("train", K=3, data="moons")
    harness.assert_no_error(app)
    yield app
    watched.close(held(app).run_id)


def held(app):
    (element,) = [
        element
        for element in app.get("bidi_component")
        if element.proto.component_name == player.NAME
    ]
    return watched.find(json.loads(element.proto.json)["run_id"])


def press(app, what, value=None):
    # The buttons live in the browser; this is what one of them makes Python do.
    player.obey(held(app), what, value)
    harness.assert_no_error(app.run())


def test_the_link_decides_the_run(page):
    config = held(page).config
    assert (config.dataset, config.n_samples, config.objective) == ("moons", 3, "iwae")


def test_play_pause_step_and_start_over(page):
    run = held(page)
    press(page, "play")
    wait_for(lambda: run.poll().step > 5)
    press(page, "pause")
    at = run.status().step
    time.sleep(0.6)
    assert run.status().step == at
    press(page, "step", 1)
    wait_for(lambda: run.status().step == at + 1)
    press(page, "reset")
    wait_for(lambda: run.state is not None)
    assert run.status().step == 0


def test_K_objective_and_rate_change_the_run_and_latents_begin_another(page):
    run = held(page)
    page.selectbox(key="train.objective").select("vae").run()
    page.select_slider(key="train.K").set_value(12).run()
    page.select_slider(key="train.rate").set_value(0.01).run()
    assert held(page) is run
    assert run.config.n_samples == 12
    assert run.config.learning_rate == 0.01
    assert (run.config.objective, run.config.estimator) == ("elbo", "closed_form_kl")
    page.select_slider(key="train.latents").set_value(2).run()
    harness.assert_no_error(page)
    assert held(page) is not run
    assert watched.find(run.run_id) is None


def test_a_bad_value_in_the_link_falls_back_with_a_message():
    app = harness.open_page("train", K=9999)
    harness.assert_no_error(app)
    assert held(app).config.n_samples == 5
    assert any("K = 9999" in warning.value for warning in app.warning)
    watched.close(held(app).run_id)


def test_the_explanation_waits_for_a_prediction(page):
    def shown():
        return any("The two held-out curves measure" in text for text in harness.prose(page))

    assert not shown()
    harness.predict(page, "many")
    harness.assert_no_error(page)
    assert shown()


def test_the_script_prints_the_numbers_of_the_run(page, capsys):
    script = code.fill(harness.code(page, "train"), N_STEPS=8)
    exec(compile(script, "train.py", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    frame = observe(advance(begin(held(page).config), 8).state)
    step, one, many = re.search(
        r"step (\d+): L_1 = (\S+), L_64 = (\S+) nats", printed[-1]
    ).groups()
    assert int(step) == 8
    assert np.allclose([float(one), float(many)], [frame.bound_1, frame.bound_64], atol=6e-4)
