"""Many pieces of work in worker processes, begun on demand, each result shown as it comes.

A batch holds named items and works on a few at a time, so that other people's slices get their
turn between. An item may be a chain: a value that a function moves on, piece by piece, until it
says ``done``. A batch lives by the questions of its page; nobody asking for ``_LEASE`` seconds
ends it. Pieces are pure, so one whose worker was killed is taken again.
"""

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar

from iwae_core.runtime.attempts import attempt

_LEASE = 20.0  # seconds without a question after which nobody waits


class Chain(Protocol):
    """Work that is a value: how far it has come, and whether it is over."""

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Once:
    """A chain of one piece: a function that a worker can import, and its argument.

    Attributes:
        work: The function.
        about: Its argument.
        result: What it returned; None before.
    """

    work: Callable[[Any], Any]
    about: Any
    result: Any = None

    @property
    def done(self) -> bool:
        """Whether the result is in."""
        return self.result is not None

    @property
    def share(self) -> float:
        """None of it or all."""
        return float(self.done)


def once(item: Once) -> Once:
    """Do the one piece."""
    return replace(item, result=item.work(item.about))


C = TypeVar("C", bound=Chain)


class Batch(Generic[C]):
    """Items worked on side by side; every method returns at once, from any thread.

    Args:
        items: What to do, by key, in the order of beginning.
        carry_on: Moves an item on by a piece; a function that a worker can import.
        pool: Where pieces run.
        abreast: Items under way at a time.
        clock: Seconds that never go back; tests pass their own.
    """

    def __init__(
        self,
        items: Mapping[Hashable, C],
        carry_on: Callable[[C], C],
        pool: Executor,
        *,
        abreast: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fault = ""
        self.stopped = False
        self._carry_on = carry_on
        self._pool = pool
        self._abreast = abreast
        self._clock = clock
        self._lock = threading.RLock()
        self._at: dict[Hashable, C] = dict(items)
        self._waiting = [key for key, item in items.items() if not item.done]
        self._under_way: set[Hashable] = set()
        self._asked = clock()
        self._began = clock()

    def start(self) -> Self:
        """Begin."""
        with self._lock:
            self._began = self._asked = self._clock()
            self._fill()
        return self

    def cancel(self) -> None:
        """Submit nothing more; what is done stays."""
        self.stopped = True

    @property
    def over(self) -> bool:
        """Whether it goes no further: all done, cancelled or failed."""
        return self.stopped or bool(self.fault) or not (self._waiting or self._under_way)

    def share(self) -> float:
        """How much is done, from 0 to 1; whoever asks is still waiting."""
        with self._lock:
            self._asked = self._clock()
            return sum(item.share for item in self._at.values()) / max(1, len(self._at))

    def finished(self) -> dict[Hashable, C]:
        """The items that are done."""
        with self._lock:
            return {key: item for key, item in self._at.items() if item.done}

    def seconds_left(self) -> float | None:
        """At the pace so far; None where there is none yet."""
        share = self.share()
        passed = self._clock() - self._began
        return passed * (1 - share) / share if share > 0.02 else None

    def _fill(self) -> None:
        while not self.over and self._waiting and len(self._under_way) < self._abreast:
            self._submit(self._waiting.pop(0))

    def _submit(self, key: Hashable) -> None:
        self._under_way.add(key)
        attempt(
            self._pool,
            self._carry_on,
            self._at[key],
            partial(self._take, key),
            partial(self._fail, key),
        )

    def _take(self, key: Hashable, item: C) -> None:
        with self._lock:
            self._under_way.discard(key)
            if self.stopped or self._clock() - self._asked > _LEASE:
                self.stopped = True
                return
            self._at[key] = item
            if item.done:
                self._fill()
            else:
                self._submit(key)

    def _fail(self, key: Hashable, cause: str) -> None:
        with self._lock:
            self._under_way.discard(key)
            self.fault = self.fault or cause
