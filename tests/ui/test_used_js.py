"""What the browser computes of the posterior really used equals the core's numbers."""

import math
import shutil

import numpy as np
import pytest
import torch
from node import under_node

from iwae_core.evaluation.studies import posterior_ground, posterior_used
from iwae_core.evaluation.studies.expected import Law, expected_share
from iwae_core.evaluation.studies.posterior_used import SCENES, PosteriorUsedConfig
from iwae_core.places import ASSETS

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

_, PROBABILITY = posterior_ground.nodes()

CHAIN = """
export function klOf(logW, probability, K, logMarginal) {
  return klAt(law(logW, probability), K, logMarginal);
}
export function logShares(logW, probability, K, asked) {
  const table = shareTable(law(logW, probability), K);
  return asked.map((value) => logShare(table, value));
}
"""


def under(tmp_path, calls):
    """Call the module with two chains of its functions added: JSON carries no tables of tables."""
    source = (ASSETS / "components" / "used.js").read_text() + CHAIN
    folder = tmp_path / "components"
    folder.mkdir(exist_ok=True)
    (folder / "chained.js").write_text(source)
    (folder / "weights.js").write_text((ASSETS / "components" / "weights.js").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("node.ASSETS", tmp_path)
        return under_node(tmp_path, calls, "chained")


@pytest.mark.parametrize("scene", SCENES)
def test_shares_and_divergences_equal_the_core(tmp_path, scene):
    settings = dict(SCENES[scene].settings)
    report = posterior_used.run(PosteriorUsedConfig(**{**settings, "n_samples": 2}))
    law = Law(torch.from_numpy(report.log_w), torch.from_numpy(PROBABILITY))
    top = report.log_w.max()
    asked = np.concatenate([np.linspace(top - 45, top + 6, 60), [top, top - 7.123]])
    given = [report.log_w.tolist(), PROBABILITY.tolist()]
    for K in (1, 2, 7, 100, 1000):
        shares, kl = under(
            tmp_path,
            [
                ["logShares", *given, K, asked.tolist()],
                ["klOf", *given, K, report.log_marginal],
            ],
        )
        expected = expected_share(law, torch.from_numpy(asked), K)
        # Far below the top the last digits of a log are those of where the law was cut off.
        np.testing.assert_allclose(np.exp(shares), expected, rtol=1e-7, atol=1e-9)
        exact = posterior_used.kl_of_used(law, K, report.log_marginal)
        assert kl == pytest.approx(exact, abs=1e-9)


def test_the_browser_reaches_as_far_as_the_core_believes():
    source = (ASSETS / "components" / "used.js").read_text()
    assert f"const LEAST = {posterior_used.REACH:g};" in source


def test_every_other_node_is_a_rule_of_twice_the_step(tmp_path):
    eps, probability = posterior_ground.nodes()
    (found,) = under_node(
        tmp_path, [["thinned", eps.ravel().tolist(), probability.tolist(), 0.25]], "used"
    )
    kept = np.reshape(found["eps"], (-1, 2))
    wide, expected = posterior_ground.nodes(0.5)
    inside = (wide**2).sum(axis=1) <= (kept**2).sum(axis=1).max() + 1e-9
    np.testing.assert_allclose(kept, wide[inside], atol=1e-12)
    share = expected[inside] / expected[inside].sum()
    np.testing.assert_allclose(found["probability"], share, rtol=1e-9)


def test_a_table_of_log_p_is_read_straight_between_its_points(tmp_path):
    # A plane is what such reading gives back exactly, between midpoints and beyond the edge.
    n, low, high = 5, [-1.0, 2.0], [4.0, 4.0]
    first = low[0] + (np.arange(n) + 0.5) * (high[0] - low[0]) / n
    second = low[1] + (np.arange(n) + 0.5) * (high[1] - low[1]) / n
    plane = 0.3 + 2 * first[:, None] - 0.7 * second
    grid = {"values": plane.ravel().tolist(), "n": n, "low": low, "high": high}
    eps = [[0.0, 0.0], [1.0, -0.5], [-3.0, 4.0]]
    q = {"loc": [1.2, 3.1], "scale": [0.5, 0.2]}
    (found,) = under_node(tmp_path, [["weightsFromGrid", grid, q, np.ravel(eps).tolist()]], "used")
    for value, (e1, e2) in zip(found, eps, strict=True):
        log_q = -0.5 * (e1**2 + e2**2) - math.log(2 * math.pi * 0.1)
        log_p = 0.3 + 2 * (1.2 + 0.5 * e1) - 0.7 * (3.1 + 0.2 * e2)
        assert value == pytest.approx(log_p - log_q, abs=1e-12)
