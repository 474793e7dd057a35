"""Named starting points of a lesson."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Settings worth looking at, and one or two sentences on why they work or fail."""

    title: str
    why: str
    settings: tuple[tuple[str, float | str | bool], ...]
