"""Numbers in a row of cards, each with what to hold it against."""

from typing import NamedTuple

import streamlit as st


class Metric(NamedTuple):
    """One card: a formatted value, below it a few words of comparison."""

    label: str
    value: str
    note: str
    help: str = ""


def row(*metrics: Metric, key: str = "metrics") -> None:
    """Place the cards side by side; on a phone they wrap (see assets/components/lab.css).

    ``key`` starts with "metrics"; a page with two rows names them.
    """
    cards = st.container(horizontal=True, gap="small", key=key)
    for metric in metrics:
        cards.metric(
            metric.label,
            metric.value,
            delta=metric.note,
            delta_color="off",
            delta_arrow="off",
            border=True,
            width="stretch",
            help=metric.help or None,
        )
