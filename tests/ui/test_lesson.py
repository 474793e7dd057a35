"""Prose: parts, live numbers, roles; and every part a page places exists in its file."""

import ast
import re

import pytest

from iwae_core.places import ASSETS, PAGES
from iwae_core.ui import lesson
from iwae_core.view import theme

SOURCE = r"""# Weights concentrate

<!-- part: intro -->
The :target[target $p(z)$] and :exact[truth], :material/home: and 3:1.

<!-- part: numbers -->
ESS {{ess:.1f}} of {{K}}, gap {{gap:.2f}} nats, $L_{{{K}}} = \frac{1}{K}$ by {{who}}.

<!-- part: formula -->
$$\role{bound}{L_K}$$
"""


def test_a_lesson_has_a_title_and_parts():
    text = lesson.parse("demo", SOURCE)
    assert text.title == "Weights concentrate"
    assert list(text.parts) == ["intro", "numbers", "formula"]


def test_numbers_are_filled_in_and_minus_signs_are_wide():
    text = lesson.parse("demo", SOURCE)
    shown = text.render("numbers", ess=3.14159, K=64, gap=-0.5, who="log-sum-exp")
    assert shown == (
        r"ESS 3.1 of 64, gap "
        + "\N{MINUS SIGN}"
        + r"0.50 nats, $L_{64} = \frac{1}{K}$ by log-sum-exp."
    )


def test_roles_wear_their_color_in_prose_and_formula():
    text = lesson.parse("demo", SOURCE)
    shown = text.render("intro")
    assert ":blue[target $p(z)$] and [truth]" in shown
    assert ":material/home: and 3:1" in shown
    assert text.render("formula") == rf"$$\textcolor{{{theme.BOUND.light_text}}}{{L_K}}$$"
    assert theme.BOUND.dark_text in text.render("formula", mode="dark")


def test_what_does_not_fit_is_said():
    text = lesson.parse("demo", SOURCE)
    with pytest.raises(ValueError, match=r"no part 'outro'; its parts are intro, numbers"):
        text.render("outro")
    with pytest.raises(ValueError, match=r"asks for the numbers \['K', 'ess', 'gap', 'who'\]"):
        text.render("numbers", ess=1.0)
    with pytest.raises(ValueError, match=r"was given \['K'\]"):
        text.render("intro", K=3)
    with pytest.raises(ValueError, match="'sun' is no role; the roles are target"):
        lesson.parse("x", "# T\n<!-- part: a -->\n" + r"$\role{sun}{x}$").render("a")
    with pytest.raises(ValueError, match="part a twice"):
        lesson.parse("x", "# T\n<!-- part: a -->\n1\n<!-- part: a -->\n2")
    with pytest.raises(ValueError, match="must start with a line '# Title'"):
        lesson.parse("x", "<!-- part: a -->\n1")
    with pytest.raises(ValueError, match="no lesson text"):
        lesson.load("does_not_exist")


@pytest.mark.parametrize("path", sorted((ASSETS / "lessons").glob("*.md")), ids=lambda p: p.stem)
def test_every_file_parses_and_names_only_roles(path):
    text = lesson.load(path.stem)
    assert text.parts
    for part, body in text.parts.items():
        text.render(part, **dict.fromkeys(lesson.fields(body), 1.0))


def placed(source):
    """Calls ``<text>.show("part", number=...)`` in a page, as (part, numbers, lesson loaded)."""
    tree = ast.parse(source)
    loaded = [
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "lesson.load"
    ]
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "show"
            and ast.unparse(call.func.value) == "text"
        ):
            yield call.args[0].value, {word.arg for word in call.keywords}, loaded[0]


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.py")), ids=lambda p: p.stem)
def test_every_part_a_page_places_exists_and_gets_its_numbers(page):
    for part, numbers, name in placed(page.read_text()):
        text = lesson.load(name)
        assert part in text.parts, f"{page.name} places {part!r}, which {name}.md lacks"
        if None not in numbers:  # `**numbers` is checked when the page runs
            assert numbers == lesson.fields(text.parts[part])


def test_the_search_for_placed_parts_finds_them():
    page = 'text = lesson.load("x")\nif a:\n    text.show("p", K=3)\ncharts.show(figure, "c")\n'
    assert list(placed(page)) == [("p", {"K"}, "x")]


def test_no_part_is_written_and_never_placed():
    pages = {name: set() for name in (p.stem for p in (ASSETS / "lessons").glob("*.md"))}
    for page in PAGES.glob("*.py"):
        for part, _, name in placed(page.read_text()):
            pages[name].add(part)
    for name, parts in pages.items():
        if re.search(r"text\.show\(", (PAGES / f"{name}.py").read_text()):
            assert set(lesson.load(name).parts) == parts
