"""How fast a run may go, for people who want to watch each step."""

import math
from dataclasses import dataclass

_MADE_UP = 1.0  # seconds of lost time that a run may make up for


@dataclass(slots=True)
class Pace:
    """A speed limit; times are seconds of one clock.

    Attributes:
        limit: Most steps per second, or None for as many as there can be.
    """

    limit: float | None = None
    _due: float = -math.inf  # when the run may go on

    def set(self, limit: float | None, now: float) -> None:
        """Change the limit from now on.

        Raises:
            ValueError: If it is neither None nor a positive number.
        """
        if limit is not None and not 0 < limit < math.inf:
            raise ValueError(f"pace must be positive and finite, got {limit}")
        self.limit, self._due = limit, now

    def start(self, now: float) -> None:
        """Forget what was lost while the run stood still."""
        self._due = now

    def may_go(self, now: float) -> bool:
        """Whether it is time for the next slice."""
        return self.limit is None or now >= self._due

    def steps_in(self, seconds: float) -> float:
        """Most steps in a stretch of time."""
        return math.inf if self.limit is None else self.limit * seconds

    def took(self, n_steps: int, now: float) -> None:
        """Note that steps were taken."""
        if self.limit is not None:
            self._due = max(self._due, now - _MADE_UP) + n_steps / self.limit
