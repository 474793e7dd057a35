r"""Every term and symbol of the project: one sentence, a formula, and the pages that show it.

The entries stand in ``assets/reference/terms.md``, where prose belongs. Each is

    ### Effective sample size $\text{ESS}$
    One sentence, on one or more lines.
    $$\mathrm{ESS} = ...$$
    See: borrowed_samples?K=64, when_weights_fail

below the heading (``## Weights``) of its section.
"""

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl

from iwae_core.names import check_known
from iwae_core.places import ASSETS

# Pages by the name that stands in their address; those not yet written keep their name free.
PAGES = (
    *("home", "borrowed_samples", "when_weights_fail", "better_proposals"),
    *("elbo_to_iwae", "posterior_used", "gradients"),
    *("train", "twins", "xray", "board"),
    *("collapse_predicted", "collapse_diagnosed", "how_good"),
    *("claims", "side_by_side", "glossary", "teachers_room", "about"),
)

_PATH = ASSETS / "reference" / "terms.md"
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_ENTRY = re.compile(
    r"^(?P<name>[^$\n]+?)(?: \$(?P<symbol>[^$\n]+)\$)?\n"
    r"(?P<meaning>[^$]+)\n"
    r"\$\$(?P<formula>[^$]+)\$\$\n"
    r"See: (?P<see>.+)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something can be seen.

    Attributes:
        page: A name from PAGES.
        query: Settings in the page's address.
        shows: What of the page is meant, in a few words; empty for the page as such.
    """

    page: str
    query: tuple[tuple[str, str], ...] = ()
    shows: str = ""

    def __post_init__(self) -> None:
        check_known(self.page, PAGES, "page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One entry.

    Attributes:
        name: The term, as prose writes it.
        symbol: Its symbol in LaTeX, or "".
        meaning: One sentence.
        formula: A formula in LaTeX.
        places: Where it can be seen.
        section: Heading of its section.
    """

    name: str
    symbol: str
    meaning: str
    formula: str
    places: tuple[Place, ...]
    section: str

    @property
    def anchor(self) -> str:
        """Name of the entry in an address: small letters, digits and hyphens."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def parse(source: str) -> tuple[Term, ...]:
    r"""Read the entries of a glossary's Markdown.

    Raises:
        ValueError: If an entry lacks its sentence, its formula or its pages, or names no page.

    >>> parse("## Weights\n### Target $p$\nWhat it is about.\n$$p(z)$$\nSee: train?K=5")[0].places
    (Place(page='train', query=(('K', '5'),), shows=''),)
    """
    _, *rest = _SECTION.split(source)
    return tuple(
        _entry(section.strip(), text.strip())
        for section, body in zip(rest[::2], rest[1::2], strict=True)
        for text in body.split("### ")[1:]
    )


def _entry(section: str, text: str) -> Term:
    found = _ENTRY.match(text)
    if not found:
        raise ValueError(
            f"an entry is a name with its symbol, a sentence, a formula in $$ and a line 'See:', "
            f"got {text[:60]!r}"
        )
    return Term(
        name=found["name"],
        symbol=found["symbol"] or "",
        meaning=" ".join(found["meaning"].split()),
        formula=found["formula"],
        places=tuple(map(_place, found["see"].split(", "))),
        section=section,
    )


def _place(text: str) -> Place:
    page, _, query = text.strip().partition("?")
    return Place(page=page, query=tuple(parse_qsl(query, strict_parsing=bool(query))))


def glossary() -> tuple[Term, ...]:
    """All entries, in the file's order; an edited file is read anew."""
    return _read(_PATH.stat().st_mtime_ns)


@cache
def _read(modified: int) -> tuple[Term, ...]:
    return parse(_PATH.read_text(encoding="utf-8"))


def term(name: str) -> Term:
    """The entry of that name, whatever its capitals, or of that anchor.

    Raises:
        ValueError: If there is none.

    >>> term("effective sample size").anchor
    'effective-sample-size'
    """
    for entry in glossary():
        if name.lower() in (entry.name.lower(), entry.anchor):
            return entry
    raise ValueError(f"the glossary has no {name!r}")
