"""A run's past as a value: its first settings, and what was changed at which step.

A run is a pure function, so its past need not be stored. A lineage is enough to have every state
of it again, to the bit: begin, advance, change at the steps where a person did. States that were
kept on the way only make that shorter.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iwae_core.counts import check_count
from iwae_core.runtime.history import History
from iwae_core.training import RunState, Stop, TrainConfig, advance, begin
from iwae_core.training.frame import Frame, observe


@dataclass(frozen=True, slots=True)
class Change:
    """Live settings that became others between two steps.

    Attributes:
        step: Updates taken before the change.
        values: The changed fields and their new values.
        stop: Why the run stood still then, if it did; a change lets it try again.
    """

    step: int
    values: Mapping[str, Any]
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """A run's whole past.

    Attributes:
        config: The settings it began with.
        changes: What was changed since, in the order of the steps.
    """

    config: TrainConfig
    changes: tuple[Change, ...] = ()

    def changed(self, step: int, values: Mapping[str, Any], stop: Stop | None = None) -> "Lineage":
        """The same past with one more change at its end.

        Raises:
            ValueError: If the step lies before the last change, or a value is refused.
        """
        check_count("step", step, 0)
        if self.changes and step < self.changes[-1].step:
            raise ValueError(
                f"changes stand in the order of their steps: the last one is at step "
                f"{self.changes[-1].step}, got {step}"
            )
        self.config_now().with_changes(**values)
        return Lineage(self.config, (*self.changes, Change(step, dict(values), stop)))

    def before(self, step: int) -> "Lineage":
        """The past that led to ``step``, without what was changed there or later."""
        return Lineage(self.config, tuple(each for each in self.changes if each.step < step))

    def config_now(self) -> TrainConfig:
        """The settings after the last change."""
        config = self.config
        for change in self.changes:
            config = config.with_changes(**change.values)
        return config

    def from_kept(self, state: RunState) -> RunState:
        """A kept state of this past, with the settings from before the changes at its step."""
        return dataclasses.replace(state, config=self.before(state.step).config_now())

    def pieces(self, start: int, goal: int) -> list["Piece"]:
        """What leads from one step to another: stretches between changes, in order.

        Changes at ``start`` and at ``goal`` are among them. To make a change twice does nothing,
        so a state kept at ``start`` may be from before or after its changes.
        """
        marks = {each.step for each in self.changes if start <= each.step <= goal}
        ends = [*sorted({start, *marks}), goal]
        pieces = [self._piece(at, end) for at, end in itertools.pairwise(ends)]
        return [piece for piece in pieces if piece.values or piece.end > piece.step]

    def _piece(self, at: int, end: int) -> "Piece":
        values: dict[str, Any] = {}
        stop = None
        for change in self.changes:
            if change.step == at:
                values |= change.values
                stop = stop or change.stop
        return Piece(at, end, values, stop)


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of a replay: changes at a step, then updates until ``end`` have been taken."""

    step: int
    end: int
    values: Mapping[str, Any]
    stop: Stop | None

    def ready(self, state: RunState) -> RunState:
        """The state to start from: with the stop that the changes ended, if there was one."""
        if self.stop is None or state.stop is not None or state.step != self.step:
            return state
        return dataclasses.replace(state, stop=self.stop)


def replay(lineage: Lineage, step: int, kept: Iterable[RunState] = ()) -> RunState:
    """The state of a run at a step, from the nearest kept state before it.

    Args:
        lineage: The run's past.
        step: Where to; changes at that very step are made too.
        kept: States of the same run, in any order; without one it begins at step 0.

    Returns:
        The state that the run had, to the bit on one kind of machine.

    Raises:
        ValueError: If the run never came that far, or its data are not to be had.
    """
    check_count("step", step, 0)
    usable = [state for state in kept if state.step <= step]
    nearest = max(usable, key=lambda each: each.step) if usable else begin(lineage.config)
    state = lineage.from_kept(nearest)
    for piece in lineage.pieces(state.step, step):
        state = advance(piece.ready(state), piece.end - state.step, piece.values).state
        if state.step < piece.end:
            cause = state.stop.cause if state.stop else "it cannot go on"
            raise ValueError(f"the run never came to step {step}: {cause}")
    return state


def look_back(
    lineage: Lineage, step: int, kept: RunState | None, axes: tuple[int, int] | None
) -> Frame:
    """The picture of a run as it was after ``step`` updates, before anything was changed there.

    Raises:
        ValueError: As :func:`replay`.
    """
    past = lineage.before(step)
    return observe(replay(past, step, () if kept is None else (kept,)), axes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """Where a run starts that is not new.

    Attributes:
        lineage: Its past.
        step: Where to replay to before anything else happens.
        state: A state of that past at or before ``step``; None begins at step 0.
        history: What was seen until that state.
        stop: Why the run stood still at ``step``, where it did.
    """

    lineage: Lineage
    step: int
    state: RunState | None = None
    history: History = dataclasses.field(default_factory=History)
    stop: Stop | None = None

    def pieces(self) -> list[Piece]:
        """What leads from the state to the step."""
        return self.lineage.pieces(self.state.step if self.state else 0, self.step)
