"""What the parts of the lesson on better proposals share: the seed and small helpers."""

from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import choices
from iwae_core.ui import predict, weighting
from iwae_core.ui.fields import ChoiceField, SeedField
from iwae_core.ui.url import Link

SEED = SeedField(default=1)
# The learner's own question, named as on *Borrowed samples*: a link may carry it over.
TARGET = weighting.TargetField(name="target", default="two_modes")
INTEGRAND = ChoiceField(name="f", default="z", choices=tuple(choices.INTEGRANDS))


def titles(table: dict[str, choices.Named[Any]]) -> dict[str, str]:
    """What people read instead of the names."""
    return {name: entry.title for name, entry in table.items()}


def choose_target(link: Link) -> str:
    """Place the choice of the target; a drawing comes by a link from *Borrowed samples*."""
    now = link.value(TARGET)
    drawing = now if now.startswith(choices.DRAWN) else weighting.EXAMPLE
    names = {**titles(choices.TARGETS), drawing: "A drawing"}
    chosen = st.selectbox(
        "Target",
        list(names),
        key=link.key(TARGET),
        format_func=names.__getitem__,
        help="Draw your own on Borrowed samples and take the word after target= in its address.",
    )
    return link.accept(TARGET, chosen)


def answer_field(part: str, *answers: str) -> ChoiceField:
    """The field of one part's prediction."""
    return predict.answer_field(*answers, name=f"{part}_answer")


def checked_integrand(link: Link, target: str, field: ChoiceField) -> str:
    """The question asked, or the mean of z with a word where its answer is infinite."""
    asked = link.value(field)
    if choices.has_answer(target, asked):
        return asked
    st.info(
        f"Under {choices.find_target(target).title} the mean of "
        f"{choices.INTEGRANDS[asked].title} is infinite; asking for the mean of z instead."
    )
    return "z"
