"""Figures of one run of importance sampling: the draws, their weights, the answer as it forms."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from iwae_core.evaluation.studies.weighting import WeightingReport
from iwae_core.view import theme
from iwae_core.view.numbers import digits

MAX_STEMS = 200  # more than this is a solid block, and slow to draw
N_HEAVIEST = 5  # stems that carry their rank


def draws(report: WeightingReport, f_title: str) -> go.Figure:
    """Above: both densities and the integrand. Below: a stem for each draw, tall as its weight.

    Of more than MAX_STEMS draws only the first and the heaviest have a stem.
    """
    # Laid out by hand: plotly's make_subplots takes 80 ms for this.
    figure = theme.figure(
        hovermode="closest",
        xaxis={"title": "z", "range": [report.grid[0], report.grid[-1]], "anchor": "y3"},
        yaxis={"title": "density", "rangemode": "tozero", "domain": [0.46, 1]},
        yaxis2={
            "title": {"text": "f(z)", "standoff": 4},
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "tickmode": "auto",
            "nticks": 5,
        },
        yaxis3={
            "title": "share of weight",
            "range": [0, 1.25 * report.w.max()],
            "domain": [0, 0.4],
        },
    )
    for name, density, role in (
        ("target p", report.p, theme.TARGET),
        ("proposal q", report.q, theme.PROPOSAL),
    ):
        figure.add_scatter(
            x=report.grid,
            y=density,
            name=name,
            line=theme.line(role),
            fill="tozeroy",
            fillcolor=theme.fade(role.light, 0.12),
        )
    figure.add_scatter(
        x=report.grid,
        y=report.f,
        name=f"f(z) = {f_title}, right axis",
        line={"color": theme.MUTED["light"], "dash": "dot", "width": 2},
        yaxis="y2",
    )
    _add_stems(figure, report)
    return figure


def _add_stems(figure: go.Figure, report: WeightingReport) -> None:
    order = np.argsort(-report.w, kind="stable")
    shown = np.unique(np.concatenate([np.arange(min(len(report.z), MAX_STEMS)), order[:5]]))
    z, w = report.z[shown], report.w[shown]
    gap = np.full_like(z, np.nan)
    figure.add_scatter(
        x=np.stack([z, z, gap], axis=1).ravel(),
        y=np.stack([np.zeros_like(w), w, gap], axis=1).ravel(),
        mode="lines",
        line={"color": theme.WEIGHTS.light, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
        name="stems",
        yaxis="y3",
    )
    figure.add_scatter(
        x=z,
        y=w,
        mode="markers",
        marker=theme.marker(theme.WEIGHTS, 7) | {"opacity": 0.7},
        name="draws from q",
        hovertemplate="z = %{x:.3f}<br>share of weight %{y:.3g}<extra></extra>",
        yaxis="y3",
    )
    labels = _labels(report, order[:N_HEAVIEST])
    figure.add_scatter(
        x=report.z[list(labels)],
        y=report.w[list(labels)],
        mode="text",
        text=list(labels.values()),
        textposition="top center",
        textfont={"color": theme.WEIGHTS.light_text, "size": theme.TICK_SIZE},
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
        name="heaviest",
        yaxis="y3",
    )
    figure.add_scatter(
        x=report.grid[[0, -1]],
        y=np.full(2, 1 / len(report.w)),
        mode="lines",
        name="equal shares, 1/K",
        line={"color": theme.MUTED["light"], "dash": "longdash", "width": 1.5},
        yaxis="y3",
    )


def _labels(report: WeightingReport, heaviest: NDArray[np.intp]) -> dict[int, str]:
    """Ranks at the heaviest stems; those too close to read apart share one label."""
    room = 0.06 * (report.grid[-1] - report.grid[0])
    labels: dict[int, str] = {}
    for rank, k in enumerate(heaviest.tolist(), start=1):
        near = next((i for i in labels if abs(report.z[i] - report.z[k]) < room), None)
        if near is None:
            labels[k] = str(rank)
        else:
            labels[near] += f", {rank}"
    return labels


def log_weights(report: WeightingReport) -> go.Figure:
    """Histogram of the log weights, with the exact mean weight."""
    counts, edges = np.histogram(report.log_w, bins=min(40, 8 + len(report.log_w) // 16))
    figure = theme.figure(xaxis_title="log w (nats)", yaxis_title="draws", bargap=0.06)
    figure.add_bar(
        x=0.5 * (edges[:-1] + edges[1:]),
        y=counts,
        name="draws",
        marker_color=theme.fade(theme.WEIGHTS.light, 0.75),
        hovertemplate="log w about %{x:.2f}: %{y} draws<extra></extra>",
    )
    top = 1.08 * counts.max()
    found = np.logaddexp.reduce(report.log_w) - np.log(len(report.log_w))
    for name, at, role in (
        ("exact mean weight", report.log_normalizer, theme.EXACT),
        ("the draws' mean weight", found, theme.WEIGHTS),
    ):
        figure.add_scatter(
            x=[at, at], y=[0, top], mode="lines", name=name, line=theme.line(role, 2)
        )
    figure.update_yaxes(range=[0, top])
    return figure


def running(report: WeightingReport) -> go.Figure:
    """The estimate from the first n draws, its band, repeats with other noise, and the truth."""
    figure = theme.figure(xaxis_title="draws used, n", yaxis_title="estimate")
    # One trace with breaks for all repeats: a trace for each costs more than everything else.
    breaks = np.full((1, report.repeats.shape[1]), np.nan)
    figure.add_scatter(
        x=np.tile(np.append(report.n, np.nan), report.repeats.shape[1]),
        y=np.vstack([report.repeats, breaks]).T.ravel(),
        mode="lines",
        line={"color": theme.fade(theme.WEIGHTS.light, 0.3), "width": 1},
        hoverinfo="skip",
        name="repeats",
    )
    band = 2 * np.where(np.isfinite(report.running_error), report.running_error, np.nan)
    known = np.isfinite(band)
    for edge, fill in ((report.running - band, None), (report.running + band, "tonexty")):
        figure.add_scatter(
            x=report.n[known],
            y=edge[known],
            mode="lines",
            line={"width": 0},
            fill=fill,
            fillcolor=theme.fade(theme.WEIGHTS.light, 0.25),
            hoverinfo="skip",
            name="± 2 s.e., reported",
            legendgroup="band",
            showlegend=fill is not None,
        )
    if np.isfinite(report.std_of_term):
        true = 2 * report.std_of_term / np.sqrt(report.n)
        for sign in (-1, 1):
            figure.add_scatter(
                x=report.n,
                y=report.limit + sign * true,
                mode="lines",
                line={"color": theme.MUTED["light"], "dash": "dot", "width": 2},
                name="± 2 s.e., true",
                legendgroup="true",
                showlegend=sign > 0,
            )
    figure.add_scatter(
        x=report.n,
        y=report.running,
        mode="lines",
        line=theme.line(theme.WEIGHTS, 3) | {"dash": "solid"},
        name="estimate",
    )
    figure.add_scatter(
        x=report.n[[0, -1]],
        y=[report.exact, report.exact],
        mode="lines",
        line=theme.line(theme.EXACT, 2),
        name=f"exact {digits(report.exact)}",
    )
    figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(range=_range(report))
    return figure


def _range(report: WeightingReport) -> list[float]:
    """Where the curves are, without the wild first draws."""
    late = report.n >= min(5.0, np.sqrt(report.n[-1]))
    low, high = np.quantile(report.repeats[late], [0.05, 0.95])
    anchors = (*report.running[late], report.exact, report.limit)
    low, high = min(low, *anchors), max(high, *anchors)
    room = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    return [low - room, high + room]


def verdict(k_hat: float) -> str:
    """What k-hat says, in a few words."""
    if k_hat == float("inf"):
        return "no tail to fit"
    if k_hat > 0.7:
        return "above 0.7: do not trust"
    if k_hat > 0.5:
        return "above 0.5: variance infinite?"
    return "below 0.5: no alarm"
