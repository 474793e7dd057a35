"""A reader's CSV file, looked at cell by cell.

The file may use commas, semicolons or tabs. Its first row is a header if none of its cells is a
number; otherwise the columns are numbered. Everything wrong with a file is a ``ValueError`` of one
sentence that names the row as a spreadsheet counts it, header included, and the column.
"""

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 10 * 2**20
MIN_COLUMNS, MOST_COLUMNS = 2, 1024
MIN_ROWS, MOST_ROWS = 50, 20_000
MOST_CLASSES = 50
_DELIMITERS = ",;\t"
_WORD_LENGTH = 24  # of a cell or a name that a message cites


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One column of a file.

    Attributes:
        name: From the header, or ``column 3``.
        values: The numbers, shape ``(N,)``; None if a cell is none.
        fault: Which cell is no finite number, in one sentence; empty if all are.
        is_text: Whether no cell is a number, so that the column is of words.
        classes: Its different cells in order, where they can name 2 to 50 classes; else empty.
        codes: Class of each row, shape ``(N,)``; None without classes.
    """

    name: str
    values: NDArray[np.float64] | None
    fault: str
    is_text: bool
    classes: tuple[str, ...]
    codes: NDArray[np.int64] | None

    @property
    def is_constant(self) -> bool:
        """Whether every row holds the same number."""
        return self.values is not None and bool((self.values == self.values[0]).all())


@dataclass(frozen=True, slots=True, eq=False)
class CsvFile:
    """A file whose rows all have the same length."""

    columns: tuple[Column, ...]
    n_rows: int  # the header not counted

    def usable(self) -> tuple[str, ...]:
        """Names of the columns of numbers, those that hold one number only left out."""
        return tuple(
            column.name for column in self.columns if not column.is_text and not column.is_constant
        )

    def labels(self) -> tuple[str, ...]:
        """Names of the columns that can be classes, those of words first."""
        able = [column for column in self.columns if column.classes]
        return tuple(column.name for column in sorted(able, key=lambda c: not c.is_text))


def read_csv(content: bytes) -> CsvFile:
    """Read a file and look at every cell.

    Raises:
        ValueError: If it is too large or too small, no text in UTF-8, or its rows differ in
            length; see the module.
    """
    rows = _rows(_text(content))
    first, cells = rows[0]
    has_header = not any(is_number(cell) for cell in cells)
    body = rows[1:] if has_header else rows
    if not MIN_ROWS <= len(body) <= MOST_ROWS:
        raise ValueError(f"a table has {MIN_ROWS} to {MOST_ROWS:,} rows, got {len(body):,}")
    if not MIN_COLUMNS <= len(cells) <= MOST_COLUMNS:
        hint = ": is it separated by commas, semicolons or tabs?" if len(cells) == 1 else ""
        raise ValueError(
            f"a table has {MIN_COLUMNS} to {MOST_COLUMNS:,} columns, got {len(cells):,}{hint}"
        )
    for number, row in body:
        if len(row) != len(cells):
            raise ValueError(
                f"row {number} has {len(row)} cells, but row {first} has {len(cells)}"
            )
    names = _names(cells if has_header else [""] * len(cells))
    numbers = [number for number, _ in body]
    return CsvFile(
        tuple(
            _column(name, [row[at] for _, row in body], numbers) for at, name in enumerate(names)
        ),
        len(body),
    )


def is_number(cell: str) -> bool:
    """Whether a cell holds a finite number."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def cited(text: str) -> str:
    """Give a stranger's text as a message may show it: short, printable, in quotes."""
    plain = "".join(letter for letter in text if letter.isprintable() and letter != "`")
    short = plain if len(plain) <= _WORD_LENGTH else plain[:_WORD_LENGTH] + "..."
    return f"'{short}'"


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"the file has {len(content) / 2**20:.1f} MB, more than {MOST_BYTES / 2**20:.0f} MB"
        )
    if content.startswith(b"PK\x03\x04"):
        raise ValueError("this is a spreadsheet or a zip archive, no text: save it as CSV")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ValueError(
            f"byte {fault.start + 1:,} is no text in UTF-8: save the file as CSV in UTF-8"
        ) from fault


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with its number; cells stripped."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    counts = Counter(letter for letter in head if letter in _DELIMITERS)
    delimiter = max(_DELIMITERS, key=lambda letter: counts[letter])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for number, row in enumerate(reader, start=1):
            if any(cell and not cell.isspace() for cell in row):
                rows.append((number, [cell.strip() for cell in row]))
            if len(rows) > MOST_ROWS + 1:
                raise ValueError(f"a table has {MIN_ROWS} to {MOST_ROWS:,} rows, got more")
    except csv.Error as fault:
        raise ValueError(f"row {len(rows) + 1} cannot be read as CSV: {fault}") from fault
    if not rows:
        raise ValueError("the file is empty")
    return rows


def _names(header: list[str]) -> list[str]:
    names = [cell or f"column {at}" for at, cell in enumerate(header, start=1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"two columns have the name {cited(twice[0])}")
    return names


def _column(name: str, cells: list[str], numbers: list[int]) -> Column:
    values: NDArray[np.float64] | None = None
    fault, is_text = "", False
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        is_text = not any(is_number(cell) for cell in cells)
    if values is None or not np.isfinite(values).all():
        values = None
        at = next(at for at, cell in enumerate(cells) if not is_number(cell))
        fault = f"column {cited(name)}, row {numbers[at]} {_what_is_wrong(cells[at])}"
    classes = _classes(cells)
    index = {cell: at for at, cell in enumerate(classes)}
    return Column(
        name=name,
        values=values,
        fault=fault,
        is_text=is_text,
        classes=classes,
        codes=np.array([index[cell] for cell in cells]) if classes else None,
    )


def _classes(cells: list[str]) -> tuple[str, ...]:
    """The different cells, by number where all are numbers, else by letter."""
    found = set(cells)
    if "" in found or not 2 <= len(found) <= MOST_CLASSES:
        return ()
    if all(map(is_number, found)):
        return tuple(sorted(found, key=lambda cell: (float(cell), cell)))
    return tuple(sorted(found))


def _what_is_wrong(cell: str) -> str:
    if not cell:
        return "is empty"
    hint = ": a point, not a comma, before the decimals?" if _is_comma_number(cell) else ""
    return f"holds {cited(cell)}, which is not a finite number{hint}"


def _is_comma_number(cell: str) -> bool:
    return cell.count(",") == 1 and is_number(cell.replace(",", "."))
