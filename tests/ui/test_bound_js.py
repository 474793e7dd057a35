"""What the bound's scenes compute under the hand equals the core's numbers to 1e-9."""

import math
import shutil

import numpy as np
import pytest
import torch
from node import under_node

from iwae_core.bounds.objectives import iwae
from iwae_core.evaluation.studies import coins, microscope, tightness
from iwae_core.evaluation.studies.coins import CoinsConfig
from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling.divergences import kl_divergence, log_chi_square_moment

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


@pytest.mark.parametrize("settings", [{}, {"shift": 0.0, "scale": 2.0, "seed": 7}])
def test_boxes_and_needle_equal_the_coins(tmp_path, settings):
    report = coins.run(CoinsConfig(**settings))
    calls = [["boxes", report.log_w.tolist(), int(K)] for K in report.n_samples]
    boxes = under_node(tmp_path, calls)
    needles = under_node(tmp_path, [["mean", box] for box in boxes])
    for found, expected in zip(boxes, report.boxes, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(needles, report.needle, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("law", "sigma"),
    [("lognormal", 0.7), ("lognormal", 3.1), ("bounded", 2.2), ("pareto", 0.3), ("pareto", 0.6)],
)
@pytest.mark.parametrize("K", [1, 7, 32])
def test_runs_under_the_microscope_equal_the_core(tmp_path, law, sigma, K):
    eps = standard_normal((32, 50), make_generator(2), torch.float64)
    noise = eps if law == "lognormal" else torch.special.log_ndtr(eps)
    single = iwae(microscope.log_ratio(law, sigma, eps[:K]))
    spread = microscope.variance(law, sigma)
    expected = tightness.mean_of_runs(single - 3.0, -3.0, spread / K)
    (variance, found) = under_node(
        tmp_path,
        [
            ["ratioVariance", law, sigma],
            ["runsOfRatios", law, sigma, noise.ravel().tolist(), 50, K],
        ],
    )
    np.testing.assert_allclose(found, single.numpy(), rtol=0, atol=1e-9)
    assert float(variance) == pytest.approx(spread, rel=1e-12)
    share = spread / K if math.isfinite(spread) else 1e9  # JSON has no infinity
    (mean,) = under_node(tmp_path, [["meanOfRuns", [run - 3 for run in found], -3.0, share]])
    assert mean["mean"] == pytest.approx(expected[0], abs=1e-9)
    assert mean["error"] == pytest.approx(expected[1], abs=1e-9)


@pytest.mark.parametrize("correlated", [True, False])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1.5, 1.0), (-2.0, 0.8), (0.7, 2.5)])
def test_q_and_its_divergences_equal_the_core(tmp_path, shift, scale, correlated):
    p, q = tightness.posterior(), tightness.make_q(shift, scale, correlated)

    def described(gaussian):
        return {"mean": gaussian.mean.tolist(), "covariance": gaussian.covariance.tolist()}

    found, kl, square = under_node(
        tmp_path,
        [
            ["mismatched", described(p), shift, scale, correlated],
            ["gaussianKl", described(q), described(p)],
            ["gaussianLogSquare", described(p), described(q)],
        ],
    )
    np.testing.assert_allclose(found["mean"], q.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["covariance"], q.covariance, rtol=0, atol=1e-12)
    assert kl == pytest.approx(kl_divergence(q, p), abs=1e-9)
    assert float(square) == pytest.approx(log_chi_square_moment(p, q), abs=1e-9)


def test_the_mean_of_the_first_draws_and_its_error(tmp_path):
    draws = standard_normal((40,), make_generator(4), torch.float64) - 900
    for n in (2, 17, 40):
        (found,) = under_node(tmp_path, [["meanAndError", draws.tolist(), n]])
        assert found["mean"] == pytest.approx(draws[:n].mean().item(), abs=1e-9)
        assert found["error"] == pytest.approx(draws[:n].std().item() / n**0.5, abs=1e-9)
