"""Figure of several runs on the two held-out rulers, from where they parted."""

from dataclasses import dataclass, field
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from iwae_core.view import theme

_FEW = 40
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")


@dataclass(frozen=True, slots=True)
class Branch:
    """One run: its title and its held-out curve; two are equal whose title and length are.

    Attributes:
        title: As a person or the app named it.
        step: Updates taken.
        steps: Steps of the looks, shape ``(n,)``.
        bound_1: Held-out L_1 there, nats.
        bound_64: Held-out L_64 there, nats.
    """

    title: str
    step: int
    steps: NDArray[np.float32] = field(compare=False)
    bound_1: NDArray[np.float32] = field(compare=False)
    bound_64: NDArray[np.float32] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs to compare.

    Attributes:
        ids: The runs' own, in the same order.
        branches: At least one.
        parted: The last step up to which they are one run; None if they never were.
    """

    ids: tuple[str, ...]
    branches: tuple[Branch, ...]
    parted: int | None


def held_out(comparison: Comparison) -> go.Figure:
    """L_64 (solid) and L_1 (dashed) of every run against the step, from where they parted on."""
    figure = theme.figure(xaxis_title="step", yaxis_title="nats, held out")
    first = comparison.parted or 0
    seen = []
    for number, branch in enumerate(comparison.branches):
        color = theme.CATEGORIES[number % len(theme.CATEGORIES)]
        symbol = _SYMBOLS[number % len(_SYMBOLS)]
        # From the last look before they parted on, so that no line begins in the air.
        shown = slice(max(0, int(np.searchsorted(branch.steps, first, side="right")) - 1), None)
        for label, bound, dash in (
            ("L<sub>64</sub>", branch.bound_64, "solid"),
            ("L<sub>1</sub>", branch.bound_1, "dash"),
        ):
            steps, bounds = branch.steps[shown], bound[shown]
            figure.add_scatter(
                x=steps,
                y=bounds,
                mode="lines+markers",
                line={"color": color, "width": 2, "dash": dash},
                # A mark at the end tells the lines apart where color does not.
                marker={"symbol": symbol, "size": _sizes(len(steps)), "color": color},
                name=f"{escape(branch.title)}: {label}",
                hovertemplate="step %{x}: %{y:.3f} nats<extra></extra>",
            )
            seen.append(bounds[steps >= first])
    if comparison.parted is not None:
        figure.add_vline(
            x=comparison.parted,
            line={"color": theme.MUTED["light"], "dash": "dot", "width": 1},
            annotation_text="parted here",
            annotation_position="bottom right",
        )
        figure.update_xaxes(range=[first, max(branch.step for branch in comparison.branches)])
    values = np.concatenate(seen)
    if len(values):
        # The first looks of a run lie far below all others, and would flatten what differs.
        low = np.quantile(values, 0.1) if comparison.parted is None else values.min()
        high = values.max()
        room = 0.08 * max(high - low, 0.1)
        figure.update_yaxes(range=[float(low - room), float(high + room)])
    return figure


def _sizes(n: int) -> list[int]:
    """Of the marks: while looks are few each has one, since between them nothing is known."""
    return [5 if n <= _FEW else 0] * max(0, n - 1) + [9] * min(1, n)
