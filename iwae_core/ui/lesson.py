r"""The long prose of a lesson: a Markdown file whose parts a page places where it wants them.

A file below ``assets/lessons`` starts with ``# Title`` and continues with parts, each below a line
``<!-- part: name -->``. A part is Markdown with four additions:

- ``{{ess:.1f}}`` takes a live number, formatted as by ``str.format``; negative numbers get a true
  minus sign. Double braces, so that LaTeX keeps its single ones.
- ``:target[...]``, ``:proposal[...]`` and so on for each role of ``view.theme`` wear its color,
  ``:target[$p(z)$]`` included.
- ``\role{target}{p(z)}`` does the same inside a formula.
- ``:term[text](effective-sample-size)`` links the text to an entry of the glossary, by its anchor.

A symbol of the glossary that stands alone, as ``:proposal[q]`` or ``$\log p(x)$``, is linked to
its entry where a part names it first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import streamlit as st

from iwae_core.evaluation.studies import glossary
from iwae_core.places import ASSETS
from iwae_core.view import theme

_PART = re.compile(r"^<!-- part: ([a-z0-9_]+) -->[ \t]*$", re.MULTILINE)
_NUMBER = re.compile(r"\{\{([A-Za-z][A-Za-z0-9_]*)(?::([^{}]*))?\}\}")
_FORMULA_ROLE = re.compile(r"\\role\{([a-z]+)\}")
# The text may hold one pair of brackets, such as a role's.
_TERM = re.compile(r":term\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]*)\)")
_LOOSE = re.compile(
    r"(?<=\b[A-Za-z]) (?==)|(?<==) (?=[\d\N{MINUS SIGN}])|(?<=\d) (?=[%±])|(?<=±) (?=\d)"
)
_PROSE_ROLE = re.compile(r"(?<![\w:]):([a-z]+)\[")
# What holds no symbol to link (displayed formulas, code, links), or one: a role's text, a formula.
_SYMBOL = re.compile(
    r"\$\$.*?\$\$|`[^`]*`|:?[a-z]*\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\([^()]*\)"
    r"|(?<![\w:]):(?P<role>[a-z]+)\[(?P<text>[^\[\]]*)\]|\$(?P<formula>[^$\n]+)\$",
    re.DOTALL,
)

Live = float | int | str


@dataclass(frozen=True, slots=True)
class Text:
    """One lesson's prose, by part."""

    name: str
    title: str
    parts: Mapping[str, str]

    def show(self, part: str, **numbers: Live) -> None:
        """Place a part on the page, its live numbers filled in.

        Raises:
            ValueError: If the lesson has no such part, or a number is missing or never used.
        """
        st.markdown(self.render(part, _reader_mode(), **numbers))

    def show_with(self, part: str, numbers: Mapping[str, Live]) -> None:
        """Place a part, taking from ``numbers`` those it asks for."""
        asked = fields(self.parts.get(part, ""))
        self.show(part, **{name: numbers[name] for name in asked if name in numbers})

    def render(self, part: str, mode: str = "light", **numbers: Live) -> str:
        """Give a part as the Markdown that Streamlit understands, for the theme ``mode``."""
        if part not in self.parts:
            raise ValueError(
                f"lesson {self.name!r} has no part {part!r}; its parts are "
                f"{', '.join(self.parts) or '(none)'}"
            )
        text = _fill(self.parts[part], numbers, f"part {part!r} of lesson {self.name!r}")
        return _tie(_color(_TERM.sub(_to_glossary, link_symbols(text)), mode))


def load(name: str) -> Text:
    """Load ``assets/lessons/<name>.md``; an edited file is read anew.

    Raises:
        ValueError: If there is no such lesson, it has no title, or two parts share a name.
    """
    path = ASSETS / "lessons" / f"{name}.md"
    if not path.is_file():
        raise ValueError(f"no lesson text at {path.name} in assets/lessons")
    return _load(name, path.stat().st_mtime_ns)


@cache
def _load(name: str, modified: int) -> Text:
    return parse(name, (ASSETS / "lessons" / f"{name}.md").read_text(encoding="utf-8"))


