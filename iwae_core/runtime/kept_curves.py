"""A run's curves as a table: one row for each step that has a point, columns with their units."""

import csv
import io
import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# One entry a curve, as in ``History``: what was trained, held-out bounds, and the dear one.
CURVES = (
    ("objective (nats)", "ESS (samples)", "K (samples)"),
    ("held-out L_1 (nats)", "held-out L_K (nats)", "held-out L_64 (nats)"),
    ("held-out L_512 (nats)",),
)
COLUMNS = ("step", *(column for columns in CURVES for column in columns))

_MOST_ROWS = 50_000

Rows = NDArray[np.float32]  # (n, columns), the first of which is the step


def write_curves(curves: Sequence[Rows]) -> str:
    """CSV of the curves; a cell is empty where a curve has no point."""
    rows: dict[int, list[object]] = {}
    for curve, place in zip(curves, _places(), strict=True):
        for step, *values in curve.tolist():
            row = rows.setdefault(int(step), [""] * (len(COLUMNS) - 1))
            row[place] = values
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([step, *rows[step]] for step in sorted(rows))
    return out.getvalue()


def _places() -> list[slice]:
    """Where each curve's cells stand behind the step."""
    ends = list(itertools.accumulate(map(len, CURVES)))
    return [slice(end - len(own), end) for end, own in zip(ends, CURVES, strict=True)]


def read_curves(text: str, last: int) -> tuple[Rows, ...]:
    """Read what :func:`write_curves` wrote, of a run that came to step ``last``.

    Raises:
        ValueError: If columns are missing, steps stand out of order, or a number is not finite.
    """
    try:
        header, *lines = csv.reader(io.StringIO(text))
    except (csv.Error, ValueError) as fault:
        raise ValueError(f"curves.csv cannot be read: {fault}") from fault
    if tuple(header) != COLUMNS:
        raise ValueError(f"curves.csv must have the columns {', '.join(COLUMNS)}")
    if len(lines) > _MOST_ROWS:
        raise ValueError(f"curves.csv may have {_MOST_ROWS} rows, got {len(lines)}")
    found: list[list[list[float]]] = [[] for _ in CURVES]
    before = -1.0
    for number, line in enumerate(lines, start=2):
        try:
            row = _numbers(line)
            if not before < row[0] <= last or row[0] != int(row[0]):
                raise ValueError("its step is out of order")
            for curve, place in zip(found, _places(), strict=True):
                part = row[1:][place]
                if all(map(math.isfinite, part)):
                    curve.append([row[0], *part])
                elif not all(map(math.isnan, part)):
                    raise ValueError("its numbers are not finite, or some are missing")
        except (ValueError, OverflowError) as fault:
            raise ValueError(f"line {number} of curves.csv: {fault}") from fault
        before = row[0]
    return tuple(
        np.array(rows, dtype=np.float32).reshape(-1, 1 + len(own))
        for rows, own in zip(found, CURVES, strict=True)
    )


def _numbers(line: list[str]) -> list[float]:
    if len(line) != len(COLUMNS):
        raise ValueError(f"it has {len(line)} cells, and the header {len(COLUMNS)}")
    row = [float(cell) if cell else math.nan for cell in line]
    if any(cell and math.isnan(value) for cell, value in zip(line, row, strict=True)):
        raise ValueError("a cell says nan; a missing number is an empty cell")
    return row
