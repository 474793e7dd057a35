"""A reader's own table: a CSV file, checked cell by cell, and the data set some columns make.

The file may use commas, semicolons or tabs. Its first row is a header if none of its cells is a
number; otherwise the columns are numbered. Everything wrong with a file is a ``ValueError`` of one
sentence that names the row as a spreadsheet counts it, header included, and the column.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.datasets.published import DATA_SEED
from iwae_core.rng import stream

MOST_BYTES = 10 * 2**20
MOST_COLUMNS = 1024
MIN_ROWS, MOST_ROWS = 50, 20_000
MIN_COLUMNS = 2
MOST_CLASSES = 50
TEST_SHARE = 5  # one row in five is held out
_DELIMITERS = ",;\t"
_WORD_LENGTH = 24  # of a cell or a name that a message cites


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of a file.

    Attributes:
        name: From the header, or ``column 3``.
        cells: The text of every row, stripped.
        values: The numbers, shape ``(N,)``; None if a cell is none.
        fault: Which cell is no finite number, in one sentence; empty if all are.
        is_text: Whether no cell is a number, so that the column is of words.
    """

    name: str
    cells: tuple[str, ...]
    values: NDArray[np.float64] | None
    fault: str
    is_text: bool

    @property
    def is_constant(self) -> bool:
        """Whether every row holds the same."""
        return len(set(self.cells)) == 1 or (
            self.values is not None and bool((self.values == self.values[0]).all())
        )

    @property
    def can_label(self) -> bool:
        """Whether its cells can be names of classes."""
        return "" not in self.cells and 2 <= len(set(self.cells)) <= MOST_CLASSES


