"""What a run has shown so far, kept small: curves that thin themselves out as they grow."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from iwae_core.training import Records
from iwae_core.training.frame import Frame, Probe

_MOST_POINTS = 4096


@dataclass(slots=True)
class Curve:
    """Columns of numbers, one row a point; past 4096 rows neighbours are averaged in pairs.

    Attributes:
        n_columns: Columns, the first of which is the step.
    """

    n_columns: int
    rows: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = np.zeros((0, self.n_columns), dtype=np.float32)

    def extend(self, new: NDArray[np.float64]) -> None:
        """Append rows."""
        self.rows = np.concatenate([self.rows, new.astype(np.float32)])
        while len(self.rows) > _MOST_POINTS:
            even = len(self.rows) // 2 * 2
            # The pair's later step stays, so the last point of a curve is the present.
            pairs = self.rows[-even:].reshape(-1, 2, self.n_columns)
            means = pairs.mean(axis=1)
            means[:, 0] = pairs[:, 1, 0]
            self.rows = np.concatenate([self.rows[:-even], means])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """A history at one moment; arrays in it are never written to again."""

    steps: NDArray[np.float32]
    held_out: NDArray[np.float32]
    frame: Frame | None
    probe: Probe | None


@dataclass(slots=True)
class History:
    """The curves of a run and its latest frame.

    Attributes:
        steps: Columns step, trained objective (nats), mean ESS (samples).
        held_out: Columns step, L_1, L_64 (nats).
        frame: The latest look, or None before the first.
        probe: The data that frames are about, or None before the first.
    """

    steps: Curve = field(default_factory=lambda: Curve(3))
    held_out: Curve = field(default_factory=lambda: Curve(3))
    frame: Frame | None = None
    probe: Probe | None = None

    @classmethod
    def resumed(cls, steps: NDArray[np.float32], held_out: NDArray[np.float32]) -> "History":
        """A history that goes on after these curves."""
        history = cls()
        history.steps.rows, history.held_out.rows = steps, held_out
        return history

    def add(self, records: Records, frame: Frame | None) -> None:
        """Take in what a slice brought."""
        if len(records.step):
            self.steps.extend(np.stack([records.step, records.objective, records.ess], axis=1))
        if frame is not None:
            self.frame = frame
            rows = self.held_out.rows
            if not len(rows) or rows[-1, 0] < frame.step:  # else it stands there already
                self.held_out.extend(np.array([[frame.step, frame.bound_1, frame.bound_64]]))

    def seen(self) -> Seen:
        """What there is now."""
        return Seen(
            steps=self.steps.rows,
            held_out=self.held_out.rows,
            frame=self.frame,
            probe=self.probe,
        )
