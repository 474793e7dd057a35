"""Show the code: the page's picture as a short script with the current values in it.

A template is a real script in ``assets/code/<lesson>.py``: it is linted, and tests run it. Its
constants stand at the top, one to a line and unindented, as ``K = 64  # samples``; :func:`fill`
puts the page's values in their place and refuses a name that is not there. ``# %%`` starts a new
cell of the notebook.
"""

import ast
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st

from iwae_core.places import ASSETS

Constant = int | float | str | bool | tuple[Any, ...] | dict[str, Any] | None


def show(make: Callable[[], str], name: str) -> None:
    """Place the "Show the code" box: the script, and downloads as .py and .ipynb.

    The box is filled when it is opened: most readers never do, and every rerun would pay for it.

    Args:
        make: Gives what :func:`fill` returned.
        name: Stem of the downloaded files.
    """
    box = st.expander(
        "Show the code", icon=":material/code:", key=f"code.{name}", on_change="rerun"
    )
    if not box.open:
        return
    script = make()
    box.code(script, language="python")
    row = box.container(horizontal=True)
    row.download_button(
        "Download .py",
        script,
        f"{name}.py",
        mime="text/x-python",
        on_click="ignore",
        icon=":material/download:",
        key=f"code.{name}.py",
    )
    row.download_button(
        "Download .ipynb",
        notebook(script),
        f"{name}.ipynb",
        mime="application/x-ipynb+json",
        on_click="ignore",
        icon=":material/download:",
        key=f"code.{name}.ipynb",
    )


def template(lesson: str) -> str:
    """Read ``assets/code/<lesson>.py``.

    Raises:
        ValueError: If the lesson has no script.
    """
    path = ASSETS / "code" / f"{lesson}.py"
    if not path.is_file():
        raise ValueError(f"no script {path.name} in assets/code")
    return _read(lesson, path.stat().st_mtime_ns)


@cache
def _read(lesson: str, modified: int) -> str:
    return (ASSETS / "code" / f"{lesson}.py").read_text(encoding="utf-8")


def fill(source: str, **constants: Constant) -> str:
    r"""Set constants of a script to the page's values.

    Args:
        source: A script with one unindented line ``NAME = literal`` for each constant.
        constants: Values that Python can write and read back (``repr``).

    Raises:
        ValueError: If the script has no such line, or two, or a value does not survive ``repr``.

    >>> fill("K = 64  # samples\nprint(K)", K=5)
    'K = 5  # samples\nprint(K)'
    """
    for name, value in constants.items():
        _check_literal(name, value)
        line = re.compile(rf"^({re.escape(name)} = )([^#\n]+?)([ \t]*#.*)?$", re.MULTILINE)
        places = list(line.finditer(source))
        if len(places) != 1:
            raise ValueError(
                f"the script must set {name} on one unindented line 'NAME = literal', "
                f"found {len(places)} such lines"
            )
        source = source[: places[0].start(2)] + repr(value) + source[places[0].end(2) :]
    return source


def _check_literal(name: str, value: Constant) -> None:
    try:
        same = ast.literal_eval(repr(value)) == value
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise ValueError(f"{name} = {value!r} cannot stand in a script as a literal")


def notebook(script: str) -> str:
    """Turn a script into a Jupyter notebook (format 4.5), one cell for each ``# %%``."""
    cells = [cell.strip("\n") for cell in re.split(r"^# %%.*$", script, flags=re.MULTILINE)]
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{number}",
                    "metadata": {},
                    "execution_count": None,
                    "outputs": [],
                    "source": cell.splitlines(keepends=True),
                }
                for number, cell in enumerate(filter(None, cells))
            ],
        },
        indent=1,
    )
