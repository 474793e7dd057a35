"""One run of those that go together: where it stands, where it came from, what is to change."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from iwae_core.runtime.history import History
from iwae_core.runtime.lineage import Lineage, Origin, Piece
from iwae_core.training import RunState, TrainConfig


class Side:
    """A run between two slices.

    Args:
        start: The settings of a new run, or the past of one that is to be replayed first.

    Attributes:
        config: The settings in force, with the changes made so far.
        lineage: The run's past, as far as it has taken effect.
        state: Where it stands; None until it has begun.
        history: What has been seen of it.
    """

    def __init__(self, start: TrainConfig | Origin) -> None:
        origin = start if isinstance(start, Origin) else Origin(lineage=Lineage(start), step=0)
        self.lineage = origin.lineage
        self.config = origin.lineage.config_now()
        self.state: RunState | None = origin.state
        self.history: History = origin.history
        self._origin = origin
        self._pieces: list[Piece] = origin.pieces()
        self._changes: dict[str, Any] = {}

    @property
    def step(self) -> int:
        """Updates taken."""
        return self.state.step if self.state else 0

    @property
    def replaying_to(self) -> int | None:
        """The step that a replay is on its way to; None when it is there."""
        return self._origin.step if self._pieces else None

    @property
    def n_ahead(self) -> int | None:
        """Steps until the replay makes its next change or ends; None where nothing is replayed."""
        return self._pieces[0].end - self.step if self._pieces else None

    def is_last(self, n_steps: int) -> bool:
        """Whether so many steps bring a replay to its end, if there is one."""
        return not self._pieces or (len(self._pieces) == 1 and self.n_ahead == n_steps)

    @property
    def has_changes(self) -> bool:
        """Whether the next slice goes on with other settings than the last."""
        start, changes = self.next()
        config = start.config if isinstance(start, RunState) else start
        return any(getattr(config, name) != value for name, value in changes.items())

    @property
    def is_new(self) -> bool:
        """Whether its settings alone say what it is: nothing was changed, and nothing will be."""
        return not (self._pieces or self._changes or self.lineage.changes)

    def change(self, values: Mapping[str, Any]) -> None:
        """Change live settings from the next slice on.

        Raises:
            ValueError: If a field is not live or its value is refused; nothing changes then.
        """
        self.config = self.config.with_changes(**values)
        self._changes |= values

    def next(self) -> tuple[RunState | TrainConfig, dict[str, Any]]:
        """Where the next slice starts, and what is changed first."""
        if self.state is None:
            return self.lineage.config, {}
        if self._pieces:
            return self._pieces[0].ready(self.state), dict(self._pieces[0].values)
        return self.state, dict(self._changes)

    def took(
        self, start: RunState | TrainConfig, changes: Mapping[str, Any], state: RunState
    ) -> None:
        """Stand where a slice has led, which started and changed as :meth:`next` said."""
        self.state = state
        if self._pieces:
            self._strike_off(state)
        else:
            self._note_changes(start, changes, state)

    def _strike_off(self, state: RunState) -> None:
        """One stretch of a replay is done; at the end the run stands as it stood then."""
        if state.step >= self._pieces[0].end:
            self._pieces.pop(0)
            if not self._pieces:
                self.state = replace(state, stop=self._origin.stop)

    def _note_changes(
        self, start: RunState | TrainConfig, changes: Mapping[str, Any], state: RunState
    ) -> None:
        """Enter into the lineage what a slice changed; keep what is still to change."""
        if changes and isinstance(start, RunState):
            new = {k: v for k, v in changes.items() if getattr(start.config, k) != v}
            if new or start.stop is not None:
                self.lineage = self.lineage.changed(start.step, new or changes, start.stop)
        now = state.config
        self._changes = {k: v for k, v in self._changes.items() if getattr(now, k) != v}
