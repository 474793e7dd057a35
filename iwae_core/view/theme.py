"""One color, dash and marker per role, in every figure, text and theme of the app.

The palette is Okabe and Ito's, which people with any color vision can tell apart; a tone is moved
only where it would have less than 3:1 contrast as a line or 4.5:1 as text on its background.
Color is never alone: roles also differ in dash and marker.

Figures are built with the light tones. What draws them in the browser (assets/components/chart.js)
receives :func:`javascript` and swaps tones and template when the reader's theme is dark.

Reference:
    Okabe and Ito (2008), "Color Universal Design".
"""

import json
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What one quantity wears wherever it appears."""

    name: str
    light: str  # line tone on a light background; the one figures are built with
    dark: str
    light_text: str
    dark_text: str
    dash: str
    symbol: str
    prose: str | None  # Streamlit's name for the color in Markdown; None: the text's own color


TARGET = Role(
    name="target",
    light="#0072B2",
    dark="#56B4E9",
    light_text="#0072B2",
    dark_text="#56B4E9",
    dash="solid",
    symbol="circle",
    prose="blue",
)
PROPOSAL = Role(
    name="proposal",
    light="#D55E00",
    dark="#D55E00",
    light_text="#B84F00",
    dark_text="#D55E00",
    dash="dash",
    symbol="diamond",
    prose="orange",
)
WEIGHTS = Role(
    name="weights",
    light="#CC79A7",
    dark="#CC79A7",
    light_text="#A8528A",
    dark_text="#CC79A7",
    dash="dashdot",
    symbol="triangle-up",
    prose="violet",
)
BOUND = Role(
    name="bound",
    light="#009E73",
    dark="#009E73",
    light_text="#00785A",
    dark_text="#009E73",
    dash="solid",
    symbol="square",
    prose="green",
)
EXACT = Role(
    name="exact",
    light="#000000",
    dark="#FFFFFF",
    light_text="#000000",
    dark_text="#FFFFFF",
    dash="longdash",
    symbol="x",
    prose=None,
)
PRIOR = Role(
    name="prior",
    light="#B57D00",
    dark="#E69F00",
    light_text="#8F6400",
    dark_text="#E69F00",
    dash="dot",
    symbol="cross",
    prose="yellow",
)
ROLES = {role.name: role for role in (TARGET, PROPOSAL, WEIGHTS, BOUND, EXACT, PRIOR)}

# Ten classes (digits): Okabe-Ito's eight and two more that keep their distance on both themes.
CATEGORIES = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#B57D00",
    "#56B4E9",
    "#7F7F7F",
    "#8C6BB1",
    "#66A61E",
    "#A6761D",
)

SEQUENTIAL = "Cividis"  # reads the same to every eye, and runs dark to light evenly

BACKGROUND = {"light": "#FFFFFF", "dark": "#0E1117"}
SECONDARY_BACKGROUND = {"light": "#F2F4F7", "dark": "#1A1F2B"}
TEXT = {"light": "#1F2430", "dark": "#FAFAFA"}
GRID = {"light": "#DDE1E8", "dark": "#30363F"}
MUTED = {"light": "#5B6472", "dark": "#A3ACB9"}

# Readable on a phone: a 390 px wide figure is not scaled down.
FONT_SIZE = 14
TICK_SIZE = 13


def fade(color: str, alpha: float) -> str:
    """Give a ``#RRGGBB`` color an opacity in [0, 1], as figures and the browser understand it.

    >>> fade("#0072B2", 0.25)
    'rgba(0,114,178,0.25)'
    """
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def line(role: Role, width: float = 2.5) -> dict[str, Any]:
    """Style of a role's curve: ``go.Scatter(line=line(TARGET))``."""
    return {"color": role.light, "dash": role.dash, "width": width}


def marker(role: Role, size: float = 8) -> dict[str, Any]:
    """Style of a role's points: ``go.Scatter(marker=marker(WEIGHTS))``."""
    return {"color": role.light, "symbol": role.symbol, "size": size}


def template(mode: str) -> dict[str, Any]:
    """Layout defaults of every figure for ``mode`` "light" or "dark", as a plotly template."""
    axis = {
        "gridcolor": GRID[mode],
        "linecolor": MUTED[mode],
        "zeroline": False,
        "automargin": True,
        "ticks": "outside",
        "tickcolor": MUTED[mode],
        "tickfont": {"size": TICK_SIZE, "color": MUTED[mode]},
        "title": {"standoff": 8, "font": {"size": FONT_SIZE}},
    }
    return {
        "layout": {
            "font": {"size": FONT_SIZE, "color": TEXT[mode], "family": "sans-serif"},
            "title": {"font": {"size": FONT_SIZE + 2}, "x": 0, "xref": "paper", "xanchor": "left"},
            "paper_bgcolor": BACKGROUND[mode],
            "plot_bgcolor": BACKGROUND[mode],
            "colorway": list(CATEGORIES),
            "margin": {"l": 8, "r": 8, "t": 32, "b": 8},
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "font": {"size": FONT_SIZE, "color": TEXT[mode]},
                "bgcolor": SECONDARY_BACKGROUND[mode],
            },
            # Above the figure, where it costs no width on a phone.
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.0,
                "yanchor": "bottom",
                "font": {"size": TICK_SIZE},
            },
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": MUTED[mode],
                "activecolor": TEXT[mode],
            },
        }
    }


def figure(**layout: Any) -> go.Figure:
    """Start a figure that looks the same in a notebook and, on the light theme, in the app."""
    return go.Figure(layout={"template": template("light"), **layout})


def recolor() -> dict[str, str]:
    """Map every tone a figure may be built with to its tone on the dark theme."""
    pairs = [(role.light, role.dark) for role in ROLES.values()]
    pairs += [(role.light_text, role.dark_text) for role in ROLES.values()]
    pairs += [(tone["light"], tone["dark"]) for tone in (BACKGROUND, TEXT, GRID, MUTED)]
    return {light.lower(): dark.lower() for light, dark in pairs}


def javascript() -> str:
    """The module the browser's drawings import: templates, role tones and the tone map."""
    exports = {
        "templates": {mode: template(mode) for mode in ("light", "dark")},
        "roles": {
            mode: {name: getattr(role, mode) for name, role in ROLES.items()}
            for mode in ("light", "dark")
        },
        "roleTexts": {
            mode: {name: getattr(role, f"{mode}_text") for name, role in ROLES.items()}
            for mode in ("light", "dark")
        },
        "background": BACKGROUND,
        "text": TEXT,
        "muted": MUTED,
        "grid": GRID,
        "categories": CATEGORIES,
        "toDark": recolor(),
    }
    return "".join(
        f"export const {name} = {json.dumps(value)};\n" for name, value in exports.items()
    )
