"""Tables that readers uploaded, kept by their content so that a configuration can name them.

A table's name is ``upload.`` and the first 32 hexadecimal digits of the SHA-256 of its file, so
the same columns of the same rows have the same name on every machine, nobody finds a table
without holding it or its link, and a damaged file is noticed. The tables lie in one folder, named
by the environment variable ``IWAE_LAB_UPLOADS`` or below the user's data directory, where worker
processes and a restarted server find them. When the folder is full, the tables that nobody has
loaded for the longest make room.
"""

import contextlib
import hashlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import safetensors.numpy
import torch
from safetensors import SafetensorError
from torch import Tensor

from iwae_core.datasets.dataset import Dataset
from iwae_core.datasets.tables import Table

PREFIX = "upload."  # of the name of such a data set; the digest follows
FOLDER_VARIABLE = "IWAE_LAB_UPLOADS"
MOST_BYTES = 500 * 2**20  # of the folder
_DIGEST = re.compile(r"[0-9a-f]{32}")


def folder() -> Path:
    """Where tables are kept."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    return platformdirs.user_data_path("iwae-lab", appauthor=False) / "uploads"


def keep(table: Table) -> str:
    """Write a table, and make room for it.

    Returns:
        The name of the data set it is from now on.

    Raises:
        OSError: If the folder cannot be written to.
    """
    arrays: dict[str, Any] = {"train": table.train, "test": table.test}
    if table.train_labels is not None and table.test_labels is not None:
        arrays |= {"train_labels": table.train_labels, "test_labels": table.test_labels}
    sheet = {
        "columns": list(table.columns),
        "class_names": list(table.class_names),
        "binary": table.binary,
    }
    # An array like the others: safetensors' own metadata come in no fixed order.
    arrays["sheet"] = np.frombuffer(json.dumps(sheet).encode(), dtype=np.uint8)
    data = safetensors.numpy.save({name: np.ascontiguousarray(a) for name, a in arrays.items()})
    name = PREFIX + _digest(data)
    _write(path_of(name), data)
    return name


def take_in(name: str, data: bytes) -> None:
    """Keep a table's file that comes from another machine.

    Raises:
        ValueError: If it is not the file of that name, or no table.
        OSError: If the folder cannot be written to.
    """
    path = path_of(name)
    if _digest(data) != name.removeprefix(PREFIX):
        raise ValueError("the table is not the one that the name tells of: damaged or exchanged?")
    _dataset(name, data)  # refuses what is no table
    _write(path, data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(data)
    os.replace(new, path)
    _make_room(path)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of an uploaded table.

    Raises:
        ValueError: Says what such a name looks like.
    """
    if not name.startswith(PREFIX) or not _DIGEST.fullmatch(name.removeprefix(PREFIX)):
        raise ValueError(
            f"the name of an uploaded table is {PREFIX} and 32 hexadecimal digits, got "
            f"{name[:48]!r}: was the link cut or changed on its way?"
        )


def path_of(name: str) -> Path:
    """The file of a table, whether it is there or not.

    Raises:
        ValueError: As :func:`check_name`.
    """
    check_name(name)
    return folder() / f"{name.removeprefix(PREFIX)}.safetensors"


def load(name: str) -> Dataset:
    """Read a table back, and mark it as used.

    Raises:
        ValueError: If the name is wrong, or the file is not the one that was kept.
        OSError: If the table is not on this machine.
    """
    path = path_of(name)
    try:
        data = path.read_bytes()
    except FileNotFoundError as fault:
        raise FileNotFoundError(
            "This table is not on this machine: tables stay where they were uploaded. Upload the "
            "same CSV file here with the same columns, and the link works."
        ) from fault
    with contextlib.suppress(OSError):  # a folder that is only to be read
        os.utime(path)
    if _digest(data) != name.removeprefix(PREFIX):
        raise ValueError(f"{path} is not the table that was kept: damaged or exchanged?")
    return _dataset(name, data)


def _dataset(name: str, data: bytes) -> Dataset:
    try:
        arrays = safetensors.numpy.load(data)
        sheet = json.loads(arrays["sheet"].tobytes())
        columns, classes = tuple(sheet["columns"]), tuple(sheet["class_names"])
        binary = bool(sheet["binary"])
        labels: dict[str, Tensor | None] = {
            key: torch.from_numpy(arrays[key].copy()) if key in arrays else None
            for key in ("train_labels", "test_labels")
        }
        train, test = (torch.from_numpy(arrays[key].copy()) for key in ("train", "test"))
    except (SafetensorError, ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"{name} holds no table of this version: upload it again") from fault
    return Dataset(
        name=name,
        title="Your table",
        description=f"{len(train) + len(test):,} rows of {len(columns)} uploaded columns.",
        source="uploaded by a reader",
        license="the reader's own",
        train=train,
        test=test,
        train_labels=labels["train_labels"],
        test_labels=labels["test_labels"],
        class_names=classes,
        image_shape=_shape(len(columns)) if binary else None,
        binary=binary,
        already_binarized=binary,
        likelihood="bernoulli" if binary else "gaussian",
        column_names=columns,
    )


def _shape(n_bits: int) -> tuple[int, int]:
    """Rows and columns of a picture of all bits, as square as their number allows.

    >>> _shape(64), _shape(24), _shape(7)
    ((8, 8), (4, 6), (1, 7))
    """
    rows = next(r for r in range(math.isqrt(n_bits), 0, -1) if n_bits % r == 0)
    return rows, n_bits // rows


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _make_room(newest: Path) -> None:
    files = []
    for path in newest.parent.glob("*.safetensors"):
        try:
            stat = path.stat()
        except FileNotFoundError:  # another process has made room
            continue
        files.append((stat.st_mtime, stat.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= MOST_BYTES:
            return
        if path != newest:
            path.unlink(missing_ok=True)
            total -= size
