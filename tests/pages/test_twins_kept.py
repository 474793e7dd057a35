"""Kept pairs on the page *Twins*: the address, the box, the limits, and the first steps."""

import contextlib
import io
import zipfile

import harness
import numpy as np
import pytest
from patience import wait_for

from iwae_core.runtime import kept, watched
from iwae_core.runtime.kept_bundle import unpack
from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.lock_step import LockStep
from iwae_core.training import TrainConfig, advance, begin
from iwae_core.ui import first_steps, twins_list

SMALL = {"data": "moons", "latents": 2}


pytestmark = pytest.mark.usefixtures("workers")


@pytest.fixture
def page():
    app = harness.open_page("twins", K=3, **SMALL)
    harness.assert_no_error(app)
    yield app
    watched.PAIRS.close(app.session_state["twins.held"])


@pytest.fixture
def asked(monkeypatch):
    """How many first steps runs were asked to take; they may have taken them already."""
    found, real = [], LockStep.open

    def noted(self, until):
        found.append(until)
        real(self, until)

    monkeypatch.setattr(LockStep, "open", noted)
    return found


def held(app):
    return watched.PAIRS.find(app.session_state["twins.held"])


def train(app, n_steps):
    pair = held(app)
    wait_for(lambda: len(pair.states) == 2)
    goal = pair.status().step + n_steps
    pair.step(n_steps)
    wait_for(lambda: pair.status().step == goal)
    with contextlib.suppress(kept.NoStoreError):
        kept.shared().flush()  # the box shows what is written
    app.run()
    harness.assert_no_error(app)
    return pair


def address(app):
    found = app.query_params.get("pair", "")
    return found if isinstance(found, str) else found[0]


def press(app, label):
    (button,) = [button for button in app.button if button.label == label]
    button.click().run()
    harness.assert_no_error(app)


def open_box(app):
    app.session_state["twins.box"] = True
    app.run()
    harness.assert_no_error(app)


def table(app):
    return "".join(element.proto.body for element in app.get("html"))


def test_the_address_names_a_pair_once_it_is_played_and_leads_back_to_it(page):
    assert address(page) == ""
    pair = train(page, 6)
    page.select_slider(key="twins.K").set_value(8).run()
    pair = train(page, 4)
    pair_id, states = address(page), pair.states
    kept.shared().flush()
    watched.PAIRS.close(pair.run_id)  # as after a restart
    kept.shared().flush()
    page.run()  # the session is there, and its pair is not
    again = held(page)
    assert again is not pair
    wait_for(lambda: again.poll().replaying_to is None and len(again.states) == 2)
    page.run()
    harness.assert_no_error(page)
    assert address(page) == pair_id
    assert page.select_slider(key="twins.K").value == 8
    for state, before in zip(again.states, states, strict=True):
        assert state.step == before.step == 10
        assert np.array_equal(state.parameters, before.parameters)
    watched.PAIRS.close(again.run_id)
    kept.shared().flush()
    other = harness.open_page("twins", pair=pair_id)  # without the cookie: somebody else
    harness.assert_no_error(other)
    assert any("somebody else's pair" in info.value for info in other.info)
    assert not [button for button in other.button if button.label == "Play"]
    wait_for(lambda: held(other).poll().step == 10)
    assert other.select_slider(key="twins.K").value == 8
    watched.PAIRS.close(held(other).run_id)


def test_an_address_of_no_pair_says_so_and_the_page_works():
    app = harness.open_page("twins", pair="x" * 22)
    harness.assert_no_error(app)
    assert ["cannot be opened" in warning.value for warning in app.warning] == [True]
    assert address(app) == ""
    watched.PAIRS.close(held(app).run_id)


def test_a_pair_is_named_listed_exported_and_deleted_in_the_box(page):
    pair = train(page, 5)
    open_box(page)
    page.text_input(key="twins.name").set_value("  two   of a kind ").run()
    harness.assert_no_error(page)
    pair_id = address(page)
    assert f'href="twins?pair={pair_id}"' in table(page)
    assert "two of a kind" in table(page)
    assert "<td>5</td>" in table(page)
    captions = " ".join(caption.value for caption in page.caption)
    assert "counts as two" in captions
    assert "2 of 60 are kept under a name" in captions
    records = kept.shared().store.pair(pair_id)
    data = twins_list.export(kept.shared(), records)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for side, state in zip("AB", pair.states, strict=True):
            run = unpack(archive.read(f"{side}.zip"))
            assert np.array_equal(run.state.parameters, state.parameters)
        strip = np.loadtxt(io.BytesIO(archive.read("pair.csv")), delimiter=",", skiprows=1)
    np.testing.assert_allclose(strip, pair.look()[1].held_out, rtol=1e-6)
    page.selectbox(key="twins.chosen").set_value(pair_id).run()
    train(page, 2)
    assert page.selectbox(key="twins.chosen").value == pair_id
    assert not harness.set_by_the_script(page)
    press(page, "Delete both")
    assert kept.shared().store.pair(pair_id) is None
    assert held(page) is not pair
    assert held(page).configs == pair.configs
    assert address(page) == ""


