r"""A run as one file: a .zip that another server, a notebook or a spreadsheet can read.

    run.json                      name, step, and the run's whole past: settings and changes
    state.json, state-<digest>.safetensors      see training.checkpoint
    curves.csv                    a row for each point of a curve; columns say their units
    reproduce.py                  trains the same run again, and gives the same numbers
    table.safetensors             the uploaded table that it was trained on, if that is small

What comes back is a stranger's file. Nothing in it is unpickled, run, or written where it says;
each part is bounded before it is read, and checked before it is believed.
"""

import dataclasses
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iwae_core import training
from iwae_core.datasets import uploads
from iwae_core.runtime.kept_archive import read_parts
from iwae_core.runtime.kept_checks import check_settings, check_size, check_stop, is_step, shown
from iwae_core.runtime.kept_curves import Rows, read_curves, write_curves
from iwae_core.runtime.lineage import Lineage
from iwae_core.runtime.store import MOST_NAME
from iwae_core.runtime.store_record import lineage_from_json, lineage_to_json
from iwae_core.training import RunState

MOST_TABLE = 10_000_000  # of an uploaded table, to be carried along

_FORMAT = 1
_TABLE = "table.safetensors"
_TEXT_BYTES = 2_000_000  # of a JSON sheet or a script
_CHANGES = 10_000
_OF_A_PAIR = {
    "A.zip": "this is a pair of runs: import it on the page Twins, or one of the two in it here"
}
_PARTS = re.compile(
    r"run\.json|state\.json|state-[0-9a-f]{16}\.safetensors|curves\.csv|reproduce\.py"
    r"|table\.safetensors"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """What a file held.

    Attributes:
        name: As its owner named it; may be empty.
        lineage: The run's past up to the state.
        state: The run as it stood.
        curves: Steps, held-out and deep bounds, as in ``runtime.history.History``.
    """

    name: str
    lineage: Lineage
    state: RunState
    curves: tuple[Rows, ...]


def pack(bundle: Bundle, script: str) -> bytes:
    """Write a bundle; ``script`` becomes reproduce.py."""
    run = {
        "format": _FORMAT,
        "name": bundle.name,
        "step": bundle.state.step,
        "past": lineage_to_json(bundle.lineage),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run.json", json.dumps(run, indent=2))
        archive.writestr("curves.csv", write_curves(bundle.curves))
        archive.writestr("reproduce.py", script)
        if (table := _table_file(bundle.lineage.config.dataset)) is not None:
            archive.write(table, _TABLE)
        with tempfile.TemporaryDirectory() as folder:
            training.save(bundle.state, folder)
            for path in sorted(Path(folder).iterdir()):
                archive.write(path, path.name)
    return out.getvalue()


def unpack(data: bytes) -> Bundle:
    """Read what :func:`pack` wrote, trusting nothing.

    Raises:
        ValueError: If the file is too large, broken, or not such a file; one sentence says why.
    """
    parts = read_parts(data, _PARTS, "run", elsewhere=_OF_A_PAIR)
    _check_members(parts)
    run = _sheet(parts, "run.json")
    if run.get("format") != _FORMAT:
        raise ValueError(f"run.json must have format {_FORMAT}, got {shown(run.get('format'))}")
    name, step, past = run.get("name"), run.get("step"), run.get("past")
    if not isinstance(name, str) or len(name) > MOST_NAME or not name.isprintable():
        raise ValueError(f"run.json must name the run in up to {MOST_NAME} characters of text")
    if not isinstance(step, int) or not is_step(step):
        raise ValueError(f"run.json must say the run's step, got {shown(step)}")
    lineage = _lineage(past, step, parts.get(_TABLE))
    state = _state(parts, lineage, step)
    curves = read_curves(_text(parts, "curves.csv"), step)
    return Bundle(name=name, lineage=lineage, state=state, curves=curves)


# Reading ----------------------------------------------------------------------------------------


def _check_members(parts: Mapping[str, bytes]) -> None:
    for needed in ("run.json", "state.json", "curves.csv"):
        if needed not in parts:
            raise ValueError(f"the file lacks {needed}: was it made by Export?")
    if sum(name.startswith("state-") for name in parts) != 1:
        raise ValueError("the file must hold one state-....safetensors")


def _text(parts: Mapping[str, bytes], name: str) -> str:
    if len(parts[name]) > _TEXT_BYTES and name.endswith(".json"):
        raise ValueError(f"{name} has more than {_TEXT_BYTES / 1e6:.0f} MB")
    try:
        return parts[name].decode("utf-8")
    except UnicodeDecodeError as fault:
        raise ValueError(f"{name} is not UTF-8 text") from fault


def _sheet(parts: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        values = json.loads(_text(parts, name))
    except (ValueError, RecursionError) as fault:
        raise ValueError(f"{name} is not JSON: {fault}") from fault
    if not isinstance(values, dict):
        raise ValueError(f"{name} must hold an object, got {shown(values)}")
    return values


def _table_file(dataset: str) -> Path | None:
    if not dataset.startswith(uploads.PREFIX):
        return None
    path = uploads.path_of(dataset)
    return path if path.is_file() and path.stat().st_size <= MOST_TABLE else None


def _lineage(past: object, step: int, table: bytes | None) -> Lineage:
    if not isinstance(past, dict) or not isinstance(past.get("config"), dict):
        raise ValueError("run.json must hold the run's past: its settings and changes")
    changes = past.get("changes")
    if not isinstance(changes, list) or len(changes) > _CHANGES:
        raise ValueError(f"run.json must list the run's changes, at most {_CHANGES}")
    check_settings(past["config"])
    for change in changes:
        if not isinstance(change, dict) or not isinstance(change.get("values"), dict):
            raise ValueError(f"run.json has a change that is none: {shown(change)}")
        if not is_step(change.get("step")) or change["step"] > step:
            raise ValueError(f"run.json has a change at step {shown(change.get('step'))}")
        check_settings(change["values"])
        check_stop(change.get("stop"))
    lineage = lineage_from_json(past)
    if table is not None and len(table) <= MOST_TABLE:
        uploads.take_in(lineage.config.dataset, table)
    for config in (lineage.config, lineage.config_now()):
        check_size(config)
    # A folder on another machine says nothing here; the data are the same by their hashes.
    return dataclasses.replace(
        lineage, config=dataclasses.replace(lineage.config, data_folder=None)
    )


def _state(parts: Mapping[str, bytes], lineage: Lineage, step: int) -> RunState:
    sheet = _sheet(parts, "state.json")
    check_stop(sheet.get("stop"))
    if not isinstance(sheet.get("config"), dict):
        raise ValueError("state.json must hold the run's settings")
    check_settings(sheet["config"])
    (arrays,) = [name for name in parts if name.startswith("state-")]
    if sheet.get("arrays") != arrays.removeprefix("state-").removesuffix(".safetensors"):
        raise ValueError("state.json belongs to other arrays than those in the file")
    for name in ("step", "epoch", "position", "best_epoch"):
        if not is_step(sheet.get(name)):
            raise ValueError(f"state.json must say its {name}, got {shown(sheet.get(name))}")
    if not isinstance(sheet.get("best_bound"), float | None):
        raise ValueError("state.json must say its best_bound as a number, or null")
    sheet["config"]["data_folder"] = None
    if sheet["config"] != lineage.config_now().to_json() or sheet["step"] != step:
        raise ValueError("state.json and run.json tell of two different runs")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "state.json").write_text(json.dumps(sheet), encoding="utf-8")
        Path(folder, arrays).write_bytes(parts[arrays])
        try:
            state = training.load(folder)
        except ValueError as fault:
            raise ValueError(str(fault).replace(f"{folder}/", "")) from fault
    for name in ("parameters", "first_moment", "second_moment"):
        values = getattr(state, name)
        if values.dtype != np.float32 or not np.isfinite(values).all():
            raise ValueError(f"the run's {name} are not finite numbers")
    if (state.second_moment < 0).any():
        raise ValueError("the run's second_moment has negative numbers")
    return state
