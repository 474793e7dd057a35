"""A trial: one setting and one seed, trained for some steps, then measured, piece by piece.

A trial takes ten seconds and more, and workers are shared. So it is a value that :func:`carry_on`
moves on by a piece of at most a second or two: some steps of training, then one measurement after
the other. Whoever holds the value may stop, or take the piece again on another worker.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iwae_core import datasets
from iwae_core.counts import is_count
from iwae_core.datasets import Dataset
from iwae_core.evaluation.studies import use_cases
from iwae_core.models.model import LatentModel
from iwae_core.names import check_known
from iwae_core.training.config import TrainConfig
from iwae_core.training.run import advance
from iwae_core.training.state import RunState, begin, model_of

Found = dict[str, NDArray[np.float64]]
Measure = Callable[[LatentModel, Dataset], Found]

_SAMPLES = 2000  # per datapoint, of one piece of training: about a second
BOARD_K = (1, 5, 16, 64, 256, 1024, 5000)


def _bounds(model: LatentModel, data: Dataset) -> Found:
    x = use_cases.held_out(data)
    return {f"L_{K}": use_cases.bound(model, x, K) for K in BOARD_K}


# What a trial measures, in this order.
MEASURES: Mapping[str, Mapping[str, Measure]] = {
    "use_cases": use_cases.PIECES,
    "bounds": {"bounds": _bounds},
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """A trial on its way.

    Attributes:
        config: The setting, with its seed.
        n_steps: Updates to train for.
        measures: Key of ``MEASURES``.
        state: The run so far; None before the first piece.
        measured: Names of the measurements that are in.
        found: Their numbers.

    Raises:
        ValueError: If ``n_steps`` is no number of steps or ``measures`` is unknown.
    """

    config: TrainConfig
    n_steps: int
    measures: str = "use_cases"
    state: RunState | None = None
    measured: tuple[str, ...] = ()
    found: Found | None = None

    def __post_init__(self) -> None:
        check_known(self.measures, MEASURES, "list of measures")
        if not is_count(self.n_steps, 0):
            raise ValueError(f"n_steps must not be negative, got {self.n_steps}: a whole number?")

    @property
    def trained(self) -> bool:
        """Whether all steps are taken."""
        return self.state is not None and self.state.step >= self.n_steps

    @property
    def done(self) -> bool:
        """Whether everything is measured."""
        return len(self.measured) == len(MEASURES[self.measures])

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1; training counts as much as all measurements."""
        taken = 0 if self.state is None else self.state.step
        steps = min(1.0, taken / self.n_steps) if self.n_steps else 1.0
        return 0.5 * steps + 0.5 * len(self.measured) / len(MEASURES[self.measures])


def carry_on(trial: Trial) -> Trial:
    """Do the next piece; equal trials give equal results, to the bit on one machine.

    Raises:
        ValueError: If the run cannot begin, or its training has stopped (no longer finite).
        OSError: If the data are not to be had.
    """
    if not trial.trained:
        state = begin(trial.config) if trial.state is None else trial.state
        n_steps = min(500, max(10, _SAMPLES // trial.config.n_samples))
        state = advance(state, min(n_steps, trial.n_steps - state.step)).state
        if state.stop is not None:
            raise ValueError(f"stopped at step {state.stop.step}: {state.stop.cause}")
        return replace(trial, state=state)
    assert trial.state is not None
    for name, measure in MEASURES[trial.measures].items():
        if name not in trial.measured:
            data = datasets.load(trial.config.dataset, trial.config.data_folder)
            # On the CPU, with its noise, wherever the run was trained: one ruler for all.
            found = measure(model_of(trial.state).cpu(), data)
            return replace(
                trial,
                measured=(*trial.measured, name),
                found={**(trial.found or {}), **found},
            )
    return trial


def carry_out(trial: Trial) -> Trial:
    """Do all pieces; errors as :func:`carry_on`."""
    while not trial.done:
        trial = carry_on(trial)
    return trial
