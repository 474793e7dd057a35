"""Live runs in the store: written while they go on, found again, forked, forgotten."""

import dataclasses
import gc
import threading
import time

import numpy as np
import psutil
import pytest
from by_hand import ByHand

from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.lineage import replay
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.store import Store
from iwae_core.training import TrainConfig
from iwae_core.training.frame import observe

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)
LIMITS = Limits(n_playing=2, n_kept=3, n_recent=2, n_bytes=10_000_000)


class World:
    """A keeper, and what a server adds to it."""

    def __init__(self, folder):
        self.folder = folder
        self.pool = ByHand()
        self.now = 1000.0
        self.start_server()

    def start_server(self):
        """A server that knows nothing but what the store holds."""
        self.pool.waiting.clear()
        store = Store(f"sqlite:///{self.folder}/runs.sqlite", self.folder / "arrays")
        self.keeper = Keeper(store, self.start, limits=LIMITS, clock=lambda: self.now)

    def start(self, config, owner):
        return LiveRun(config, self.pool, slice_seconds=0.005)

    def finish(self):
        while self.pool.waiting:
            self.pool.finish()

    def play(self, run, n_slices=3):
        run.play()
        for _ in range(n_slices):
            self.pool.finish()
        run.pause()
        self.pool.waiting.clear()

    def open(self, n_slices=3, owner="me", **changes):
        run = self.keeper.open(dataclasses.replace(SMALL, **changes), owner)
        self.pool.finish()
        self.play(run, n_slices)
        self.keeper.flush()
        return run


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.keeper.close()


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
    world.keeper._writer.wait()
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


def test_starting_over_leaves_the_old_run_and_begins_another(world):
    run = world.open()
    old = world.keeper.record_of(run)
    world.keeper.store.rename(old.id, "good one")
    run.reset()
    assert world.keeper.record_of(run) is None
    world.pool.finish()
    world.play(run, 2)
    world.keeper.flush()
    new = world.keeper.record_of(run)
    assert new.id != old.id
    assert world.keeper.store.get(old.id).step == old.step
    assert world.keeper.store.get(old.id).name == "good one"


@pytest.mark.parametrize("values", [{}, {"n_samples": 8}])
def test_a_fork_is_its_parents_past_and_then_its_own(world, values):
    run = world.open(n_slices=5)
    run.change(learning_rate=0.01)
    world.play(run)
    parent = world.keeper.record_of(run)
    step = run.snapshot().lineage.changes[0].step  # where the rate was changed: a fork is before
    branch = world.keeper.fork(parent, step, values, "you", "branch")
    world.finish()
    record = world.keeper.record_of(branch)
    assert (record.parent_id, record.parent_step, record.owner) == (parent.id, step, "you")
    assert branch.status().step == step
    assert branch.config == dataclasses.replace(SMALL, **values)
    before = run.snapshot().lineage.before(step)
    assert np.array_equal(parameters(branch), replay(before, step).parameters)
    world.play(branch)
    world.keeper.flush()
    lineage = branch.snapshot().lineage
    assert np.array_equal(parameters(branch), replay(lineage, branch.status().step).parameters)
    assert branch.history.seen().steps[:, 0].tolist() == list(range(1, branch.status().step + 1))
    # The fork of a fork at the same step, with the settings from before its change.
    again = world.keeper.fork(record, step, {"n_samples": 3}, "you", "back")
    world.finish()
    assert again.config == SMALL
    assert np.array_equal(parameters(again), replay(before, step).parameters)


def test_a_moment_before_the_film_of_a_reopened_run_is_replayed_to_the_bit(world):
    run = world.open(n_slices=5)
    run.change(n_samples=9)
    world.play(run, 5)
    parent = world.keeper.record_of(run)
    step = run.snapshot().lineage.changes[0].step
    branch = world.keeper.fork(parent, run.status().step, {"n_samples": 2}, "me")
    world.finish()
    record = world.keeper.record_of(branch)
    world.play(branch)
    lineage = run.snapshot().lineage
    for each in (run, branch):
        each.close()
    world.keeper.close()
    world.start_server()
    world.keeper.store.delete(parent.id)  # a branch has its own past
    again = world.keeper.reopen(world.keeper.store.get(record.id))
    world.finish()
    for at in (1, step, step + 1):
        answer = []
        asking = threading.Thread(
            target=lambda at=at, answer=answer: answer.append(world.keeper.look_back(again, at))
        )
        asking.start()
        while asking.is_alive():
            world.finish()
            asking.join(timeout=0.01)
        (moment,) = answer
        then = replay(lineage.before(at), at)
        assert moment.glance.step == moment.pictures_step == at
        expected = observe(then, again.history.axes)
        assert np.array_equal(moment.glance.log_w, expected.glance.log_w)
        assert np.array_equal(moment.pictures.samples, expected.samples)
    assert world.keeper.look_back(again, again.status().step + 10_000) is None


