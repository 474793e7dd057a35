"""Figures of the bound against K: the bound, its gap, its single runs, and the gap that closes."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from iwae_core.evaluation.studies.tightness import Array, RunsReport, TightnessReport
from iwae_core.view import theme
from iwae_core.view.numbers import MINUS, digits, fixed

_K_TICKS = {"tickvals": [1, 4, 16, 64, 256, 1024], "type": "log"}
_APPROXIMATION: dict[str, Any] = {"color": theme.MUTED["light"], "dash": "dash", "width": 2}


def bounds(report: TightnessReport, at: RunsReport) -> go.Figure:
    """L_K and the ELBO of K samples against K, with the spread of single runs and log p(x)."""
    figure = theme.figure(xaxis_title="K, samples per run", yaxis_title="nats")
    K = report.n_samples
    _add_band(figure, K, report.elbo_low, report.elbo_high, 0.13, "90 % of average-log runs")
    _add_band(figure, K, report.low, report.high, 0.25, "90 % of log-average runs")
    n_ghosts = report.ghosts.shape[1]
    figure.add_scatter(  # one trace with breaks: a trace for each run costs far more
        x=np.tile(np.append(K, np.nan), n_ghosts),
        y=np.vstack([report.ghosts, np.full((1, n_ghosts), np.nan)]).T.ravel(),
        mode="lines",
        line={"color": theme.fade(theme.BOUND.light, 0.35), "width": 1},
        hoverinfo="skip",
        name="single runs",
    )
    figure.add_scatter(
        x=K,
        y=np.full(len(K), report.elbo),
        mode="lines+markers",
        line=theme.line(theme.BOUND, 2) | {"dash": "dot"},
        marker=theme.marker(theme.BOUND, 7) | {"symbol": "square-open"},
        name="ELBO with K samples",
    )
    if np.isfinite(report.relative_variance) and report.relative_variance > 0:
        figure.add_scatter(
            x=K,
            y=report.log_marginal - report.approximate_gap,
            mode="lines",
            line=_APPROXIMATION,
            name="1/K approximation",
        )
    figure.add_scatter(
        x=K,
        y=report.bound,
        mode="lines+markers",
        line=theme.line(theme.BOUND, 3),
        marker=theme.marker(theme.BOUND, 8),
        name="bound L<sub>K</sub>",
        hovertemplate="K = %{x}: %{y:.3f} nats<extra></extra>",
    )
    figure.add_scatter(
        x=K[[0, -1]],
        y=[report.log_marginal] * 2,
        mode="lines",
        line=theme.line(theme.EXACT, 2),
        name=f"log p(x) = {fixed(report.log_marginal, 3)}, exact",
    )
    _add_chosen(figure, at.n_samples, at.bound)
    figure.add_annotation(
        x=0, y=report.elbo, text="\N{NO-BREAK SPACE}K = 1: the ELBO", ax=44, ay=44, xanchor="left"
    )
    low = min(report.low.min(), report.elbo_low[K >= 4].min(), report.bound.min())
    high = max(report.high.max(), report.log_marginal)
    room = max(0.06 * (high - low), 0.05)
    figure.update_xaxes(**_K_TICKS)
    figure.update_yaxes(range=[low - room, high + room])
    return figure


def gaps(report: TightnessReport, at: RunsReport) -> go.Figure:
    """The gap log p(x) - L_K and its 1/K approximation, both axes logarithmic."""
    figure = theme.figure(xaxis_title="K, samples per run", yaxis_title="gap (nats)")
    gap = report.log_marginal - report.bound
    seen = gap > 2 * report.std_error  # a gap lost in noise has no place on a log axis
    K = report.n_samples
    if np.isfinite(report.relative_variance):
        figure.add_scatter(
            x=K,
            y=report.approximate_gap,
            mode="lines",
            line=_APPROXIMATION,
            name="1/K approximation",
        )
    figure.add_scatter(
        x=K[seen],
        y=gap[seen],
        error_y={"type": "data", "array": 2 * report.std_error[seen], "thickness": 1.5},
        mode="lines+markers",
        line=theme.line(theme.BOUND, 3),
        marker=theme.marker(theme.BOUND, 8),
        name=f"gap log p(x) {MINUS} L<sub>K</sub>",
        hovertemplate="K = %{x}: %{y:.3g} nats<extra></extra>",
    )
    if at.gap > 2 * at.std_error:
        _add_chosen(figure, at.n_samples, at.gap)
    if report.breaks_until > 0 and np.isfinite(report.relative_variance):
        figure.add_vrect(
            x0=1, x1=report.breaks_until, fillcolor=theme.fade(theme.MUTED["light"], 0.15),
            line_width=0, layer="below",
        )  # fmt: skip
    figure.update_xaxes(**_K_TICKS)
    figure.update_yaxes(type="log", **_decades(gap[seen]))
    return figure


def _decades(values: Array) -> dict[str, Any]:
    """Ticks of a logarithmic axis: powers of ten, and 2 and 5 between where these are few."""
    few = len(values) == 0 or values.max() < 100 * values.min()
    ticks = [d * 10.0**p for p in range(-6, 3) for d in ((1, 2, 5) if few else (1,))]
    return {"tickvals": ticks, "ticktext": [digits(tick, 1) for tick in ticks]}


def runs(at: RunsReport, log_marginal: float) -> go.Figure:
    """Histogram of single runs at one K, those above log p(x) hatched."""
    figure = theme.figure(
        xaxis_title=f"one run with K = {at.n_samples} (nats)",
        yaxis_title="runs",
        barmode="overlay",
        bargap=0.02,
    )
    middle = 0.5 * (at.edges[:-1] + at.edges[1:])
    above = middle > log_marginal
    for name, chosen, pattern in (("below log p(x)", ~above, ""), ("above", above, "/")):
        figure.add_bar(
            x=middle[chosen],
            y=at.counts[chosen],
            width=np.diff(at.edges)[chosen],
            name=name,
            marker={
                "color": theme.fade(theme.BOUND.light, 0.6),
                "pattern": {"shape": pattern, "fgcolor": theme.TEXT["light"], "size": 6},
            },
        )
    top = 1.06 * at.counts.max()
    for name, x, role in (
        ("average, L<sub>K</sub>", at.bound, theme.BOUND),
        ("log p(x)", log_marginal, theme.EXACT),
    ):
        figure.add_scatter(
            x=[x, x], y=[0, top], mode="lines", line=theme.line(role, 2.5), name=name
        )
    figure.update_yaxes(range=[0, top])
    return figure


def _add_band(figure: go.Figure, K: Array, low: Array, high: Array, alpha: float, name: str
              ) -> None:  # fmt: skip
    for edge, fill in ((low, None), (high, "tonexty")):
        figure.add_scatter(
            x=K,
            y=edge,
            mode="lines",
            line={"width": 0},
            fill=fill,
            fillcolor=theme.fade(theme.BOUND.light, alpha),
            hoverinfo="skip",
            name=name,
            legendgroup=name,
            showlegend=fill is not None,
        )


def _add_chosen(figure: go.Figure, n_samples: int, y: float) -> None:
    figure.add_scatter(
        x=[n_samples],
        y=[y],
        mode="markers",
        marker={
            "symbol": "circle-open",
            "size": 18,
            "color": theme.TEXT["light"],
            "line": {"width": 2.5},
        },
        name=f"your K = {n_samples}",
    )
