"""Predict first: a question whose explanation waits for the reader's own answer."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from iwae_core.ui import widgets
from iwae_core.ui.fields import ChoiceField
from iwae_core.ui.url import Link

OPEN = "open"  # not answered yet

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def answer_field(*answers: str, name: str = "answer") -> ChoiceField:
    """The field that keeps the reader's answer in the address."""
    return ChoiceField(name=name, default=OPEN, choices=(OPEN, *answers))


def box() -> DeltaGenerator:
    """Give the place of a question: above the picture that would answer it."""
    return st.container(border=True, gap="xsmall")


@contextmanager
def reason() -> Iterator[None]:
    """Give the place of the reason: below the picture, as it is read after it."""
    with st.container(border=True):
        st.markdown(":material/lightbulb: **Why**")
        yield


def point() -> None:
    """Say, beside what of an answer is right, where the reason stands."""
    st.caption("Why: below the picture.")


def ask(link: Link, field: ChoiceField, question: str, answers: Mapping[str, str]) -> str | None:
    """Put the question and return the answer's name, None until there is one.

    Raises:
        ValueError: If the answers are not those of the field.
    """
    if set(answers) != set(field.choices) - {OPEN}:
        raise ValueError(f"field {field.name!r} has other answers than {sorted(answers)}")
    given = link.value(field)
    key = f"{link.key(field)}.picked"
    widgets.put(key, None if given == OPEN else given)

    def take() -> None:
        link.set(field, st.session_state[key] or OPEN)

    # A control's label is read out as it is written, so that it has no signs of Markdown.
    st.markdown(f"**Predict first.** {question}")
    st.segmented_control(
        f"Predict first. {plain(question)}",
        list(answers),
        format_func=answers.__getitem__,
        key=key,
        on_change=take,
        label_visibility="collapsed",
    )
    return None if given == OPEN else given


def plain(markdown: str) -> str:
    r"""Say a sentence of Markdown and LaTeX without their signs, for those who hear it.

    >>> plain(r"Is *half* of $\mathcal L_{50}$ below :target[p]'s [mean](mean), $\log p(x)$?")
    "Is half of L₅₀ below p's mean, log p(x)?"
    """
    text = re.sub(r":\w+\[([^\]]*)\]", r"\1", markdown)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\\math\w+\s*", "", text)
    text = re.sub(r"_\{?(\d+)\}?", lambda found: found[1].translate(_SUBSCRIPTS), text)
    return " ".join(re.sub(r"[*`$\\{}]", "", text).split())
