"""Signal-to-noise ratio of gradient estimators against K, on the toy of Rainforth et al. (2018).

    z ~ N(mu, I),   x | z ~ N(z, I),   q(z | x) = N(A x + b, 2/3 I),   D = 20, N = 1024

The decoder's parameter is mu, the encoder's are A and b. Data come from the model with a random
mu; the parameters stand at the optimum (mean of x, I / 2, mu / 2) plus 0.01 times N(0, 1): at 0.1
the gradient's mean is so large that the slopes do not show. Expected slopes of log SNR against
log K at large K: encoder -0.5 for IWAE, +0.5 for the path-derivative and wake-sleep gradients,
decoder +0.5 (not monotone before). Prints JSON and writes a figure; 60 repeats took 9 minutes on a
busy core.

    python benchmarks/snr_slopes.py [--repeats 100] [--points 1024] [--figure out.html]
"""

import argparse
import json
import math
import time

import figures
import numpy as np
import torch
from torch import nn

from iwae_core.evaluation.gradients import gradient_snr
from iwae_core.models.networks import DiagonalNormal
from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling.draws import Draws

ESTIMATORS = ("reparameterized", "stick_the_landing", "doubly_reparameterized", "wake_sleep")
SIZES = (4, 16, 64, 256)


class Toy(nn.Module):
    """The toy with its parameters near the optimum for its own data ``x (N, D)``."""

    def __init__(self, dim, n_points, generator, perturbation=0.01):
        super().__init__()
        truth = standard_normal((dim,), generator)
        self.x = truth + math.sqrt(2) * standard_normal((n_points, dim), generator)
        mu = self.x.mean(dim=0)

        def near(optimum):
            return nn.Parameter(optimum + perturbation * standard_normal(optimum.shape, generator))

        self.mu, self.A, self.b = near(mu), near(torch.eye(dim) / 2), near(mu / 2)

    @property
    def groups(self):
        """The encoder's and the decoder's parameters."""
        return {"encoder": [self.A, self.b], "decoder": [self.mu]}

    def draws(self, x, n_samples, generator):
        """K draws and what weighs them, as a VAE gives them."""
        log_scale = torch.full_like(x, 0.5 * math.log(2 / 3))
        q = DiagonalNormal(x @ self.A.T + self.b, log_scale)
        likelihood = DiagonalNormal(torch.zeros_like(x), torch.zeros_like(x))
        return Draws(
            z=q.from_noise(standard_normal((n_samples, *x.shape), generator)),
            log_likelihood=lambda z: likelihood.log_prob(x - z),
            log_prior=lambda z: likelihood.log_prob(z - self.mu),
            log_q=q.log_prob,
            log_q_path=q.detach().log_prob,
        )


def norm_slope(norm_snr):
    """Slope of the norm's ratio, which has no floor: noise is subtracted from its signal."""
    if not (norm_snr > 0).all():
        return None  # too few repeats to see the signal at all
    return round(float(np.polyfit(np.log(SIZES), np.log(norm_snr), 1)[0]), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--points", type=int, default=1024, help="datapoints of the toy")
    figures.add_option(parser, "snr_slopes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    toy = Toy(20, options.points, make_generator(0))
    report = gradient_snr(
        toy,
        toy.x,
        estimators=ESTIMATORS,
        n_samples=SIZES,
        n_repeats=options.repeats,
        generator=make_generator(1),
        groups=toy.groups,
    )
    slopes = report.slopes()
    rows = {
        f"{name}, {group}": {
            "slope": round(float(slopes[e, g]), 3),
            "norm_slope": norm_slope(report.norm_snr[e, :, g]),
            "slope_between_last_two": round(
                float(
                    math.log(report.snr[e, -1, g] / report.snr[e, -2, g])
                    / math.log(SIZES[-1] / SIZES[-2])
                ),
                3,
            ),
            "snr": report.snr[e, :, g].round(4).tolist(),
            "norm_snr": report.norm_snr[e, :, g].round(4).tolist(),
        }
        for e, name in enumerate(report.estimators)
        for g, group in enumerate(report.groups)
    }
    account = {
        "benchmark": "snr_slopes",
        "K": SIZES,
        "n_points": options.points,
        "n_repeats": options.repeats,
        "snr_floor": round(report.snr_floor, 4),
        "seconds": round(time.perf_counter() - began),
        "rows": rows,
    }
    print(json.dumps(account, indent=1))
    figures.write(figures.snr_slopes(account), options.figure)


if __name__ == "__main__":
    main()
