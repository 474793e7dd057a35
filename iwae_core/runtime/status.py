"""How a run stands, as values that others may keep."""

from dataclasses import dataclass
from typing import Literal

from iwae_core.runtime.history import Seen
from iwae_core.runtime.lineage import Lineage
from iwae_core.training import RunState

Mode = Literal["playing", "paused", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a run stands, or runs in lock step.

    Attributes:
        mode: "playing", "paused", or "stopped" when it cannot go on.
        step: Updates taken.
        steps_per_second: Of training alone, in the last slice; 0 before the first.
        n_samples: K of the settings in force, of each side.
        cause: Why it stopped, for people; empty while it can go on.
        generation: Counts the resets; curves of an older one are over.
        replaying_to: The step that a replay is on its way to; None when it is there.
        pace: Most steps per second, or None for as many as there can be.
        opening_to: The step until which it goes on unasked, while it does.
        is_asked_for: Whether a person has played or stepped it since it began, now or before it
            was opened again.
    """

    mode: Mode
    step: int
    steps_per_second: float
    n_samples: tuple[int, ...]
    cause: str
    generation: int
    replaying_to: int | None = None
    pace: float | None = None
    opening_to: int | None = None
    is_asked_for: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """A run at one moment, for whoever keeps it; None as the state until it has begun."""

    status: Status
    state: RunState | None
    lineage: Lineage
    seen: Seen
