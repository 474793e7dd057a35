"""What a server holds for the people who watch it, found by an unguessable id."""

import threading
import time
from typing import Generic, Protocol, TypeVar


class Watched(Protocol):
    """Something that lives by the polls of a page."""

    @property
    def run_id(self) -> str:
        """Its unguessable id."""

    @property
    def last_poll(self) -> float:
        """When somebody asked last, by ``time.monotonic``."""

    def pause(self) -> None:
        """Let it stand still."""

    def close(self) -> None:
        """End it."""


LEFT_SECONDS = 10.0  # after the last poll of what its page has left

W = TypeVar("W", bound=Watched)


class Held(Generic[W]):
    """Those that are watched, by id.

    Args:
        what: What they are called, in the plural.
        most: How many the server holds at a time.
        keep_seconds: A page that was closed, or asleep for longer, finds its own gone.
    """

    def __init__(self, what: str, *, most: int, keep_seconds: float) -> None:
        self._what = what
        self._most = most
        self._keep_seconds = keep_seconds
        self._held: dict[str, W] = {}
        self._left: set[str] = set()
        self._lock = threading.Lock()

    def add(self, one: W) -> W:
        """Hold it; where there is no room, in place of what nobody has polled for longest.

        A class that reloads its pages leaves as many behind as it opens.

        Raises:
            ValueError: If the server holds as many as it can, all of them watched.
        """
        self.sweep()
        if len(self) >= self._most:
            self._make_room()
        with self._lock:
            if len(self._held) < self._most:
                self._held[one.run_id] = one
                return one
        one.close()
        raise ValueError(
            f"this server holds {self._most} {self._what}, its limit; try again in some minutes"
        )

    def find(self, run_id: str) -> W | None:
        """The one of that id, or None when it is gone."""
        with self._lock:
            return self._held.get(run_id)

    def close(self, run_id: str) -> None:
        """End one and forget it; an unknown id is already forgotten."""
        with self._lock:
            one = self._held.pop(run_id, None)
        if one is not None:
            one.close()

    def leave(self, run_id: str) -> None:
        """Pause what its page turns away from; it ends when nobody polls it any more.

        The page's picture may ask for it once more, and another page may still show it.
        """
        one = self.find(run_id)
        if one is not None:
            one.pause()
            with self._lock:
                self._left.add(run_id)
        self.sweep()

    def stay(self, run_id: str) -> None:
        """A page shows it again."""
        with self._lock:
            self._left.discard(run_id)

    def sweep(self, now: float | None = None) -> None:
        """Forget those that nobody has polled for ``keep_seconds``, and sooner those left."""
        now = time.monotonic() if now is None else now
        with self._lock:
            idle = [
                run_id
                for run_id, one in self._held.items()
                if now - one.last_poll
                > (LEFT_SECONDS if run_id in self._left else self._keep_seconds)
            ]
            self._left.difference_update(idle)
        for run_id in idle:
            self.close(run_id)

    def _make_room(self) -> None:
        with self._lock:
            oldest = min(self._held.values(), key=lambda one: one.last_poll, default=None)
        if oldest is not None and time.monotonic() - oldest.last_poll > LEFT_SECONDS:
            self.close(oldest.run_id)

    def __len__(self) -> int:
        with self._lock:
            return len(self._held)
