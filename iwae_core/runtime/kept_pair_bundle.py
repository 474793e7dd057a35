"""A pair of twins as one file: two runs as they go out alone, and how the two compare.

    A.zip, B.zip      see runtime.kept_bundle
    pair.csv          a row for each step at which both were looked at; columns say their units

It comes back as a pair only if the two are twins: one step, one start, the same batches.
"""

import io
import math
import re
import zipfile
from dataclasses import dataclass

import numpy as np

from iwae_core.runtime import kept_bundle
from iwae_core.runtime.kept_archive import read_parts
from iwae_core.runtime.kept_bundle import Bundle
from iwae_core.runtime.kept_curves import Rows
from iwae_core.runtime.kept_rows import read_rows, write_rows
from iwae_core.runtime.twin_slices import check_alike

STRIP = (
    *("step", "A: held-out L_1 (nats)", "A: held-out L_64 (nats)"),
    *("B: held-out L_1 (nats)", "B: held-out L_64 (nats)"),
    *("B less A: L_1 (nats)", "its standard error (nats)"),
    *("B less A: L_64 (nats)", "its standard error (nats)"),
)

_ERRORS = [6, 8]  # columns that are never negative
_PARTS = re.compile(r"A\.zip|B\.zip|pair\.csv")
_OF_A_RUN = {"run.json": "this is a single run: import it on the page Train"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairBundle:
    """What a file held.

    Attributes:
        sides: A and B, both at one step.
        strip: How they compare: the columns of ``runtime.twins.TwinSeen.held_out``.
    """

    sides: tuple[Bundle, Bundle]
    strip: Rows


def pack(bundle: PairBundle, scripts: tuple[str, str]) -> bytes:
    """Write a bundle; each of ``scripts`` becomes a side's reproduce.py."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, side, script in zip("AB", bundle.sides, scripts, strict=True):
            archive.writestr(f"{name}.zip", kept_bundle.pack(side, script))
        archive.writestr("pair.csv", _write_strip(bundle.strip))
    return out.getvalue()


def unpack(data: bytes) -> PairBundle:
    """Read what :func:`pack` wrote, trusting nothing.

    Raises:
        ValueError: If the file is too large, broken, or holds no pair; one sentence says why.
    """
    parts = read_parts(data, _PARTS, "pair", elsewhere=_OF_A_RUN)
    for needed in ("A.zip", "B.zip", "pair.csv"):
        if needed not in parts:
            raise ValueError(f"the file lacks {needed}: was it made by Export pair?")
    first, second = _side("A", parts["A.zip"]), _side("B", parts["B.zip"])
    if first.state.step != second.state.step:
        raise ValueError(
            f"A stands at step {first.state.step} and B at step {second.state.step}: a pair "
            "stands at one"
        )
    if first.name != second.name:
        raise ValueError("A and B have two names: a pair has one")
    check_alike(first.lineage.config, second.lineage.config)
    check_alike(first.state.config, second.state.config)
    strip = _read_strip(parts["pair.csv"], first.state.step)
    return PairBundle(sides=(first, second), strip=strip)


def _side(name: str, data: bytes) -> Bundle:
    try:
        return kept_bundle.unpack(data)
    except ValueError as fault:
        raise ValueError(f"{name}.zip: {fault}") from fault


def _write_strip(rows: Rows) -> str:
    return write_rows(STRIP, ([int(step), *values] for step, *values in rows.tolist()))


def _read_strip(content: bytes, last: int) -> Rows:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise ValueError(f"pair.csv cannot be read: {fault}") from fault
    rows = read_rows(text, "pair.csv", STRIP, last, _numbers)
    return np.array(rows, dtype=np.float32).reshape(-1, len(STRIP))


def _numbers(line: list[str]) -> list[float]:
    row = [float(cell) for cell in line]
    if not all(map(math.isfinite, row)) or min(row[i] for i in _ERRORS) < 0:
        raise ValueError("its numbers are not finite, or an error is negative")
    return row
