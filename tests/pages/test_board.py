"""The page *Train K by test K*: its cells, its warnings, what it works out, its scripts."""

import json

import harness
import numpy as np
import pytest
from harness import Inline, values
from scipy.stats import multivariate_normal

from iwae_core.evaluation.studies import ruler_board, rulers
from iwae_core.evaluation.studies.ruler_board import BoardReport
from iwae_core.evaluation.studies.rulers import RulersConfig
from iwae_core.places import ASSETS
from iwae_core.runtime import board as work
from iwae_core.runtime import executor, jobs
from iwae_core.runtime.board import BoardConfig
from iwae_core.training import trials
from iwae_core.ui import board, board_picture
from iwae_core.ui import jobs as ui_jobs

NAME = "board"


@pytest.fixture
def inline(monkeypatch):
    monkeypatch.setattr(executor, "shared", Inline)
    monkeypatch.setattr(rulers, "TEST_K", (1, 5))  # most of the time goes to large K
    jobs._jobs.clear()
    yield
    jobs._jobs.clear()


def raw(name):
    """The shipped file as it stands: means and errors by row and column, by another reader."""
    found = json.loads((ASSETS / "studies" / f"board_{name}.json").read_text("utf-8"))
    arrays = {
        key: np.array([float(x) for x in value["values"]]).reshape(value["shape"])
        for key, value in found.items()
        if isinstance(value, dict)
    }
    return found, arrays


def cells(app):
    return harness.scene(app, "rulers")


def press(app, label):
    (button,) = [button for button in app.button if button.label.startswith(label)]
    button.click().run()
    harness.assert_no_error(app)


def test_before_the_prediction_only_the_elbo_is_uncovered():
    app = harness.open_page(NAME)
    harness.assert_no_error(app)
    meta, arrays = cells(app)
    assert meta["covered"]
    _, known = raw("round")
    for name in ("mean", "std_error", "gap", "gap_error"):
        table = arrays[name].reshape(4, 7)
        assert np.isnan(table[:, 1:]).all()
        assert np.isfinite(table[:, 0]).all()
    np.testing.assert_allclose(arrays["mean"].reshape(4, 7)[:, 0], known["mean"][:, 0])
    assert not any("bends" in block.value for block in app.markdown)


@pytest.mark.parametrize("answer", ["one", "most", "same"])
def test_a_prediction_uncovers_the_board_and_says_why(answer):
    app = harness.open_page(NAME)
    harness.predict(app, answer)
    harness.assert_no_error(app)
    found, known = raw("round")
    meta, arrays = cells(app)
    assert not meta["covered"]
    assert meta["columns"] == ["1", "5", "16", "64", "256", "1024", "exact"]
    np.testing.assert_allclose(arrays["mean"], known["mean"])
    gap = found["true_mean"] - known["mean"]
    np.testing.assert_allclose(arrays["gap"], gap)
    (why,) = [block.value for block in app.markdown if "bends" in block.value]
    for number in (f"{gap[0, 0]:.2f}", f"{gap[0, -1]:.3f}", f"{gap[-1, 0]:.2f}"):
        assert number in why


@pytest.mark.parametrize("name", board.SHIPPED)
def test_a_scene_shows_its_shipped_board(name):
    scene = {board.SETTINGS[key].name: value for key, value in board.SCENES[name].settings}
    app = harness.open_page(NAME, **scene, answer="one")
    harness.assert_no_error(app)
    assert board.SCENES[name].why in [caption.value for caption in app.caption]
    found, known = raw(name)
    meta, arrays = cells(app)
    np.testing.assert_allclose(arrays["mean"], known["mean"])
    np.testing.assert_allclose(arrays["std_error"], known["std_error"])
    assert meta["knows_truth"] == (name != "digits")
    assert (meta["view"] == "nats") == (name == "digits")
    assert found["made_by"] == "python -m iwae_core.ui.twins_ship"
    assert any("twins_ship" in caption.value for caption in app.caption)


def test_the_errors_of_differences_are_those_of_the_definition():
    report = ui_jobs.shipped(BoardReport, "board_round")
    errors = board_picture._apart_errors(report)
    S, C = len(report.by_seed), len(report.rulers)
    a, b = 0 * C + 6, 3 * C + 6
    seeds = (report.by_seed[:, b] - report.by_seed[:, a]).var(ddof=1) / S
    V = report.covariance
    data = (V[a, a] + V[b, b] - 2 * V[a, b]) / report.n_held_out
    assert errors[a, b] == pytest.approx(np.sqrt(seeds + data), rel=1e-6)
    np.testing.assert_allclose(errors, errors.T, rtol=1e-6, atol=1e-9)
    assert not np.diag(errors).any()


def test_different_rulers_bring_a_warning_and_one_ruler_none():
    _, known = raw("round")
    app = harness.open_page(NAME, answer="most", one=0, two=27)  # K = 1 by L_1, K = 64 exactly
    harness.assert_no_error(app)
    (warning,) = app.warning
    mean = known["mean"]
    for part in (mean[3, 6] - mean[0, 0], mean[3, 0] - mean[0, 0], mean[3, 6] - mean[3, 0]):
        assert f"{part:+.3f}".replace("-", "\N{MINUS SIGN}") in warning.value
    app = harness.open_page(NAME, answer="most", one=6, two=27)  # both exactly
    assert not app.warning
    app = harness.open_page(NAME, answer="most", one=21, two=27)  # one model
    assert not app.warning
    assert any("nothing about training" in info.value for info in app.info)


