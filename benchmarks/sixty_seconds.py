"""What 60 seconds of one core buy: the default IWAE (K = 5) against a VAE, on the digits.

Both get the same CPU time, network, learning rate and seeds; the two take turns in blocks,
so that a slow spell of the machine hits both. The ruler is L_64 (and L_1, L_1000) on all 297
held-out digits, bits and noise drawn once.

    python benchmarks/sixty_seconds.py [--seconds 60] [--seeds 0 1 2]
"""

import argparse
import json
import time

import numpy as np
import torch

from iwae_core import datasets
from iwae_core.evaluation import collapse_report, log_likelihood
from iwae_core.rng import stream
from iwae_core.training import RunState, TrainConfig, advance, begin, model_of

METHODS = {
    "vae": {"objective": "elbo", "estimator": "closed_form_kl", "n_samples": 1},
    "iwae": {"objective": "iwae", "estimator": "reparameterized", "n_samples": 5},
}
LEARNING_RATE = 0.002  # the Train page's default


def measure(state: RunState) -> dict[str, float]:
    data = datasets.load("digits")
    x = datasets.binarize(data.test, stream(0, "test bits"))
    model = model_of(state)
    row = {
        f"L_{K}": log_likelihood(model, x, K, stream(0, "test noise", K)).mean().item()
        for K in (1, 64, 1000)
    }
    return row | {
        "active": collapse_report(model, x, stream(0, "report")).n_active,
        "steps": state.step,
    }


def train_in_turns(seed: int, seconds: float) -> dict[str, dict[str, float]]:
    states = {
        name: begin(TrainConfig(learning_rate=LEARNING_RATE, seed=seed, **settings))
        for name, settings in METHODS.items()
    }
    spent = dict.fromkeys(METHODS, 0.0)
    while min(spent.values()) < seconds:
        for name in METHODS:
            if spent[name] < seconds:
                started = time.process_time()
                states[name] = advance(states[name], 50).state
                spent[name] += time.process_time() - started
    return {name: measure(state) for name, state in states.items()}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU seconds for each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = [train_in_turns(seed, options.seconds) for seed in options.seeds]
    summary = {
        name: {
            key: {
                "mean": round(float(np.mean([run[name][key] for run in runs])), 3),
                "min": round(float(np.min([run[name][key] for run in runs])), 3),
                "max": round(float(np.max([run[name][key] for run in runs])), 3),
            }
            for key in runs[0][name]
        }
        for name in METHODS
    }
    gains = [run["iwae"]["L_64"] - run["vae"]["L_64"] for run in runs]
    print(
        json.dumps(
            {
                "cpu_seconds": options.seconds,
                "seeds": options.seeds,
                "held_out_digits": summary,
                "gain_in_L_64": [round(gain, 3) for gain in gains],
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
