"""Work begun by a button: pieces in turn, results as they come, an end when nobody asks."""

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

import pytest

from iwae_core.runtime.attempts import MOST, attempt
from iwae_core.runtime.batch import Batch, Once, once


class ByHand(Executor):
    """Runs nothing until told: the test decides when a piece finishes, and how."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args):
        future = Future()
        self.waiting.append((future, fn, args))
        return future

    def finish(self, place=0):
        future, fn, args = self.waiting.pop(place)
        try:
            future.set_result(fn(*args))
        except Exception as fault:
            future.set_exception(fault)

    def kill(self):
        future, _, _ = self.waiting.pop(0)
        future.set_exception(BrokenProcessPool("a worker was killed"))


class Closed(Executor):
    def submit(self, fn, /, *args):
        raise RuntimeError("cannot schedule new futures after shutdown")


@dataclass(frozen=True)
class Count:
    """A chain of ``length`` pieces."""

    length: int
    at: int = 0

    @property
    def share(self):
        return self.at / self.length

    @property
    def done(self):
        return self.at == self.length


def onward(count):
    if count.at == 7:
        raise ValueError("seven is refused")
    return replace(count, at=count.at + 1)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def batch_of(pool, *lengths, **options):
    return Batch({i: Count(n) for i, n in enumerate(lengths)}, onward, pool, **options)


def test_pieces_of_a_few_items_are_under_way_and_results_come_one_by_one():
    pool = ByHand()
    batch = batch_of(pool, 2, 1, 1, abreast=2).start()
    assert [args[0] for _, _, args in pool.waiting] == [Count(2), Count(1)]
    pool.finish(1)
    assert set(batch.finished()) == {1}
    assert [args[0] for _, _, args in pool.waiting] == [Count(2), Count(1)]  # the third began
    pool.finish()
    assert batch.share() == pytest.approx((0.5 + 1 + 0) / 3)
    while pool.waiting:
        pool.finish()
    assert set(batch.finished()) == {0, 1, 2}
    assert batch.over
    assert not batch.fault
    assert batch.share() == 1.0


def test_what_was_done_before_is_not_done_again():
    pool = ByHand()
    batch = Batch({"a": Count(1, 1), "b": Count(1)}, onward, pool).start()
    assert len(pool.waiting) == 1
    assert set(batch.finished()) == {"a"}


def test_a_stopped_batch_submits_nothing_more_and_keeps_what_is_done():
    pool = ByHand()
    batch = batch_of(pool, 1, 3, abreast=1).start()
    pool.finish()
    batch.cancel()
    pool.finish()
    assert not pool.waiting
    assert batch.over
    assert set(batch.finished()) == {0}


def test_a_batch_that_nobody_asks_about_ends():
    pool, clock = ByHand(), Clock()
    batch = batch_of(pool, 3, clock=clock).start()
    clock.now = 19.0
    pool.finish()
    batch.share()  # somebody asks
    clock.now = 38.0
    pool.finish()
    assert pool.waiting
    clock.now = 60.0
    pool.finish()
    assert batch.stopped
    assert not pool.waiting


def test_a_killed_worker_costs_a_piece_and_one_that_always_dies_is_told():
    pool = ByHand()
    batch = batch_of(pool, 2).start()
    pool.kill()
    pool.finish()
    pool.finish()
    assert batch.finished() == {0: Count(2, 2)}
    batch = batch_of(pool, 1).start()
    for _ in range(MOST):
        assert pool.waiting
        pool.kill()
    assert not pool.waiting
    assert batch.fault == "the worker processes were stopped"
    assert batch.over


def test_an_error_in_the_work_is_told():
    pool = ByHand()
    batch = Batch({0: Count(9, 7)}, onward, pool).start()
    pool.finish()
    assert batch.fault == "seven is refused"


def test_a_closed_executor_is_told():
    batch = batch_of(Closed(), 1).start()
    assert "cannot schedule" in batch.fault
    assert batch.over
    heard = []
    attempt(Closed(), onward, Count(1), heard.append, heard.append)
    assert heard == ["no worker takes the work: cannot schedule new futures after shutdown"]


def test_time_left_is_at_the_pace_so_far():
    pool, clock = ByHand(), Clock()
    batch = batch_of(pool, 4, clock=clock).start()
    assert batch.seconds_left() is None
    clock.now = 3.0
    pool.finish()
    assert batch.seconds_left() == pytest.approx(9.0)


def test_a_function_is_a_chain_of_one_piece():
    item = Once(work=abs, about=-3)
    assert (item.done, item.share) == (False, 0.0)
    after = once(item)
    assert (after.done, after.share, after.result) == (True, 1.0, 3)
