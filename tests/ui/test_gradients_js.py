"""What the browser computes for *Gradients* equals the study of contributions."""

import shutil

import numpy as np
import pytest
import torch
from node import under_node

from iwae_core.evaluation.studies import contributions
from iwae_core.evaluation.studies.contributions import ContributionsConfig
from iwae_core.rng import standard_normal, stream
from iwae_core.ui.gradients_samples import model_for_browser

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


@pytest.mark.parametrize(
    "config",
    [
        ContributionsConfig(),
        ContributionsConfig(shift=-2.35, scale=1.0, n_samples=64, seed=9),
        ContributionsConfig(shift=0.4, scale=1.95, n_samples=1, seed=3),
    ],
)
def test_weights_places_and_pulls_equal_the_study(tmp_path, config):
    eps = standard_normal((64, 2), stream(config.seed, "samples"), torch.float64)
    sent = [model_for_browser(), config.shift, config.scale, eps.flatten().tolist()]
    report, K = contributions.run(config), config.n_samples
    (found,) = under_node(tmp_path, [["pulls", *sent, K]], "gradients")
    np.testing.assert_allclose(np.reshape(found["z"], (K, 2)), report.z, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["logW"], report.log_w, rtol=0, atol=1e-9)
    pulls = np.reshape(found["gradient"], (K, 4))
    np.testing.assert_allclose(pulls, report.gradient, rtol=1e-9, atol=1e-9)
    vae, iwae = under_node(
        tmp_path,
        [
            ["added", pulls.flatten().tolist(), [1 / K] * K],
            ["added", pulls.flatten().tolist(), report.weight.tolist()],
        ],
        "gradients",
    )
    np.testing.assert_allclose(vae, report.vae_sum, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(iwae, report.iwae_sum, rtol=1e-9, atol=1e-9)


def test_the_angle_between_two_arrows_is_in_degrees(tmp_path):
    pairs = [([1, 0], [0, 2]), ([1, 1], [-3, -3]), ([2, 0], [1, -1]), ([1, 2], [1, 2])]
    found = under_node(tmp_path, [["angle", *pair] for pair in pairs], "gradients")
    np.testing.assert_allclose(found, [90, 180, 45, 0], atol=1e-9)


def test_an_ellipse_holds_one_mahalanobis_distance(tmp_path):
    given = {"mean": [1.0, -2.0], "covariance": [[0.5, -0.3], [-0.3, 0.8]]}
    (found,) = under_node(tmp_path, [["ellipse", given, 2]], "gradients")
    away = np.array(found) - given["mean"]
    distance = np.einsum("ni,ij,nj->n", away, np.linalg.inv(given["covariance"]), away)
    np.testing.assert_allclose(distance, 4, rtol=1e-9)
