"""The unit of work: some steps of a run, then a look at it, inside a worker process."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iwae_core.training import Records, RunState, Slice, TrainConfig, advance, begin
from iwae_core.training.frame import Frame, Probe, observe, probe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """What to do: from where, how many steps, with which changes, and whether to look after.

    With ``probe`` the answer also brings the data that frames are about.
    """

    start: RunState | TrainConfig
    n_steps: int
    changes: Mapping[str, Any]
    look: bool
    probe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Done:
    """What came of it, and how long the steps and the look took, in seconds.

    The probe, the data that frames are about, comes where it was asked for.
    """

    state: RunState
    records: Records
    frame: Frame | None
    probe: Probe | None
    step_seconds: float
    look_seconds: float


def carry_out(work: Work) -> Done:
    """Do one piece of work; pure but for the clock, so it may be done again elsewhere.

    Raises:
        ValueError: If the run cannot begin (wrong data, no such device) or a change is refused.
        OSError: If the data are not to be had.
    """
    started = time.perf_counter()
    state = begin(work.start) if isinstance(work.start, TrainConfig) else work.start
    fixed = probe(state.config.dataset, state.config.data_folder) if work.probe else None
    taken: Slice = advance(state, work.n_steps, work.changes)
    stepped = time.perf_counter()
    frame = observe(taken.state) if work.look else None
    return Done(
        state=taken.state,
        records=taken.records,
        frame=frame,
        probe=fixed,
        step_seconds=stepped - started,
        look_seconds=time.perf_counter() - stepped,
    )
