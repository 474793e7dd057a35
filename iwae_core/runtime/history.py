"""What a run has shown so far, kept small: curves and a film that thin themselves out."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from iwae_core.runtime.reel import Reel
from iwae_core.training import Records
from iwae_core.training.frame import Frame
from iwae_core.training.glance import Glance, Probe

_MOST_POINTS = 4096
GLANCE_BYTES = 5 * 2**20  # about 1,600 glances at 300 datapoints
PICTURE_BYTES = 11 * 2**20  # 80 with a manifold of MNIST, 700 without it
_RECENT_GLANCES = 64  # more than come between two polls
_RECENT_PICTURES = 2


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
class Pictures:
    """The images of a frame, a byte a pixel; points in the plane stay float32.

    Attributes:
        reconstructions: Shape ``(m, D)``.
        samples: Shape ``(m, D)``.
        manifold: Shape ``(12, 12, D)``, or None.
    """

    reconstructions: NDArray[np.uint8 | np.float32]
    samples: NDArray[np.uint8 | np.float32]
    manifold: NDArray[np.uint8 | np.float32] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """What there was to see at one step: the last glance and the last images up to it.

    Attributes:
        glance: What moves fast, with its step.
        pictures_step: When the images were taken.
        pictures: The images.
    """

    glance: Glance
    pictures_step: int
    pictures: Pictures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """A history at one moment; arrays in it are never written to again.

    Attributes:
        steps: As :class:`History`.
        held_out: As :class:`History`.
        deep: As :class:`History`.
        pair: As :class:`History`.
        glances: Those that came after the step asked about; the latest few at most.
        pictures: The latest, with their step.
        probe: The data that pictures are about, or None before the first.
    """

    steps: NDArray[np.float32]
    held_out: NDArray[np.float32]
    deep: NDArray[np.float32]
    pair: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 9), np.float32))
    glances: Sequence[Glance] = ()
    pictures: tuple[int, Pictures] | None = None
    probe: Probe | None = None


@dataclass(slots=True)
class History:
    """The curves of a run and its film; at most 16 MB, and the curves' 0.2.

    Attributes:
        steps: Columns step, trained objective (nats), mean ESS (samples), K.
        held_out: Columns step, L_1, L_K, L_64 (nats).
        deep: Columns step, L_512 (nats), NaN where there is none.
        pair: Of the first of twins, how both compare: the columns of ``TwinSeen.held_out``.
        frame: The latest full look, or None before the first.
        probe: The data that pictures are about, or None before the first.
    """

    steps: Curve = field(default_factory=lambda: Curve(4))
    held_out: Curve = field(default_factory=lambda: Curve(4))
    deep: Curve = field(default_factory=lambda: Curve(2))
    pair: Curve = field(default_factory=lambda: Curve(9))
    frame: Frame | None = None
    probe: Probe | None = None
    _glances: Reel[Glance] = field(default_factory=lambda: Reel(GLANCE_BYTES, _RECENT_GLANCES))
    _pictures: Reel[Pictures] = field(
        default_factory=lambda: Reel(PICTURE_BYTES, _RECENT_PICTURES)
    )

    @classmethod
    def resumed(
        cls, steps: NDArray[np.float32], held_out: NDArray[np.float32], deep: NDArray[np.float32]
    ) -> "History":
        """A history that goes on after these curves."""
        history = cls()
        history.steps.rows, history.held_out.rows, history.deep.rows = steps, held_out, deep
        return history

    def add(self, records: Records, glances: Sequence[Glance], frame: Frame | None) -> None:
        """Take in what a slice brought."""
        if len(records.step):
            K = np.full(len(records.step), records.n_samples)
            columns = (records.step, records.objective, records.ess, K)
            self.steps.extend(np.stack(columns, axis=1))
        for glance in glances:
            small = _small(glance)
            self._glances.add(glance.step, small, _size(small))
        if frame is not None:
            self.frame = frame
            pictures = self._pictures_of(frame)
            self._pictures.add(frame.step, pictures, _size(pictures))
            rows = self.held_out.rows
            if not len(rows) or rows[-1, 0] < frame.step:  # else it stands there already
                bounds = (frame.step, frame.bound_1, frame.bound_k, frame.bound_64)
                self.held_out.extend(np.array([bounds]))

    def add_deep(self, step: int, bound: float) -> None:
        """Take in a bound with 512 samples, NaN where it failed; it may be of some steps ago."""
        if not len(self.deep.rows) or self.deep.rows[-1, 0] < step:
            self.deep.extend(np.array([[step, bound]]))

    def seen(self, since: int = sys.maxsize) -> Seen:
        """What there is now, with what the film holds after step ``since``."""
        return Seen(
            steps=self.steps.rows,
            held_out=self.held_out.rows,
            deep=self.deep.rows,
            pair=self.pair.rows,
            glances=[_large(glance) for _, glance in self._glances.since(since)],
            pictures=self._pictures.at(sys.maxsize),
            probe=self.probe,
        )

    def moment(self, step: int) -> Moment | None:
        """What there was to see at a step, as far as it is kept; None before the first frame."""
        glance, pictures = self._glances.at(step), self._pictures.at(step)
        if glance is None or pictures is None:
            return None
        return Moment(glance=_large(glance[1]), pictures_step=pictures[0], pictures=pictures[1])

    def moment_of(self, frame: Frame) -> Moment:
        """A frame that was taken again, by replay, in the form of those that were kept."""
        return Moment(
            glance=frame.glance, pictures_step=frame.step, pictures=self._pictures_of(frame)
        )

    @property
    def looked_at(self) -> int:
        """Step of the latest full look; -1 before the first."""
        return -1 if self.frame is None else self.frame.step

    @property
    def deepest(self) -> int:
        """Step of the latest bound with 512 samples; -1 before the first."""
        return int(self.deep.rows[-1, 0]) if len(self.deep.rows) else -1

    @property
    def axes(self) -> tuple[int, int] | None:
        """The latents shown by the latest glance."""
        latest = self._glances.at(sys.maxsize)
        return latest[1].axes if latest else None

    @property
    def nbytes(self) -> int:
        """Bytes that curves and film hold."""
        curves = (self.steps, self.held_out, self.deep, self.pair)
        rows = sum(curve.rows.nbytes for curve in curves)
        return rows + self._glances.nbytes + self._pictures.nbytes

    def _pictures_of(self, frame: Frame) -> Pictures:
        images = self.probe is not None and self.probe.image_shape is not None

        def small(values: NDArray[np.float32]) -> NDArray[np.uint8 | np.float32]:
            if not images:
                # The plane, or the first two columns of a table; a view would hold all of them.
                return values[..., :2].copy()
            bytes_ = np.rint(255 * np.clip(np.nan_to_num(values), 0, 1))
            return bytes_.astype(np.uint8)

        return Pictures(
            reconstructions=small(frame.reconstructions),
            samples=small(frame.samples),
            manifold=None if frame.manifold is None else small(frame.manifold),
        )


def _small(glance: Glance) -> Glance:
    """The same in half the bytes: what is drawn on a screen needs three digits."""
    return dataclasses.replace(
        glance,
        means=_halved(glance.means),
        scales=_halved(glance.scales),
    )


def _halved(values: NDArray[np.float32]) -> NDArray[np.float16]:
    largest = float(np.finfo(np.float16).max)
    return np.clip(values, -largest, largest).astype(np.float16)


def _large(glance: Glance) -> Glance:
    return dataclasses.replace(
        glance,
        means=glance.means.astype(np.float32),
        scales=glance.scales.astype(np.float32),
    )


def _size(held: Glance | Pictures) -> int:
    values = (getattr(held, field.name) for field in dataclasses.fields(held))
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))
