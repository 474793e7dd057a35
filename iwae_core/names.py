"""Names that people type: refuse an unknown one and say which known one is nearest."""

import difflib
from collections.abc import Iterable


def check_known(name: str, known: Iterable[str], kind: str) -> str:
    """Return ``name`` if it is known.

    Args:
        name: What was typed.
        known: The names there are.
        kind: What they name, for the message ("objective").

    Raises:
        ValueError: If ``name`` is not among ``known``; says the nearest one and all of them.

    >>> check_known("iwea", ["elbo", "iwae"], "objective")
    Traceback (most recent call last):
    ...
    ValueError: unknown objective 'iwea'; did you mean 'iwae'? Known: elbo, iwae
    """
    names = list(known)
    if name in names:
        return name
    near = difflib.get_close_matches(str(name).lower().replace("-", "_"), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"unknown {kind} {name!r}{hint} Known: {', '.join(names)}")
