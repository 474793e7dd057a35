"""Kept runs on the training page: the box, the address, limits, and other people's runs."""

import contextlib
import re

import harness
import numpy as np
import patience
import pytest
from patience import wait_for
from streamlit.testing.v1 import AppTest

from iwae_core.runtime import kept, watched
from iwae_core.runtime.kept_bundle import unpack
from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.lineage import replay
from iwae_core.training.frame import observe
from iwae_core.ui import kept_list as panel

pytestmark = pytest.mark.usefixtures("workers")


@pytest.fixture
def page():
    app = harness.open_page("train", K=3, data="moons")
    harness.assert_no_error(app)
    yield app
    watched.close(held(app).run_id)


def held(app):
    return watched.find(app.session_state["runs.held"])


def train(app, n_steps):
    run = held(app)
    wait_for(lambda: run.state is not None)
    goal = run.status().step + n_steps
    run.step(n_steps)
    wait_for(lambda: run.status().step == goal)
    with contextlib.suppress(kept.NoStoreError):
        kept.shared().flush()  # the box shows what is written
    app.run()
    harness.assert_no_error(app)
    return run


def settled(app):
    """Rerun until a replay is over."""
    wait_for(lambda: held(app).poll().replaying_to is None and held(app).state is not None)
    app.run()
    harness.assert_no_error(app)
    return held(app)


def open_box(app):
    app.session_state["kept.box"] = True
    app.run()
    harness.assert_no_error(app)
    return app


def press(app, label):
    (button,) = [button for button in app.button if button.label == label]
    button.click().run()
    harness.assert_no_error(app)


def address(app):
    found = app.query_params.get("run", "")
    return found if isinstance(found, str) else found[0]


def texts(app):
    kinds = (app.markdown, app.caption, app.info, app.warning, app.success, app.error)
    return " ".join(element.value for kind in kinds for element in kind)


def rows(app):
    (table,) = [e.proto.body for e in app.get("html") if 'class="lab-runs"' in e.proto.body]
    found = re.findall(
        r"<tr.*?>(?:↳ )?<a.*?>(.*?)</a>.*?</td><td>([\d,]+)</td><td>(.*?)</td>", table
    )
    return [(name, int(step.replace(",", "")), bound) for name, step, bound in found]


def test_the_address_names_a_run_once_it_has_been_played(page):
    assert address(page) == ""
    assert "Play the run, or look back and fork it, and it is kept" in texts(open_box(page))
    run = train(page, 20)
    record = kept.shared().record_of(run)
    assert address(page) == record.id
    kept.shared().flush()
    page.run()
    ((name, step, bound),) = [row for row in rows(page) if row[1] == 20]
    assert name == "IWAE, K = 3 on Two moons"
    assert step == 20
    assert float(bound.replace("\N{MINUS SIGN}", "-")) == pytest.approx(
        observe(run.state).bound_64, abs=0.006
    )


def test_a_fresh_session_finds_the_run_of_the_address_with_its_controls(page):
    run = train(page, 15)
    run.change(n_samples=8)
    run.step(5)
    wait_for(lambda: run.status().step == 20)
    kept.shared().flush()
    record_id = kept.shared().record_of(run).id
    owner = kept.shared().store.get(record_id).owner
    watched.close(run.run_id)  # as after a restart
    kept.shared().flush()
    page.session_state["runs.held"] = None
    again = harness.open_page("train", run=record_id)
    assert "You are looking at somebody else" in texts(again)  # this session has no cookie
    viewed = settled(again)
    assert np.array_equal(viewed.state.parameters, run.state.parameters)
    assert again.select_slider(key="train.K").value == 8
    assert again.selectbox(key="train.data").value == "moons"
    assert kept.shared().store.get(record_id).owner == owner
    watched.close(viewed.run_id)
    page.run()


def test_a_look_does_not_change_anothers_run_and_a_fork_of_it_is_ones_own(page):
    run = train(page, 20)
    kept.shared().flush()
    record_id = kept.shared().record_of(run).id
    pupil = harness.open_page("train", run=record_id)
    assert held(pupil) is run  # live: the class sees it go on
    pupil.select_slider(key="train.K").set_value(12).run()
    pupil.select_slider(key="train.latents").set_value(3).run()
    assert run.config.n_samples == 3
    assert watched.find(run.run_id) is run
    open_box(pupil)
    assert "0 of 60 kept" in texts(pupil)
    pupil.number_input(key="kept.step").set_value(10).run()
    press(pupil, "Fork")
    branch = settled(pupil)
    assert branch is not run
    assert branch.status().step == 10
    assert np.array_equal(branch.state.parameters, replay(run.snapshot().lineage, 10).parameters)
    assert address(pupil) != record_id
    assert "1 of 60 kept" in texts(pupil)
    assert rows(pupil)[0][:2] == ("from step 10", 10)
    pupil.select_slider(key="train.K").set_value(12).run()
    train(pupil, 3)
    kept.shared().flush()
    pupil.run()
    assert rows(pupil)[0][:2] == ("K = 12 from step 10", 13)
    assert run.config.n_samples == 3
    watched.close(branch.run_id)