def test_bad_values_fall_back_with_a_message():
    app = harness.open_page(NAME, data="cubes", show="pictures", one=99, steps=7)
    harness.assert_no_error(app)
    assert len(app.warning) == 4
    assert cells(app)[0]["state"] == {"one": 0, "two": 7}


def test_another_seed_is_filled_when_asked_for(inline):
    app = harness.open_page(NAME, steps=100, seeds=2, seed=5, answer="one")
    harness.assert_no_error(app)
    assert np.isnan(cells(app)[1]["mean"]).all()
    press(app, "Fill the board: 8 trainings")
    app.run()
    mean = cells(app)[1]["mean"]
    rows = [
        rulers.run(RulersConfig(family="round", n_samples=5, n_steps=100, seed=seed)).values
        for seed in (5, 6)
    ]
    np.testing.assert_allclose(mean[1], np.mean(rows, axis=(0, 2)), rtol=1e-9)
    assert np.isfinite(cells(app)[1]["std_error"]).all()


def test_a_board_shows_the_rows_that_are_in(monkeypatch):
    config = BoardConfig(kind="round", n_steps=100, n_seeds=2, seed=8)
    row = work.work(config, (5, 8))
    monkeypatch.setattr(ui_jobs, "result", lambda *args, **options: None)
    monkeypatch.setattr(ui_jobs, "so_far", lambda study: [row])
    app = harness.open_page(NAME, steps=100, seeds=2, seed=8, answer="one")
    harness.assert_no_error(app)
    mean = cells(app)[1]["mean"].reshape(4, 7)
    np.testing.assert_allclose(mean[1], row.values.mean(axis=1))
    assert np.isnan(mean[[0, 2, 3]]).all()


def test_the_script_prints_a_cell(monkeypatch):
    monkeypatch.setattr(rulers, "TEST_K", (1, 16))
    script = board_picture.script(BoardConfig(n_steps=40, seed=3), 5, "exact")
    found = values(script)
    model = rulers.train(RulersConfig(n_samples=5, n_steps=40, seed=3)).decoder
    W = model.weight.numpy()
    normal = multivariate_normal(model.bias.numpy(), W @ W.T + model.noise_scale**2 * np.eye(6))
    exact = normal.logpdf(rulers.held_out().numpy())
    assert found["mean"] == pytest.approx(exact.mean(), rel=1e-8)
    assert found["data_error"] == pytest.approx(exact.std(ddof=1) / np.sqrt(2000), rel=1e-8)
    below = rulers.true_log_marginal() - exact
    assert found["below_truth"] == pytest.approx(below.mean(), rel=1e-6)
    script = board_picture.script(BoardConfig(n_steps=40, seed=3), 5, "16")
    row = work.work(BoardConfig(n_steps=40, seed=3), (5, 3))
    assert values(script)["mean"] == pytest.approx(row.values[1].mean(), rel=1e-8)


def test_the_script_on_digits_prints_a_cell(monkeypatch):
    monkeypatch.setattr(trials, "BOARD_K", (1, 64))
    config = BoardConfig(kind="digits", n_steps=20, seed=3)
    found = values(board_picture.script(config, 5, "64"))
    trial = work.carry_out(config, (5, 3))
    assert found["mean"] == pytest.approx(trial.found["L_64"].mean(), rel=1e-8)


def test_a_board_of_digits_takes_its_rows_from_the_trials(monkeypatch):
    monkeypatch.setattr(trials, "BOARD_K", (1, 64))
    config = BoardConfig(kind="digits", n_steps=20, n_seeds=1, seed=3)
    rows = [work.carry_out(config, part) for part in work.parts(config)[:2]]
    report = work.report(config, rows, made_by="a test")
    assert report.rulers == ("1", "64")
    assert not report.knows_truth
    np.testing.assert_allclose(report.mean[1, 1], rows[1].found["L_64"].mean())
    assert ruler_board.below_truth(report)[0].shape == (4, 2)


@pytest.mark.parametrize("kind", ["digits", "free"])
def test_an_address_with_the_data_alone_brings_the_board_that_is_shipped_for_them(kind):
    app = harness.open_page(NAME, answer="most", data=kind)
    harness.assert_no_error(app)
    _, arrays = cells(app)
    np.testing.assert_array_equal(arrays["mean"], raw(kind)[1]["mean"])
    assert set(app.query_params) == {"data", "answer"}


def test_other_data_bring_the_board_that_is_shipped_for_them():
    app = harness.open_page(NAME, answer="most")
    for kind in ("digits", "free"):
        (data,) = [g for g in app.get("button_group") if g.proto.label == "Data"]
        data.set_value(kind).run()
        harness.assert_no_error(app)
        _, arrays = cells(app)
        np.testing.assert_array_equal(arrays["mean"], raw(kind)[1]["mean"])
    # settings of the reader's own stay
    app = harness.open_page(NAME, answer="most", steps=100)
    (data,) = [g for g in app.get("button_group") if g.proto.label == "Data"]
    data.set_value("free").run()
    assert app.query_params["steps"] == "100"
