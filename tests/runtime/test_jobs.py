"""Heavy studies in steps: shared, kept, stopped when nobody waits, retried when a worker dies."""

from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

import pytest

from iwae_core.runtime import executor, jobs
from iwae_core.runtime.jobs import Study


class ByHand(Executor):
    """Runs nothing until told: the test decides when a step begins and how it ends."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args):
        future = Future()
        self.waiting.append((future, fn, args))
        return future

    def begin(self):
        return self.waiting[0][0].set_running_or_notify_cancel()

    def finish(self, fault=None):
        future, fn, args = self.waiting.pop(0)
        if future.cancelled():
            return
        try:
            if fault:
                raise fault
            future.set_result(fn(*args))
        except Exception as found:
            future.set_exception(found)


@pytest.fixture
def workers(monkeypatch):
    by_hand = ByHand()
    monkeypatch.setattr(executor, "shared", lambda: by_hand)
    jobs._jobs.clear()
    yield by_hand
    jobs._jobs.clear()


def square(base, part):
    return base * part**2


def total(base, found):
    return sum(found) + base


def divide(base):
    return 1 / base


def in_parts(base=2, kind="squares"):
    return Study(
        kind=kind, work=square, args=(base,), parts=(1, 2, 3), gather=total, label="", seconds=4.0
    )


def in_one(base, kind="inverse"):
    return Study(kind=kind, work=divide, args=(base,), label="", seconds=1.0)


def test_the_parts_run_one_after_the_other_and_are_gathered_at_the_end(workers):
    job = jobs.join(in_parts())
    shares = [job.share]
    for done in range(4):
        assert len(workers.waiting) == 1
        assert len(job.so_far) == done
        workers.begin()
        workers.finish()
        shares.append(job.share)
    assert not workers.waiting
    assert job.whole.result() == 2 * (1 + 4 + 9) + 2
    assert shares == [0, 0.25, 0.5, 0.75, 1]


def test_without_parts_a_study_is_one_step_and_without_gathering_a_list(workers):
    assert in_one(4).n_steps == 1
    job = jobs.join(in_one(4))
    workers.finish()
    assert job.whole.result() == 0.25
    listed = Study(kind="list", work=square, args=(1,), parts=(2, 3), label="", seconds=1.0)
    job = jobs.join(listed)
    workers.finish()
    workers.finish()
    assert job.whole.result() == [4, 9]


def test_within_a_step_the_share_goes_by_the_clock_and_stays_below_its_end(workers, monkeypatch):
    monkeypatch.setattr(jobs, "_took", {})
    now = [100.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    job = jobs.join(in_parts(kind="clock"))  # 4 steps of a second each, it says
    now[0] = 100.5
    assert job.share == 0  # nobody has begun it
    workers.begin()
    assert job.share == pytest.approx(0.125)
    now[0] = 130.0
    assert job.share == pytest.approx(0.95 / 4)
    workers.finish()
    assert jobs._took == {"clock": 30.0}
    workers.begin()
    now[0] = 145.0  # the second step: half of what the first one took
    assert job.share == pytest.approx(0.25 + 0.125)


def test_those_who_ask_for_the_same_share_one_job_and_its_result_is_kept(workers):
    one, two = jobs.join(in_parts(3)), jobs.join(in_parts(3))
    assert one is two
    assert jobs.find(in_parts(4)) is None
    one.leave()
    for _ in range(4):
        workers.finish()
    assert jobs.join(in_parts(3)).whole.result() == 3 * 14 + 3
    assert not workers.waiting


def test_a_study_that_nobody_waits_for_stops_between_two_steps(workers):
    job = jobs.join(in_parts())
    workers.begin()
    job.leave()
    workers.finish()  # what has begun runs to its end
    assert not workers.waiting
    assert jobs.find(in_parts()) is None
    with pytest.raises(CancelledError):
        job.whole.result()


def test_a_step_that_has_not_begun_is_not_begun_for_nobody(workers):
    job = jobs.join(in_one(2))
    job.leave()
    assert workers.waiting[0][0].cancelled()
    assert jobs.find(in_one(2)) is None
    again = jobs.join(in_one(2))
    assert again is not job
    workers.finish()
    workers.finish()
    assert again.whole.result() == 0.5


def test_the_last_step_that_has_begun_is_kept_although_nobody_waits(workers):
    job = jobs.join(in_one(5))
    workers.begin()
    job.leave()
    workers.finish()
    assert jobs.find(in_one(5)).whole.result() == 0.2


def test_a_step_of_a_killed_worker_is_taken_again_once(workers):
    job = jobs.join(in_parts())
    workers.finish(BrokenProcessPool("killed"))
    assert len(workers.waiting) == 1
    for _ in range(2):
        workers.finish()
    workers.finish(BrokenProcessPool("killed"))  # another step: it may be taken again too
    for _ in range(2):
        workers.finish()
    assert job.whole.result() == 30
    broken = jobs.join(in_one(8))
    workers.finish(BrokenProcessPool("killed"))
    workers.finish(BrokenProcessPool("killed"))
    assert not workers.waiting
    with pytest.raises(BrokenProcessPool):
        broken.whole.result()


def test_a_fault_reaches_who_waits_and_is_not_kept(workers):
    job = jobs.join(in_one(0))
    workers.finish()
    with pytest.raises(ZeroDivisionError):
        job.whole.result()
    assert jobs.find(in_one(0)) is None


def test_old_results_are_dropped_and_what_is_on_its_way_is_not(workers, monkeypatch):
    monkeypatch.setattr(jobs, "_MOST_KEPT", 3)
    under_way = jobs.join(in_parts())
    for base in range(1, 7):
        jobs.join(in_one(base))
        workers.waiting.insert(0, workers.waiting.pop())
        workers.finish()
    assert jobs.find(in_parts()) is under_way
    assert jobs.find(in_one(1)) is None
    assert jobs.find(in_one(6)) is not None
    assert len(jobs._jobs) <= 4


@dataclass(frozen=True)
class Countdown:
    """A chain of ``left`` further steps."""

    part: int
    left: int

    @property
    def share(self):
        return 1 - self.left / 2

    @property
    def done(self):
        return self.left == 0


def begun(part):
    return Countdown(part, 2)


def onward(chain):
    return replace(chain, left=chain.left - 1)


def test_a_part_that_is_a_chain_is_moved_on_until_it_is_done(workers):
    study = Study(
        kind="chains", work=begun, args=(), parts=(1, 2), onward=onward, label="", seconds=1.0
    )
    job = jobs.join(study)
    shares = []
    while workers.waiting:
        workers.begin()
        workers.finish()
        shares.append((len(job.so_far), job.share))
    assert shares == [(0, 0.0), (0, 0.25), (1, 0.5), (1, 0.5), (1, 0.75), (2, 1.0)]
    assert job.whole.result() == [Countdown(1, 0), Countdown(2, 0)]


def test_a_chain_whose_worker_is_killed_goes_on_where_it_was(workers):
    study = Study(
        kind="chains", work=begun, args=(), parts=(1,), onward=onward, label="", seconds=1.0
    )
    job = jobs.join(study)
    workers.finish()
    workers.finish()
    workers.finish(BrokenProcessPool("killed"))
    assert workers.waiting[0][1].args == (Countdown(1, 1),)
    workers.finish()
    assert job.whole.result() == [Countdown(1, 0)]


def test_a_chain_that_nobody_waits_for_stops_between_two_steps(workers):
    study = Study(
        kind="chains", work=begun, args=(), parts=(1,), onward=onward, label="", seconds=1.0
    )
    job = jobs.join(study)
    workers.begin()
    job.leave()
    workers.finish()
    assert not workers.waiting
    assert job.whole.cancelled()
