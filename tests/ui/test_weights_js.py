"""The browser's formulas, run under Node, equal the core's to 1e-9."""

import json
import shutil
import subprocess

import pytest
import torch

from iwae_core.places import ASSETS
from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling import weights

SCRIPT = """
import { readFileSync } from "node:fs";
const { logMeanExp, normalize, ess, maxWeight } = await import(process.argv[2]);
const columns = JSON.parse(readFileSync(0, "utf8"));
const measures = columns.map((c) => [logMeanExp(c), normalize(c), ess(c), maxWeight(c)]);
console.log(JSON.stringify(measures));
"""


def columns():
    generator = make_generator(3)
    for spread, shift, count in [(1, 0, 5), (10, -900, 64), (40, 800, 7), (0, 3, 4), (1, 0, 1)]:
        yield shift + spread * standard_normal((count,), generator, torch.float64)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_javascript_weights_equal_the_core(tmp_path):
    # Node takes a .js file for a module only by its package; a copy named .mjs is one by itself.
    module = tmp_path / "weights.mjs"
    module.write_text((ASSETS / "components" / "weights.js").read_text())
    (tmp_path / "run.mjs").write_text(SCRIPT)
    sent = list(columns())
    answer = subprocess.run(
        ["node", tmp_path / "run.mjs", module],
        input=json.dumps([column.tolist() for column in sent]),
        capture_output=True,
        text=True,
        check=True,
    )
    for column, (mean, share, size, largest) in zip(sent, json.loads(answer.stdout), strict=True):
        assert mean == pytest.approx(weights.log_mean_exp(column).item(), abs=1e-9)
        assert share == pytest.approx(weights.normalize(column).tolist(), abs=1e-9)
        assert size == pytest.approx(weights.ess(column).item(), abs=1e-9)
        assert largest == pytest.approx(weights.max_weight(column).item(), abs=1e-9)
