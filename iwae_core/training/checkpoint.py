r"""A run on disk: a small JSON sheet, and the arrays beside it as safetensors; never pickle.

    state.json                        configuration, step, position, and the digest of the arrays
    state-<digest>.safetensors        parameters under the model's own names, and Adam's moments

The arrays of another state get another name, and the sheet that names them is put in place last
and at once. So whenever a writer is cut off, the folder holds the whole old state or the whole new
one, and never the step of one with the parameters of the other. The digest also tells arrays that
were damaged or exchanged later.
"""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from safetensors import SafetensorError

from iwae_core.training.config import TrainConfig
from iwae_core.training.state import RunState, Stop, build_model, model_of
from iwae_core.training.step import lay_flat

_FORMAT = 2
_SHEET = "state.json"
_MOMENTS = ("first_moment", "second_moment")


def save(state: RunState, folder: str | Path) -> None:
    """Write a state to a folder, in place of the one that was there.

    The parameters carry the model's names, so the arrays also serve as a plain checkpoint. Cut off
    at any moment, the folder still loads as the old state or as the new one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = model_of(dataclasses.replace(state, config=_on_cpu(state.config)))
    arrays = {f"model.{name}": value.numpy() for name, value in model.state_dict().items()}
    arrays |= {name: getattr(state, name) for name in _MOMENTS}
    data = safetensors.numpy.save(arrays)
    sheet = {
        "format": _FORMAT,
        "arrays": _digest(data),
        "config": state.config.to_json(),
        "step": state.step,
        "epoch": state.epoch,
        "position": state.position,
        "stop": None if state.stop is None else dataclasses.asdict(state.stop),
        "best_bound": state.best_bound,
        "best_epoch": state.best_epoch,
    }
    named = _arrays_file(folder, sheet)
    _put(named, data)
    _put(folder / _SHEET, json.dumps(sheet, indent=2).encode())
    for left in folder.glob("state-*.safetensors*"):
        if left != named:
            left.unlink(missing_ok=True)


def load(folder: str | Path) -> RunState:
    """Read a state that :func:`save` wrote.

    Raises:
        ValueError: If a file is missing, broken, or not the one that belongs to the other; names
            the file.
    """
    folder = Path(folder)
    if not (folder / _SHEET).exists():
        raise ValueError(f"no run in {folder}: it holds no {_SHEET}; a typing error?")
    try:
        values = json.loads((folder / _SHEET).read_text(encoding="utf-8"))
        if values["format"] != _FORMAT:
            raise ValueError(f"format must be {_FORMAT}, got {values['format']!r}")
        arrays_file = _arrays_file(folder, values)
        config = TrainConfig.from_json(values["config"])
        stop = None if values["stop"] is None else Stop(**values["stop"])
        step, epoch, position = (int(values[name]) for name in ("step", "epoch", "position"))
        best_bound, best_epoch = values["best_bound"], int(values["best_epoch"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ValueError(f"cannot read a run from {folder / _SHEET}: {fault!r}") from fault
    try:
        data = arrays_file.read_bytes()
        if _digest(data) != values["arrays"]:
            raise ValueError(f"its content is not what {_SHEET} names: damaged or exchanged?")
        arrays = safetensors.numpy.load(data)
        model = build_model(config, generator=None)
        names = [name for name, _ in model.named_parameters()]
        flat = np.concatenate([arrays[f"model.{name}"].ravel() for name in names])
        first, second = (arrays[name] for name in _MOMENTS)
        for of_all_parameters in (flat, first, second):
            lay_flat(model, torch.from_numpy(of_all_parameters))
    except (OSError, SafetensorError, ValueError, KeyError) as fault:
        raise ValueError(f"cannot read a run from {arrays_file}: {fault!r}") from fault
    return RunState(
        config=config,
        step=step,
        epoch=epoch,
        position=position,
        parameters=flat,
        first_moment=first,
        second_moment=second,
        stop=stop,
        best_bound=best_bound,
        best_epoch=best_epoch,
    )


def _arrays_file(folder: Path, sheet: dict[str, Any]) -> Path:
    return folder / f"state-{sheet['arrays']}.safetensors"


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _put(path: Path, data: bytes) -> None:
    """Write beside, down to the disk, then rename: the file is there whole or not at all."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _on_cpu(config: TrainConfig) -> TrainConfig:
    return dataclasses.replace(config, device="cpu")
