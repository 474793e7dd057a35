"""Prose: parts, live numbers, roles; and every part a page places exists in its file."""

import ast
import re
from pathlib import Path

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


def test_a_symbol_that_stands_alone_is_linked_once_in_a_part():
    text = lesson.parse(
        "demo",
        "# T\n<!-- part: a -->\n"
        r"From :proposal[$q$] and :target[p(z | x)], $\log p(x)$; again $\log p(x)$, "
        r":proposal[q]. Not $\log p(x) + 1$, `$K$`, $$K$$, [K is $K$](train), :small[q], "
        r":proposal[round q].",
    )
    assert text.render("a") == (
        r"From [:orange[$q$]](glossary?term=proposal) and "
        r"[:blue[p(z | x)]](glossary?term=posterior), "
        r"[$\log p(x)$](glossary?term=marginal-likelihood); again $\log p(x)$, :orange[q]. "
        r"Not $\log p(x) + 1$, `$K$`, $$K$$, [K is $K$](train), :small[q], :orange[round q]."
    )


def test_every_lesson_links_to_the_glossary():
    for path in sorted((ASSETS / "lessons").glob("*.md")):
        text = lesson.load(path.stem)
        parts = [
            text.render(part, **dict.fromkeys(lesson.fields(body), 1.0))
            for part, body in text.parts.items()
        ]
        linked = any("glossary?term=" in part for part in parts)
        assert linked or path.stem == "glossary", path.stem


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


ANY = "[a-z0-9_]+"
UI = Path(lesson.__file__).parent


def placed(source):
    """What a page or its module takes from the lesson, as (part, numbers or None).

    ``text.show("part", number=...)`` and ``text.parts["part"]``; an f-string stands for every part
    that it could name, as a regular expression. A lesson in parts places what ``ui.parts`` says.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "text.show":
            names = {word.arg for word in node.keywords}
            computed = None in names or pattern(node.args[0]) == ANY
            yield pattern(node.args[0]), None if computed else names
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "text.show_with":
            yield pattern(node.args[0]), None
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "parts.predicted":
            yield f"{pattern(node.args[2])}_question", set()
            yield f"{pattern(node.args[2])}_answer_{ANY}", set()
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "parts.Lesson":
            yield "intro", set()  # a lesson in parts opens itself
            (given,) = [word.value for word in node.keywords if word.arg == "parts"]
            for key in given.keys:
                yield f"{pattern(key)}_intro", set()
                yield f"{pattern(key)}_notice", set()
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "text.parts":
            yield pattern(node.slice), set()


def uses(page):
    """What a page places, itself or through the modules of ``ui`` that it imports."""
    found, waiting, seen = [], [page], {UI / "parts.py"}  # whose callers name the parts
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        source = path.read_text()
        found += placed(source)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module == "iwae_core.ui":
                waiting += [UI / f"{alias.name}.py" for alias in node.names]
    return found


def pattern(name):
    """The parts an expression may name; one that is computed elsewhere may name any."""
    if isinstance(name, ast.Constant):
        return re.escape(name.value)
    if isinstance(name, ast.IfExp):
        return f"(?:{pattern(name.body)}|{pattern(name.orelse)})"
    if isinstance(name, ast.JoinedStr):
        return "".join(
            re.escape(piece.value) if isinstance(piece, ast.Constant) else ANY
            for piece in name.values
        )
    return ANY


LESSONS = [path for path in sorted(PAGES.glob("*.py")) if path.stem != "registry"]


@pytest.mark.parametrize("page", LESSONS, ids=lambda p: p.stem)
def test_every_part_a_page_places_exists_and_gets_its_numbers(page):
    text = lesson.load(page.stem)
    for part, numbers in uses(page):
        found = [one for one in text.parts if re.fullmatch(part, one)]
        assert found, f"{page.name} places {part!r}, which its text lacks"
        for one in found:
            if numbers is not None:  # `**numbers` is checked when the page runs
                assert numbers == lesson.fields(text.parts[one])


@pytest.mark.parametrize("page", LESSONS, ids=lambda p: p.stem)
def test_no_part_is_written_and_never_placed(page):
    taken = uses(page)
    for part in lesson.load(page.stem).parts:
        assert any(re.fullmatch(one, part) for one, _ in taken), part


def test_the_search_for_placed_parts_finds_them():
    page = (
        'if a:\n    text.show("p", K=3)\ncharts.show(figure, "c")\n'
        'text.show(part)\ntext.show_with("u" if b else "v", numbers)\n'
        'text.show(f"guess_{a}", **numbers)\nst.button(text.parts["ask"])\n'
        'parts.predicted(link, text, "x", ANSWER, ANSWERS)\n'
        'parts.Lesson(page="demo", parts={"y": ("Title", module)})\n'
    )
    assert sorted(placed(page), key=str) == sorted(
        [
            ("(?:u|v)", None),
            (ANY, None),
            ("ask", set()),
            ("guess_[a-z0-9_]+", None),
            ("intro", set()),
            ("p", {"K"}),
            ("x_question", set()),
            ("x_answer_[a-z0-9_]+", set()),
            ("y_intro", set()),
            ("y_notice", set()),
        ],
        key=str,
    )
