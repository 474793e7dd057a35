"""The page *Twins*: its controls, the rows of its table, its scripts."""

import json
import re
import time
from dataclasses import replace
from html import unescape

import harness
import numpy as np
import pytest
from harness import Inline, printed
from patience import wait_for
from streamlit.testing.v1 import AppTest

from iwae_core.evaluation.studies import compared, use_cases
from iwae_core.evaluation.studies.compared import MEASURES
from iwae_core.places import ASSETS
from iwae_core.runtime import executor, jobs, watched
from iwae_core.runtime.twin_slices import held_out_row
from iwae_core.training import advance, begin, trials
from iwae_core.training.trials import Trial
from iwae_core.training.twin_look import look
from iwae_core.ui import code, twins, twins_live, twins_uses

NAME = "twins"


pytestmark = pytest.mark.usefixtures("workers")


@pytest.fixture
def quick(monkeypatch):
    """Trials with cheap measurements, without worker processes."""

    def small(model, data):
        x = use_cases.held_out(data)[:40]
        names = zip((1, 64, 5000), (1, 3, 5), strict=True)
        return {f"L_{name}": use_cases.bound(model, x, K) for name, K in names}

    def units(model, data):
        means = model.encode(use_cases.held_out(data))[0].detach().numpy()
        return {"active_units": np.array(float((means.var(axis=0) > 0.01).sum()))}

    monkeypatch.setitem(trials.MEASURES, "use_cases", {"likelihood": small, "latents": units})
    monkeypatch.setattr(executor, "shared", Inline)
    jobs._jobs.clear()
    yield
    jobs._jobs.clear()


@pytest.fixture
def page():
    app = harness.open_page(NAME, data="moons", K=3, latents=2)
    harness.assert_no_error(app)
    yield app
    watched.PAIRS.close(held(app).run_id)


def held(app: AppTest):
    (element,) = [
        element
        for element in app.get("bidi_component")
        if element.proto.component_name == twins_live.NAME
    ]
    return watched.PAIRS.find(json.loads(element.proto.json)["run_id"])


def press(app, label):
    (button,) = [button for button in app.button if button.label.startswith(label)]
    button.click().run()
    harness.assert_no_error(app)


def predict(app, *answers):
    for place, answer in enumerate(answers):
        groups = [g for g in app.get("button_group") if "Predict first" in g.proto.label]
        groups[place].set_value(answer).run()
    harness.assert_no_error(app)


def rows(app):
    """What the table shows: by measure its three numbers, their ranges and the verdict."""
    html = "".join(element.proto.body for element in app.get("html"))
    found = {}
    for name, body in re.findall(r'<div data-name="(\w+)".*?>(.*?)</div>', html):
        cells = re.findall(r"<dd>(.*?)<small>(.*?)</small></dd>", body)
        (verdict,) = re.findall(r'<dd class="verdict">(.*?)</dd>', body)
        found[name] = (cells, unescape(verdict))
    return found


def test_the_link_decides_both_settings():
    app = harness.open_page(
        NAME, a="iwae", a_K=2, a_beta=0.5, b="dreg", K=7, latents=3, rate=0.01, batch=50, seed=9
    )
    harness.assert_no_error(app)
    first, second = held(app).configs
    assert (first.objective, first.n_samples, first.beta) == ("iwae", 2, 0.5)
    assert (second.estimator, second.n_samples, second.beta) == ("doubly_reparameterized", 7, 1.0)
    for config in (first, second):
        assert (config.dataset, config.latent_dim, config.seed) == ("digits", 3, 9)
        assert (config.learning_rate, config.batch_size) == (0.01, 50)
    watched.PAIRS.close(held(app).run_id)


def test_play_pause_step_and_start_over(page):
    pair = held(page)
    press(page, "Play")
    wait_for(lambda: pair.poll().step > 5)
    press(page, "Pause")
    at = pair.status().step
    time.sleep(0.5)
    assert pair.status().step == at
    press(page, "Step")
    wait_for(lambda: pair.status().step == at + 1)
    for config, state in zip(pair.configs, pair.states, strict=True):
        expected = advance(begin(config), at + 1).state
        np.testing.assert_array_equal(state.parameters, expected.parameters)
    press(page, "Start over")
    wait_for(lambda: pair.states)
    assert pair.status().step == 0


def test_k_changes_the_pair_and_latents_begin_another(page):
    pair = held(page)
    page.select_slider(key="twins.K").set_value(12).run()
    harness.assert_no_error(page)
    assert held(page) is pair
    assert pair.configs[1].n_samples == 12
    assert pair.configs[0].n_samples == 1
    page.select_slider(key="twins.latents").set_value(4).run()
    harness.assert_no_error(page)
    assert held(page) is not pair
    assert watched.PAIRS.find(pair.run_id) is None


@pytest.mark.parametrize("name", twins.SCENES)
def test_a_scene_sets_both_sides_and_says_why_once_predicted(name):
    app = harness.open_page(NAME, latents=5, answer_one="a", answer_many="b")
    (choice,) = [c for c in app.selectbox if c.label == "Scene"]
    choice.set_value(name).run()
    harness.assert_no_error(app)
    assert twins.SCENES[name].why in [caption.value for caption in app.caption]
    expected = twins.scene_trials(name)
    assert held(app).configs == (expected.first, expected.second)
    watched.PAIRS.close(held(app).run_id)