@dataclass(frozen=True, slots=True, eq=False)
class CsvFile:
    """A file whose rows all have the same length."""

    columns: tuple[Column, ...]

    @property
    def n_rows(self) -> int:
        """Rows of data, the header not counted."""
        return len(self.columns[0].cells)

    def usable(self) -> tuple[str, ...]:
        """Names of the columns of numbers, those that hold one number only left out."""
        return tuple(
            column.name
            for column in self.columns
            if not column.is_text and not (column.values is not None and column.is_constant)
        )

    def labels(self) -> tuple[str, ...]:
        """Names of the columns that can be classes, those of words first."""
        able = [column for column in self.columns if column.can_label]
        return tuple(column.name for column in sorted(able, key=lambda c: not c.is_text))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A data set made of chosen columns, ready to keep and to train on.

    Attributes:
        train: Rows to train on, shape ``(N, D)``: bits, or standardized columns.
        test: Rows held out, shape ``(M, D)``.
        train_labels: Class of each training row, shape ``(N,)``, or None.
        test_labels: Class of each row held out, or None.
        columns: Name of each of the D columns.
        class_names: Names of the classes; empty without labels.
        binary: Whether every cell is 0 or 1.
    """

    train: NDArray[np.float32]
    test: NDArray[np.float32]
    train_labels: NDArray[np.int64] | None
    test_labels: NDArray[np.int64] | None
    columns: tuple[str, ...]
    class_names: tuple[str, ...]
    binary: bool

    def describe(self) -> str:
        """What was done to the file, in one or two sentences."""
        what = (
            "all 0 or 1, so they are bits under a Bernoulli likelihood"
            if self.binary
            else "each shifted and scaled to mean 0 and spread 1 over the training rows, under a "
            "Gaussian likelihood"
        )
        classes = f" {len(self.class_names)} classes color the rows." if self.class_names else ""
        return (
            f"{len(self.columns)} columns, {what}; {len(self.train):,} rows to train on, "
            f"{len(self.test):,} held out.{classes}"
        )


def read_csv(content: bytes) -> CsvFile:
    """Read a file and look at every cell.

    Raises:
        ValueError: If it is too large or too small, no text in UTF-8, or its rows differ in
            length; see the module.
    """
    rows = _rows(_text(content))
    first, cells = rows[0]
    has_header = not any(_is_number(cell) for cell in cells)
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
            _column(name, tuple(row[at] for _, row in body), numbers)
            for at, name in enumerate(names)
        )
    )


def make_table(file: CsvFile, columns: Sequence[str], label: str | None = None) -> Table:
    """Make a data set of some columns, one row in five held out.

    Columns that hold 0 and 1 only become bits. If any other is among them, every column is
    standardized by the mean and the standard deviation of its training rows.

    Args:
        file: From :func:`read_csv`.
        columns: Names of at least two columns, each once.
        label: Name of the column that says each row's class, or None.

    Raises:
        ValueError: If a name is unknown or a column cannot serve; names row and column.
    """
    by_name = {column.name: column for column in file.columns}
    _check_choice(by_name, columns, label)
    chosen = [by_name[name] for name in columns]
    x = np.stack([_numbers(column) for column in chosen], axis=1)
    binary = bool(((x == 0) | (x == 1)).all())
    order = torch.randperm(len(x), generator=stream(DATA_SEED, "table rows")).numpy()
    is_test = np.zeros(len(x), dtype=bool)
    is_test[order[: len(x) // TEST_SHARE]] = True
    if not binary:
        x = _standardize(x, ~is_test, chosen)
    classes: tuple[str, ...] = ()
    y = None
    if label is not None:
        classes = _in_order(set(by_name[label].cells))
        index = {name: at for at, name in enumerate(classes)}
        y = np.array([index[cell] for cell in by_name[label].cells], dtype=np.int64)
    return Table(
        train=x[~is_test].astype(np.float32),
        test=x[is_test].astype(np.float32),
        train_labels=None if y is None else y[~is_test],
        test_labels=None if y is None else y[is_test],
        columns=tuple(columns),
        class_names=classes,
        binary=binary,
    )


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
        raise ValueError(f"two columns have the name {_cited(twice[0])}")
    return names


def _column(name: str, cells: tuple[str, ...], numbers: list[int]) -> Column:
    try:
        values = np.array([float(cell) for cell in cells])
        if np.isfinite(values).all():
            return Column(name, cells, values, "", is_text=False)
    except ValueError:
        pass
    at = next(at for at, cell in enumerate(cells) if not _is_number(cell))
    cell = cells[at]
    what = f"holds {_cited(cell)}, which is not a finite number" if cell else "is empty"
    hint = ": a point, not a comma, before the decimals?" if _is_comma_number(cell) else ""
    is_text = not any(_is_number(cell) for cell in cells)
    fault = f"column {_cited(name)}, row {numbers[at]} {what}{hint}"
    return Column(name, cells, None, fault, is_text)


def _check_choice(by_name: dict[str, Column], columns: Sequence[str], label: str | None) -> None:
    for name in (*columns, *([] if label is None else [label])):
        if name not in by_name:
            raise ValueError(f"the file has no column {_cited(name)}")
    if len(columns) < MIN_COLUMNS:
        raise ValueError(f"choose at least {MIN_COLUMNS} columns, got {len(columns)}")
    if len(set(columns)) < len(columns):
        raise ValueError("a column is chosen twice")
    if label is not None:
        if label in columns:
            raise ValueError(
                f"column {_cited(label)} cannot both be learned and name the classes: leave it "
                "out of the columns"
            )
        if not by_name[label].can_label:
            raise ValueError(
                f"column {_cited(label)} cannot name classes: it has empty cells, or not 2 to "
                f"{MOST_CLASSES} different ones"
            )


def _numbers(column: Column) -> NDArray[np.float64]:
    if column.values is None:
        raise ValueError(column.fault)
    return column.values


def _standardize(
    x: NDArray[np.float64], is_train: NDArray[np.bool_], columns: list[Column]
) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        shift = x[is_train].mean(axis=0)
        scale = x[is_train].std(axis=0)
        z = (x - shift) / scale
    for at, column in enumerate(columns):
        if (x[is_train, at] == x[is_train, at][0]).all():
            raise ValueError(
                f"column {_cited(column.name)} holds {column.cells[0]} in every training row, so "
                "it has no spread to learn: leave it out"
            )
        if not np.isfinite(z[:, at].astype(np.float32)).all():
            raise ValueError(
                f"column {_cited(column.name)} cannot be scaled to spread 1: its numbers are too "
                "large, or too close to each other"
            )
    return z


def _in_order(names: set[str]) -> tuple[str, ...]:
    """By number where all are numbers, else by letter."""
    if all(map(_is_number, names)):
        return tuple(sorted(names, key=lambda name: (float(name), name)))
    return tuple(sorted(names))


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _is_comma_number(cell: str) -> bool:
    return cell.count(",") == 1 and _is_number(cell.replace(",", "."))


def _cited(text: str) -> str:
    plain = "".join(letter for letter in text if letter.isprintable() and letter != "`")
    short = plain if len(plain) <= _WORD_LENGTH else plain[:_WORD_LENGTH] + "..."
    return f"'{short}'"
