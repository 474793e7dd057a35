"""The value of a widget, where a page's script has a say in it beside the reader.

What a script sets travels to the browser and replaces what stands there. Set again at each run, a
value undoes what the reader has chosen or typed since that run began; so it is set only where it
is news.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st


def put(key: str, value: Any) -> None:
    """Set a widget to a value, unless it has that value already; before it is placed."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def put_choice(key: str, value: list[str] | str | None, labels: Mapping[str, str]) -> None:
    """The same for a choice among options; their labels are to change seldom.

    The browser knows options by their labels alone, so what is chosen is sent anew when it is
    called otherwise.

    Args:
        key: Of the widget.
        value: The chosen option, or all of them.
        labels: What each option is called.
    """
    memory = f"{key}.labels"
    known: Mapping[str, str] = st.session_state.get(memory, {})
    chosen = value if isinstance(value, list) else [value] if value is not None else []
    if any(known.get(option, labels[option]) != labels[option] for option in chosen):
        st.session_state[key] = value
    else:
        put(key, value)
    st.session_state[memory] = dict(labels)
