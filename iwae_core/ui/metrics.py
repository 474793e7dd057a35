"""Numbers in a row of cards, each with what to hold it against."""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

import streamlit as st


class Metric(NamedTuple):
    """One card: a formatted value, below it a few words of comparison; all plain text."""

    label: str
    value: str
    note: str
    help: str = ""


def row(*metrics: Metric) -> None:
    """Place the cards side by side; on a phone they wrap (see assets/components/lab.css).

    One element for all of them: five of Streamlit's own cost a rerun 2 ms more.
    """
    st.html(markup(metrics))


def markup(metrics: Iterable[Metric]) -> str:
    """The cards as a list of terms and descriptions; a card with help shows it on focus."""
    return f'<dl class="lab-cards">{"".join(map(_card, metrics))}</dl>'


def _card(metric: Metric) -> str:
    label, value, note, help = map(escape, metric)
    tip = f'<dd class="tip" role="note">{help}</dd>' if help else ""
    focus = ' tabindex="0"' if help else ""
    return f'<div{focus}><dt>{label}</dt><dd>{value}</dd><dd class="note">{note}</dd>{tip}</div>'
