"""Time of L_5000 for one image: our streamed log_likelihood beside pythae's get_nll.

Burda's one-layer network (784-200-200-50) with the weights of the start, which cost what trained
ones cost. The contestants take turns inside one process, an image of theirs after a few of ours,
so a machine that slows down slows both; quote the ratios. pythae takes part if it can be imported:
as it is called (`get_nll` builds a graph) and, at its best, under `torch.no_grad()`. `--check`
gives both the same weights and prints both numbers (get_nll returns log p(x), whatever its name).

    python benchmarks/likelihood.py [--seconds 30] [--samples 5000] [--threads 1] [--check]

Target: at least 4 times pythae's images per second, one thread.
"""

import argparse
import json
import time

import numpy as np
import torch
from train_step import HIDDEN, LATENT, D, batches, pythae_model

from iwae_core.evaluation import log_likelihood
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator

TARGET = 4.0
IMAGES = 8  # of ours in each turn


def our_model() -> Vae:
    return Vae(D, LATENT, hidden=(HIDDEN, HIDDEN), generator=make_generator(2))


def copy_weights(theirs: torch.nn.Module, ours: Vae) -> None:
    """Give our network the numbers of theirs; our log scale is half of their log variance."""
    *first, head = linear_layers(ours.encoder)
    loc, log_var = theirs.encoder.loc, theirs.encoder.log_var
    with torch.no_grad():
        head.weight.copy_(torch.cat([loc.weight, 0.5 * log_var.weight]))
        head.bias.copy_(torch.cat([loc.bias, 0.5 * log_var.bias]))
        for to, source in (
            *zip(first, linear_layers(theirs.encoder.body), strict=True),
            *zip(
                [*linear_layers(ours.decoder), ours.likelihood.logits],
                linear_layers(theirs.decoder.body),
                strict=True,
            ),
        ):
            to.weight.copy_(source.weight)
            to.bias.copy_(source.bias)


def linear_layers(network: torch.nn.Module) -> list[torch.nn.Linear]:
    """In the order in which data pass them."""
    return [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]


def measure(x: torch.Tensor, n_samples: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of CPU for one image, contestants in turn."""
    model = our_model()
    noise = make_generator(3)
    times: dict[str, list[float]] = {"ours": []}
    theirs = pythae_model(n_samples)
    if theirs is not None:
        theirs.eval()
        times |= {"pythae": [], "pythae_no_grad": []}

    def timed(name: str, images: torch.Tensor) -> None:
        began = time.process_time()
        if name == "ours":
            log_likelihood(model, images, n_samples, noise)
        else:
            with torch.set_grad_enabled(name == "pythae"):
                theirs.get_nll(images, n_samples)
        times[name].append(1e3 * (time.process_time() - began) / len(images))

    end = time.perf_counter() + seconds
    turn = 0
    while time.perf_counter() < end or turn < 3:
        rows = torch.arange(turn * IMAGES, (turn + 1) * IMAGES) % len(x)
        for name in times:
            timed(name, x[rows] if name == "ours" else x[rows[:1]])
        turn += 1
    return {name: values[1:] for name, values in times.items()}  # the first turn warms up


def check(x: torch.Tensor, n_samples: int) -> dict[str, float]:
    """The two estimates of one model on four images, in nats."""
    theirs, ours = pythae_model(n_samples), our_model()
    if theirs is None:
        return {}
    copy_weights(theirs.eval(), ours)
    with torch.no_grad():
        other = theirs.get_nll(x[:4], n_samples)
    found = -log_likelihood(ours, x[:4], n_samples, make_generator(4)).mean().item()
    return {"our_nll": round(found, 2), "pythae_nll": round(-float(other), 2)}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="compare the numbers as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    source, x = batches()
    x = x.reshape(-1, D)
    times = measure(x, options.samples, options.seconds)
    found: dict[str, object] = {
        "data": source,
        "threads": options.threads,
        "samples": options.samples,
        "turns": len(times["ours"]),
    }
    for name, values in times.items():
        found[f"{name}_ms_per_image"] = round(float(np.median(values)), 2)
    for name in times.keys() - {"ours"}:
        ratios = np.array(times[name]) / np.array(times["ours"])
        found[f"{name}_over_ours"] = round(float(np.median(ratios)), 2)
    if "pythae" in times:
        found |= {"target": TARGET, "met": bool(found["pythae_no_grad_over_ours"] >= TARGET)}
    if options.check:
        found |= check(x, options.samples)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
