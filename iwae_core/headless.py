"""Training and evaluation without a browser: ``iwae-lab train`` and ``iwae-lab evaluate``.

    iwae-lab train --dataset mnist --objective iwae --n-samples 50 --epochs 10 --out runs/iwae50
    iwae-lab evaluate runs/iwae50 --samples 5000

A run lives in a folder: the state (``iwae_core.training.save``), ``curve.csv`` with every step and
``held_out.csv`` with the held-out bounds. The same command goes on where the folder stands, after
Ctrl+C or a crash; Ctrl+C costs the slice under way, a crash at most the work of SAVE_SECONDS, and
the numbers of the resumed run are those of an undisturbed one to the bit.
"""

import argparse
import csv
import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from iwae_core import datasets, training
from iwae_core.datasets import binarize
from iwae_core.denormals import flushed
from iwae_core.evaluation import collapse_report, log_likelihood
from iwae_core.headless_board import Board, NoBoardError
from iwae_core.headless_options import FIELDS
from iwae_core.rng import stream
from iwae_core.training import LIVE_FIELDS, RunState, TrainConfig
from iwae_core.training.frame import observe

SAVE_SECONDS = 10.0
SLICE_SECONDS = 0.5
EXIT_REFUSED = 2  # a setting, a folder or a data set was refused
EXIT_NOT_FINITE = 3  # the run met a number that is not finite
EXIT_INTERRUPTED = 130
_REFUSED = (ValueError, OSError, MemoryError, RuntimeError)  # torch says RuntimeError: no memory
CURVE = ("step", "objective", "ess", "n_samples")
HELD_OUT = ("step", "L_1", "L_64")


@flushed()  # from the start, so that torch's other threads, which come later, flush as well
def train(options: argparse.Namespace) -> int:
    """Train a run to its length; goes on where its folder stands."""
    torch.set_num_threads(options.threads)
    given = {
        name: getattr(options, f"config_{name}")
        for name in FIELDS
        if getattr(options, f"config_{name}") is not None
    }
    try:
        state, changes = _open(options.out, given)
        n_train = len(datasets.load(state.config.dataset, state.config.data_folder).train)
        batch = changes.get("batch_size", state.config.batch_size)
        goal = options.steps or (options.epochs or 10) * math.ceil(n_train / batch)
        with Board(options.tensorboard, state.step) as board:
            state = _train_to(goal, state, changes, options, board)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (*_REFUSED, NoBoardError) as fault:
        return _refuse(fault)
    frame = observe(state)
    found = {
        "folder": str(options.out),
        "step": state.step,
        "L_1": frame.bound_1,
        "L_64": frame.bound_64,
        "active_units": int(frame.glance.active.sum()),
        "stop": state.stop.cause if state.stop else None,
    }
    _say(found, options.json)
    return EXIT_NOT_FINITE if state.stop and state.best_bound is None else 0


def _open(folder: Path, given: Mapping[str, Any]) -> tuple[RunState, dict[str, Any]]:
    """The run in the folder with the live changes asked for, or a new one."""
    if not (folder / "state.json").exists():
        return training.begin(TrainConfig(**given)), {}
    state = _moved(training.load(folder), given.get("device"), given.get("data_folder"))
    differing = {
        name: value for name, value in given.items() if getattr(state.config, name) != value
    }
    for name in differing:
        if name not in LIVE_FIELDS:
            raise ValueError(
                f"{name} of the run in {folder} is {getattr(state.config, name)!r} and cannot "
                f"change to {differing[name]!r}; choose another --out for another run"
            )
    state.config.with_changes(**differing)  # refuses what cannot be, before anything runs
    return state, differing


def _moved(state: RunState, device: str | None, data_folder: str | None) -> RunState:
    """The run where it goes on: the machine and its folders are no part of what a run is."""
    here: dict[str, Any] = {"device": device, "data_folder": data_folder}
    config = dataclasses.replace(
        state.config, **{name: value for name, value in here.items() if value is not None}
    )
    config.resolved_device()
    return dataclasses.replace(state, config=config)