def test_an_exported_pair_is_imported_as_a_pair_and_a_run_is_refused(page):
    pair = train(page, 5)
    open_box(page)
    page.text_input(key="twins.name").set_value("out and in").run()
    records = kept.shared().store.pair(address(page))
    data = twins_list.export(kept.shared(), records)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        half = archive.read("A.zip")
    (box,) = page.file_uploader
    assert "Import a pair" in box.label
    box.upload("run.zip", half, "application/zip").run()
    assert not page.exception
    assert ["single run" in error.value for error in page.error] == [True]
    (box,) = page.file_uploader
    box.upload("pair.zip", data, "application/zip").run()
    harness.assert_no_error(page)
    assert "out and in" in page.success[0].value
    old, new = sorted(kept.shared().pairs.of(records[0].owner), key=lambda each: each[0].created)
    assert [record.step for record in new] == [5, 5]
    assert table(page).count("out and in") == 2
    other = harness.open_page("twins", pair=new[0].id)
    harness.assert_no_error(other)
    again = held(other)
    assert again is not pair
    wait_for(lambda: len(again.states) == 2 and again.status().replaying_to is None)
    for state, before in zip(again.states, pair.states, strict=True):
        assert state.step == before.step == 5
        assert np.array_equal(state.parameters, before.parameters)
    assert other.select_slider(key="twins.K").value == 3
    for one in (pair, again):
        watched.PAIRS.close(one.run_id)
    for each in (old, new):
        kept.shared().delete(each[0])


def test_a_pair_does_not_play_beyond_the_limit_and_the_page_says_why(page, monkeypatch):
    pair = train(page, 1)
    monkeypatch.setattr(kept.shared()._writer, "limits", Limits(n_playing=1))
    press(page, "Play")
    assert pair.status().mode == "paused"
    (warning,) = page.warning
    assert "one browser may play 1 (a pair counts as two)" in warning.value
    monkeypatch.undo()
    press(page, "Play")
    assert pair.status().mode == "playing"
    pair.pause()


def test_one_of_a_pair_is_looked_at_on_the_page_train(page):
    pair = train(page, 4)
    records = kept.shared().store.pair(address(page))
    kept.shared().flush()
    app = harness.open_page("train", run=records[1].id)
    harness.assert_no_error(app)
    assert any("one of a pair" in info.value for info in app.info)
    run = watched.find(app.session_state["runs.held"])
    wait_for(lambda: run.poll().step == 4 and run.state is not None)
    assert np.array_equal(run.state.parameters, pair.states[1].parameters)
    watched.close(run.run_id)


@pytest.mark.parametrize(("name", "key"), [("train", "runs.held"), ("twins", "twins.held")])
def test_a_page_opens_with_its_first_steps_and_keeps_none_of_them(name, key, asked):
    app = harness.open_page(name, opens="moving", **SMALL)
    harness.assert_no_error(app)
    hold = watched.RUNS if name == "train" else watched.PAIRS
    live = hold.find(app.session_state[key])
    assert asked == [first_steps.MOST_STEPS]
    assert app.query_params.get(name[:-1] if name == "twins" else "run") is None
    wait_for(lambda: live.poll().mode == "paused")
    assert live.status().step == first_steps.MOST_STEPS
    kept.shared().flush()
    app.run()
    assert kept.shared().record_of(live) is None
    for side, config in zip(live.snapshots(), live.settings, strict=True):
        expected = advance(begin(config), first_steps.MOST_STEPS).state
        assert np.array_equal(side.state.parameters, expected.parameters)
    live.reset()
    app.run()  # started over, it stands
    assert len(asked) == 1
    hold.close(live.run_id)
    app.run()  # another one begins, and stands: the first steps are taken once
    second = hold.find(app.session_state[key])
    assert second is not live
    assert len(asked) == 1
    hold.close(second.run_id)


def test_first_steps_are_not_taken_beyond_the_limit_nor_where_the_link_says_so(monkeypatch, asked):
    still = harness.open_page("twins", opens="still", **SMALL)
    assert not asked
    watched.PAIRS.close(held(still).run_id)
    monkeypatch.setattr(kept.shared()._writer, "limits", Limits(n_playing=1))
    app = harness.open_page("twins", opens="moving", **SMALL)
    harness.assert_no_error(app)
    assert not asked
    assert not app.warning  # nobody has asked for them
    watched.PAIRS.close(held(app).run_id)


def test_first_steps_are_few_where_they_are_dear():
    wide = TrainConfig(dataset="mnist", hidden=(200, 200), n_samples=50, batch_size=100)
    assert 0 < first_steps.n_steps((wide,)) < first_steps.MOST_STEPS
    dear = TrainConfig(dataset="mnist", hidden=(500, 500), n_samples=128, batch_size=500)
    assert first_steps.n_steps((dear, dear)) < 3
