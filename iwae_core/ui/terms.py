"""The glossary on a page: search, one entry in front, and links from an entry to its pages."""

import re
from itertools import groupby
from urllib.parse import urlencode

import streamlit as st

from iwae_core.evaluation.studies.glossary import Place, Term, glossary, term
from iwae_core.places import ASSETS
from iwae_core.ui.fields import ChoiceField
from iwae_core.ui.lessons import LESSONS
from iwae_core.ui.url import Link

PAGE = "glossary"
NONE = "none"
TERM = ChoiceField(
    name="term", default=NONE, choices=(NONE, *(entry.anchor for entry in glossary()))
)
_SEARCH = f"{PAGE}.search"
_LATEX = ("text", "bar", "hat", "mathcal", "mathrm")  # how a symbol looks, not what it is


def style() -> None:
    """Add the style sheet of the section Reference."""
    st.html(ASSETS / "components" / "reference.css")


def exists(page: str) -> bool:
    """Whether the page is written."""
    return page in _titles()


def title(page: str) -> str:
    """Title of a written page."""
    return _titles()[page]


def address(place: Place) -> str:
    """A place as a link in Markdown or HTML: relative, since all pages lie side by side."""
    return f"{place.page}?{urlencode(place.query)}" if place.query else place.page


def find(text: str) -> tuple[Term, ...]:
    """Entries that hold every word of ``text``; those that are called so come first.

    Args:
        text: Words, whatever their capitals; a single letter stands for a symbol or a whole word.
    """
    words = _words(text)
    kept = [entry for entry in glossary() if _holds(_all_of(entry), words)]
    return tuple(sorted(kept, key=lambda entry: _distance(entry, words)))


def search() -> str:
    """Place the search box and return what stands in it."""
    return st.text_input(
        "Search",
        key=_SEARCH,
        max_chars=60,
        placeholder="a word or a symbol: weight, ESS, K, phi",
        icon=":material/search:",
    )


def front(link: Link) -> None:
    """Place the entry that the address names, above all others."""
    anchor = link.value(TERM)
    if anchor == NONE:
        return
    with st.container(border=True, key=f"{PAGE}-front"):
        st.markdown(entry_markdown(term(anchor), heading=2))
        st.button(
            "Show all terms",
            icon=":material/close:",
            on_click=lambda: link.set(TERM, NONE),
            key=f"{PAGE}.all",
        )


def listing(searched: str) -> bool:
    """Place the entries, in two columns where there is room; say whether there are any.

    All of them stand below the headings of their sections; what was found by a search does not.
    """
    if searched.strip():
        found = find(searched)
        with st.container(key=f"{PAGE}-list"):
            _columns(found)
        return bool(found)
    with st.container(key=f"{PAGE}-list"):
        for section, group in groupby(glossary(), key=lambda entry: entry.section):
            st.header(section, divider="gray")
            _columns(tuple(group))
    return True


def _columns(entries: tuple[Term, ...]) -> None:
    half = (len(entries) + 1) // 2
    left, right = st.columns(2, gap="large")
    left.markdown("\n\n".join(map(entry_markdown, entries[:half])))
    right.markdown("\n\n".join(map(entry_markdown, entries[half:])))


def entry_markdown(entry: Term, heading: int = 3) -> str:
    """One entry: name and symbol, sentence, formula, and where it can be seen."""
    symbol = f" &nbsp;${entry.symbol}$" if entry.symbol else ""
    seen = " · ".join(
        f"[{title(place.page)}]({address(place)})" for place in entry.places if exists(place.page)
    )
    return (
        f"{'#' * heading} {entry.name}{symbol}\n\n{entry.meaning}\n\n$${entry.formula}$$\n\n"
        f":small[{f'See {seen} · ' if seen else ''}[link]({PAGE}?term={entry.anchor})]"
    )


def _titles() -> dict[str, str]:
    return {lesson.name: lesson.title for lesson in LESSONS}


def _words(text: str) -> list[str]:
    r"""Words and letters of prose or LaTeX: ``\bar w_k`` is bar, w and k."""
    return re.findall(r"[^\W_]+", text.casefold())


def _all_of(entry: Term) -> list[str]:
    return _words(f"{entry.name} {entry.symbol} {entry.meaning}")


def _holds(words: list[str], asked: list[str]) -> bool:
    return all(
        any(one == word if len(one) == 1 else one in word for word in words) for one in asked
    )


def _distance(entry: Term, asked: list[str]) -> int:
    """0 for the entry whose symbol is asked for, 1 for those whose name is, 2 for others."""
    if asked == [word for word in _words(entry.symbol) if word not in _LATEX]:
        return 0
    return 1 if _holds(_words(entry.name), asked) else 2