def test_bad_values_fall_back_with_a_message():
    app = harness.open_page(NAME, K=0, a="magic", steps=3)
    harness.assert_no_error(app)
    assert len(app.warning) == 3
    assert held(app).configs[1].n_samples == 5
    watched.PAIRS.close(held(app).run_id)


def test_the_likelihoods_and_the_reason_wait_for_both_predictions():
    app = harness.open_page(NAME)
    assert "L_5000" not in rows(app)
    assert "linear_probe" in rows(app)
    predict(app, "b")
    assert "L_5000" not in rows(app)
    predict(app, "b", "a")
    assert "L_5000" in rows(app)
    shown = " ".join(block.value for block in app.markdown)
    report = json.loads((ASSETS / "studies" / "twins_vae_iwae.json").read_text("utf-8"))
    values = np.reshape(report["values"]["values"], report["values"]["shape"])
    apart = (values[1] - values[0]).mean(axis=0)
    one, many = (apart[report["names"].index(name)] for name in ("L_1", "L_64"))
    assert f"ends {-one:.2f} nats *below*" in shown
    assert f"by L₁ and {many:.2f} *above*" in shown
    watched.PAIRS.close(held(app).run_id)


@pytest.mark.parametrize("scene", twins.SHIPPED)
def test_every_row_is_the_mean_and_range_of_the_seeds_with_its_verdict(scene):
    query = {twins.SETTINGS[k].name: v for k, v in twins.SCENES[scene].settings}
    app = harness.open_page(NAME, **query, answer_one="a", answer_many="b")
    harness.assert_no_error(app)
    raw = json.loads((ASSETS / "studies" / f"twins_{scene}.json").read_text("utf-8"))
    values = np.reshape(raw["values"]["values"], raw["values"]["shape"])
    shown = rows(app)
    assert list(shown) == raw["names"]

    def texts(column, measure):
        return [
            f"{x:+.{measure.decimals}f}".replace("-", "\N{MINUS SIGN}")
            for x in (column.mean(), column.min(), column.max())
        ]

    for i, name in enumerate(raw["names"]):
        measure = MEASURES[name]
        a, b = values[:, :, i] * (100 if measure.unit == "%" else 1)
        cells, verdict = shown[name]
        for (mean, spread), column, signed in zip(cells, (a, b, b - a), (0, 0, 1), strict=True):
            expected = texts(column, measure)
            found = [mean, *spread.split(" to ")]
            for want, got in zip(expected, found, strict=True):
                want = want if signed else want.removeprefix("+")
                zero = re.sub(r"[^1-9]", "", want) == ""
                assert got == (re.sub(r"[+\N{MINUS SIGN}]", "", want) if zero else want), name
        apart = b - a
        error = apart.std(ddof=1) / np.sqrt(len(apart))
        seen = abs(np.sign(apart).sum()) == len(apart) and abs(apart.mean()) > 2 * error
        assert seen == (verdict != "no difference seen"), name
        if seen:
            assert ("higher" in verdict) == (apart.mean() > 0)
            good = measure.better * apart.mean()
            assert ("better" in verdict, "worse" in verdict) == (good > 0, good < 0)
    watched.PAIRS.close(held(app).run_id)


def test_other_settings_are_measured_when_asked_for(quick):
    app = harness.open_page(
        NAME, K=2, steps=200, seeds=3, latents=2, answer_one="a", answer_many="b"
    )
    assert not rows(app)
    press(app, "Train and measure both, 3 seeds each")
    app.run()
    shown = rows(app)
    assert set(shown) == {"L_5000", "L_64", "L_1", "active_units"}
    first, second = held(app).configs
    found = [
        [
            trials.carry_out(Trial(config=replace(config, seed=seed), n_steps=200)).found[
                "active_units"
            ]
            for seed in (1, 2, 3)
        ]
        for config in (first, second)
    ]
    means = [f"{np.mean(side):.1f}" for side in found]
    assert [mean for mean, _ in shown["active_units"][0][:2]] == means
    watched.PAIRS.close(held(app).run_id)


def test_few_seeds_tell_no_difference():
    verdict = compared.Verdict(
        mean=1.0, low=0.9, high=1.1, std_error=0.1, seen=False, decidable=False
    )
    assert "too few seeds" in twins_uses.sentence(MEASURES["L_1"], verdict, 2)


def test_large_sets_are_not_measured_here():
    app = harness.open_page(NAME, data="mnist")
    harness.assert_no_error(app)
    assert any("take too long here" in info.value for info in app.info)
    watched.PAIRS.close(held(app).run_id)


def test_the_pairs_script_prints_the_numbers_of_the_pair(page):
    script = code.fill(harness.code(page, NAME), N_STEPS=8)
    last = printed(script).splitlines()[-2:]
    row = held_out_row(*(look(advance(begin(c), 8).state) for c in held(page).configs))
    found = [float(number) for number in re.findall(r"[-+]?\d+\.\d+", " ".join(last))]
    np.testing.assert_allclose(found, [row[1], row[2], *row[5:]], atol=6e-4)


def test_the_script_of_the_five_uses_prints_the_rows_of_the_first_seed(quick, page):
    first, second = held(page).configs
    script = twins.fill("twins_uses", first, second, N_STEPS=30)
    found = {n: float(v) for n, v in re.findall(r"(\w+) = (\S+)", printed(script))}
    for side, setting in (("a", first), ("b", second)):
        trial = trials.carry_out(Trial(config=setting, n_steps=30))
        for name, values in compared.measures_of(trial.found).items():
            assert found[f"{name}_{side}"] == pytest.approx(float(values.mean()), rel=1e-7)
