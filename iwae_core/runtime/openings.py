"""What many pages ask for alike, computed once: the first look at a run and its first steps.

A run that nobody has asked for anything is a function of its settings. When a class opens a page
at once, three hundred runs want the same slices in the same order: the first to ask has a slice
computed, and whoever asks while it is on its way, or later, is given the same result. What a
result is made of is never written to, so they may share it.
"""

import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_BYTES = 64_000_000  # of all results that are kept; the least used go first

Done = Callable[[Sequence[Any]], None]
Failed = Callable[[int, str], None]


@dataclass(slots=True, eq=False)
class _Result:
    waiting: list[tuple[Done, Failed]] = field(default_factory=list)
    parts: Sequence[Any] | None = None  # once it has come
    n_bytes: int = 0


class Openings:
    """Results by what was asked for; safe for several threads.

    Args:
        most_bytes: How much is kept of what nobody waits for.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, _Result] = OrderedDict()

    def ask(
        self, key: Hashable, work: Callable[[Done, Failed], None], done: Done, failed: Failed
    ) -> None:
        """Hand over the result that is known by a key, at once where it is there.

        Args:
            key: Equal for those whose results are equal, whoever asks.
            work: Has it computed; called where nobody has asked before.
            done: Takes the result, from any thread.
            failed: Takes the place of a part that came to nothing, and its cause. The next to ask
                has it tried again.
        """
        with self._lock:
            result = self._results.get(key)
            is_first = result is None
            if result is None:
                result = self._results[key] = _Result()
            self._results.move_to_end(key)
            parts = result.parts
            if parts is None:
                result.waiting.append((done, failed))
        if parts is not None:
            done(parts)
        elif is_first:
            work(lambda parts: self._came(key, parts), lambda *why: self._failed(key, *why))

    def _came(self, key: Hashable, parts: Sequence[Any]) -> None:
        n_bytes = len(pickle.dumps(parts, protocol=5))
        with self._lock:
            result = self._results.get(key)
            if result is None:  # another part of it has failed
                return
            result.parts, result.n_bytes = parts, n_bytes
            waiting, result.waiting = result.waiting, []
            self._make_room()
        for done, _ in waiting:
            done(parts)

    def _failed(self, key: Hashable, place: int, cause: str) -> None:
        with self._lock:
            result = self._results.pop(key, None)
        for _, failed in result.waiting if result is not None else ():
            failed(place, cause)

    def _make_room(self) -> None:
        n_bytes = self.n_bytes
        for key in [key for key, result in self._results.items() if result.parts is not None]:
            if n_bytes <= self._most_bytes:
                return
            n_bytes -= self._results.pop(key).n_bytes

    @property
    def n_bytes(self) -> int:
        """Bytes of what is kept."""
        return sum(result.n_bytes for result in list(self._results.values()))
