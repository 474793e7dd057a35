"""What a slice is made of: one part for each side, whatever kind of run it is."""

from collections.abc import Mapping
from typing import Any, Protocol

from iwae_core.training import Records, RunState, TrainConfig


class PartWork(Protocol):
    """One side's part of a slice, as a worker is asked for it."""

    @property
    def start(self) -> RunState | TrainConfig:
        """Where it starts."""

    @property
    def n_steps(self) -> int:
        """Updates to take."""

    @property
    def changes(self) -> Mapping[str, Any]:
        """Live fields to change first."""


class PartDone(Protocol):
    """What came of it."""

    @property
    def state(self) -> RunState:
        """Where the side stands now."""

    @property
    def records(self) -> Records:
        """What each step saw."""

    @property
    def wall_seconds(self) -> float:
        """What the steps took."""
