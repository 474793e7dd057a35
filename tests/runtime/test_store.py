"""The store: its schema, its rows, its files, and what a cut-off writer leaves."""

import dataclasses
import os
import subprocess
import sys
import threading
import time

import databases
import numpy as np
import patience
import pytest
import sqlalchemy as sa

from iwae_core.runtime import store_schema
from iwae_core.runtime.history import Seen
from iwae_core.runtime.lineage import Lineage
from iwae_core.runtime.store import Store, default_place, thinned_out
from iwae_core.runtime.store_record import Record, lineage_from_json, lineage_to_json
from iwae_core.training import Stop, TrainConfig, advance, begin

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)
PAST = lineage_to_json(Lineage(SMALL).changed(7, {"n_samples": 9}, Stop(8, "why")))


def record(run_id="a", **fields):
    given = {"owner": "me", "created": 1.0, "updated": 1.0, "past": PAST} | fields
    return Record(id=run_id, **given)


def seen(n_steps):
    rows = np.stack([np.arange(1, n_steps + 1)] * 4, axis=1).astype(np.float32)
    return Seen(steps=rows, held_out=rows[::5], deep=rows[::10, :2])


@pytest.fixture(params=databases.KINDS)
def store(request, tmp_path):
    url = databases.fresh(tmp_path / "deep", request.param)
    opened = Store(url, tmp_path / "arrays")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def states():
    state = begin(SMALL)
    return [state := advance(state, 1).state for _ in range(20)]


@pytest.mark.skipif(
    not databases.OTHER, reason="IWAE_LAB_TEST_DATABASE names no database: SQLITE ALONE IS TESTED"
)
def test_the_store_is_tested_on_another_kind_of_database_too():
    assert not databases.OTHER.startswith("sqlite")


def test_sqlite_serves_readers_while_a_writer_writes(tmp_path):
    store = Store(databases.fresh(tmp_path, "sqlite"), tmp_path / "arrays")
    with store.engine.connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        }
    assert pragma == {"journal_mode": "wal", "busy_timeout": 10_000, "foreign_keys": 1}
    store.put([record()])
    with store.engine.begin() as writer:
        writer.execute(sa.update(store_schema.runs).values(step=5))
        assert store.get("a").step == 0  # as before the other's transaction
    assert store.get("a").step == 5


def test_who_writes_to_sqlite_waits_for_another_writer_rather_than_fail(tmp_path):
    store = Store(databases.fresh(tmp_path, "sqlite"), tmp_path / "arrays")
    store.put([record("a"), record("b")])
    has_begun = threading.Event()

    def write_for_a_while():
        with store_schema.writing(store.engine).begin() as connection:
            connection.execute(sa.update(store_schema.runs).values(step=5))
            has_begun.set()
            time.sleep(0.3)

    other = threading.Thread(target=write_for_a_while)
    other.start()
    assert has_begun.wait(patience.SECONDS)
    store.delete("a")  # it reads what to delete, then writes
    other.join()
    assert [left.id for left in store.of("me")] == ["b"]
    assert store.get("b").step == 5


def test_a_record_comes_back_as_it_was_put(store):
    stopped = record(
        step=12, stop=Stop(13, "the gradient overflowed"), bound_1=-3.5, bound_64=-2.25, name="n"
    )
    store.put([stopped])
    assert store.get("a") == stopped
    assert store.get("b") is None
    assert store.of("me") == [stopped]
    assert store.of("you") == []
    lineage = store.get("a").lineage
    assert lineage.config == SMALL
    assert lineage.changes[0].stop == Stop(8, "why")


def test_news_of_a_run_leave_its_name_and_its_place_in_the_tree(store):
    store.put([record(), record("b", parent_id="a", parent_step=3, name="K = 50 from step 3")])
    store.rename("b", "  my\n branch " + "x" * 200)
    store.put([record("b", step=9, updated=5.0)])
    found = store.get("b")
    assert (found.step, found.updated, found.parent_id, found.parent_step) == (9, 5.0, "a", 3)
    assert found.name.startswith("my branch xxx")
    assert len(found.name) == 80


def test_a_deleted_run_leaves_no_file_and_its_branches_stand_alone(store, states):
    store.put([record(), record("b", parent_id="a", parent_step=3)])
    store.keep("a", states[4], seen(5))
    store.delete("a")
    assert store.get("a") is None
    assert store.get("b").parent_id is None
    assert list(store.folder.iterdir()) == []
    assert store.usage("me").n_bytes == 0
    store.keep("a", states[4], seen(5))  # a writer that was a moment late
    assert list(store.folder.iterdir()) == []


def test_kept_states_are_bounded_spread_and_found_by_step(store, states):
    store.put([record()])
    for state in states:
        store.keep("a", state, seen(state.step), most=5)
    steps = store.kept_steps("a")
    assert len(steps) == 5
    assert (steps[0], steps[-1]) == (1, 20)
    assert max(np.diff(steps)) <= 10
    assert len([path for path in (store.folder / "a").iterdir() if path.is_dir()]) == 5
    for step in (20, 19, steps[2], steps[2] + 1):
        nearest = store.nearest("a", step)
        assert nearest.step == max(at for at in steps if at <= step)
        assert np.array_equal(nearest.parameters, states[nearest.step - 1].parameters)
    assert store.nearest("a", 0) is None
    on_disk = sum(p.stat().st_size for p in (store.folder / "a").glob("*/*"))
    assert store.usage("me").n_bytes == on_disk


