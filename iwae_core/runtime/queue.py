"""Whose slice is next: runs take turns by browser, and each can be told how long it will wait.

An executor alone works first come, first served. That is fair to runs, which have one slice in it
at a time, but not to people: four tabs would get four turns. Here the browser that was served
longest ago is next, and its runs share its turns.
What nobody has asked for, the first steps of a page that was opened, waits until nobody else does.
No more slices are handed to the executor than its workers can begin on, and one that is ready when
a worker gets free; so the order is known, and a slice that nobody wants any more never runs.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from iwae_core.runtime import executor
from iwae_core.runtime.openings import Openings

_READY = 1  # slices handed over beyond the number of workers, so that none waits for the next
_NEW_SHARE = 0.2  # of the latest slice in the running mean of their times
_MOST_REMEMBERED = 1000  # browsers of whom the queue knows when they were served


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands in the queue.

    Attributes:
        n_runs: Runs with a slice that waits or is at work.
        n_workers: Processes that work on them.
        place: 1 for the run whose slice is begun next; 0 for one at work, or with no slice.
        wait_seconds: Expected until its slice begins; of one at work, until its next one does.
    """

    n_runs: int
    n_workers: int
    place: int
    wait_seconds: float

    @property
    def sentence(self) -> str:
        """What to tell the reader; empty while nobody waits."""
        if self.n_runs <= self.n_workers:
            return ""
        workers = "1 worker" if self.n_workers == 1 else f"{self.n_workers} workers"
        place = f"place {self.place} in the queue, " if self.place else ""
        return (
            f"{self.n_runs} runs share {workers}: {place}next slice in {self.wait_seconds:.1f} s"
        )


@dataclass(slots=True, eq=False)
class _Item:
    lane: "Lane"
    work: Callable[[], "Future[Any]"]
    promise: "Future[Any]"
    began_at: float | None = None


class FairQueue:
    """Slices of many browsers on one executor.

    Args:
        supply: Gives the executor; asked each time, since a server may replace it.
        n_workers: How many slices the executor works on at a time.
        clock: Seconds that never go back; tests pass their own.

    Attributes:
        n_workers: As given.
        openings: What runs that nobody has asked for anything have in common.
    """

    def __init__(
        self,
        supply: Callable[[], Executor],
        n_workers: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.n_workers = n_workers
        self.openings = Openings()
        self._supply = supply
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[_Item]] = {}  # of each browser, in order
        self._served: dict[str, int] = {}  # when each browser was last served, in turns
        self._n_turns = 0
        self._handed: list[_Item] = []
        self._mean_seconds = 0.0

    def lane(self, owner: str) -> "Lane":
        """An executor for one run of a browser."""
        return Lane(self, owner)

    def standing(self, lane: "Lane") -> Standing:
        """How the run of a lane stands now."""
        with self._lock:
            order = self._order()
            lanes = {item.lane for item in [*self._handed, *order]}
            at_work = [item for item in self._handed if item.began_at is not None]
            queued = [item for item in self._handed if item.began_at is None] + order
            places = [i for i, item in enumerate(queued) if item.lane is lane]
            # A dear look may wait beside the slice at work: that is not the run's wait.
            is_at_work = any(item.lane is lane for item in at_work)
            mine = places[0] if places and not is_at_work else None
            n_before = len(queued) if mine is None else mine
            # With every worker busy, one gets free each mean / n_workers seconds.
            is_busy = len(at_work) >= self.n_workers
            n_turns = n_before + 1 if is_busy and (mine is not None or n_before) else 0
            return Standing(
                n_runs=len(lanes),
                n_workers=self.n_workers,
                place=0 if mine is None else mine + 1,
                wait_seconds=n_turns * self._mean_seconds / self.n_workers,
            )

    def _order(self) -> list[_Item]:
        """The waiting slices as they will be handed over, if none comes or goes."""
        waiting = {owner: deque(items) for owner, items in self._waiting.items()}
        served, order = dict(self._served), []
        for turn in range(sum(map(len, waiting.values()))):
            order.append(_take_next(waiting, served))
            served[order[-1].lane.owner] = self._n_turns + turn
        return order

    def submit(self, lane: "Lane", work: Callable[[], "Future[Any]"]) -> "Future[Any]":
        """Queue a piece of work; a future that is cancelled in time is never begun."""
        item = _Item(lane, work, Future())
        with self._lock:
            self._waiting.setdefault(lane.owner, deque()).append(item)
        self._hand_over()
        return item.promise

    def _hand_over(self) -> None:
        while True:
            with self._lock:
                if len(self._handed) >= self.n_workers + _READY or not self._waiting:
                    return
                item = _take_next(self._waiting, self._served)
                if not item.promise.set_running_or_notify_cancel():
                    continue
                self._note_served(item.lane.owner)
                if len(self._handed) < self.n_workers:
                    item.began_at = self._clock()
                self._handed.append(item)
            try:
                item.work().add_done_callback(partial(self._finished, item))
            except RuntimeError as fault:  # the executor has been shut down
                self._drop(item)
                item.promise.set_exception(fault)

    def _note_served(self, owner: str) -> None:
        self._served.pop(owner, None)  # the latest stands last
        self._served[owner] = self._n_turns
        self._n_turns += 1
        if len(self._served) > _MOST_REMEMBERED:
            del self._served[next(iter(self._served))]

    def _drop(self, item: _Item) -> None:
        with self._lock:
            self._handed.remove(item)
            now = self._clock()
            if item.began_at is not None:
                took = now - item.began_at
                old = self._mean_seconds or took
                self._mean_seconds = (1 - _NEW_SHARE) * old + _NEW_SHARE * took
            for ready in self._handed:
                if ready.began_at is None:
                    ready.began_at = now
                    break

    def _finished(self, item: _Item, done: "Future[Any]") -> None:
        self._drop(item)
        # The run's next slice, submitted by its callback, queues behind those that wait.
        if done.cancelled():
            item.promise.set_exception(CancelledError("the executor was shut down"))
        elif (fault := done.exception()) is not None:
            item.promise.set_exception(fault)
        else:
            item.promise.set_result(done.result())
        self._hand_over()


def _take_next(waiting: dict[str, deque[_Item]], served: Mapping[str, int]) -> _Item:
    """Take out the slice whose turn it is: asked for before unasked, then by browser."""

    def turn(owner: str) -> tuple[bool, int]:
        return all(item.lane.can_wait for item in waiting[owner]), served.get(owner, -1)

    owner = min(waiting, key=turn)
    item = min(waiting[owner], key=lambda each: each.lane.can_wait)
    waiting[owner].remove(item)
    if not waiting[owner]:
        del waiting[owner]
    return item


class Lane(Executor):
    """One run's way into the queue.

    Attributes:
        owner: The browser whose turn it takes.
        can_wait: Whether its slices give way to all that somebody has asked for.
    """

    def __init__(self, queue: FairQueue, owner: str) -> None:
        self._queue = queue
        self.owner = owner
        self.can_wait = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Queue a call for the workers."""
        return self._queue.submit(self, lambda: self._queue._supply().submit(fn, *args, **kwargs))

    @property
    def openings(self) -> Openings:
        """What this run may share with others."""
        return self._queue.openings

    def standing(self) -> Standing:
        """How this run stands now."""
        return self._queue.standing(self)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the workers are not this run's."""


_shared: FairQueue | None = None
_shared_lock = threading.Lock()


def shared() -> FairQueue:
    """The queue before this server's executor."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = FairQueue(executor.shared, executor.shared().n_workers)
        return _shared
