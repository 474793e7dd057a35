r"""Train K by test K: rows of :mod:`rulers` put together, with errors, and two cells compared.

Two chances are in a cell: which data are held out, and which seed trained the model. All cells
share the held-out data and the seeds, so two cells are compared pair by pair and their difference
is known far better than either. With v[s, i] the value of seed s at datapoint i,

    SE^2 = Var_s(mean_i v) / S + Var_i(mean_s v) / n

and in the same way for a difference, v then being the difference. Either term alone would leave a
chance out; together they count the rounding between the two twice, so the error is on the safe
side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iwae_core.evaluation.studies.rulers import RowReport

Array = NDArray[np.float64]
Cell = tuple[int, int]  # row, column

SURE = 2.0  # standard errors a difference must have to be called one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardReport:
    """The board as far as it is known; cells are flattened row by row in ``by_seed`` and below.

    Attributes:
        made_by: What computed it.
        train_k: K of each row, shape ``(R,)``.
        rulers: Name of each column.
        mean: Mean over seeds and held-out data, shape ``(R, C)``, nats; NaN where no seed is in.
        std_error: Its standard error, shape ``(R, C)``; NaN with fewer than two seeds.
        n_seeds: Trained models behind each row, shape ``(R,)``.
        n_held_out: n, held-out datapoints.
        by_seed: Mean over the data for each seed, shape ``(S, R C)``; NaN where none is in.
        covariance: Of the seeds' mean at a datapoint, over the datapoints (ddof 1), shape
            ``(R C + 1, R C + 1)``; the last one is the truth.
        true_mean: Mean of the true log p(x) of the held-out data, or NaN where nobody knows it.
    """

    made_by: str
    train_k: NDArray[np.int64]
    rulers: tuple[str, ...]
    mean: Array
    std_error: Array
    n_seeds: NDArray[np.int64]
    n_held_out: int
    by_seed: Array
    covariance: Array
    true_mean: float

    @property
    def knows_truth(self) -> bool:
        """Whether the true log p(x) is known."""
        return math.isfinite(self.true_mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One cell less another, nats.

    Attributes:
        value: The second cell less the first.
        std_error: Pair by pair, over seeds and data; NaN with fewer than two seeds.
        same_model: Whether both stand in one row.
        same_ruler: Whether both stand in one column.
    """

    value: float
    std_error: float
    same_model: bool
    same_ruler: bool

    @property
    def seen(self) -> bool:
        """Whether it is larger than two standard errors."""
        return abs(self.value) > SURE * self.std_error


def combine(
    rows: Sequence[RowReport],
    train_k: Sequence[int],
    rulers: Sequence[str],
    true_values: Array | None,
    *,
    made_by: str,
) -> BoardReport:
    """Put the rows that are in together.

    Args:
        rows: Trained and measured models, any of ``train_k``, in any order; all on one held-out
            set.
        train_k: K of the board's rows.
        rulers: Names of the columns.
        true_values: True log p(x) of the held-out data, shape ``(n,)``, nats; None where unknown.
        made_by: What computed them.

    Raises:
        ValueError: If a row has another shape than the board, or a K that is not on it.
    """
    R, C = len(train_k), len(rulers)
    shapes = {row.values.shape for row in rows}
    if len(shapes) > 1 or any(shape[0] != C for shape in shapes):
        raise ValueError(f"every row must hold {C} rulers over one held-out set, got {shapes}")
    if strangers := {row.n_samples for row in rows} - set(train_k):
        raise ValueError(f"K must be one of {tuple(train_k)}, got {sorted(strangers)}")
    n = shapes.pop()[1] if shapes else 0
    seeds = sorted({row.seed for row in rows})
    by_seed = np.full((len(seeds), R, C), np.nan)
    per_point = np.full((R * C + 1, n), np.nan)
    if true_values is not None and n:
        per_point[-1] = true_values
    n_seeds = np.zeros(R, dtype=np.int64)
    for r, K in enumerate(train_k):
        of_row = [row for row in rows if row.n_samples == K]
        n_seeds[r] = len(of_row)
        for row in of_row:
            by_seed[seeds.index(row.seed), r] = row.values.mean(axis=1)
        if of_row:
            per_point[r * C : (r + 1) * C] = np.mean([row.values for row in of_row], axis=0)
    covariance = np.cov(per_point) if n > 1 else np.full((R * C + 1,) * 2, np.nan)
    mean = per_point[:-1].mean(axis=1) if n else np.full(R * C, np.nan)
    report = BoardReport(
        made_by=made_by,
        train_k=np.array(train_k, dtype=np.int64),
        rulers=tuple(rulers),
        mean=mean.reshape(R, C),
        std_error=np.full((R, C), np.nan),
        n_seeds=n_seeds,
        n_held_out=n,
        by_seed=by_seed.reshape(len(seeds), R * C),
        covariance=covariance,
        true_mean=float(per_point[-1].mean()) if n else math.nan,
    )
    errors = [
        _std_error(report, report.by_seed[:, at], np.eye(R * C + 1)[at]) for at in range(R * C)
    ]
    report.std_error[:] = np.reshape(errors, (R, C))
    return report


def below_truth(report: BoardReport) -> tuple[Array, Array]:
    """How far each cell lies below the true log p(x) on the same data, and the standard error.

    Returns:
        Two arrays of shape ``(R, C)``, nats; NaN where the truth is unknown. On a sample of data a
        good model may lie a little above the truth.
    """
    R, C = report.mean.shape
    errors = []
    for at in range(R * C):
        pick = np.zeros(R * C + 1)
        pick[at], pick[-1] = -1.0, 1.0
        errors.append(_std_error(report, report.by_seed[:, at], pick))
    return report.true_mean - report.mean, np.reshape(errors, (R, C))


def difference(report: BoardReport, first: Cell, second: Cell) -> Difference:
    """The second cell less the first, pair by pair."""
    C = len(report.rulers)
    a, b = (row * C + column for row, column in (first, second))
    pick = np.zeros(report.covariance.shape[0])
    pick[b] += 1.0
    pick[a] -= 1.0
    return Difference(
        value=float(report.mean[second] - report.mean[first]),
        std_error=_std_error(report, report.by_seed[:, b] - report.by_seed[:, a], pick),
        same_model=first[0] == second[0],
        same_ruler=first[1] == second[1],
    )


def parts(report: BoardReport, first: Cell, second: Cell) -> tuple[Difference, Difference]:
    """The difference of two cells, split: another model on the first ruler, then another ruler."""
    corner = (second[0], first[1])
    return difference(report, first, corner), difference(report, corner, second)


def _std_error(report: BoardReport, by_seed: Array, pick: Array) -> float:
    """Of a combination of cells: over the seeds that have it, and over the data."""
    known = by_seed[np.isfinite(by_seed)]
    used = pick != 0
    if not used.any():
        return 0.0
    if len(known) < 2:
        return math.nan
    over_data = pick[used] @ report.covariance[np.ix_(used, used)] @ pick[used]
    return math.sqrt(known.var(ddof=1) / len(known) + max(0.0, over_data) / report.n_held_out)
