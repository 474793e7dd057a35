"""One side's part of a slice of twins, and what makes two runs twins."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iwae_core.training import LIVE_FIELDS, Records, RunState, TrainConfig, advance, begin
from iwae_core.training.glance import Probe
from iwae_core.training.twin_look import TwinLook, data_of, look


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwinWork:
    """One side's part of a slice."""

    start: RunState | TrainConfig
    n_steps: int
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwinDone:
    """What came of it; ``wall_seconds`` is the time of the steps alone."""

    state: RunState
    records: Records
    look: TwinLook
    probe: Probe
    wall_seconds: float


def carry_out(work: TwinWork) -> TwinDone:
    """Take one side's steps and look at it; what a worker process is asked for.

    Raises:
        ValueError: If the run cannot begin or a change is refused.
        OSError: If the data are not to be had.
    """
    state = begin(work.start) if isinstance(work.start, TrainConfig) else work.start
    began = time.perf_counter()
    taken = advance(state, work.n_steps, work.changes)
    seconds = time.perf_counter() - began
    return TwinDone(
        state=taken.state,
        records=taken.records,
        look=look(taken.state),
        probe=data_of(taken.state),
        wall_seconds=seconds,
    )


def held_out_row(first: TwinLook, second: TwinLook) -> NDArray[np.float64]:
    """One row of ``TwinSeen.held_out``, shape ``(9,)``: the bounds, and B less A pair by pair."""
    row = [float(first.step)]
    row += [float(values.mean()) for one in (first, second) for values in (one.L_1, one.L_64)]
    for apart in (second.L_1 - first.L_1, second.L_64 - first.L_64):
        row += [float(apart.mean()), float(apart.std(ddof=1)) / len(apart) ** 0.5]
    return np.array(row)


def shape(config: TrainConfig) -> TrainConfig:
    """What makes two runs different runs: the settings with every live field at its default."""
    defaults = TrainConfig()
    return replace(config, **{name: getattr(defaults, name) for name in LIVE_FIELDS})


def check_alike(first: TrainConfig, second: TrainConfig) -> None:
    """Refuse a pair that would not have one start and one sequence of batches.

    Raises:
        ValueError: Then.
    """
    if shape(first) != shape(second) or first.batch_size != second.batch_size:
        raise ValueError(
            "twins share data, networks, seed and batch size, or they would have another start or "
            "other batches; they may differ in objective, estimator, K, beta and rate"
        )


def live_changes(old: TrainConfig, new: TrainConfig) -> dict[str, Any]:
    """The live fields by which one setting differs from another."""
    return {
        name: getattr(new, name)
        for name in LIVE_FIELDS
        if getattr(old, name) != getattr(new, name)
    }
