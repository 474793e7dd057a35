"""The scenes of the Train page, trained headless: the numbers that their lines name.

    python benchmarks/train_scenes.py [--seeds 1 2 3] [scene ...]

Prints JSON, a line each: for each scene, seed and some steps, the two held-out bounds of the page
(nats), each latent's KL (nats), how many latents are active, the seconds of training so far, and
why the run stopped if it did. Seed 1 is the page's own; another machine's rounding changes the
last digits. ``assets/evidence/train_scenes.jsonl`` holds what it printed for three seeds.
"""

import argparse
import json
import time

import torch

from iwae_core.training import advance, begin
from iwae_core.training.frame import observe
from iwae_core.ui import training_config
from iwae_core.ui import training_fields as fields
from iwae_core.ui.training_presets import PRESETS

LONG, SHORT = (3000, 6000), (600,)
STEPS = {
    **dict.fromkeys(("few", "many", "landing", "piwae"), SHORT),
    **dict.fromkeys(("powerful", "warm_up"), LONG),
    "iwae": (600, 1500, 3000),
    "too_fast": (10,),
}
USUAL_STEPS = (1500, 3000)


def trained(name, seed):
    """What the page would show of one scene, after each number of steps."""
    values = {field.name: field.default for field in fields.FIELDS}
    values |= dict(PRESETS[name].settings) | {"seed": seed}
    state = begin(training_config.to_config(values))
    seconds = 0.0
    for n_steps in STEPS.get(name, USUAL_STEPS):
        start = time.process_time()
        state = advance(state, n_steps - state.step).state
        seconds += time.process_time() - start
        frame = observe(state)
        yield {
            "step": state.step,
            "bound_1": round(frame.bound_1, 2),
            "bound_64": round(frame.bound_64, 2),
            "kl_per_dim": [round(kl, 2) for kl in frame.glance.kl_per_dim.tolist()],
            "active": int(frame.glance.active.sum()),
            "cpu_seconds": round(seconds, 1),
            "stop": state.stop and state.stop.cause,
        }
        if state.stop:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("scenes", nargs="*", default=list(PRESETS), metavar="scene")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.scenes:
        for seed in asked.seeds:
            for row in trained(name, seed):
                print(json.dumps({"scene": name, "seed": seed, **row}), flush=True)


if __name__ == "__main__":
    main()
