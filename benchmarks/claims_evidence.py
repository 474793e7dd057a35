"""Evidence for "Claims, tested" that needs training: VAE against IWAE on the digits.

Same network, learning rate, number of steps and seeds; held-out digits, bits and noise drawn once.
Two decoders: a plain MLP, and an autoregressive one that can explain the pixels without z. The
result is kept as assets/evidence/training.json, which the app reads.

    python benchmarks/claims_evidence.py [--steps 2000] [--seeds 0 1 2] > training.json
"""

import argparse
import json
import time

import numpy as np
import torch

from iwae_core import datasets
from iwae_core.evaluation import collapse_report, log_likelihood
from iwae_core.evaluation.representation import representation_report
from iwae_core.rng import stream
from iwae_core.training import RunState, TrainConfig, advance, begin, model_of

LATENT_DIM = 16
METHODS = {
    "vae": {"objective": "elbo", "estimator": "closed_form_kl", "n_samples": 1},
    "vae_5": {"objective": "elbo", "estimator": "closed_form_kl", "n_samples": 5},
    "iwae_5": {"objective": "iwae", "n_samples": 5},
    "iwae_50": {"objective": "iwae", "n_samples": 50},
    "iwae_5_dreg": {
        "objective": "iwae",
        "estimator": "doubly_reparameterized",
        "n_samples": 5,
    },
}
POWERFUL = ("vae", "iwae_5", "iwae_50")  # with the autoregressive decoder


def measure(state: RunState) -> dict[str, float]:
    """Every number about one trained model, on held-out digits."""
    data = datasets.load("digits")
    model = model_of(state)
    x = datasets.binarize(data.test, stream(0, "test bits"))
    train = datasets.binarize(data.train, stream(0, "train bits"))
    row = {
        f"L_{K}": log_likelihood(model, x, K, stream(0, "test noise", K)).mean().item()
        for K in (1, 5, 64, 1000)
    }
    collapse = collapse_report(model, x, stream(0, "report"))
    latents = [model.encode(part)[0].detach().numpy() for part in (train, x)]
    found = representation_report(
        latents[0],
        data.train_labels.numpy(),
        latents[1],
        data.test_labels.numpy(),
        seed=0,
        few_labels=(1, 5),
        n_repeats=10,
    )
    return row | {
        "active_units": collapse.n_active,
        "kl": float(collapse.kl_per_dim.sum()),
        "mutual_information": collapse.mutual_information,
        "linear_probe": found.linear_probe,
        "nearest_neighbors": found.knn,
        "clustering_nmi": found.nmi,
        "five_labels_per_class": float(found.few_label_mean[1]),
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    table: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for decoder in ("mlp", "autoregressive"):
        table[decoder] = {}
        for name, settings in METHODS.items():
            if decoder != "mlp" and name not in POWERFUL:
                continue
            rows = []
            for seed in options.seeds:
                config = TrainConfig(
                    dataset="digits",
                    latent_dim=LATENT_DIM,
                    learning_rate=0.002,
                    decoder=decoder,
                    seed=seed,
                    **settings,
                )
                rows.append(measure(advance(begin(config), options.steps).state))
            table[decoder][name] = {
                key: {
                    "mean": round(float(np.mean([row[key] for row in rows])), 4),
                    "min": round(float(np.min([row[key] for row in rows])), 4),
                    "max": round(float(np.max([row[key] for row in rows])), 4),
                }
                for key in rows[0]
            }
    account = {
        "benchmark": "claims_evidence",
        "dataset": "digits, 297 held out",
        "latent_dim": LATENT_DIM,
        "steps": options.steps,
        "batch_size": 100,
        "learning_rate": 0.002,
        "seeds": options.seeds,
        "cpu_seconds": round(time.process_time() - began),
        "table": table,
    }
    print(json.dumps(account, indent=1))


if __name__ == "__main__":
    main()
