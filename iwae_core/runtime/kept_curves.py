"""A run's curves as a table: one row for each step that has a point, columns with their units."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iwae_core.runtime.kept_rows import read_rows, write_rows

# One entry a curve, as in ``History``: what was trained, held-out bounds, and the dear one.
CURVES = (
    ("objective (nats)", "ESS (samples)", "K (samples)"),
    ("held-out L_1 (nats)", "held-out L_K (nats)", "held-out L_64 (nats)"),
    ("held-out L_512 (nats)",),
)
COLUMNS = ("step", *(column for columns in CURVES for column in columns))

Rows = NDArray[np.float32]  # (n, columns), the first of which is the step


def write_curves(curves: Sequence[Rows]) -> str:
    """CSV of the curves; a cell is empty where a curve has no point."""
    rows: dict[int, list[object]] = {}
    for curve, place in zip(curves, _places(), strict=True):
        for step, *values in curve.tolist():
            row = rows.setdefault(int(step), [""] * (len(COLUMNS) - 1))
            row[place] = values
    return write_rows(COLUMNS, ([step, *rows[step]] for step in sorted(rows)))


def _places() -> list[slice]:
    """Where each curve's cells stand behind the step."""
    ends = list(itertools.accumulate(map(len, CURVES)))
    return [slice(end - len(own), end) for end, own in zip(ends, CURVES, strict=True)]


def read_curves(text: str, last: int) -> tuple[Rows, ...]:
    """Read what :func:`write_curves` wrote, of a run that came to step ``last``.

    Raises:
        ValueError: If columns are missing, steps stand out of order, or a number is not finite.
    """
    found: list[list[list[float]]] = [[] for _ in CURVES]
    for step, *values in read_rows(text, "curves.csv", COLUMNS, last, _numbers):
        for curve, place in zip(found, _places(), strict=True):
            if all(map(math.isfinite, values[place])):
                curve.append([step, *values[place]])
    return tuple(
        np.array(rows, dtype=np.float32).reshape(-1, 1 + len(own))
        for rows, own in zip(found, CURVES, strict=True)
    )


def _numbers(line: list[str]) -> list[float]:
    """The numbers of a row; NaN for those of a curve that has no point there."""
    row = [float(cell) if cell else math.nan for cell in line]
    if any(cell and math.isnan(value) for cell, value in zip(line, row, strict=True)):
        raise ValueError("a cell says nan; a missing number is an empty cell")
    for place in _places():
        values = row[1:][place]
        if not (all(map(math.isfinite, values)) or all(map(math.isnan, values))):
            raise ValueError("its numbers are not finite, or some are missing")
    return row
