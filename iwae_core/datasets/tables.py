"""The data set that some columns of a reader's CSV file make.

Columns of 0 and 1 are bits under a Bernoulli likelihood; any others are standardized, for a
Gaussian one. A column that cannot serve is a ``ValueError`` of one sentence that names it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.datasets.csv_file import (
    MIN_COLUMNS,
    MOST_CLASSES,
    Column,
    CsvFile,
    cited,
)
from iwae_core.datasets.published import DATA_SEED
from iwae_core.rng import stream

TEST_SHARE = 5  # one row in five is held out


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
    y = None if label is None else by_name[label].codes
    return Table(
        train=x[~is_test].astype(np.float32),
        test=x[is_test].astype(np.float32),
        train_labels=None if y is None else y[~is_test],
        test_labels=None if y is None else y[is_test],
        columns=tuple(columns),
        class_names=() if label is None else by_name[label].classes,
        binary=binary,
    )


def _check_choice(by_name: dict[str, Column], columns: Sequence[str], label: str | None) -> None:
    for name in (*columns, *([] if label is None else [label])):
        if name not in by_name:
            raise ValueError(f"the file has no column {cited(name)}")
    if len(columns) < MIN_COLUMNS:
        raise ValueError(f"choose at least {MIN_COLUMNS} columns, got {len(columns)}")
    if len(set(columns)) < len(columns):
        raise ValueError("a column is chosen twice")
    if label is not None:
        if label in columns:
            raise ValueError(
                f"column {cited(label)} cannot both be learned and name the classes: leave it "
                "out of the columns"
            )
        if not by_name[label].classes:
            raise ValueError(
                f"column {cited(label)} cannot name classes: it has empty cells, or not 2 to "
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
                f"column {cited(column.name)} holds {x[is_train, at][0]:g} in every training "
                "row, so it has no spread to learn: leave it out"
            )
        if not np.isfinite(z[:, at].astype(np.float32)).all():
            raise ValueError(
                f"column {cited(column.name)} cannot be scaled to spread 1: its numbers are too "
                "large, or too close to each other"
            )
    return z