def test_a_fork_beyond_the_run_or_of_what_is_not_live_is_refused(world):
    record = world.keeper.record_of(world.open())
    with pytest.raises(ValueError, match=f"has come to step {record.step}, got"):
        world.keeper.fork(record, record.step + 1, {}, "me", "b")
    with pytest.raises(ValueError, match="latent_dim"):
        world.keeper.fork(record, 1, {"latent_dim": 3}, "me", "b")
    with pytest.raises(ValueError, match="n_samples"):
        world.keeper.fork(record, 1, {"n_samples": 0}, "me", "b")
    assert len(world.keeper.store.of("me")) == 1


def test_limits_are_refused_with_a_sentence(world):
    record = world.keeper.record_of(world.open())
    for number in range(3):
        world.keeper.fork(record, 1, {}, "me", f"b{number}")
    with pytest.raises(ValueError, match="3 of 3 runs are kept; delete one first"):
        world.keeper.fork(record, 1, {}, "me", "b")
    world.keeper.fork(record, 1, {}, "you", "b")
    small = Keeper(world.keeper.store, world.start, limits=Limits(n_bytes=1000))
    with pytest.raises(ValueError, match="of 0 MB; delete some first"):
        small.check_room("me")


def test_only_so_many_runs_of_one_browser_play(world):
    runs = [world.open(1) for _ in range(2)]
    for run in runs:
        world.keeper.check_may_play("me")
        run.play()
    with pytest.raises(ValueError, match="2 runs of yours are playing"):
        world.keeper.check_may_play("me")
    world.keeper.check_may_play("you")
    runs[0].pause()
    world.keeper.check_may_play("me")


def test_runs_that_nobody_named_make_room_for_new_ones_but_not_while_open(world):
    first = world.open(seed=1)
    named = world.open(seed=2)
    world.keeper.store.rename(world.keeper.record_of(named).id, "kept")
    ids = {}
    for seed in range(3, 7):
        world.now += 1
        run = world.open(seed=seed)
        ids[seed] = world.keeper.record_of(run).id
        run.close()
    world.keeper.flush()
    left = {record.id for record in world.keeper.store.of("me")}
    held = {world.keeper.record_of(run).id for run in (first, named)}
    assert left == held | {ids[5], ids[6]}


def test_a_deleted_run_stays_deleted_though_its_live_run_goes_on(world):
    run = world.open()
    record = world.keeper.record_of(run)
    world.keeper.delete(record)
    world.play(run)
    world.keeper.flush()
    assert world.keeper.store.of("me") == []
    assert world.keeper.record_of(run) is None


def test_a_look_at_anothers_run_is_not_written(world):
    run = world.open(owner="teacher")
    record = world.keeper.record_of(run)
    assert world.keeper.view(record, "pupil") is run  # live: the class sees it go on
    run.close()
    world.keeper.flush()
    view = world.keeper.view(record, "pupil")
    world.finish()
    assert np.array_equal(parameters(view), parameters(run))
    world.play(view)
    world.keeper.flush()
    assert world.keeper.store.get(record.id).step == record.step
    assert world.keeper.store.of("pupil") == []


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


def test_fifty_opened_played_and_closed_runs_leave_rows_and_nothing_else(world):
    me = psutil.Process()
    world.open(seed=100).close()
    world.keeper.flush()

    def traces():
        gc.collect()
        world.keeper.store.engine.dispose()  # a few connections wait for their next use
        return threading.active_count(), me.num_fds()

    before = traces()
    for seed in range(50):
        world.now += 1
        world.open(1, seed=seed).close()
    world.keeper.flush()
    assert traces() == before
    assert not world.keeper._writer._entries
    assert not world.keeper._writer._marked
    assert len(world.keeper.store.of("me")) == LIMITS.n_recent
    assert len(list(world.keeper.store.folder.iterdir())) == LIMITS.n_recent


def test_news_cost_a_run_next_to_nothing(world, monkeypatch):
    # The disk takes half a second; the run must not notice.
    run = world.open()
    slow = world.keeper.store.put
    monkeypatch.setattr(world.keeper.store, "put", lambda rows: (time.sleep(0.5), slow(rows)))
    run.step()
    began = time.monotonic()
    world.pool.finish()
    assert time.monotonic() - began < 0.45
    world.keeper.flush()
    assert world.keeper.store.of("me")[0].step == run.status().step
