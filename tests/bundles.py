"""A run to export, and what is done to the file of one."""

import io
import json
import zipfile

import numpy as np

from iwae_core.runtime.kept_bundle import Bundle
from iwae_core.runtime.kept_curves import CURVES
from iwae_core.runtime.lineage import Lineage, replay
from iwae_core.training import TrainConfig

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)


def rows(steps, width):
    values = np.random.default_rng(0).normal(size=(len(steps), width))
    return np.column_stack([steps, values]).astype(np.float32)


def make_bundle():
    """A run with a change in it, at step 30."""
    lineage = Lineage(SMALL).changed(12, {"n_samples": 9})
    state = replay(lineage, 30)
    curves = tuple(
        rows(at, len(columns))
        for at, columns in zip((range(1, 31), (0, 11, 20, 30), (11, 25)), CURVES, strict=True)
    )
    return Bundle(name="Nüsse 🌰", lineage=lineage, state=state, curves=curves)


def parts_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def with_json(data, part, change):
    parts = parts_of(data)
    values = json.loads(parts[part])
    change(values)
    return zipped(parts | {part: json.dumps(values)})


def edited(data, path, value, part="run.json"):
    def change(values):
        for name in path[:-1]:
            values = values[name]
        values[path[-1]] = value

    return with_json(data, part, change)
