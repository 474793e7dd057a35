"""The queue before the workers: turns by browser, what a run is told, and what goes wrong."""

from concurrent.futures import CancelledError
from dataclasses import replace

import pytest
from by_hand import ByHand

from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.queue import FairQueue
from iwae_core.training import TrainConfig

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)


class Workers:
    """Two workers and a clock, both moved by the test."""

    def __init__(self, n_workers=2):
        self.pool, self.now = ByHand(), 0.0
        self.queue = FairQueue(lambda: self.pool, n_workers, clock=lambda: self.now)

    def finish(self, seconds=1.0):
        """The first slice at work is done after so many seconds."""
        self.now += seconds
        self.pool.finish()

    def finish_all(self):
        """The first slice is done, and each deep bound: it takes a worker as a slice does."""
        self.finish()
        while self.pool.beside:
            self.pool.finish_beside()


@pytest.fixture
def workers():
    return Workers()


def names(workers, n):
    """Whose slices the workers get, one after the other."""
    found = []
    for _ in range(n):
        found.append(workers.pool.waiting[0][2][0])
        workers.finish()
    return found


def keep_busy(workers, owner, name):
    """A run with a slice in the queue at all times, as LiveRun has."""
    lane = workers.queue.lane(owner)

    def again(_=None):
        lane.submit(str, name).add_done_callback(again)

    again()
    return lane


def test_runs_of_different_browsers_take_turns(workers):
    for name in "abcd":
        keep_busy(workers, owner=name, name=name)
    assert names(workers, 12) == list("abcd") * 3


def test_a_browser_with_four_runs_gets_no_more_turns_than_one_with_one(workers):
    for name in ("a1", "a2", "a3", "a4"):
        keep_busy(workers, "a", name)
    keep_busy(workers, "b", "b")
    served = names(workers, 63)[3:]  # those already handed over are not called back
    # Three slices are with the workers at a time, and one run has but one of them.
    assert served.count("b") == 20
    assert {served.count(name) for name in ("a1", "a2", "a3", "a4")} == {10}


def test_no_more_is_handed_over_than_the_workers_can_begin_and_one_to_follow(workers):
    for name in "abcdef":
        keep_busy(workers, name, name)
    assert len(workers.pool.waiting) == 3


def test_nobody_is_told_anything_while_nobody_waits(workers):
    lane = keep_busy(workers, "a", "a")
    keep_busy(workers, "b", "b")
    standing = lane.standing()
    assert (standing.n_runs, standing.place, standing.wait_seconds) == (2, 0, 0)
    assert standing.sentence == ""


def test_place_and_wait_are_what_then_happens(workers):
    lanes = {name: keep_busy(workers, name, name) for name in "abcdef"}
    names(workers, 60)  # every slice takes 2 s: a worker gets free each second
    order = [args[0] for _, _, args in workers.pool.waiting]
    told = {name: lane.standing() for name, lane in lanes.items()}
    assert {standing.n_runs for standing in told.values()} == {6}
    assert [told[name].place for name in order] == [0, 0, 1]
    assert sorted(standing.place for standing in told.values()) == [0, 0, 1, 2, 3, 4]
    began = {}
    start = workers.now
    for step in range(1, 7):
        workers.finish()
        began.setdefault(workers.pool.waiting[1][2][0], workers.now - start)
        assert step
    for name, standing in told.items():
        if standing.place:
            assert began[name] == pytest.approx(standing.wait_seconds, rel=0.05), name
    for name in order[:2]:  # at work: told when their next slice begins
        assert told[name].wait_seconds == pytest.approx(began[name], abs=1.1)
    sentence = told[order[2]].sentence
    assert sentence == "6 runs share 2 workers: place 1 in the queue, next slice in 1.0 s"


def test_the_expected_wait_follows_slower_slices():
    workers = Workers(n_workers=1)
    lane = keep_busy(workers, "a", "a")
    keep_busy(workers, "b", "b")
    keep_busy(workers, "c", "c")
    for seconds in (0.2, 2.0):
        for _ in range(30):
            workers.finish(seconds)
        waits = []
        for _ in range(3):
            waits.append(lane.standing().wait_seconds)
            workers.finish(seconds)
        assert max(waits) == pytest.approx(3 * seconds, rel=0.1)


def test_a_cancelled_slice_is_never_begun(workers):
    for name in "abc":
        keep_busy(workers, name, name)
    promise = workers.queue.lane("d").submit(str, "d")
    assert promise.cancel()
    assert "d" not in names(workers, 9)


def test_a_fault_a_dead_worker_and_a_shutdown_reach_the_run(workers):
    lane = workers.queue.lane("a")
    failed = lane.submit(int, "x")
    workers.pool.finish()
    assert isinstance(failed.exception(), ValueError)
    died = lane.submit(int, "1")
    workers.pool.kill()
    assert "killed" in str(died.exception())
    dropped = lane.submit(int, "1")
    workers.pool.waiting.pop()[0].cancel()
    assert isinstance(dropped.exception(), CancelledError)

    def refuse(*_):
        raise RuntimeError("cannot schedule new futures after shutdown")

    workers.pool.submit = refuse
    assert "shutdown" in str(lane.submit(int, "1").exception())
    assert lane.standing().n_runs == 0


def test_live_runs_go_through_it_as_through_any_executor(workers):
    runs = [LiveRun(SMALL, workers.queue.lane(str(i))) for i in range(5)]
    while workers.pool.waiting:
        workers.finish_all()
    for run in runs:
        run.play()
    for _ in range(25):
        workers.finish_all()
    assert all(run.status().step > 1 for run in runs)
    assert len(workers.pool.waiting) == 3
    for run in runs:
        run.pause()
    while workers.pool.waiting:
        workers.finish_all()
    assert workers.queue.lane("x").standing().n_runs == 0


def test_first_steps_that_nobody_asked_for_wait_until_nobody_else_does(workers):
    def begun(name):  # of its own seed: what is alike is computed once
        config = replace(SMALL, seed=ord(name))
        return LiveRun(config, workers.queue.lane(name), slice_seconds=0.02)

    opened = [begun(name) for name in "abc"]
    for run in opened:
        run.open(300)
    while any(run.status().step < 1 for run in opened):  # first looks, then some steps, in turn
        workers.finish_all()
    player = begun("d")
    other = begun("e")
    workers.finish_all()
    workers.finish_all()
    for run in (player, other):
        run.play()
    for _ in range(6):  # what was handed over before
        workers.finish_all()
    stood = [run.status().step for run in opened]
    at = player.status().step + other.status().step
    for _ in range(10):
        workers.finish_all()
    # Three slices are handed over at a time, one of them to wait for a worker: the two that were
    # asked for and one of the others, which so goes on, but never before them.
    assert player.status().step + other.status().step > at
    behind = sum(run.status().step - step for run, step in zip(opened, stood, strict=True))
    assert behind <= 5 * 38
    new = begun("f")  # its first look has its turn
    new.open(300)
    for _ in range(6):
        workers.finish_all()
    assert new.state is not None
    opened[0].play()  # and whoever takes over has one at once
    step = opened[0].status().step
    for _ in range(6):
        workers.finish_all()
    assert opened[0].status().step > step
