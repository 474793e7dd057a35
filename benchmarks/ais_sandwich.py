"""AIS from below and above on the oracle, against its exact log p(x).

Data are simulated from a linear-Gaussian model (D = 10, d = 4), so each comes with an exact
posterior draw. Both sides start from the prior. Prints JSON, where ``closed`` says whether both
means are within 0.05 nat of the truth, and writes a figure.

    python benchmarks/ais_sandwich.py [--figure out.html]
"""

import argparse
import json
import time

import figures
import torch

from iwae_core.evaluation.ais import AisConfig, ais, prior_start
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.rng import make_generator, standard_normal

TEMPERATURES = (10, 30, 100, 300, 1000)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    figures.add_option(parser, "ais_sandwich")
    options = parser.parse_args()
    torch.set_num_threads(1)
    weight = standard_normal((10, 4), make_generator(0), torch.float64)
    model = LinearGaussian(weight, torch.zeros(10, dtype=torch.float64), 0.5)
    x, z = model.sample(100, make_generator(1))
    exact = model.log_marginal(x).numpy()
    rows = []
    for n_temperatures in TEMPERATURES:
        config = AisConfig(n_chains=16, n_temperatures=n_temperatures)
        began = time.perf_counter()
        report = ais(model, x, prior_start(x, 4), config, make_generator(2), posterior_draw=z)
        rows.append(
            {
                "n_temperatures": n_temperatures,
                "lower_minus_exact": float((report.log_lower - exact).mean()),
                "upper_minus_exact": float((report.log_upper - exact).mean()),
                "gap": report.gap,
                "mean_ess_of_16": float(report.ess.mean()),
                "acceptance": float(report.acceptance.mean()),
                "seconds": round(time.perf_counter() - began, 1),
            }
        )
    sides = (rows[-1]["lower_minus_exact"], rows[-1]["upper_minus_exact"])
    closed = all(abs(side) < 0.05 for side in sides)
    account = {"benchmark": "ais_sandwich", "closed": closed, "rows": rows}
    print(json.dumps(account, indent=1))
    figures.write(figures.ais_sandwich(account), options.figure)


if __name__ == "__main__":
    main()
