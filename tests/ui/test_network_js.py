"""The network and the drawing in the browser equal the core's, run under Node."""

import itertools
import math
import shutil

import numpy as np
import pytest
import torch
from node import under_node

from iwae_core.evaluation.studies import drawing, xray
from iwae_core.evaluation.studies.xray import XrayConfig
from iwae_core.evaluation.studies.xray_scenes import CROSS, SCENES
from iwae_core.ui import xray as page

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def network_in_browser(name):
    """The network as the module's functions take it: layers with plain lists."""
    sizes, arrays = page.network_for_browser(name)
    found = {}
    for part, widths in sizes.items():
        numbers, at, layers = arrays[part].astype(np.float64).tolist(), 0, []
        for n_in, n_out in itertools.pairwise(widths):
            weight = numbers[at : at + n_in * n_out]
            bias = numbers[at + n_in * n_out : at + n_in * n_out + n_out]
            layers.append({"weight": weight, "bias": bias})
            at += n_in * n_out + n_out
        assert at == len(numbers)
        found[part] = layers
    return found


@pytest.mark.parametrize("name", ["iwae", "elbo"])
def test_q_weights_and_decoded_digits_equal_the_core(tmp_path, name):
    sent, model = network_in_browser(name), page.network(name)
    config = XrayConfig(network=name, drawing=CROSS, squeeze=2.5, shift_1=-0.4, n_samples=200)
    report, x = xray.run(model, config), drawing.pixels(CROSS)
    q = {"loc": report.loc.tolist(), "scale": report.scale.tolist()}
    eps = xray.noise(1)[:200].flatten().tolist()
    encoded, weighed, decoded = under_node(
        tmp_path,
        [
            ["encode", sent, x[0].tolist()],
            ["weighed", sent, x[0].tolist(), q, eps],
            ["decode", sent, [0.7, -1.3]],
        ],
        "network",
    )
    loc, scale = model.encode(x)
    np.testing.assert_allclose(encoded["loc"], loc[0].detach(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(encoded["scale"], scale[0].detach(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.reshape(weighed["z"], (200, 2)), report.z, rtol=0, atol=1e-9)
    np.testing.assert_allclose(weighed["logW"], report.log_w, rtol=0, atol=1e-9)
    mean = model.decode(torch.tensor([0.7, -1.3], dtype=torch.float64)).detach()
    np.testing.assert_allclose(decoded, mean, rtol=0, atol=1e-9)


@pytest.mark.parametrize("scene", SCENES)
def test_the_table_that_is_drawn_integrates_to_nearly_the_exact_evidence(tmp_path, scene):
    settings = dict(SCENES[scene].settings)
    sent, x = network_in_browser(settings["network"]), drawing.pixels(settings["drawing"])
    grid = {"low": [-4, -4], "high": [4, 4], "n": page.TABLE_CELLS}
    (table,) = under_node(tmp_path, [["posteriorTable", sent, x[0].tolist(), grid]], "network")
    exact = xray.log_marginal(page.network(settings["network"]), settings["drawing"])
    assert table["logMarginal"] == pytest.approx(exact.value, abs=0.05)
    # One cell's value is log p(x, z) at its midpoint.
    n = table["n"]
    i, j = 3, n - 5
    z = [
        low + (cell + 0.5) / n * (high - low)
        for cell, low, high in zip((i, j), table["low"], table["high"], strict=True)
    ]
    model = page.network(settings["network"])
    joint = model.log_joint(x, torch.tensor([[z]], dtype=torch.float64)).item()
    assert table["values"][i * n + j] == pytest.approx(joint, abs=1e-9)


def test_a_drawing_is_read_and_written_as_the_core_does(tmp_path):
    code = "ABCDEFGHIJKLMNOPQ" + "QAHB" * 11 + "AQI"
    ink, written, seen = under_node(
        tmp_path,
        [
            ["inkOf", code],
            ["codeOf", drawing.decode(code).tolist()],
            ["pixelsOf", code, drawing.dice().tolist()],
        ],
        "drawing",
    )
    np.testing.assert_array_equal(ink, drawing.decode(code))
    assert written == code == drawing.encode(drawing.decode(code))
    np.testing.assert_array_equal(seen, drawing.pixels(code)[0])


def test_a_stroke_lays_ink_by_its_distance_and_a_rubber_takes_it(tmp_path):
    blank = 64 * "A"
    (drawn,) = under_node(tmp_path, [["stroke", blank, [1.5, 2.5], [6.5, 2.5], False]], "drawing")
    (wiped,) = under_node(tmp_path, [["stroke", drawn, [1.5, 2.5], [6.5, 2.5], True]], "drawing")
    ink = drawing.decode(drawn).reshape(8, 8).numpy()
    assert (ink[2, 1:7] == 1).all()  # on the line
    beside = math.floor(0.12 * 16 + 0.5) / 16  # 0.62 + 0.5 - 1 pixel away
    np.testing.assert_allclose(ink[[1, 3], 1:7], beside)
    assert ink[5:].sum() == ink[0].sum() == 0
    left = drawing.decode(wiped).reshape(8, 8).numpy()
    assert left[2, 1:7].sum() == 0
    np.testing.assert_allclose(left[[1, 3], 1:7], beside)  # the rubber's edge is as soft
    flipped = under_node(
        tmp_path, [["flip", blank, 5], ["flip", drawn, 17], ["touch", blank, 0, 3]], "drawing"
    )
    assert flipped[0] == "AAAAAQ" + 58 * "A"
    assert flipped[1][17] == "A"
    assert flipped[2][0] == "D"
