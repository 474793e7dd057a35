"""What a button of the kept runs did or would not do, told to the reader once."""

import re
from collections.abc import Callable

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime.store_schema import told

_SAID = "kept.said"  # (is an error, what to tell the reader)


def attempt(action: Callable[[], None]) -> None:
    """Do what a button asks; a refusal is told in the panel."""
    try:
        action()
    except (ValueError, SQLAlchemyError, OSError) as fault:
        st.session_state[_SAID] = (True, told(fault))


def tell(sentence: str) -> None:
    """Tell the reader something when the panel is drawn next."""
    st.session_state[_SAID] = (False, sentence)


def say() -> None:
    """Place what there is to tell."""
    is_error, sentence = st.session_state.pop(_SAID, (False, ""))
    if is_error:
        st.error(plain(sentence[:1].upper() + sentence[1:]), icon=":material/block:")
    elif sentence:
        st.success(plain(sentence), icon=":material/check:")


def plain(text: str) -> str:
    """Text that may hold a stranger's words, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>~$:-])", r"\\\1", text)
