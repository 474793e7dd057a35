"""What a backward pass through few samples costs in the model: L_500 after the same epochs.

Burda's one-layer network on MNIST, K = 50, batch 100, the same seeds, batches and noise for the
three backward modes. Real MNIST from the folder that `IWAE_LAB_DATA` names.

    python benchmarks/backward_quality.py [--epochs 10] [--seeds 0 1 2] [--images 1000]
"""

import argparse
import json
import time

import torch

from iwae_core import datasets
from iwae_core.evaluation import log_likelihood
from iwae_core.rng import stream
from iwae_core.training import TrainConfig, advance, begin, model_of

MODES = {
    "exact": {},
    "truncated": {"backward": "truncated", "backward_epsilon": 0.01},
    "resampled": {"backward": "resampled", "backward_picks": 4},
}


def main() -> None:
    """Print one JSON line for each seed and mode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=1000, help="of the test set")
    parser.add_argument("--K", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = datasets.load("mnist")
    rows = torch.randperm(len(data.test), generator=stream(0, "test rows"))[: options.images]
    x = datasets.binarize(data.test[rows], stream(0, "test bits"))
    for seed in options.seeds:
        for mode, settings in MODES.items():
            state = begin(
                TrainConfig(
                    dataset="mnist",
                    latent_dim=50,
                    hidden=(200, 200),
                    n_samples=options.K,
                    seed=seed,
                    **settings,
                )
            )
            started = time.process_time()
            state = advance(state, options.epochs * len(data.train) // 100).state
            seconds = time.process_time() - started
            bound = log_likelihood(model_of(state), x, 500, stream(0, "test noise"))
            print(
                json.dumps(
                    {
                        "seed": seed,
                        "mode": mode,
                        "epochs": options.epochs,
                        "L_500": round(bound.mean().item(), 3),
                        "images": len(x),
                        "cpu_seconds": round(seconds, 1),
                        "ms_per_step": round(1e3 * seconds / state.step, 2),
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
