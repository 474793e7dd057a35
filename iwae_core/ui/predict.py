"""Predict first: a question whose explanation waits for the reader's own answer."""

from collections.abc import Mapping

import streamlit as st

from iwae_core.ui.fields import ChoiceField
from iwae_core.ui.url import Link

OPEN = "open"  # not answered yet


def answer_field(*answers: str, name: str = "answer") -> ChoiceField:
    """The field that keeps the reader's answer in the address."""
    return ChoiceField(name=name, default=OPEN, choices=(OPEN, *answers))


def ask(link: Link, field: ChoiceField, question: str, answers: Mapping[str, str]) -> str | None:
    """Put the question and return the answer's name, None until there is one.

    Raises:
        ValueError: If the answers are not those of the field.
    """
    if set(answers) != set(field.choices) - {OPEN}:
        raise ValueError(f"field {field.name!r} has other answers than {sorted(answers)}")
    given = link.value(field)
    key = f"{link.key(field)}.picked"
    st.session_state[key] = None if given == OPEN else given

    def take() -> None:
        link.set(field, st.session_state[key] or OPEN)

    st.segmented_control(
        f"**Predict first.** {question}",
        list(answers),
        format_func=answers.__getitem__,
        key=key,
        on_change=take,
    )
    return None if given == OPEN else given
