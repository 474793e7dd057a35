"""What the box of kept runs tells its reader once, and the file that one may give it."""

import re
from collections.abc import Callable

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime.kept_archive import MOST_BYTES
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


def take_file(label: str, key: str, take_in: Callable[[bytes], str]) -> None:
    """A box for a .zip file; a broken one is refused with a sentence.

    Args:
        label: What the box is for, with a parenthesis that the most bytes end.
        key: Of the box.
        take_in: Keeps what the file holds, and says what that is and where it stands.
    """
    number = st.session_state.get(f"{key}.n", 0)  # another key empties the box
    box = f"{key}.{number}"

    def take() -> None:
        file = st.session_state.get(box)
        if file is not None:
            st.session_state[f"{key}.n"] = number + 1
            tell(f"Imported {take_in(file.getvalue())}: choose it to open it.")

    st.file_uploader(
        f"{label}, up to {MOST_BYTES / 1e6:.0f} MB)",
        type="zip",
        key=box,
        on_change=attempt,
        args=(take,),
    )


def plain(text: str) -> str:
    """Text that may hold a stranger's words, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>~$:-])", r"\\\1", text)
