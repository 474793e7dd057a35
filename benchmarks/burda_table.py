"""Train rows of Burda et al.'s table (2016, table 1) and set them beside the published numbers.

A row is LAYERS:K:OBJECTIVE:DATASET, for example `2:50:iwae:mnist`: 1 or 2 stochastic layers, K
samples, `elbo` (the VAE column) or `iwae`, and `mnist` (bits redrawn at every access) or
`mnist_fixed` (bits drawn once: another data set, never compared with the first). Omniglot is left
out: the published numbers are for one 28x28 version and split that no file we can verify holds, so
ours would not be comparable. Recipe: 3,280 epochs in eight stages, batch 20, Adam eps 1e-4;
`--stretch 0.01` makes it 33 epochs, and the table says so.

    python benchmarks/burda_table.py --rows 1:1:iwae:mnist 1:5:iwae:mnist [--stretch 0.01]

Every run keeps its state below `--folder`; the same command goes on where it was stopped, by
whatever signal, and ends with the bits of a run that was not. A finished row is evaluated once:
NLL = -L_5000 on the first `--images` test images in a fixed random order, active units (ddof 0,
above 0.01) on at most 2,000 of them. Without `--rows` nothing is trained. All finished rows in the
folder go to `table.md`, `table.json` and the figure `table.html` there, and to the standard output
as JSON, with images per second and the share of a step's time that its own matrix products take
when they run alone (what benchmarks/train_step.py calls the floor).

On CUDA each step is replayed from a captured graph (`--no-capture` leaves that off). No GPU was at
hand when this was written: the path is tested by an emulation on the CPU alone; see
iwae_core/training/captured.py.
"""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

import figures
import numpy as np
import torch
from burda_published import PUBLISHED, as_markdown
from step_share import share_in_products

from iwae_core import datasets
from iwae_core.evaluation import collapse_report, log_likelihood
from iwae_core.rng import stream
from iwae_core.training import (
    RunState,
    TrainConfig,
    advance,
    begin,
    burda_config,
    load,
    model_of,
    save,
)
from iwae_core.training.presets import burda_epochs

N_SAMPLES = 5000
ACTIVITY_IMAGES = 2000
FIRST_SLICE = 20  # updates before the speed is known


def parse_row(text: str) -> tuple[int, int, str, str]:
    """Layers, K, objective and data set of one row."""
    parts = text.split(":")
    if len(parts) != 4 or not (parts[0].isdigit() and parts[1].isdigit()):
        raise argparse.ArgumentTypeError(
            f"a row is LAYERS:K:OBJECTIVE:DATASET, such as 1:5:iwae:mnist, got {text!r}"
        )
    return int(parts[0]), int(parts[1]), parts[2], parts[3]


def latest(folder: Path, config: TrainConfig) -> RunState:
    """The state in the folder, or the first one of the run."""
    if not (folder / "state.json").exists():
        return begin(config)
    state = load(folder)
    here = {"device": config.device, "data_folder": config.data_folder}
    if dataclasses.replace(state.config, **here) != config:
        raise SystemExit(f"{folder} belongs to other settings: name another --folder")
    return dataclasses.replace(state, config=config)


def train(folder: Path, config: TrainConfig, options: argparse.Namespace) -> RunState:
    """Go on until the schedule ends; keeps a state every few seconds."""
    state = latest(folder, config)
    per_epoch = len(datasets.load(config.dataset, config.data_folder).train) // config.batch_size
    n_steps = burda_epochs(config.rate_stretch) * per_epoch
    capture = options.capture and config.resolved_device().type == "cuda"
    speed_file = folder / "speed.json"
    speed = json.loads(speed_file.read_text()) if speed_file.exists() else {"s": 0.0, "steps": 0}
    size = FIRST_SLICE
    while state.step < n_steps:
        began = time.perf_counter()
        after = advance(state, min(size, n_steps - state.step), capture=capture).state
        seconds = time.perf_counter() - began
        if after.stop is not None:
            raise SystemExit(f"{folder} stopped at step {after.stop.step}: {after.stop.cause}")
        speed = {"s": speed["s"] + seconds, "steps": speed["steps"] + after.step - state.step}
        size = max(1, min(per_epoch, int(options.save_seconds * size / seconds)))
        state = after
        save(state, folder)
        write_json(speed_file, speed)
        rate = config.batch_size * speed["steps"] / speed["s"]
        print(
            f"{folder.name}: epoch {state.step / per_epoch:.2f} of {n_steps // per_epoch}, "
            f"{rate:.0f} images/s",
            file=sys.stderr,
            flush=True,
        )
    return state


