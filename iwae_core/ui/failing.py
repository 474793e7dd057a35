"""When weights fail: four parts on one page, of which only the chosen one is computed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import streamlit as st

from iwae_core.ui import code, controls, failing_flag, failing_lift, failing_lucky, failing_tails
from iwae_core.ui.fields import ChoiceField, Field, SeedField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link

PAGE = "when_weights_fail"


class Part(NamedTuple):
    """One part: its name on the page, its fields, and what places it."""

    title: str
    fields: tuple[Field[Any], ...]
    seed: SeedField
    controls_of: Callable[[Link], None]
    picture: Callable[[Link], None]
    discuss: Callable[[Link, Text], None]
    script: Callable[[Link], str]


def _part(title: str, module: Any) -> Part:
    return Part(
        title,
        module.FIELDS,
        module.SEED,
        module.controls_of,
        module.picture,
        module.discuss,
        module.script,
    )


PARTS = {
    "tails": _part("Light tails", failing_tails),
    "lucky": _part("One lucky particle", failing_lucky),
    "how_many": _part("How many samples", failing_flag),
    "lift": _part("Many dimensions", failing_lift),
}
PART = ChoiceField(name="part", default="tails", choices=tuple(PARTS))
FIELDS: tuple[Field[Any], ...] = (
    PART,
    *dict.fromkeys(field for part in PARTS.values() for field in part.fields),
)


def show(link: Link, text: Text) -> None:
    """Place the choice of the part, and the part."""
    names = {name: part.title for name, part in PARTS.items()}
    name = controls.choice(link, PART, "Part", names=names)
    part = PARTS[name]
    text.show(f"{name}_intro")
    main, side = st.columns([2.7, 1], gap="medium")
    with side:
        part.controls_of(link)
        controls.seed(link, part.seed, reset=lambda: _keep_others(link, part))
    with main:
        part.picture(link)
    with st.container(border=True):
        part.discuss(link, text)
    code.show(lambda: part.script(link), f"{PAGE}_{name}")
    with st.expander("What to notice"):
        text.show(f"{name}_notice")


def _keep_others(link: Link, part: Part) -> None:
    """After a reset, give back what belongs to the other parts."""
    for field in FIELDS:
        if field not in part.fields:
            link.set(field, link.value(field))
