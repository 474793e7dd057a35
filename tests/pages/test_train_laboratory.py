"""The training page as a laboratory: presets, groups of controls, what does not go together."""

import harness
import numpy as np
import pytest

from iwae_core import datasets
from iwae_core.datasets import drawn, lookup, uploads
from iwae_core.datasets.csv_file import read_csv
from iwae_core.datasets.tables import make_table
from iwae_core.runtime import watched
from iwae_core.ui import player, training_upload
from iwae_core.ui.training_presets import PRESETS

NAME = "train"


pytestmark = pytest.mark.usefixtures("workers")


@pytest.fixture(autouse=True)
def _uploads(tmp_path, monkeypatch):
    monkeypatch.setenv(uploads.FOLDER_VARIABLE, str(tmp_path))


@pytest.fixture
def visit():
    """Open the page; its run ends with the test."""
    opened = []

    def go(**query):
        opened.append(harness.open_page(NAME, **query))
        return opened[-1]

    yield go
    for app in opened:
        if run := held(app):
            watched.close(run.run_id)


def held(app):
    if "runs.held" not in app.session_state:
        return None
    return watched.find(app.session_state["runs.held"])


def warned(app):
    return " ".join(warning.value for warning in app.warning)


def captions(app):
    return [caption.value for caption in app.caption]


@pytest.mark.parametrize("name", ["many", "powerful", "drawing"])
def test_a_preset_sets_the_controls_says_why_and_begins_its_run(visit, name):
    app = visit(objective="vae", K=3, free=0.9, guess="many")
    (choice,) = [box for box in app.selectbox if box.label == "Scene"]
    assert choice.value == "own"
    choice.set_value(name).run()
    harness.assert_no_error(app)
    preset = PRESETS[name]
    assert preset.why in captions(app)
    settings = dict(preset.settings)
    config = held(app).config
    assert config.n_samples == settings["K"]
    assert config.decoder == settings["decoder"]
    assert config.latent_dim == settings["latents"]
    assert config.dataset.startswith(settings["data"])


@pytest.mark.parametrize(
    ("query", "key", "value", "field", "expected"),
    [
        ({"objective": "ciwae"}, "share", 0.25, "objective_setting", 0.25),
        ({"objective": "renyi"}, "alpha", -1.0, "objective_setting", -1.0),
        ({"objective": "piwae", "K": 12}, "groups", 4, "objective_setting", 4.0),
        ({}, "gradient", "stl", "estimator", "stick_the_landing"),
        ({}, "gradient", "dreg", "estimator", "doubly_reparameterized"),
        ({}, "backward", "truncated", "backward", "truncated"),
        ({"backward": "truncated"}, "epsilon", 0.1, "backward_epsilon", 0.1),
        ({"backward": "resampled"}, "picks", 8, "backward_picks", 8),
        ({}, "beta", 4.0, "beta", 4.0),
        ({}, "warmup", "linear", "kl_schedule", "linear"),
        ({"warmup": "cyclical"}, "warmup_steps", 512, "kl_steps", 512),
        ({"warmup": "cyclical"}, "ramp", 0.8, "kl_ramp", 0.8),
        ({"objective": "vae"}, "rule", "free", "free_bits", 0.5),
        ({"objective": "vae", "rule": "free"}, "free", 1.0, "free_bits", 1.0),
        ({"objective": "vae", "rule": "rate"}, "target", 5.0, "target_rate", 5.0),
        ({}, "rate", 0.01, "learning_rate", 0.01),
        ({}, "decay", "burda", "rate_schedule", "burda"),
        ({"decay": "burda"}, "stretch", 0.1, "rate_stretch", 0.1),
        ({}, "batch", 192, "batch_size", 192),
    ],
)
def test_what_is_live_changes_the_run_in_flight(visit, query, key, value, field, expected):
    app = visit(data="moons", **query)
    run = held(app)
    set_widget(app, key, value)
    harness.assert_no_error(app)
    assert not warned(app)
    assert held(app) is run
    assert getattr(run.config, field) == expected


