"""Pages are prose and controls: they import streamlit and ``iwae_core.ui``, and nothing else."""

import ast

import pytest

from iwae_core.places import APP, PAGES


def foreign_imports(source):
    """Modules a page imports that are neither streamlit nor below ``iwae_core.ui``."""
    named = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named += [f"{node.module}.{alias.name}" for alias in node.names]
    allowed = ("streamlit", "iwae_core.ui")
    return [name for name in named if not f"{name}.".startswith(tuple(f"{a}." for a in allowed))]


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np",
        "from iwae_core import view",
        "from iwae_core.sampling import weights",
        "import iwae_core.uix",
        "def draw():\n    import torch",
    ],
)
def test_the_check_finds_a_foreign_import(source):
    assert foreign_imports(source)


def test_the_check_lets_the_two_pass():
    assert not foreign_imports("import streamlit as st\nfrom iwae_core.ui import charts, url")


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.py")), ids=lambda path: path.stem)
def test_a_page_imports_streamlit_and_the_ui_only(page):
    assert foreign_imports(page.read_text()) == []


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.py")), ids=lambda path: path.stem)
def test_a_page_leaves_the_address_to_its_link(page):
    assert "query_params" not in page.read_text()


def test_the_application_stays_short():
    assert len((APP / "app.py").read_text().splitlines()) < 40
