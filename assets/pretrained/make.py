"""Makes what lies beside it; run it anew when training or the studies change: some ten minutes.

``python assets/pretrained/make.py`` writes

- ``digits_elbo/`` and ``digits_iwae/``: two tiny networks with two latents, trained on the digits
  from the same start on the same batches, one by the ELBO, one by L_50;
- ``digits.json``: their divergences, averaged over test digits;
- ``round_q.json``: the best round q of each posterior by the ELBO and by L_K;
- ``xray.json``: log p(x) of every test digit under both networks.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from iwae_core.evaluation.studies.posterior_digits import CURVE, NETWORKS, divergences
from iwae_core.evaluation.studies.posterior_targets import TARGETS
from iwae_core.evaluation.studies.posterior_trained import TRAINED_AT, best_round_q
from iwae_core.evaluation.studies.xray import evidence_of_test_digits
from iwae_core.evaluation.studies.xray_scenes import NETWORKS as XRAYED
from iwae_core.training import TrainConfig, advance, begin, load, model_of, save

HERE = Path(__file__).parent
N_STEPS = 8000
N_DIGITS = 50  # of the test set


def train(name: str) -> None:
    """Train one of the two networks and save it."""
    config = TrainConfig(
        dataset="digits",
        objective="iwae",  # with K = 1 the ELBO
        n_samples=NETWORKS[name],
        latent_dim=2,
        hidden=(32, 32),
        learning_rate=2e-3,
        seed=1,
    )
    found = advance(begin(config), N_STEPS)
    save(found.state, HERE / name)
    print(name, "trained to", found.records.objective[-300:].mean(), flush=True)


def measure() -> None:
    """Average both networks' divergences over test digits."""
    columns: dict[str, dict[str, Any]] = {}
    for name in NETWORKS:
        model = model_of(load(HERE / name)).double()
        rows = [divergences(model, index) for index in range(N_DIGITS)]
        columns[name] = {
            key: np.array([getattr(row, key) for row in rows])
            for key in ("log_marginal", "kl_used", "bound")
        }
    elbo, iwae = columns.values()
    columns["iwae_minus_elbo"] = {key: iwae[key] - elbo[key] for key in elbo}  # digit by digit
    measured = {
        name: {key: _short(values.mean(axis=0)) for key, values in of.items()}
        | {f"{key}_error": _short(_error(values)) for key, values in of.items()}
        for name, of in columns.items()
    }
    _write("digits.json", {"n_digits": N_DIGITS, "n_samples": list(CURVE), **measured})


def climb() -> None:
    """Find the best round q of every posterior, by the ELBO and by L_K."""
    best = {
        target: {
            str(K): [round(value, 4) + 0.0 for value in best_round_q(target, K)]
            for K in (1, *TRAINED_AT)
        }
        for target in TARGETS
    }
    _write("round_q.json", best)


def list_evidence() -> None:
    """Find log p(x) of every test digit, smallest first, under both networks."""
    found = {
        name: evidence_of_test_digits(model_of(load(HERE / network.folder)).double())
        for name, network in XRAYED.items()
    }
    _write("xray.json", {name: _short(values) for name, values in found.items()})


def _error(values: Any) -> Any:
    return values.std(axis=0, ddof=1) / len(values) ** 0.5


def _short(values: Any) -> Any:
    return np.vectorize(lambda value: float(f"{value:.6g}"))(values).tolist()


def _write(name: str, values: object) -> None:
    (HERE / name).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for network in NETWORKS:
        train(network)
    measure()
    climb()
    list_evidence()
