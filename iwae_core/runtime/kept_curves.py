"""A run's curves as a table: one row for each step that has a point, columns with their units."""

import csv
import io
import math

import numpy as np
from numpy.typing import NDArray

OF_STEPS = ("objective (nats)", "ESS (samples)")
OF_HELD_OUT = ("L_1 (nats)", "L_64 (nats)")
COLUMNS = ("step", *OF_STEPS, *OF_HELD_OUT)

_MOST_ROWS = 50_000

Rows = NDArray[np.float32]  # (n, columns), the first of which is the step


def write_curves(steps: Rows, held_out: Rows) -> str:
    """CSV of the training curve and the held-out curve; a cell is empty where one has no point."""
    rows: dict[int, list[object]] = {}
    for curve, first, width in ((steps, 0, len(OF_STEPS)), (held_out, len(OF_STEPS), None)):
        for step, *values in curve.tolist():
            row = rows.setdefault(int(step), [""] * (len(COLUMNS) - 1))
            row[first : None if width is None else first + width] = values
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([step, *rows[step]] for step in sorted(rows))
    return out.getvalue()


def read_curves(text: str, last: int) -> tuple[Rows, Rows]:
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
    steps: list[list[float]] = []
    held_out: list[list[float]] = []
    before = -1.0
    for number, line in enumerate(lines, start=2):
        try:
            row = _numbers(line)
            if not before < row[0] <= last or row[0] != int(row[0]):
                raise ValueError("its step is out of order")
            first = 1 + len(OF_STEPS)
            for curve, part in ((steps, row[1:first]), (held_out, row[first:])):
                if all(map(math.isfinite, part)):
                    curve.append([row[0], *part])
                elif not all(map(math.isnan, part)):
                    raise ValueError("its numbers are not finite, or some are missing")
        except (ValueError, OverflowError) as fault:
            raise ValueError(f"line {number} of curves.csv: {fault}") from fault
        before = row[0]
    return _rows(steps, len(OF_STEPS)), _rows(held_out, len(OF_HELD_OUT))


def _numbers(line: list[str]) -> list[float]:
    if len(line) != len(COLUMNS):
        raise ValueError(f"it has {len(line)} cells, and the header {len(COLUMNS)}")
    row = [float(cell) if cell else math.nan for cell in line]
    if any(cell and math.isnan(value) for cell, value in zip(line, row, strict=True)):
        raise ValueError("a cell says nan; a missing number is an empty cell")
    return row


def _rows(rows: list[list[float]], width: int) -> Rows:
    return np.array(rows, dtype=np.float32).reshape(-1, 1 + width)
