"""The network and the drawing in the browser equal the core's, run under Node."""

import itertools
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


def sheet(seed):
    return torch.rand(32, 32, generator=torch.Generator().manual_seed(seed)) < 0.4


def test_a_sheet_of_dots_is_read_counted_and_written_as_the_core_does(tmp_path):
    dots = sheet(1)
    code = drawing.encode_dots(dots)
    assert len(code) == drawing.N_LETTERS
    ink, seen, read, written = under_node(
        tmp_path,
        [
            ["inkOf", code],
            ["pixelsOf", code, drawing.dice().tolist()],
            ["dotsOf", code],
            ["packed", dots.flatten().int().tolist()],
        ],
        "drawing",
    )
    np.testing.assert_array_equal(ink, drawing.decode(code))
    np.testing.assert_array_equal(seen, drawing.pixels(code)[0])
    np.testing.assert_array_equal(read, dots.flatten().int())
    assert written == code


@pytest.mark.parametrize("code", [CROSS, "ABCDEFGHIJKLMNOPQ" + "QAHB" * 11 + "AQI"])
def test_the_dots_that_are_guessed_have_the_counts(tmp_path, code):
    (dots,) = under_node(tmp_path, [["dotsOf", code]], "drawing")
    guess = torch.tensor(dots).reshape(32, 32)
    guessed = drawing.encode_dots(guess)
    torch.testing.assert_close(drawing.decode(guessed), drawing.decode(code), rtol=0, atol=0)


def test_guessed_dots_lie_where_the_neighbors_are_dark(tmp_path):
    ink = torch.zeros(8, 8)
    ink[3, 2], ink[3, 3] = 1, 0.5  # a line that ends in the middle of a pixel
    (dots,) = under_node(tmp_path, [["dotsOf", drawing.encode(ink)]], "drawing")
    half = np.reshape(dots, (32, 32))[12:16, 12:16]
    assert half[:, :2].sum() > half[:, 2:].sum()


@pytest.mark.parametrize(("rubber", "reach"), [(False, 2.5), (True, 4.0)])
def test_a_stroke_reaches_the_dots_near_its_line_and_no_others(tmp_path, rubber, reach):
    dots, start, end = sheet(2), np.array([5.3, 8.1]), np.array([24.9, 17.2])
    (after,) = under_node(
        tmp_path,
        [["stroke", drawing.encode_dots(dots), start.tolist(), end.tolist(), rubber]],
        "drawing",
    )
    rows, columns = np.indices((32, 32)) + 0.5
    # the nearest of many points of the line, from every dot
    line = start + np.linspace(0, 1, 4001)[:, None] * (end - start)
    away = np.hypot(columns.ravel()[:, None] - line[:, 0], rows.ravel()[:, None] - line[:, 1])
    near = (away.min(axis=1) <= reach).reshape(32, 32)
    assert 40 < near.sum() < 500
    expected = torch.from_numpy(np.where(near, not rubber, dots))
    assert after == drawing.encode_dots(expected)


def test_a_stroke_over_levels_alone_keeps_the_counts_elsewhere(tmp_path):
    (after,) = under_node(
        tmp_path, [["stroke", CROSS, [2.0, 16.0], [4.0, 16.0], False]], "drawing"
    )
    before, now = (drawing.decode(code).reshape(8, 8) for code in (CROSS, after))
    changed = (before != now).nonzero()
    assert len(changed) > 0
    assert changed[:, 1].max() <= 1  # columns


def test_a_key_fills_empties_and_tones_a_pixel(tmp_path):
    blank, drawn = 64 * "A", drawing.encode_dots(sheet(3))
    full, empty, toned = under_node(
        tmp_path, [["flip", blank, 5], ["flip", drawn, 17], ["touch", drawn, 0, -3]], "drawing"
    )
    assert full == "AAAAAQ" + 58 * "A"
    before = drawing.decode(drawn)
    expected = before.clone()
    expected[17] = 0
    torch.testing.assert_close(drawing.decode(empty), expected, rtol=0, atol=0)
    expected = before.clone()
    expected[0] = max(0.0, before[0].item() - 3 / 16)
    torch.testing.assert_close(drawing.decode(toned), expected, rtol=0, atol=0)
