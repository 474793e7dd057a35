"""Each reproduction writes a figure of the very numbers it prints."""

import json
import math
import sys

import ais_sandwich
import figures
import jackknife_slopes
import numpy as np
import pytest
import torch

from iwae_core.view import theme


def trace(figure, name):
    """The one trace of that name."""
    (found,) = [one for one in figure.data if one.name == name]
    return found


def numbers(values):
    return np.asarray(values, dtype=float)


def run(script, monkeypatch, capsys, *arguments):
    """The account that a script prints."""
    monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, arguments)])
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    script.main()
    return json.loads(capsys.readouterr().out)


def test_a_reproduction_prints_json_and_leaves_a_figure_that_needs_no_network(
    monkeypatch, capsys, tmp_path
):
    path = tmp_path / "new folder" / "bias.html"
    account = run(jackknife_slopes, monkeypatch, capsys, "--figure", path)
    text = path.read_text()
    assert "Bias of the jackknife" in text
    assert 'src="http' not in text
    for row in account["rows"]:
        if row["order"] < 3:  # the higher orders reach their slope where rounding hides the bias
            assert row["slope"] == pytest.approx(row["expected_slope"], abs=0.05)
        measured = row["mean_over_draws_at_K_8"]
        z = (measured["bias"] - row["bias"]["8"]) / measured["std_error"]
        assert abs(z) < 5  # by chance once in 1.7 million
        assert f"order {row['order']} ({row['slope']:.2f})" in text


def test_the_figure_of_the_bias_has_its_sizes_and_slopes():
    row = {"order": 1, "bias": {8: -0.03, 16: -0.005}, "slope": -2.0, "expected_slope": -2}
    figure = figures.jackknife_slopes({"rows": [row]})
    curve = trace(figure, "order 1 (-2.00)")
    assert list(curve.x) == [8, 16]
    np.testing.assert_allclose(numbers(curve.y), [0.03, 0.005])
    np.testing.assert_allclose(numbers(trace(figure, "slope -2").y), [0.02, 0.005])


def test_the_figure_of_the_signal_to_noise_ratio_tells_encoder_from_decoder():
    rows = {
        "reparameterized, encoder": {"slope": -0.5, "snr": [0.4, 0.25]},
        "reparameterized, decoder": {"slope": 0.5, "snr": [0.1, 0.2]},
        "wake_sleep, encoder": {"slope": 0.5, "snr": [0.3, 0.6]},
    }
    figure = figures.snr_slopes({"K": [4, 16], "rows": rows})
    encoder = trace(figure, "reparameterized, encoder (-0.50)")
    decoder = trace(figure, "reparameterized, decoder (+0.50)")
    assert encoder.line.color == decoder.line.color
    assert encoder.line.dash != decoder.line.dash
    assert trace(figure, "wake_sleep, encoder (+0.50)").line.color != encoder.line.color
    np.testing.assert_allclose(numbers(decoder.y), [0.1, 0.2])
    np.testing.assert_allclose(numbers(trace(figure, "slope -0.5").y), [0.5, 0.25])


def test_the_figure_of_the_sweep_has_every_count():
    points = [(0.1, 3, 3), (1.0, 2, 2), (5.0, 0, 1)]
    figure = figures.collapse_sweep(points, [{"decoder_variance": 0.5, "trained": 2}])
    assert list(trace(figure, "predicted from the eigenvalues").y) == [3, 2, 0]
    assert list(trace(figure, "measured at the exact optimum").y) == [3, 2, 1]
    assert list(trace(figure, "measured after training").x) == [0.5]


def test_the_figure_of_the_sandwich_has_both_sides_of_the_truth(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(ais_sandwich, "TEMPERATURES", (5, 20))
    account = run(ais_sandwich, monkeypatch, capsys, "--figure", tmp_path / "sandwich.html")
    assert (tmp_path / "sandwich.html").exists()
    figure = figures.ais_sandwich(account)
    for side in ("lower", "upper"):
        curve = trace(figure, f"{side} side")
        assert list(curve.x) == [5, 20]
        assert list(curve.y) == [row[f"{side}_minus_exact"] for row in account["rows"]]
    # Mean over 100 datapoints: the sides stand far apart at 5 temperatures and close in.
    gaps = [row["gap"] for row in account["rows"]]
    assert gaps[0] > 4 * gaps[1] > 0


def test_the_figure_of_the_anchors_sets_expected_beside_found():
    row = {"K": 5, "epochs": 2, "nll_500": 108.8, "expected": 109.1, "std_error": 1.1}
    figure = figures.mnist_anchors([row, {**row, "K": 50, "expected": 108.9}])
    assert trace(figure, "K = 5, here").y == (108.8,)
    assert trace(figure, "K = 5, here").error_y.array == (1.1,)
    assert trace(figure, "K = 50, expected").y == (108.9,)


def test_the_figure_of_the_table_keeps_data_sets_apart_and_shows_what_nobody_published():
    row = {
        "dataset": "mnist",
        "layers": 1,
        "K": 5,
        "objective": "iwae",
        "epochs": 33,
        "nll": 87.0,
        "std_error": 0.5,
        "published_nll": 85.54,
    }
    other = {**row, "dataset": "digits", "published_nll": None}
    figure = figures.burda_table([row, other])
    published = trace(figure, "published, L_5000, 3,280 epochs")
    assert [list(level) for level in published.x] == [
        ["mnist", "digits"],
        ["1:5:iwae, 33", "1:5:iwae, 33"],
    ]
    assert published.y[0] == 85.54
    assert published.y[1] is None or math.isnan(published.y[1])
    assert trace(figure, "ours").y == (87.0, 87.0)


def test_figures_wear_the_apps_theme():
    figure = figures.mnist_anchors([])
    assert figure.layout.template == theme.figure().layout.template
