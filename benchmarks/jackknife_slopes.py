"""How fast the jackknife's bias falls with K, from expectations without noise.

Target N(0, 1) with log p(x) = -2.5, proposal N(0.6, 1.3^2). E[L_K] comes from
``bounds.exact.expected_bound``; E[Jackknife(m)] is the same combination of E[L_K] .. E[L_{K-m}]
and is also compared with the mean of ``Jackknife(m)`` over random draws at one K. Prints JSON and
writes a figure.

    python benchmarks/jackknife_slopes.py [--figure out.html]
"""

import argparse
import json
import math

import figures
import torch

from iwae_core.bounds.debias import Jackknife, sharot_coefficients
from iwae_core.bounds.exact import expected_bound
from iwae_core.rng import make_generator, standard_normal

LOC, SCALE, LOG_P = 0.6, 1.3, -2.5
SIZES = (8, 16, 32, 64, 128, 256)
# Rounding in E[L_K], about 1e-14, grows by K^m / m!; a bias below four times that tells nothing.
ROUNDING = 4e-14


def log_w(eps):
    return LOG_P - 0.5 * (LOC + SCALE * eps) ** 2 + 0.5 * eps**2 + math.log(SCALE)


def bias(order, K):
    eps = torch.linspace(-11, 11, 1201, dtype=torch.float64)
    mass = torch.exp(-0.5 * eps**2)
    sizes = [K - j for j in range(order + 1)]
    expected = expected_bound(log_w(eps), mass / mass.sum(), sizes) - LOG_P
    return math.fsum(
        c * e for c, e in zip(sharot_coefficients(K, order), expected.tolist(), strict=True)
    )


def measured(order, K=8, n=200_000):
    draws = standard_normal((K, n), make_generator(order), torch.float64)
    estimates = Jackknife(order)(log_w(draws))
    error = estimates.mean().item() - LOG_P
    return {"bias": error, "std_error": estimates.std().item() / math.sqrt(n)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    figures.add_option(parser, "jackknife_slopes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for order in range(5):
        found = {K: bias(order, K) for K in SIZES}
        trusted = [K for K in SIZES if abs(found[K]) > ROUNDING * K**order / math.factorial(order)]
        a, b = trusted[-2:]
        rows.append(
            {
                "order": order,
                "bias": {K: found[K] for K in trusted},
                "slope": math.log(abs(found[b] / found[a])) / math.log(b / a),
                "between_K": [a, b],
                "expected_slope": -(order + 1),
                "mean_over_draws_at_K_8": measured(order),
            }
        )
    account = {"benchmark": "jackknife_slopes", "rows": rows}
    print(json.dumps(account, indent=1))
    figures.write(figures.jackknife_slopes(account), options.figure)


if __name__ == "__main__":
    main()
