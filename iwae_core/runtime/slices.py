"""The unit of work: some steps of a run, with glances on the way, inside a worker process."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iwae_core.models.model import LatentModel
from iwae_core.training import Records, RunState, Slice, TrainConfig, advance, begin
from iwae_core.training.frame import Frame, deep_bound, observe
from iwae_core.training.glance import Glance, Probe, glance, probe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """What to do: from where, how many steps, with which changes, and how closely to watch.

    Attributes:
        start: The state to go on from, or the settings of a run that is still to begin.
        n_steps: Updates to take.
        changes: Live fields to change first.
        look: Whether to take a whole frame at the end, not a glance alone.
        glance_every: Seconds of training between two glances on the way.
        axes: The latents shown so far, or None.
        probe: Whether to bring the data that pictures are about.
    """

    start: RunState | TrainConfig
    n_steps: int
    changes: Mapping[str, Any]
    look: bool
    glance_every: float
    axes: tuple[int, int] | None
    probe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Done:
    """What came of it, and how long each part took.

    Attributes:
        state: Where the run stands now.
        records: What each step saw.
        glances: In the order of their steps.
        frame: The whole picture of ``state``, if it was asked for.
        probe: The data that pictures are about; comes where it was asked for.
        wall_seconds: All steps and the glances between them by the clock on the wall.
        step_seconds: All steps together by the processor's clock, which other work does not move.
        glance_seconds: One glance on the way, by that clock; 0 if there was none.
        look_seconds: The frame at the end, by that clock; 0 without one.
    """

    state: RunState
    records: Records
    glances: tuple[Glance, ...]
    frame: Frame | None
    probe: Probe | None
    wall_seconds: float
    step_seconds: float
    glance_seconds: float
    look_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deep:
    """A held-out bound with many samples.

    Attributes:
        step: Updates taken.
        bound: Held-out L_512, nats.
        seconds: What it took by the processor's clock.
    """

    step: int
    bound: float
    seconds: float


def carry_out(work: Work) -> Done:
    """Do one piece of work; pure but for the clock, so it may be done again elsewhere.

    The clock decides at which steps there are glances, never what the steps are.

    Raises:
        ValueError: If the run cannot begin (wrong data, no such device) or a change is refused.
        OSError: If the data are not to be had.
    """
    began, started = time.perf_counter(), time.thread_time()
    state = begin(work.start) if isinstance(work.start, TrainConfig) else work.start
    fixed = probe(state.config.dataset, state.config.data_folder) if work.probe else None
    watcher = _Watcher(work, state.config.with_changes(**work.changes), state.step)
    taken: Slice = advance(state, work.n_steps, work.changes, watch=watcher)
    ended, stepped = time.perf_counter(), time.thread_time()
    after = taken.state
    # A slice that went wrong ends earlier than the last glance of it.
    glances = [seen for seen in watcher.glances if seen.step <= after.step]
    frame = observe(after, glances[-1].axes if glances else work.axes) if work.look else None
    if frame is not None:
        glances.append(frame.glance)
    return Done(
        state=after,
        records=taken.records,
        glances=tuple(glances),
        frame=frame,
        probe=fixed,
        wall_seconds=ended - began,
        step_seconds=stepped - started - watcher.seconds,
        glance_seconds=watcher.seconds / max(1, len(watcher.glances)),
        look_seconds=time.thread_time() - stepped,
    )


def look_deep(state: RunState) -> Deep:
    """Take the bound that is too dear for a slice; it needs nothing but the state."""
    started = time.thread_time()
    bound = deep_bound(state)
    return Deep(step=state.step, bound=bound, seconds=time.thread_time() - started)


class _Watcher:
    """Glances at a run in training, so many seconds apart; the last by the slice's end."""

    def __init__(self, work: Work, config: TrainConfig, first_step: int) -> None:
        self.glances: list[Glance] = []
        self.seconds = 0.0
        self._config = config
        self._axes = work.axes
        # The state after the last step is looked at in full, or glanced at if it is about time.
        self._last_step = first_step + work.n_steps
        self._skip_last = work.look
        self._every = work.glance_every
        self._due = time.perf_counter() + work.glance_every

    def __call__(self, model: LatentModel, step: int) -> None:
        last = step == self._last_step
        early = 0.5 * self._every if last else 0.0
        if time.perf_counter() < self._due - early or (last and self._skip_last):
            return
        began = time.thread_time()
        seen = glance(model, self._config, step, self._axes)
        self.glances.append(seen)
        self._axes = seen.axes
        self.seconds += time.thread_time() - began
        self._due = time.perf_counter() + self._every
