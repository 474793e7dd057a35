"""A table whose rows are steps of training, as CSV: written by us, read from strangers."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

MOST_ROWS = 50_000


def write_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a header and rows."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def read_rows(
    text: str,
    file: str,
    columns: Sequence[str],
    last: int,
    parse: Callable[[list[str]], list[float]],
) -> list[list[float]]:
    """Read what :func:`write_rows` wrote of a run that came to step ``last``.

    Args:
        text: The file.
        file: Its name.
        columns: What its header must be; the first column is the step.
        last: No step is larger.
        parse: The numbers of a row's cells; raises ``ValueError`` where one is wrong.

    Raises:
        ValueError: If columns are missing, there are more than ``MOST_ROWS`` rows, steps stand out
            of order, or as ``parse`` says; one sentence names the file, and the line.
    """
    try:
        header, *lines = csv.reader(io.StringIO(text))
    except (csv.Error, ValueError) as fault:
        raise ValueError(f"{file} cannot be read: {fault}") from fault
    if header != list(columns):
        raise ValueError(f"{file} must have the columns {', '.join(columns)}")
    if len(lines) > MOST_ROWS:
        raise ValueError(f"{file} may have {MOST_ROWS} rows, got {len(lines)}")
    before, rows = -1.0, []
    for number, line in enumerate(lines, start=2):
        try:
            if len(line) != len(columns):
                raise ValueError(f"it has {len(line)} cells, and the header {len(columns)}")
            row = parse(line)
            if not before < row[0] <= last or row[0] != int(row[0]):
                raise ValueError("its step is out of order")
        except (ValueError, OverflowError) as fault:
            raise ValueError(f"line {number} of {file}: {fault}") from fault
        before = row[0]
        rows.append(row)
    return rows