def test_a_fork_goes_on_with_the_settings_of_the_controls(page):
    train(page, 20)
    page.select_slider(key="train.K").set_value(6).run()
    train(page, 20)
    open_box(page)
    page.number_input(key="kept.step").set_value(10).run()
    press(page, "Fork")
    branch = settled(page)
    assert (branch.status().step, branch.config.n_samples) == (10, 6)
    (change,) = branch.snapshot().lineage.changes
    assert (change.step, dict(change.values)) == (10, {"n_samples": 6})
    assert page.select_slider(key="train.K").value == 6


def test_a_run_of_another_shape_leaves_the_address(page):
    train(page, 5)
    assert address(page)
    page.select_slider(key="train.latents").set_value(3).run()
    harness.assert_no_error(page)
    assert address(page) == ""


@pytest.mark.parametrize("run_id", ["x" * 22, "../../etc/passwd"])
def test_an_address_of_no_run_says_so_and_the_page_works(run_id):
    app = harness.open_page("train", data="moons", run=run_id)
    harness.assert_no_error(app)
    assert len(app.warning) == 1
    assert address(app) == ""
    assert held(app).config.dataset == "moons"
    watched.close(held(app).run_id)


def test_names_limits_and_refusals_are_told_in_the_box(page, monkeypatch):
    run = train(page, 5)
    open_box(page)
    page.text_input(key="kept.name").set_value("  my   run ").run()
    harness.assert_no_error(page)
    assert ("my run", 5) in [row[:2] for row in rows(page)]
    keeper = kept.shared()
    monkeypatch.setattr(keeper._writer, "limits", Limits(n_kept=1))
    page.run()
    assert "1 of 1 kept" in texts(page)
    (button,) = [button for button in page.button if button.label == "Fork"]
    button.click().run()
    assert [error.value for error in page.error] == ["1 of 1 runs are kept; delete one first"]
    assert held(page) is run
    monkeypatch.setattr(keeper._writer, "limits", Limits(n_playing=0))
    page.run()
    harness.assert_no_error(page)


def test_a_run_beyond_the_limit_does_not_play_and_the_page_says_why(page, monkeypatch):
    run = train(page, 1)
    monkeypatch.setattr(kept.shared()._writer, "limits", Limits(n_playing=0))

    def press_play(run_id):
        from iwae_core.runtime import watched
        from iwae_core.ui import kept_session

        kept_session.play(watched.find(run_id))
        import streamlit as st

        st.write(" ".join(kept_session.session().messages or ["played"]))

    def pressed():
        app = AppTest.from_function(
            press_play, args=(run.run_id,), default_timeout=patience.SECONDS
        )
        return app.run().markdown[0].value

    assert (
        "0 runs of yours are playing, and one browser may play 0 (a pair counts as two)"
        in pressed()
    )
    assert run.status().mode == "paused"
    monkeypatch.undo()
    assert pressed() == "played"
    assert run.status().mode == "playing"
    run.pause()


def test_deleting_the_run_on_the_page_begins_another_with_the_same_controls(page):
    run = train(page, 5)
    open_box(page)
    record_id = address(page)
    page.multiselect(key="kept.chosen").set_value([record_id]).run()
    press(page, "Delete 1 run")
    assert kept.shared().store.get(record_id) is None
    assert held(page) is not run
    assert held(page).config == run.config
    assert address(page) == ""


def test_what_is_chosen_and_typed_in_the_box_is_the_readers(page):
    train(page, 5)
    open_box(page)
    page.multiselect(key="kept.chosen").set_value([address(page)]).run()
    for _ in range(2):
        train(page, 3)
        assert page.multiselect(key="kept.chosen").value == [address(page)]
        assert not harness.set_by_the_script(page)
    page.text_input(key="kept.name").set_value("mine").run()
    assert harness.set_by_the_script(page) == ["Choose runs"]  # the browser knows the old label
    assert page.multiselect(key="kept.chosen").value == [address(page)]
    assert not harness.set_by_the_script(page.run())


def test_the_exported_script_prints_the_numbers_of_the_run(page, capsys):
    train(page, 12)
    page.select_slider(key="train.K").set_value(8).run()
    run = train(page, 12)
    keeper = kept.shared()
    data = panel.export(keeper, keeper.record_of(run))
    bundle = unpack(data)
    assert np.array_equal(bundle.state.parameters, run.state.parameters)
    assert np.array_equal(bundle.curves[0], run.history.steps.rows)
    script = panel.script(bundle)
    exec(compile(script, "reproduce.py", "exec"), {})
    step, one, many = re.search(
        r"step (\d+): L_1 = (\S+), L_64 = (\S+) nats", capsys.readouterr().out
    ).groups()
    frame = observe(run.state)
    assert int(step) == 24
    assert np.allclose([float(one), float(many)], [frame.bound_1, frame.bound_64], atol=6e-5)


def test_without_a_store_the_page_trains_all_the_same(monkeypatch, tmp_path):
    kept.stop_shared()
    monkeypatch.setenv("IWAE_LAB_DATABASE", f"sqlite:///{tmp_path}/file/runs.sqlite")
    (tmp_path / "file").write_text("in the way")
    app = harness.open_page("train", data="moons")
    harness.assert_no_error(app)
    train(app, 3)
    open_box(app)
    assert "cannot be kept on this server" in texts(app)
    watched.close(held(app).run_id)
    kept.stop_shared()
