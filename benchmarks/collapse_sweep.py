"""Active units of the linear VAE against their prediction, for every size of decoder variance.

A linear VAE keeps a latent alive only if the eigenvalue it explains exceeds the decoder's
variance s^2; it counts as active (variance of the posterior mean above 0.01, ddof 0) iff
l_i > s^2 / 0.99. The sweep takes one s^2 in every gap between neighboring eigenvalues of the
digits' gray pixels, and pairs 1e-6 below and above each threshold 0.99 l_i. Three counts must
agree: predicted from the eigenvalues alone; measured on the data at the exact optimum; and, in the
gaps between the first eigenvalues, measured on a model that L-BFGS trained from a random start.
Prints JSON and writes a figure.

    python benchmarks/collapse_sweep.py [--trained 12] [--iterations 400] [--figure out.html]
"""

import argparse
import itertools
import json
import math
import time

import figures
import torch

from iwae_core import datasets
from iwae_core.evaluation.collapse import ACTIVE_VARIANCE
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.linear_vae import LinearVae, optimum, predict
from iwae_core.rng import standard_normal, stream

NO_VARIANCE = 1e-9  # pixels that are never on leave eigenvalues of exactly zero


def count_active(model, x):
    """Latents whose posterior mean varies over ``x`` (ddof 0) by more than 0.01."""
    mean_variance = model.posterior(x).loc.var(dim=0, correction=0)
    return int((mean_variance > ACTIVE_VARIANCE).sum())


def trained(x, latent_dim, noise_scale, n_iterations, generator):
    """A linear VAE after L-BFGS on the mean ELBO, from a random start, and that ELBO in nats."""
    D, mean = x.shape[1], x.mean(dim=0)
    W, V = (0.1 * standard_normal((D, latent_dim), generator, torch.float64) for _ in range(2))
    log_scale = torch.zeros(latent_dim, dtype=torch.float64)
    parameters = [W.requires_grad_(), V.requires_grad_(), log_scale.requires_grad_()]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=n_iterations,
        history_size=20,
        tolerance_grad=1e-7,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def model():
        return LinearVae(LinearGaussian(W, mean, noise_scale), V.T, log_scale)

    def loss():
        optimizer.zero_grad()
        value = -model().elbo(x).mean()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        return model(), model().elbo(x).mean().item()


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trained", type=int, default=12, help="latents of the trained models")
    parser.add_argument("--iterations", type=int, default=400, help="of L-BFGS")
    figures.add_option(parser, "collapse_sweep")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    x = datasets.load("digits").train.double()
    mean, D = x.mean(dim=0), x.shape[1]
    covariance = (x - mean).T @ (x - mean) / len(x)
    values = predict(covariance, D, 1.0).eigenvalues
    alive = [float(value) for value in values if value > NO_VARIANCE]
    gaps = [2 * alive[0]]
    gaps += [math.sqrt(high * low) for high, low in itertools.pairwise(alive)]
    gaps.append(alive[-1] / 2)
    edges = [0.99 * value * (1 + side) for value in alive for side in (-1e-6, 1e-6)]

    points = []
    for variance in sorted([*gaps, *edges], reverse=True):
        scale = math.sqrt(variance)
        model = optimum(covariance, mean, D, scale)
        predicted = predict(covariance, D, scale).n_active
        points.append((variance, predicted, count_active(model, x)))
    rows = []
    for variance in gaps[: options.trained + 1]:
        scale = math.sqrt(variance)
        expected = predict(covariance, options.trained, scale)
        model, elbo = trained(
            x, options.trained, scale, options.iterations, stream(0, "start", len(rows))
        )
        rows.append(
            {
                "decoder_variance": round(variance, 5),
                "predicted": expected.n_active,
                "trained": count_active(model, x),
                "elbo_below_optimum": round(expected.elbo - elbo, 6),
            }
        )
    account = {
        "benchmark": "collapse_sweep",
        "data": "digits, 1,500 training rows of gray pixels",
        "eigenvalues": len(alive),
        "variances": len(points),
        "at_the_optimum_equal": sum(p == measured for _, p, measured in points),
        "counts_seen": [min(p for _, p, _ in points), max(p for _, p, _ in points)],
        "trained_equal": sum(row["predicted"] == row["trained"] for row in rows),
        "all_equal": all(p == m for _, p, m in points)
        and all(row["predicted"] == row["trained"] for row in rows),
        "seconds": round(time.perf_counter() - began, 1),
        "trained": rows,
    }
    print(json.dumps(account, indent=1))
    figures.write(figures.collapse_sweep(points, rows), options.figure)


if __name__ == "__main__":
    main()