@pytest.mark.parametrize(
    ("query", "key", "value", "field", "expected"),
    [
        ({}, "data", "rings", "dataset", "rings"),
        ({}, "latents", 2, "latent_dim", 2),
        ({}, "layers", "2", "second_latent_dim", 4),
        ({"layers": "2"}, "upper", 6, "second_latent_dim", 6),
        ({}, "width", "25", "hidden", (25, 25)),
        ({}, "depth", 3, "hidden", (100, 100, 100)),
        ({}, "activation", "relu", "activation", "relu"),
        ({}, "likelihood", "fixed", "likelihood_scale", 0.1),
        ({"likelihood": "fixed"}, "noise", 0.5, "likelihood_scale", 0.5),
        ({"data": "digits"}, "decoder", "autoregressive", "decoder", "autoregressive"),
        ({}, "patience", 9, "patience", 9),
        ({}, "seed", 5, "seed", 5),
    ],
)
def test_what_shapes_the_run_begins_another(visit, query, key, value, field, expected):
    app = visit(**{"data": "moons"} | query)
    run = held(app)
    set_widget(app, key, value)
    harness.assert_no_error(app)
    assert not warned(app)
    assert held(app) is not run
    assert getattr(held(app).config, field) == expected


def set_widget(app, key, value):
    """Move the page's widget of that key, whichever kind it is."""
    key = f"{NAME}.{key}"
    for kind in ("selectbox", "select_slider", "slider", "number_input"):
        for widget in getattr(app, kind):
            if widget.key == key:
                return widget.set_value(value).run()
    for group in app.get("button_group"):
        if group.key == key:
            return group.set_value(value).run()
    raise AssertionError(f"no widget {key}")


@pytest.mark.parametrize(
    ("query", "change", "says"),
    [
        ({"objective": "miwae", "K": 12, "groups": 4}, ("K", 6), "n_groups must divide"),
        ({"layers": "2"}, ("objective", "vae"), "two stochastic layers"),
        ({}, ("decoder", "autoregressive"), "draws bits one after the other"),
        ({}, ("likelihood", "bernoulli"), "Two moons is of real numbers"),
    ],
)
def test_what_does_not_go_together_is_said_and_the_run_goes_on(visit, query, change, says):
    app = visit(data="moons", **query)
    run = held(app)
    before = run.config
    set_widget(app, *change)
    harness.assert_no_error(app)
    assert says in warned(app)
    assert held(app) is run
    assert run.config == before
    assert any(e.proto.component_name == player.NAME for e in app.get("bidi_component"))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"objective": "vae"}, "there is one gradient"),
        ({"objective": "piwae", "K": 8}, "PIWAE is itself a choice of gradient"),
        ({}, "which only the objective *VAE* has"),
    ],
)
def test_a_control_without_effect_gives_way_to_a_sentence(visit, query, says):
    app = visit(data="moons", **query)
    assert any(says in block.value for block in app.markdown)


