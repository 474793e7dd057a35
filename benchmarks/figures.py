"""The figure beside each reproduction's JSON: one function each, in the app's own theme.

A figure is one HTML file that needs no network. It goes to the path that a script's `--figure`
names, by default below `benchmarks/out/`, which git ignores.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from iwae_core.view import theme

OUT = Path(__file__).parent / "out"
_DECADES = {"type": "log", "dtick": 1, "exponentformat": "power"}


def add_option(parser: argparse.ArgumentParser, name: str) -> None:
    """Give a script the option `--figure`."""
    parser.add_argument(
        "--figure", type=Path, default=OUT / f"{name}.html", help="where the figure goes"
    )


def write(figure: go.Figure, path: Path) -> None:
    """Write one self-contained HTML file and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True)
    print(f"figure: {path}", file=sys.stderr)


def snr_slopes(account: Mapping[str, Any]) -> go.Figure:
    """Signal-to-noise ratio against K, encoder and decoder of each estimator, log-log."""
    figure = _start(
        "Gradient signal-to-noise ratio on Rainforth's toy (slope)",
        {"title": "K, samples", "type": "log", "tickvals": list(account["K"])},
        {"title": "SNR", **_DECADES},
    )
    estimators = list(dict.fromkeys(name.split(", ")[0] for name in account["rows"]))
    for name, row in account["rows"].items():
        estimator, group = name.split(", ")
        color = theme.CATEGORIES[estimators.index(estimator)]
        figure.add_scatter(
            x=account["K"],
            y=row["snr"],
            name=f"{name} ({row['slope']:+.2f})",
            line={"color": color, "dash": "solid" if group == "encoder" else "dot"},
            marker={"symbol": "circle" if group == "encoder" else "diamond", "size": 8},
            mode="lines+markers",
        )
        if group == "encoder":
            expected = -0.5 if estimator == "reparameterized" else 0.5
            _guide(figure, account["K"], row["snr"][-1], expected)
    return figure


def jackknife_slopes(account: Mapping[str, Any]) -> go.Figure:
    """Size of the bias against K for each order, log-log, with the slope that theory gives."""
    sizes = list(account["rows"][0]["bias"])
    figure = _start(
        "Bias of the jackknife, from exact expectations (slope)",
        {"title": "K, samples", "type": "log", "tickvals": sizes},
        {"title": "|bias|, nats", **_DECADES},
    )
    for row in account["rows"]:
        sizes, bias = list(row["bias"]), np.abs(list(row["bias"].values()))
        figure.add_scatter(
            x=sizes,
            y=bias,
            name=f"order {row['order']} ({row['slope']:.2f})",
            line={"color": theme.CATEGORIES[row["order"]]},
            marker={"size": 8},
            mode="lines+markers",
        )
        _guide(figure, sizes, bias[-1], row["expected_slope"])
    return figure


def collapse_sweep(
    points: Sequence[tuple[float, int, int]], trained: Sequence[Mapping[str, Any]]
) -> go.Figure:
    """Active units against the decoder's variance: predicted, at the optimum, and trained.

    Args:
        points: Decoder variance, predicted and measured count, sorted by variance.
        trained: The rows of the trained models.
    """
    variance, predicted, measured = zip(*points, strict=True)
    figure = _start(
        "Active units of the linear VAE on the digits",
        {"title": "decoder variance s^2", **_DECADES},
        {"title": "active units"},
    )
    figure.add_scatter(
        x=variance,
        y=predicted,
        name="predicted from the eigenvalues",
        line=theme.line(theme.EXACT) | {"shape": "hv"},
        mode="lines",
    )
    figure.add_scatter(
        x=variance,
        y=measured,
        name="measured at the exact optimum",
        marker=theme.marker(theme.BOUND, 5),
        mode="markers",
    )
    figure.add_scatter(
        x=[row["decoder_variance"] for row in trained],
        y=[row["trained"] for row in trained],
        name="measured after training",
        marker=theme.marker(theme.PROPOSAL, 10),
        mode="markers",
    )
    return figure


