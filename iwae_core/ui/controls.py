"""Controls that live in the address: each takes a :class:`~iwae_core.ui.url.Link` and a field.

A label says what is set and, in brackets, its unit. Every function returns the field's value.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import streamlit as st

from iwae_core.ui.fields import (
    BoolField,
    ChoiceField,
    Field,
    IntField,
    SeedField,
    readable,
)
from iwae_core.ui.url import Link

N = TypeVar("N", int, float)

_MOST_SEGMENTS = 4  # more choices than this do not fit a phone's width


class NumberField(Field[N], Protocol[N]):
    """A field of numbers between two ends: an ``IntField`` or a ``FloatField``."""

    @property
    def low(self) -> N:
        """Smallest value."""

    @property
    def high(self) -> N:
        """Largest value."""


def slider(
    link: Link,
    field: NumberField[N],
    label: str,
    *,
    unit: str = "",
    step: float = 0,
    help: str = "",
) -> N:
    """Choose a number on a linear scale; by default a float moves in hundredths of its range."""
    of_type = _type_of(field)
    step = step or (1 if of_type is int else (field.high - field.low) / 100)
    value = st.slider(
        _label(label, unit),
        of_type(field.low),
        of_type(field.high),
        step=of_type(step),
        key=link.key(field),
        help=help or None,
    )
    return link.accept(field, value)


def log_slider(
    link: Link, field: NumberField[N], label: str, *, unit: str = "", help: str = ""
) -> N:
    """Choose a positive number on a logarithmic scale; a link may name any value between."""
    stops: list[N] = sorted({*log_steps(field), link.value(field)})
    value = st.select_slider(
        _label(label, unit),
        stops,
        key=link.key(field),
        format_func=readable,
        help=help or None,
    )
    return link.accept(field, value)


def number(
    link: Link,
    field: NumberField[N],
    label: str,
    *,
    unit: str = "",
    step: float = 0,
    help: str = "",
) -> N:
    """Type a number, or step it."""
    of_type = _type_of(field)
    value = st.number_input(
        _label(label, unit),
        of_type(field.low),
        of_type(field.high),
        step=of_type(step) if step else None,
        key=link.key(field),
        help=help or None,
    )
    return link.accept(field, value)


def choice(
    link: Link,
    field: ChoiceField,
    label: str,
    *,
    names: Mapping[str, str] | None = None,
    help: str = "",
    menu: bool = False,
    quiet: bool = False,
) -> str:
    """Choose one of a few names, shown as ``names[choice]`` where given.

    Up to four stand side by side; with ``menu`` they open below, for long names in a narrow place.
    A ``quiet`` label is read out and not shown.
    """
    value: str | None
    shown = {option: (names or {}).get(option, option) for option in field.choices}
    if len(field.choices) <= _MOST_SEGMENTS and not menu:
        value = st.segmented_control(
            label,
            field.choices,
            format_func=shown.__getitem__,
            required=True,
            key=link.key(field),
            help=help or None,
            label_visibility="collapsed" if quiet else "visible",
        )
    else:
        value = st.selectbox(
            label, field.choices, format_func=shown.__getitem__, key=link.key(field), help=help
        )
    return link.accept(field, value or field.default)  # None only before the browser answers


def toggle(link: Link, field: BoolField, label: str, *, help: str = "") -> bool:
    """Switch something on or off."""
    return link.accept(field, st.toggle(label, key=link.key(field), help=help or None))


def more(link: Link) -> Any | None:
    """Place the box "More" for the rarer controls; None while it is closed.

    What it holds is made when it is opened: every rerun would pay for controls that nobody sees.
    """
    box = st.expander("More", key=f"{link.page}.more", on_change="rerun")
    return box if box.open else None


def seed(
    link: Link,
    field: SeedField,
    *,
    reset: Callable[[], object] | None = None,
    label: str = "Seed",
) -> int:
    """Show the seed with "New noise" (the next seed) and "Reset" (everything else, same seed).

    ``reset`` runs beside the reset of the fields, for a page that has more to set back.
    """

    def next_seed() -> None:
        link.set(field, (link.value(field) + 1) % (field.high + 1))

    def set_back() -> None:
        link.reset(field)
        if reset:
            reset()

    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        value = st.number_input(
            label,
            field.low,
            field.high,
            key=link.key(field),
            width=160,
            help="Same seed, same picture: it decides every random number on this page.",
        )
        st.button("New noise", on_click=next_seed, icon=":material/casino:")
        st.button("Reset", on_click=set_back, icon=":material/restart_alt:")
    return link.accept(field, value)


def _type_of(field: NumberField[N]) -> type[N]:
    """The type of the field's numbers; its ends may be whole where they are floats."""
    kind: Any = int if isinstance(field, IntField) else float
    return kind


def log_steps(field: NumberField[Any]) -> list[Any]:
    """Stops of a logarithmic slider: 1, 2, 3, 4, 6, 8, 12 .. for integers, 1-2-5 for floats.

    >>> from iwae_core.ui.fields import FloatField
    >>> log_steps(IntField(name="K", default=1, low=1, high=20))
    [1, 2, 3, 4, 6, 8, 12, 16, 20]
    >>> log_steps(FloatField(name="rate", default=0.01, low=0.001, high=0.02))
    [0.001, 0.002, 0.005, 0.01, 0.02]
    """
    if field.low <= 0:
        raise ValueError(f"a logarithmic scale needs a positive low end, got {field.low}")
    stops: set[Any] = {field.low, field.high}
    if isinstance(field, IntField):
        for power in range(field.high.bit_length()):
            stops |= {2**power, 3 * 2**power // 2}
    else:
        first, last = math.floor(math.log10(field.low)), math.ceil(math.log10(field.high))
        stops |= {
            float(f"{digit}e{power}") for power in range(first, last + 1) for digit in (1, 2, 5)
        }
    return sorted(stop for stop in stops if field.low <= stop <= field.high)


def _label(label: str, unit: str) -> str:
    return f"{label} ({unit})" if unit else label
