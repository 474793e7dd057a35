"""The pages say what the docstrings say, every link leads somewhere, and the notebook runs."""

import ast
import contextlib
import importlib.util
import io
import json
import re
import time

import pytest

from iwae_core.places import APP

DOCS = APP / "docs"
NOTEBOOK = DOCS / "example.ipynb"
SECONDS = 15  # of processor time, for the whole notebook


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_a_fresh_build(build):
    pages = build.build()
    committed = {path.relative_to(DOCS) for path in (DOCS / "modules").glob("*.md")}
    modules = {path for path in pages if path.parent.name == "modules"}
    remedy = "run `python docs/build.py`"
    assert committed == modules, remedy
    for path, text in pages.items():
        assert (DOCS / path).read_text("utf-8") == text, f"{path} is stale: {remedy}"


def test_every_module_has_a_page_and_a_line_in_the_index(build):
    index = (DOCS / "README.md").read_text("utf-8")
    names = [name for name, _ in build.sources()]
    assert {"rng", "sampling.weights", "bounds.objectives", "training.run", "cli"} <= set(names)
    for name in names:
        assert f"- [{name}](modules/{name}.md): " in index


def test_links_between_pages_lead_somewhere():
    for page in [DOCS / "README.md", *(DOCS / "modules").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+\.(?:md|ipynb))\)", page.read_text("utf-8")):
            assert (page.parent / target).is_file(), f"{page.name} links to {target}"


def test_a_docstring_becomes_markdown(build):
    source = '''
def weigh(z: Tensor, *, beta: float = 1.0) -> Tensor:
    r"""Mean weight, :math:`\\frac1K \\sum_k w_k`; see :func:`iwae`.

    Args:
        z: Draws, shape ``(K, B)``,
            on the model's device.
        beta: Power.

    Returns:
        One number per column.

    Raises:
        ValueError: If ``z`` is empty.

    >>> weigh(z)
    1.0
    """
    return z
'''
    lines = source.splitlines()
    text = "\n\n".join(build.definition(ast.parse(source).body[0], lines, level=2))
    assert text.startswith(
        "## weigh\n\n```python\nweigh(z: Tensor, *, beta: float = 1.0) -> Tensor\n```\n\n"
    )
    assert r"Mean weight, $\frac1K \sum_k w_k$; see `iwae`." in text
    assert "- `z`: Draws, shape `(K, B)`, on the model's device.\n- `beta`: Power." in text
    assert "**Returns.** One number per column." in text
    assert "**Raises**\n\n- `ValueError`: If `z` is empty." in text
    assert "```python\n>>> weigh(z)\n1.0\n```" in text


def test_private_names_stay_out(build):
    for text in build.build().values():
        assert not re.search(r"^#+ (class )?_(?!_call__)", text, flags=re.MULTILINE)


def test_the_notebook_is_valid_nbformat_4_5():
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert cell["cell_type"] in ("markdown", "code")
        assert isinstance(cell["metadata"], dict)
        assert (cell["cell_type"] == "code") == ("outputs" in cell and "execution_count" in cell)


@pytest.fixture(scope="module")
def printed():
    """What the notebook's cells print, executed in order in a fresh namespace."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    namespace = {"__name__": "__main__"}
    began, texts = time.process_time(), []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            code = compile("".join(cell["source"]), f"{NOTEBOOK.name}, cell {number}", "exec")
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(code, namespace)
            texts.append(out.getvalue())
    return texts, time.process_time() - began


def test_the_notebook_runs_within_its_time(printed):
    _, seconds = printed
    assert seconds < SECONDS


def test_the_notebook_shows_what_its_text_says(printed):
    text = "".join(printed[0])
    gap = {
        int(K): abs(float(value))
        for K, value in re.findall(r"K = +(\d+)  ELBO \S+  IWAE (\S+)", text)
    }
    assert gap[1] > 4 * gap[5] > 4 * gap[20]
    bounds = {K: float(value) for K, value in re.findall(r"^L_(\d+) (\S+) nats", text, re.M)}
    assert bounds["500"] > bounds["1"]
    first, *_, last = re.findall(r"KL\(.*\|\| posterior\) (\S+)", text)
    assert float(last) < 0.1 * float(first)


def test_the_printed_shape_of_the_notebook_is_the_committed_one(printed):
    # Numbers may differ in the last digits between machines; the lines around them may not.
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    kept = [
        "".join(line for output in cell["outputs"] for line in output["text"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]

    def without_numbers(text):
        return re.sub(r"[-+]?\d+(\.\d*)?(e-?\d+)?|-?inf|\s+", "", text)

    assert [without_numbers(text) for text in kept] == [without_numbers(t) for t in printed[0]]