def test_missing_files_are_named_with_two_ways_to_get_them(visit, tmp_path, monkeypatch):
    from iwae_core.datasets import files

    monkeypatch.delenv(files.DATA_FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(files, "cache_folder", lambda: tmp_path)
    for data, button in (("mnist", True), ("mnist_fixed", False)):
        app = visit(data=data)
        harness.assert_no_error(app)
        said = " ".join(block.value for block in app.markdown)
        assert "is not on this machine yet" in said
        assert files.DATA_FOLDER_VARIABLE in said
        assert any("Download" in b.label for b in app.button) == button
        assert held(app) is None


def test_a_data_folder_that_is_not_there_is_named(visit, monkeypatch):
    monkeypatch.setenv("IWAE_LAB_DATA", "/no/such/folder")
    app = visit(data="mnist")
    assert not app.exception
    (error,) = app.error
    assert "must name an existing folder, got '/no/such/folder'" in error.value
    assert held(app) is None


def test_a_drawing_in_the_address_is_trained_on(visit):
    code = drawn.encode([(10 + i, 20 + (7 * i) % 30) for i in range(40)])
    app = visit(data="drawn", points=code, latents=2)
    harness.assert_no_error(app)
    meta, _ = harness.scene(app, "points")
    assert meta["state"] == {"points": code}
    assert held(app).config.dataset == drawn.PREFIX + code


def test_too_few_points_keep_the_run_and_a_broken_drawing_falls_back(visit):
    app = visit(data="drawn", points="AABB")
    harness.assert_no_error(app)
    assert "20 to 500 points, got 2" in warned(app)
    assert held(app) is None
    app = visit(data="drawn", points="AAB!")
    assert "`points = AAB!` in the link cannot be read" in warned(app)
    assert held(app).config.dataset.startswith(drawn.PREFIX)


def table():
    bits = np.random.default_rng(3).normal(size=(60, 3))
    content = "\n".join(",".join(map(str, row)) for row in bits).encode()
    file = read_csv(content)
    return content, make_table(file, file.usable())


def test_an_uploaded_table_trains_by_its_link(visit):
    lookup._table.cache_clear()
    _, made = table()
    digest = uploads.keep(made).removeprefix(uploads.PREFIX)
    app = visit(data="upload", table=digest)
    harness.assert_no_error(app)
    assert held(app).config.dataset == uploads.PREFIX + digest
    assert any("Training on your table" in block.value for block in app.markdown)


def test_a_link_to_a_table_of_another_machine_says_so(visit):
    app = visit(data="upload", table=32 * "b")
    harness.assert_no_error(app)
    assert "This table is not on this machine" in warned(app)
    assert held(app) is None


def test_a_chosen_file_becomes_a_table_by_the_button(visit, monkeypatch):
    content, made = table()

    class File:
        file_id, name = "1", "mine.csv"

        def getvalue(self):
            return content

    monkeypatch.setattr(training_upload.st, "file_uploader", lambda *_, **__: File())
    app = visit(data="upload")
    harness.assert_no_error(app)
    assert made.describe() in captions(app)
    (button,) = [b for b in app.button if b.label == "Train on this table"]
    button.click().run()
    harness.assert_no_error(app)
    name = held(app).config.dataset
    np.testing.assert_array_equal(datasets.load(name).train.numpy(), made.train)
    set_widget(app, "K", 12)
    harness.assert_no_error(app)
    assert name.removeprefix(uploads.PREFIX) in app.query_params["table"]
    assert any("Training on your table" in block.value for block in app.markdown)
    assert held(app).config.n_samples == 12


def test_a_broken_file_is_refused_in_one_sentence(visit, monkeypatch):
    class File:
        file_id, name = "2", "mine.csv"

        def getvalue(self):
            return b"a,b\n" + b"1,2\n" * 60 + b"x,3\n"

    monkeypatch.setattr(training_upload.st, "file_uploader", lambda *_, **__: File())
    app = visit(data="upload")
    assert [error.value for error in app.error] == [
        "mine.csv: column 'a', row 62 holds 'x', which is not a finite number."
    ]
    assert not app.exception


def test_after_a_broken_file_a_whole_one_is_offered_with_all_its_columns(visit, monkeypatch):
    content, made = table()

    class File:
        file_id, name, content = "3", "broken.csv", b"a,b\n" + b"1,2\n" * 60 + b"x,3\n"

        def getvalue(self):
            return self.content

    chosen = File()
    monkeypatch.setattr(training_upload.st, "file_uploader", lambda *_, **__: chosen)
    app = visit(data="upload")
    assert len(app.error) == 1
    chosen.file_id, chosen.name = "4", "whole.csv"
    chosen.content = content
    app.run()
    harness.assert_no_error(app)
    assert made.describe() in captions(app)
