"""Named scenes: one choice that sets several controls, and says why they work or fail."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from iwae_core.evaluation.studies import scene as studies
from iwae_core.ui import widgets
from iwae_core.ui.fields import Field
from iwae_core.ui.url import Link

OWN = "own"


class Scene(Protocol):
    """What a scene of ``evaluation.studies`` offers."""

    @property
    def title(self) -> str:
        """A few words."""

    @property
    def why(self) -> str:
        """Why it works or fails."""

    @property
    def settings(self) -> tuple[tuple[str, float | str | bool], ...]:
        """Values by the names of fields."""


def choose(
    link: Link,
    fields: Mapping[str, Field[Any]],
    scenes: Mapping[str, Scene],
    *,
    tells: bool = True,
    where: DeltaGenerator | None = None,
) -> None:
    """Place the choice, and below it why the scene works or fails.

    The scene is not a field of its own but read from those it sets; once one of them has been
    moved it is the reader's own.

    Args:
        link: The page's fields.
        fields: Those that scenes set, by the names of their settings.
        scenes: By their names.
        tells: False while a prediction is open that the reason would give away.
        where: Another place for the reason, where the choice is narrow.
    """
    shown = next((name for name, scene in scenes.items() if is_on(link, fields, scene)), OWN)
    key = f"{link.key(next(iter(fields.values())))}.scene"
    widgets.put(key, shown)

    def set_up() -> None:
        chosen = st.session_state[key]
        if chosen in scenes:
            apply(link, fields, scenes[chosen])

    st.selectbox(
        "Scene",
        [*scenes, OWN],
        key=key,
        format_func=lambda name: scenes[name].title if name in scenes else "Your own",
        on_change=set_up,
    )
    if shown in scenes:
        reason = scenes[shown].why if tells else "Why: once you have predicted, above."
        (where or st).caption(reason)


def whole(
    scenes: Mapping[str, studies.Scene], start: object, names: Iterable[str]
) -> dict[str, studies.Scene]:
    """Scenes that set all of ``names``, so that none depends on the one before.

    Args:
        scenes: Scenes that say only what differs from ``start``.
        start: A config with an attribute for each name.
        names: What a page lets a scene set; the rest of a scene is left out.
    """
    return {
        key: dataclasses.replace(
            scene,
            settings=tuple(
                (name, dict(scene.settings).get(name, getattr(start, name))) for name in names
            ),
        )
        for key, scene in scenes.items()
    }


def apply(link: Link, fields: Mapping[str, Field[Any]], scene: Scene) -> None:
    """Set the scene's fields, from a widget's callback."""
    for name, value in scene.settings:
        link.set(fields[name], value)


def offer(
    link: Link,
    fields: Mapping[str, Field[Any]],
    scene: Scene,
    label: str,
    *,
    then: Callable[[], object] | None = None,
) -> None:
    """Place a button that sets up a scene, and what else belongs to it."""

    def set_up() -> None:
        apply(link, fields, scene)
        if then:
            then()

    st.button(label, on_click=set_up, icon=":material/visibility:")


def is_on(link: Link, fields: Mapping[str, Field[Any]], scene: Scene) -> bool:
    """Whether every field that the scene sets is as the scene sets it."""
    return all(link.value(fields[name]) == value for name, value in scene.settings)
