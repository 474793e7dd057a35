"""How fast a run may go, for people who want to watch each step, and how long its slices are."""

import math
from dataclasses import dataclass, field

# Bytes that travel to a worker and back at little cost. Larger states get slices that are longer
# by as much, so that their way stays a small share of the time.
_LIGHT_STATE = 1.6e6
_MOST_STEPS = 2000  # of one slice
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


@dataclass(slots=True)
class Tempo:
    """How many steps make a slice of the length wanted, measured by the slice before.

    Attributes:
        slice_seconds: Length to aim for.
        pace: The speed limit.
        seconds_per_step: Of the last slice; 0 before the first.
    """

    slice_seconds: float
    pace: Pace = field(default_factory=Pace)
    seconds_per_step: float = 0.0

    def slice_steps(self, n_bytes: int, *, as_before: bool) -> int:
        """Steps of the next slice.

        Args:
            n_bytes: Of the states that travel.
            as_before: Whether its steps take as long as those of the last one.
        """
        if not self.seconds_per_step or not as_before:
            return 1  # a first step to measure by
        fast = self.slice_seconds * max(1.0, n_bytes / _LIGHT_STATE) / self.seconds_per_step
        return max(1, round(min(_MOST_STEPS, fast, self.pace.steps_in(self.slice_seconds))))

    def took(self, n_steps: int, seconds: float, now: float) -> None:
        """Note what a slice took."""
        if n_steps:
            self.seconds_per_step = seconds / n_steps
        self.pace.took(n_steps, now)
