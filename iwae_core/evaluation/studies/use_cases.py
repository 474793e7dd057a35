r"""Five uses of one trained model, each as numbers: what a VAE and an IWAE are compared by.

1. likelihood: L_K on the held-out set, K = 1, 64 and 5000; lower bounds of log p(x).
2. active units: those whose posterior mean varies by more than 0.01 over the held-out set.
3. downstream: a linear probe, and few labels, on the posterior means.
4. clustering: k-means on the posterior means against the classes.
5. likelihood evaluation: how far L_K is from log p(x). On data that the model itself has made,
   annealing from both sides encloses log p(x); on held-out data only the lower side holds.

Bits and evaluation noise are drawn from streams of one fixed seed, so two models of the same size
are measured on the same data with the same noise.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.datasets import Dataset, binarize
from iwae_core.evaluation.ais import AisConfig, ais
from iwae_core.evaluation.collapse import collapse_report
from iwae_core.evaluation.likelihood import log_likelihood
from iwae_core.evaluation.representation import representation_report
from iwae_core.models.model import LatentModel
from iwae_core.rng import stream

Array = NDArray[np.float64]
Found = dict[str, Array]  # a number, shape (), or one for each datapoint, shape (n,)

LIKELIHOOD_K = (1, 64, 5000)
FEW_LABELS = 10  # per class
N_ANNEALED = 64  # datapoints of the annealing: it costs a hundred times the others' work
ANNEALING = AisConfig(n_chains=8, n_temperatures=100, n_leapfrog=5)
MOST_HELD_OUT = 300  # datapoints; the digits' 297 are all of theirs
_SEED = 0  # of everything that is drawn here


def held_out(data: Dataset) -> Tensor:
    """The test set, at most 300 of it; bits drawn once where it has bits, shape ``(n, D)``."""
    return _with_bits(data, data.test[:MOST_HELD_OUT], "held out")


def likelihood(model: LatentModel, data: Dataset) -> Found:
    """L_K of each held-out datapoint, nats: ``L_1``, ``L_64``, ``L_5000``, shape ``(n,)``."""
    x = held_out(data)
    return {f"L_{K}": bound(model, x, K) for K in LIKELIHOOD_K}


def bound(model: LatentModel, x: Tensor, n_samples: int) -> Array:
    """L_K of each datapoint, with noise that depends on K alone, shape ``(n,)``, nats."""
    noise = _stream("noise", n_samples)
    found: Array = log_likelihood(model, x, n_samples, noise).numpy()
    return found


def latents(model: LatentModel, data: Dataset) -> Found:
    """What the latents hold.

    Returns:
        ``active_units``, ``information`` (mutual information of x and z under q, nats), and where
        the data have classes ``linear_probe``, ``few_labels`` (both accuracies), ``nmi``, ``ari``.
    """
    x = held_out(data)
    report = collapse_report(model, x, _stream("collapse"))
    found = {"active_units": report.n_active, "information": report.mutual_information}
    if data.train_labels is not None and data.test_labels is not None:
        train = _with_bits(data, data.train, "train")
        with torch.no_grad():
            means = [model.encode(part)[0].numpy() for part in (train, x)]
        judged = representation_report(
            means[0],
            data.train_labels.numpy(),
            means[1],
            data.test_labels[:MOST_HELD_OUT].numpy(),
            seed=_SEED,
            few_labels=(FEW_LABELS,),
        )
        found |= {
            "linear_probe": judged.linear_probe,
            "few_labels": float(judged.few_label_mean[0]),
            "nmi": judged.nmi,
            "ari": judged.ari,
        }
    return {name: np.array(value, dtype=np.float64) for name, value in found.items()}


def accuracy_simulated(model: LatentModel, data: Dataset) -> Found:
    """How far L_K is from log p(x), on data that the model has made.

    The z they were made from is an exact posterior draw, so annealing runs both ways and encloses
    log p(x) in expectation.

    Returns:
        Shape ``(64,)``, nats: ``simulated_lower`` and ``simulated_upper`` by annealing, and
        ``simulated_L_1`` .. ``simulated_L_5000``.
    """
    with torch.no_grad():
        x, z = model.sample(N_ANNEALED, _stream("simulated"))
    report = ais(model, x, model.posterior(x), ANNEALING, _stream("annealing"), posterior_draw=z)
    assert report.log_upper is not None
    found = {"simulated_lower": report.log_lower, "simulated_upper": report.log_upper}
    return found | {f"simulated_L_{K}": bound(model, x, K) for K in LIKELIHOOD_K}


def accuracy_held_out(model: LatentModel, data: Dataset) -> Found:
    """Annealing beside L_K on held-out data: two lower bounds, and no upper one.

    Returns:
        Shape ``(64,)``, nats: ``held_out_lower`` and ``held_out_L_1`` .. ``held_out_L_5000``, on
        the first 64 held-out datapoints.
    """
    x = held_out(data)[:N_ANNEALED]
    report = ais(model, x, model.posterior(x), ANNEALING, _stream("annealing"))
    bounds = {f"held_out_L_{K}": bound(model, x, K) for K in LIKELIHOOD_K}
    return {"held_out_lower": report.log_lower, **bounds}


# In the order in which they are worked out; each takes some seconds.
PIECES: Mapping[str, Callable[[LatentModel, Dataset], Found]] = {
    "likelihood": likelihood,
    "latents": latents,
    "accuracy_simulated": accuracy_simulated,
    "accuracy_held_out": accuracy_held_out,
}


def _with_bits(data: Dataset, x: Tensor, name: str) -> Tensor:
    redraw = data.binary and not data.already_binarized
    return binarize(x, _stream("bits", name)) if redraw else x


def _stream(*path: str | int) -> torch.Generator:
    return stream(_SEED, "use cases", *path)
