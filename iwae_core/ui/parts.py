"""A lesson in parts: one switch, and only the chosen part is computed.

A part is a module of ``ui`` with the things of :class:`Part`. Its prose stands in the lesson's
text as ``<name>_intro``, ``<name>_question``, ``<name>_answer_<answer>``, ``<name>_why`` and
``<name>_notice``. They are read in the order of the page: the question stands above the picture,
so that nobody looks before having been asked, and the reason below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import streamlit as st

from iwae_core.ui import code, controls, lesson, predict
from iwae_core.ui.fields import ChoiceField, Field, SeedField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link


class Part(Protocol):
    """What a module of a part offers."""

    @property
    def FIELDS(self) -> tuple[Field[Any], ...]:  # noqa: N802 - a constant of the module
        """Everything that decides what the part shows; parts may have fields in common."""

    @property
    def SEED(self) -> SeedField:  # noqa: N802 - a constant of the module
        """The seed of the part's noise."""

    def ask(self, link: Link, text: Text, /) -> bool:
        """Ask for a prediction; once there is one, say what of it is right and return True."""

    def controls_of(self, link: Link, /) -> None:
        """Place scenes and controls."""

    def picture(self, link: Link, /) -> None:
        """Place the scene."""

    def explain(self, link: Link, text: Text, /) -> None:
        """Say why, once the question is answered."""

    def script_of(self, link: Link, /) -> str:
        """The part's numbers as a script."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """The parts of one page.

    Attributes:
        page: The page's name.
        parts: By their names in the address, what the switch reads and the module; the first one
            opens.
    """

    page: str
    parts: Mapping[str, tuple[str, Part]]

    @cached_property
    def switch(self) -> ChoiceField:
        """The field that names the part."""
        return ChoiceField(name="part", default=next(iter(self.parts)), choices=tuple(self.parts))

    @cached_property
    def fields(self) -> tuple[Field[Any], ...]:
        """Every field of the page's address, each once."""
        of_parts = (
            field for _, part in self.parts.values() for field in (*part.FIELDS, part.SEED)
        )
        return (self.switch, *dict.fromkeys(of_parts))

    def open(self) -> None:
        """Place the page. The title and the intro stay; a control reruns what lies below."""
        text = lesson.load(self.page)
        st.title(text.title)
        text.show("intro")
        st.fragment(self._explore)(text)

    def _explore(self, text: Text) -> None:
        link = Link(self.page, *self.fields)
        titles = {name: title for name, (title, _) in self.parts.items()}
        name = controls.choice(link, self.switch, "Part", names=titles, quiet=True)
        _, part = self.parts[name]
        text.show(f"{name}_intro")
        with predict.box():
            answered = part.ask(link, text)
            if answered:
                predict.point()
        main, side = st.columns([2.7, 1], gap="medium")
        with side:
            part.controls_of(link)
            controls.seed(link, part.SEED, reset=lambda: self._keep_others(link, part))
        with main:
            part.picture(link)
        if answered:
            with predict.reason():
                part.explain(link, text)
        code.show(lambda: part.script_of(link), f"{self.page}_{name}")
        with st.expander("What to notice"):
            text.show(f"{name}_notice")

    def _keep_others(self, link: Link, part: Part) -> None:
        """After a reset, give back what belongs to other parts alone, and stay at this one."""
        for field in self.fields:
            if field not in part.FIELDS:
                link.set(field, link.value(field))


def predicted(
    link: Link, text: Text, name: str, field: ChoiceField, answers: Mapping[str, str]
) -> bool:
    """Put a part's question; once there is an answer, say what of it is right and return True."""
    answer = predict.ask(link, field, text.parts[f"{name}_question"], answers)
    if answer:
        text.show(f"{name}_answer_{answer}")
    return answer is not None