def ais_sandwich(account: Mapping[str, Any]) -> go.Figure:
    """Both sides of annealed importance sampling, less the exact log p(x)."""
    rows = account["rows"]
    temperatures = [row["n_temperatures"] for row in rows]
    figure = _start(
        "AIS from below and above, on the oracle",
        {"title": "temperatures of the path", "type": "log", "tickvals": temperatures},
        {"title": "estimate minus exact log p(x), nats"},
    )
    for side, role in (("upper", theme.PROPOSAL), ("lower", theme.BOUND)):
        figure.add_scatter(
            x=temperatures,
            y=[row[f"{side}_minus_exact"] for row in rows],
            name=f"{side} side",
            line=theme.line(role),
            marker=theme.marker(role),
            mode="lines+markers",
        )
    figure.add_hrect(-0.05, 0.05, fillcolor=theme.fade(theme.EXACT.light, 0.1), line_width=0)
    figure.add_hline(0, line=theme.line(theme.EXACT, 1.5))
    return figure


def mnist_anchors(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """NLL after some epochs, beside the numbers measured before; bars are one standard error."""
    figure = _start(
        "MNIST anchors: one stochastic layer, batch 100, Adam 1e-3",
        {"title": "epochs", "type": "log", "tickvals": [2, 5, 10, 20]},
        {"title": "NLL_500 on 500 test images, nats"},
    )
    for number, K in enumerate(dict.fromkeys(row["K"] for row in rows)):
        of_k = [row for row in rows if row["K"] == K]
        epochs, color = [row["epochs"] for row in of_k], theme.CATEGORIES[number]
        figure.add_scatter(
            x=epochs,
            y=[row["nll_500"] for row in of_k],
            error_y={"array": [row["std_error"] for row in of_k]},
            name=f"K = {K}, here",
            line={"color": color},
            marker={"size": 8},
            mode="lines+markers",
        )
        figure.add_scatter(
            x=epochs,
            y=[row["expected"] for row in of_k],
            name=f"K = {K}, expected",
            marker={"color": color, "symbol": "x", "size": 10},
            mode="markers",
        )
    return figure


def burda_table(results: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Our NLL beside the published one, a column for each row of the table.

    Fixed and dynamic MNIST stand apart: they are different data.
    """
    figure = _start(
        "Burda et al.'s table: published and ours",
        {"title": "layers:K:objective, epochs trained; data set"},
        {"title": "NLL, nats"},
    )
    labels = [
        [result["dataset"] for result in results],
        [f"{r['layers']}:{r['K']}:{r['objective']}, {r['epochs']}" for r in results],
    ]
    figure.add_scatter(
        x=labels,
        y=[result["published_nll"] for result in results],
        name="published, L_5000, 3,280 epochs",
        marker=theme.marker(theme.EXACT, 10),
        mode="markers",
    )
    figure.add_scatter(
        x=labels,
        y=[result["nll"] for result in results],
        error_y={"array": [result["std_error"] for result in results]},
        name="ours",
        marker=theme.marker(theme.BOUND, 10),
        mode="markers",
    )
    return figure


def _start(title: str, xaxis: dict[str, Any], yaxis: dict[str, Any]) -> go.Figure:
    """An empty figure that fills a window, its legend beside it."""
    return theme.figure(
        title=title,
        xaxis=xaxis,
        yaxis=yaxis,
        margin={"l": 80, "r": 24, "t": 56, "b": 72},
        legend={"orientation": "v", "x": 1.02, "y": 1, "yanchor": "top"},
    )


def _guide(figure: go.Figure, sizes: Sequence[float], end: float, slope: float) -> None:
    """A thin line of a known slope on log-log axes, through ``(sizes[-1], end)``."""
    x = np.array(sizes, dtype=float)
    figure.add_scatter(
        x=x,
        y=end * (x / x[-1]) ** slope,
        name=f"slope {slope:g}",
        line=theme.line(theme.EXACT, 1),
        mode="lines",
        showlegend=False,
    )
