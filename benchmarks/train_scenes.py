"""The scenes of the Train page, trained headless: the numbers that their lines name.

    python benchmarks/train_scenes.py [scene ...]

Prints JSON: for each scene and some steps, the two held-out bounds of the page (nats), each
latent's KL (nats), how many latents are active, and why the run stopped if it did. The scenes'
seed is the page's; another machine's rounding changes the last digits.
"""

import json
import sys

import torch

from iwae_core.training import advance, begin
from iwae_core.training.frame import observe
from iwae_core.ui import training_config
from iwae_core.ui import training_fields as fields
from iwae_core.ui.training_presets import PRESETS

STEPS = {"few": (600,), "many": (600,), "landing": (600,), "piwae": (600,), "too_fast": (10,)}
USUAL_STEPS = (1000, 3000, 6000)


def trained(name):
    """What the page would show of one scene, after each number of steps."""
    values = {field.name: field.default for field in fields.FIELDS}
    state = begin(training_config.to_config(values | dict(PRESETS[name].settings)))
    for n_steps in STEPS.get(name, USUAL_STEPS):
        state = advance(state, n_steps - state.step).state
        frame = observe(state)
        yield {
            "step": state.step,
            "bound_1": round(frame.bound_1, 2),
            "bound_64": round(frame.bound_64, 2),
            "kl_per_dim": [round(kl, 2) for kl in frame.glance.kl_per_dim.tolist()],
            "active": int(frame.glance.active.sum()),
            "stop": state.stop and state.stop.cause,
        }
        if state.stop:
            return


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or PRESETS:
        for row in trained(name):
            print(json.dumps({"scene": name, **row}), flush=True)


if __name__ == "__main__":
    main()