def _train_to(
    goal: int,
    state: RunState,
    changes: dict[str, Any],
    options: argparse.Namespace,
    board: "Board",
) -> RunState:
    folder = options.out
    folder.mkdir(parents=True, exist_ok=True)
    _cut(folder / "curve.csv", CURVE, state.step)
    _cut(folder / "held_out.csv", HELD_OUT, state.step)
    rows: list[tuple[float, ...]] = []  # of the curve, since the last save
    saved, saved_at = state.step, time.monotonic()
    with tqdm(
        total=goal, initial=state.step, unit="step", disable=options.json, dynamic_ncols=True
    ) as bar:
        try:
            for done, speed in _slices(goal, state, changes):
                records = done.records
                columns = (records.step, records.objective, records.ess)
                rows += [(*row, records.n_samples) for row in zip(*columns, strict=True)]
                state = done.state
                bar.update(len(records.step))
                if len(records.step):
                    bound = float(records.objective.mean())
                    bar.set_postfix(bound=f"{bound:.2f}", K=records.n_samples)
                    board.note(state.step, {"train/objective": bound})
                    if options.json:
                        _print(step=state.step, objective=bound, steps_per_second=speed)
                ended = state.step >= goal or state.stop is not None
                if ended or time.monotonic() - saved_at > SAVE_SECONDS:
                    frame = observe(state)
                    held_out = {"L_1": frame.bound_1, "L_64": frame.bound_64}
                    # The curves go first: rows beyond the saved step are cut off on resuming.
                    _append(folder / "curve.csv", rows)
                    _append(folder / "held_out.csv", [(state.step, *held_out.values())])
                    training.save(state, folder)
                    board.note(
                        state.step, {f"held_out/{name}": at for name, at in held_out.items()}
                    )
                    if options.json:
                        _print(step=state.step, **held_out)
                    rows, saved, saved_at = [], state.step, time.monotonic()
        except KeyboardInterrupt:
            # Only the slice under way is lost; a save that was cut short is done anew.
            _cut(folder / "curve.csv", CURVE, saved)
            _append(folder / "curve.csv", rows)
            training.save(state, folder)
            raise
    return state


def _slices(
    goal: int, state: RunState, changes: dict[str, Any]
) -> Iterator[tuple[training.Slice, float]]:
    """Slices of about SLICE_SECONDS until the goal, each with its steps per second."""
    n_steps = 1
    while state.step < goal and (state.stop is None or changes):
        began = time.monotonic()
        done = training.advance(state, min(n_steps, goal - state.step), changes or None)
        speed = len(done.records.step) / max(time.monotonic() - began, 1e-6)
        state, changes = done.state, {}
        yield done, speed
        n_steps = max(1, min(2 * n_steps, round(speed * SLICE_SECONDS)))


@flushed()
def evaluate(options: argparse.Namespace) -> int:
    """Print L_1, L_64 and L_K of a kept run on the test set, and what its latents carry."""
    torch.set_num_threads(options.threads)
    try:
        _say(_measured(options), options.json)
    except _REFUSED as fault:
        return _refuse(fault)
    return 0


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    state = _moved(training.load(options.folder), options.device, options.data_folder)
    data = datasets.load(state.config.dataset, state.config.data_folder)
    rows = data.test[: options.images]
    if data.binary and not data.already_binarized:
        rows = binarize(rows, stream(options.seed, "test bits"))
    device = state.config.resolved_device()
    model, x = training.model_of(state), rows.to(device)
    found: dict[str, Any] = {"folder": str(options.folder), "step": state.step, "images": len(x)}
    for K in sorted({1, 64, options.samples}):
        bounds = log_likelihood(model, x, K, stream(options.seed, "noise", K, device=device))
        found[f"L_{K}"] = bounds.mean().item()
        if len(x) > 1:
            found[f"L_{K}_std_error"] = bounds.std().item() / math.sqrt(len(x))
    if len(x) > 1:
        report = collapse_report(model, x, stream(options.seed, "latents", device=device))
        found["active_units"] = int(report.active.sum())
        found["kl"] = float(report.kl_per_dim.sum())
    return found


def _cut(path: Path, header: Sequence[str], last_step: int) -> None:
    """Keep the rows up to a step; a missing file begins with its header."""
    rows: list[list[str]] = []
    if path.exists():
        with path.open(newline="") as file:
            rows = [row for row in list(csv.reader(file))[1:] if row and int(row[0]) <= last_step]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(header), *rows])


def _append(path: Path, rows: Sequence[Sequence[float]]) -> None:
    with path.open("a", newline="") as file:
        csv.writer(file).writerows(rows)


def _refuse(fault: Exception) -> int:
    """Say in one sentence what was refused; what is no refusal goes on as it came."""
    said = str(fault)
    if isinstance(fault, OSError) and fault.filename is not None:
        said = f"cannot use {fault.filename}: {fault.strerror}"
    elif isinstance(fault, MemoryError | RuntimeError):
        if not isinstance(fault, MemoryError) and "memory" not in said:
            raise fault
        said = "this machine has too little memory for the network or the batch: take smaller ones"
    print(f"iwae-lab: {said}", file=sys.stderr)
    return EXIT_REFUSED


def _print(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def _say(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        _print(**found)
        return
    for name, value in found.items():
        if value is not None:
            print(
                f"{name:>16}  {value:.4f}" if isinstance(value, float) else f"{name:>16}  {value}"
            )
