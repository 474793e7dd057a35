"""Live runs in the store: written while they go on, found again, forgotten."""

import threading

import numpy as np
import patience
import pytest
from keeping import SMALL


def parameters(run):
    return run.state.parameters


def test_a_run_comes_into_the_store_when_it_is_first_played(world):
    run = world.keeper.open(SMALL, "me")
    world.pool.finish()
    world.keeper.flush()
    assert world.keeper.record_of(run) is None
    assert world.keeper.store.of("me") == []
    run.play()
    record_id = world.keeper.record_of(run).id  # at once: the address names it from here on
    world.pool.finish()
    world.pool.finish()
    run.pause()
    world.keeper.flush()
    (record,) = world.keeper.store.of("me")
    assert (record.id, record.step) == (record_id, run.status().step)
    assert record.bound_64 == pytest.approx(run.history.frame.bound_64)
    assert record.lineage == run.snapshot().lineage


def test_each_slice_is_written_and_a_state_only_now_and_then(world):
    run = world.keeper.open(SMALL, "me")
    world.pool.finish()
    run.play()
    record_id = world.keeper.record_of(run).id
    steps, kept = [], []
    for _ in range(12):
        world.pool.finish()
        world.keeper._writer.wait()  # what was scheduled before is done
        steps.append(world.keeper.store.get(record_id).step == run.status().step)
        kept.append(len(world.keeper.store.kept_steps(record_id)))
        world.now += 1.0
    assert all(steps)
    assert kept[0] == 1
    assert kept[-1] == 3  # at 0, 5 and 10 seconds


def test_after_a_killed_server_the_run_stands_where_its_last_slice_ended(world):
    run = world.keeper.open(SMALL, "me")
    world.pool.finish()
    run.play()
    record_id = world.keeper.record_of(run).id
    for at in range(6):
        if at == 3:
            run.change(n_samples=8)
        world.pool.finish()
        world.keeper._writer.wait()  # so that a state is kept of the first step, and no later one
    lost, rows = run.snapshot(), run.history.seen().steps
    run.on_news = lambda: None
    killed = world.keeper  # without a word: nothing is flushed
    world.start_server()
    record = world.keeper.store.get(record_id)
    assert record.step == lost.state.step
    assert world.keeper.store.kept_steps(record_id)[-1] < record.step
    again = world.keeper.reopen(record)
    assert again.status().replaying_to == record.step
    world.finish()
    assert again.status().mode == "paused"
    assert np.array_equal(parameters(again), lost.state.parameters)
    assert np.allclose(again.history.seen().steps, rows, rtol=1e-5)
    assert again.config.n_samples == 8
    assert world.keeper.reopen(record) is again  # the same for whoever opens it next
    world.play(again)
    world.keeper.flush()
    assert world.keeper.store.get(record_id).step == again.status().step > record.step
    killed._writer._rows.shutdown()
    killed._writer._files.shutdown()
    killed.store.close()


def test_a_replay_that_is_cut_off_changes_nothing_in_the_store(world):
    run = world.open(n_slices=6)
    record = world.keeper.record_of(run)
    states = world.keeper.store.kept_steps(record.id)
    run.close()
    world.keeper.close()
    world.start_server()
    for step in states:  # as if none had been written
        import shutil

        shutil.rmtree(world.keeper.store.folder / record.id / f"{step:010d}")
    again = world.keeper.reopen(record)
    world.pool.finish()
    world.pool.finish()
    again.close()
    world.keeper.flush()
    assert world.keeper.store.get(record.id).step == record.step


def test_a_deleted_run_stays_deleted_though_its_live_run_goes_on(world):
    run = world.open()
    record = world.keeper.record_of(run)
    world.keeper.delete(record)
    world.play(run)
    world.keeper.flush()
    assert world.keeper.store.of("me") == []
    assert world.keeper.record_of(run) is None


def test_a_store_that_cannot_be_written_stops_no_run_and_says_so(world, monkeypatch):
    run = world.open()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(world.keeper.store, "keep", full)
    world.play(run)
    world.keeper.flush()
    assert "No space left" in world.keeper.fault
    monkeypatch.undo()
    world.play(run)
    world.keeper.flush()
    assert world.keeper.fault == ""
    assert world.keeper.store.of("me")[0].step == run.status().step


def test_news_cost_a_run_next_to_nothing(world, monkeypatch):
    # The disk takes until the run has gone on; the run must not notice.
    run = world.open()
    put, gone_on, was_late = world.keeper.store.put, threading.Event(), []

    def slow(rows):
        was_late.append(not gone_on.wait(timeout=patience.SECONDS))
        return put(rows)

    monkeypatch.setattr(world.keeper.store, "put", slow)
    run.step()
    world.pool.finish()
    gone_on.set()
    world.keeper.flush()
    assert was_late
    assert not any(was_late)
    assert world.keeper.store.of("me")[0].step == run.status().step