def test_a_broken_state_is_passed_over_for_the_one_before(store, states):
    store.put([record()])
    store.keep("a", states[3], seen(4))
    store.keep("a", states[8], seen(9))
    (arrays,) = (store.folder / "a" / "0000000009").glob("*.safetensors")
    arrays.write_bytes(arrays.read_bytes()[:-10])
    assert store.nearest("a", 20).step == 4


def test_curves_end_at_the_step_asked_for(store, states):
    store.put([record()])
    store.keep("a", states[19], seen(20))
    steps, held_out, deep = store.curves("a", 11)
    assert steps[:, 0].tolist() == list(range(1, 12))
    assert held_out[:, 0].tolist() == [1, 6, 11]
    assert deep[:, 0].tolist() == [1, 11]
    assert [len(each) for each in store.curves("nobody", 11)] == [0, 0, 0]


def test_arrays_without_a_row_are_swept(store, states):
    store.put([record()])
    store.keep("a", states[0], seen(1))
    (store.folder / "gone" / "0000000001").mkdir(parents=True)
    store.sweep()
    assert [path.name for path in store.folder.iterdir()] == ["a"]


def test_usage_counts_what_was_asked_for_and_the_rest_of_one_owner(store):
    store.put([record("a", name="n"), record("b"), record("c"), record("d", owner="you")])
    store.put([record("e", parent_id="a", parent_step=0)])
    assert dataclasses.astuple(store.usage("me")) == (2, 2, 0)
    store.delete("a")
    assert dataclasses.astuple(store.usage("me")) == (1, 2, 0)  # a branch stays a branch
    assert dataclasses.astuple(store.usage("nobody")) == (0, 0, 0)


@pytest.mark.parametrize(
    "past",
    [
        {},
        {"config": {}, "changes": [{}]},
        {"config": {"no_such": 1}, "changes": []},
        {"config": {}, "changes": [{"step": 1, "values": {"latent_dim": 3}, "stop": None}]},
        {"config": {}, "changes": [{"step": -1, "values": {"n_samples": 3}, "stop": None}]},
        {"config": {}, "changes": None},
        {"config": [], "changes": []},
    ],
)
def test_a_past_that_cannot_be_is_refused(past):
    with pytest.raises(ValueError, match=r"\w"):
        lineage_from_json(past)


def test_thinning_keeps_both_ends_and_spreads_the_rest():
    left = list(range(0, 1000, 7))
    dropped = set(thinned_out(left, 12))
    stay = [step for step in left if step not in dropped]
    assert len(stay) == 12
    assert (stay[0], stay[-1]) == (left[0], left[-1])
    assert max(np.diff(stay)) <= 2.5 * min(np.diff(stay))


def test_the_environment_decides_where_runs_lie(monkeypatch, tmp_path):
    monkeypatch.setenv("IWAE_LAB_DATABASE", f"sqlite:///{tmp_path}/x.sqlite")
    assert default_place() == (f"sqlite:///{tmp_path}/x.sqlite", tmp_path / "x.sqlite.arrays")
    monkeypatch.setenv("IWAE_LAB_DATABASE", "postgresql://h/lab")
    monkeypatch.setenv("IWAE_LAB_ARRAYS", str(tmp_path))
    assert default_place() == ("postgresql://h/lab", tmp_path)
    monkeypatch.delenv("IWAE_LAB_ARRAYS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_place()[1].name == "arrays"
    monkeypatch.delenv("IWAE_LAB_DATABASE")
    url, folder = default_place()
    assert url.endswith("runs.sqlite")
    assert folder.name == "runs.sqlite.arrays"


def test_tests_do_not_touch_the_users_own_store():
    url, _ = default_place()
    assert "iwae-lab-kept-" in url


WRITER = """
import sys, numpy as np
from pathlib import Path
from iwae_core.runtime.history import Seen
from iwae_core.runtime.lineage import Lineage
from iwae_core.runtime.store import Store
from iwae_core.runtime.store_record import Record, lineage_to_json
from iwae_core.training import TrainConfig, begin, advance
config = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, batch_size=50)
store = Store(sys.argv[1], Path(sys.argv[2]))
state = begin(config)
past = lineage_to_json(Lineage(config))
while True:
    done = advance(state, 1)
    state = done.state
    rows = np.full((1, 4), state.step, np.float32)
    store.put([Record(id="a", owner="me", created=1.0, updated=1.0, past=past, step=state.step)])
    store.keep("a", state, Seen(steps=rows, held_out=rows, deep=rows[:, :2]))
    print(state.step, flush=True)
"""


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_a_store_that_opens(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.sqlite"
    command = [sys.executable, "-c", WRITER, url, str(tmp_path / "arrays")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as writer:
        for line in writer.stdout:
            if int(line) >= 30:
                break
        writer.kill()
        told = int([line, *writer.stdout.readlines()][-1].strip() or 30)
    opened = Store(url, tmp_path / "arrays")
    found = opened.get("a")
    assert found.step in (told, told + 1)
    state = opened.nearest("a", found.step)
    assert state.step in (found.step, found.step - 1)
    assert np.isfinite(state.parameters).all()
    opened.close()