def parse(name: str, source: str) -> Text:
    """Split a lesson's Markdown into its title and parts."""
    head, *rest = _PART.split(source)
    title = re.match(r"\s*# (.+)", head)
    if not title:
        raise ValueError(f"lesson {name!r} must start with a line '# Title'")
    names, bodies = rest[::2], rest[1::2]
    twice = {part for part in names if names.count(part) > 1}
    if twice:
        raise ValueError(f"lesson {name!r} has part {', '.join(sorted(twice))} twice")
    parts = {part: body.strip() for part, body in zip(names, bodies, strict=True)}
    return Text(name=name, title=title[1].strip(), parts=parts)


def fields(text: str) -> set[str]:
    r"""Names of the live numbers a part asks for.

    >>> sorted(fields(r"ESS is {{ess:.1f}}: $\frac{a}{b} x_{{{K}}}$"))
    ['K', 'ess']
    """
    return {match[1] for match in _NUMBER.finditer(text)}


def link_symbols(text: str) -> str:
    r"""Make the first of each symbol that stands alone a ``:term``.

    >>> link_symbols("From :proposal[q] to $K$, and :proposal[q].")
    'From :term[:proposal[q]](proposal) to :term[$K$](number-of-samples), and :proposal[q].'
    """
    anchors, done = _anchors(glossary.glossary()), set[str]()

    def one(match: re.Match[str]) -> str:
        if match["role"] and match["role"] not in theme.ROLES:
            return match[0]
        anchor = anchors.get(_bare(match["text"] or match["formula"] or ""))
        if anchor is None or anchor in done:
            return match[0]
        done.add(anchor)
        return f":term[{match[0]}]({anchor})"

    return _SYMBOL.sub(one, text)


@lru_cache(maxsize=1)
def _anchors(entries: tuple[glossary.Term, ...]) -> dict[str, str]:
    """Anchors by symbols, without those that two entries share."""
    named = [(_bare(entry.symbol), entry.anchor) for entry in entries]
    symbols = [symbol for symbol, _ in named]
    return {symbol: anchor for symbol, anchor in named if symbol and symbols.count(symbol) == 1}


def _bare(latex: str) -> str:
    r"""A symbol without what differs between prose and formula: ``$p(z \mid x)$`` is p(z|x)."""
    return re.sub(r"[\s$]", "", latex.replace(r"\mid", "|"))


def _fill(text: str, numbers: Mapping[str, Live], where: str) -> str:
    asked = fields(text)
    if asked != set(numbers):
        raise ValueError(
            f"{where} asks for the numbers {sorted(asked)}, but was given {sorted(numbers)}"
        )

    def one(match: re.Match[str]) -> str:
        filled = format(numbers[match[1]], match[2] or "")
        if isinstance(numbers[match[1]], str):
            return filled
        return filled.replace("-", "\N{MINUS SIGN}")

    return _NUMBER.sub(one, text)


def _to_glossary(match: re.Match[str]) -> str:
    # A relative address, as all pages lie side by side; Streamlit opens it beside the lesson.
    return f"[{match[1]}](glossary?term={glossary.term(match[2]).anchor})"


def _tie(text: str) -> str:
    # Outside formulas: no line breaks within "K = 16", "9 %" or "1 ± 2".
    prose = text.split("$")
    prose[::2] = [_LOOSE.sub("\N{NO-BREAK SPACE}", piece) for piece in prose[::2]]
    return "$".join(prose)


def _color(text: str, mode: str) -> str:
    def in_formula(match: re.Match[str]) -> str:
        role = _role(match[1])
        return rf"\textcolor{{{role.dark_text if mode == 'dark' else role.light_text}}}"

    def in_prose(match: re.Match[str]) -> str:
        if match[1] not in theme.ROLES:
            return match[0]  # one of Streamlit's own, such as :material or :small
        prose = _role(match[1]).prose
        return f":{prose}[" if prose else "["

    return _PROSE_ROLE.sub(in_prose, _FORMULA_ROLE.sub(in_formula, text))


def _role(name: str) -> theme.Role:
    if name not in theme.ROLES:
        raise ValueError(f"{name!r} is no role; the roles are {', '.join(theme.ROLES)}")
    return theme.ROLES[name]


def _reader_mode() -> str:
    return "dark" if st.context.theme.type == "dark" else "light"
