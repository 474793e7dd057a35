"""The scenes of the Train page, trained headless: the numbers that their lines name.

    python benchmarks/train_scenes.py [--seeds 1 2 3] [scene ...]

Prints JSON, a line each: for each scene, seed and some steps, the two held-out bounds of the page
(nats; null where they are no numbers), each latent's KL (nats), how many latents are active, for
drawn points the share of samples that stray from the drawing, and why the run stopped if it did.
"few exact" is the scene "few" with its whole backward pass. Seed 1 is the page's own; another
machine's rounding changes the last digits. ``assets/evidence/train_scenes.jsonl`` holds what it
printed for three seeds.
"""

import argparse
import json
import math

import torch

from iwae_core import datasets
from iwae_core.rng import stream
from iwae_core.training import advance, begin, model_of
from iwae_core.training.frame import observe
from iwae_core.ui import training_config
from iwae_core.ui import training_fields as fields
from iwae_core.ui.training_presets import PRESETS

SCENES = {name: (name, {}) for name in PRESETS} | {"few exact": ("few", {"backward": "exact"})}
STEPS = {
    **dict.fromkeys(("few", "few exact", "many", "landing", "piwae"), (600,)),
    **dict.fromkeys(("powerful", "warm_up"), (3000, 6000)),
    "iwae": (600, 1500, 3000),
    "too_fast": (10,),
}
USUAL_STEPS = (1500, 3000)
N_SAMPLES = 4000  # of the model, where points stray


def trained(name, seed):
    """What the page would show of one scene, after each number of steps."""
    preset, changed = SCENES[name]
    values = {field.name: field.default for field in fields.FIELDS}
    values |= dict(PRESETS[preset].settings) | changed | {"seed": seed}
    state = begin(training_config.to_config(values))
    for n_steps in STEPS.get(name, USUAL_STEPS):
        state = advance(state, n_steps - state.step).state
        frame = observe(state)
        yield {
            "step": state.step,
            "bound_1": number(frame.bound_1),
            "bound_64": number(frame.bound_64),
            "kl_per_dim": [number(kl) for kl in frame.glance.kl_per_dim.tolist()],
            "active": int(frame.glance.active.sum()),
            **({"stray": number(stray(state))} if name == "drawing" else {}),
            "stop": state.stop and state.stop.cause,
        }
        if state.stop:
            return


def stray(state):
    """Share of samples that are farther from the training points than any held-out point is."""
    data = datasets.load(state.config.dataset)
    samples = model_of(state).sample(N_SAMPLES, stream(0, "stray"))[0].detach()
    apart = [torch.cdist(points, data.train).min(dim=1).values for points in (samples, data.test)]
    return (apart[0] > apart[1].max()).float().mean().item()


def number(value):
    """Two decimals, or None: JSON has no NaN."""
    return round(value, 2) if math.isfinite(value) else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("scenes", nargs="*", default=list(SCENES), metavar="scene")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.scenes:
        for seed in asked.seeds:
            for row in trained(name, seed):
                print(json.dumps({"scene": name, "seed": seed, **row}), flush=True)


if __name__ == "__main__":
    main()