def evaluate(state: RunState, options: argparse.Namespace) -> dict[str, object]:
    """NLL and active units on the test set."""
    config, model = state.config, model_of(state)
    device = config.resolved_device()
    data = datasets.load(config.dataset, config.data_folder)
    order = torch.randperm(len(data.test), generator=stream(0, "test order"))
    x = data.test[order[: options.images]]
    if not data.already_binarized:
        x = datasets.binarize(x, stream(0, "test bits"))
    x = x.to(device)
    noise = stream(0, "test noise", device=device)
    log_p = log_likelihood(model, x, options.samples, noise).cpu().numpy()
    units = collapse_report(model, x[:ACTIVITY_IMAGES], stream(0, "units", device=device))
    return {
        "nll": round(float(-log_p.mean()), 3),
        "std_error": round(float(log_p.std(ddof=1) / np.sqrt(len(x))), 3),
        "L_K": options.samples,
        "images": len(x),
        "active": "+".join(str(n) for n in units.n_active_per_layer),
    }


def run_row(row: tuple[int, int, str, str], options: argparse.Namespace) -> None:
    """Train and evaluate one row; a finished one is left as it is."""
    n_layers, K, objective, dataset = row
    config = burda_config(
        n_layers,
        K,
        objective,
        dataset=dataset,
        stretch=options.stretch,
        seed=options.seed,
        device=options.device,
    )
    name = f"{dataset}-{n_layers}-{K}-{objective}-x{options.stretch:g}-seed{options.seed}"
    folder = options.folder / name
    if (folder / "result.json").exists():
        return
    state = train(folder, config, options)
    step_ms, share = share_in_products(
        state, options.capture and config.resolved_device().type == "cuda"
    )
    speed = json.loads((folder / "speed.json").read_text())
    published = PUBLISHED.get((dataset, objective), {}).get((n_layers, K))
    result = {
        "dataset": dataset,
        "layers": n_layers,
        "K": K,
        "objective": objective,
        "epochs": burda_epochs(options.stretch),
        "stretch": options.stretch,
        "seed": options.seed,
        **evaluate(state, options),
        "published_nll": published and published[0],
        "published_active": published and published[1],
        "images_per_second": round(config.batch_size * speed["steps"] / speed["s"]),
        "step_ms": round(step_ms, 3),
        "share_in_products": round(share, 3),
        "device": str(config.resolved_device()),
    }
    write_json(folder / "result.json", result)


def write_json(path: Path, value: object) -> None:
    """Write beside, then rename: never half a file."""
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(value, indent=1), encoding="utf-8")
    new.replace(path)


def main() -> None:
    """Train what is asked for, then print all finished rows as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=parse_row, nargs="*", default=[])
    parser.add_argument("--stretch", type=float, default=1.0, help="1 is 3,280 epochs")
    parser.add_argument("--folder", type=Path, default=Path("runs/burda"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=10_000, help="test images of the NLL")
    parser.add_argument("--samples", type=int, default=N_SAMPLES, help="K of the NLL")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save-seconds", type=float, default=30.0)
    parser.add_argument("--capture", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for row in options.rows:
        run_row(row, options)
    results = [json.loads(p.read_text()) for p in sorted(options.folder.glob("*/result.json"))]
    if results:
        (options.folder / "table.md").write_text(as_markdown(results), encoding="utf-8")
        write_json(options.folder / "table.json", results)
        figures.write(figures.burda_table(results), options.folder / "table.html")
    print(json.dumps({"benchmark": "burda_table", "rows": results}, indent=1))


if __name__ == "__main__":
    main()
