"""The table "model / uses importance sampling? / notes": each cell leads to its experiment."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import streamlit as st

from iwae_core.evaluation.studies.glossary import Place
from iwae_core.ui import terms


@dataclass(frozen=True, slots=True)
class Cell:
    """A few words, and where they can be seen: of several places the first that is written."""

    text: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One model or method."""

    model: Cell
    uses: Cell
    notes: Cell


def _at(page: str, **query: str) -> Place:
    return Place(page=page, query=tuple(query.items()))


def _cell(text: str, *places: Place) -> Cell:
    return Cell(text, places)


ROWS = (
    Row(
        _cell("VAE", _at("train", objective="vae")),
        _cell("No", _at("claims", claim="no_weights_in_the_vae")),
        _cell(
            "One sample and a KL in closed form; with more samples each has the same share.",
            _at("gradients", part="samples"),
        ),
    ),
    Row(
        _cell("VAE, judged by importance sampling", _at("claims", claim="accurate_likelihood")),
        _cell("Only to evaluate", _at("elbo_to_iwae", part="curve", shift="0", correlated="0")),
        _cell(
            "Trained on the ELBO; reported by a bound with thousands of samples, as good as q.",
            _at("how_good"),
            _at("claims", claim="accurate_likelihood"),
        ),
    ),
    Row(
        _cell("IWAE", _at("train", objective="iwae")),
        _cell("Yes: the mean of K weights inside the log", _at("elbo_to_iwae", box="64")),
        _cell(
            "A tighter bound; the encoder's plain gradient gets noisier as K grows.",
            _at("gradients", part="snr"),
        ),
    ),
    Row(
        _cell("IWAE, doubly reparameterized", _at("train", objective="iwae", gradient="dreg")),
        _cell(
            "Yes: the same bound",
            _at("glossary", term="doubly-reparameterized-gradient"),
        ),
        _cell(
            "Another estimate of the encoder's gradient, by squared shares, that gains from K.",
            _at("gradients", part="fans", estimator="doubly_reparameterized"),
        ),
    ),
    Row(
        _cell("CIWAE", _at("train", objective="ciwae")),
        _cell("In part", _at("glossary", term="ciwae")),
        _cell("A mix of the ELBO and the IWAE's bound.", _at("train", objective="ciwae", K="16")),
    ),
    Row(
        _cell("MIWAE", _at("train", objective="miwae", K="64", groups="8")),
        _cell("Yes: in M groups", _at("elbo_to_iwae", box="8")),
        _cell(
            "The mean of M bounds on K/M samples each: between the ELBO and the IWAE.",
            _at("elbo_to_iwae", box="16"),
        ),
    ),
    Row(
        _cell("PIWAE", _at("train", objective="piwae", K="64", groups="8")),
        _cell("Yes: one bound for each network", _at("gradients", part="snr")),
        _cell(
            "The decoder climbs the IWAE's bound, the encoder a looser and clearer one.",
            _at("claims", claim="encoder_gradient"),
        ),
    ),
    Row(
        _cell("Reweighted wake-sleep", _at("train", objective="iwae", gradient="rws")),
        _cell(
            "Yes: normalized weights for both networks",
            _at("glossary", term="reweighted-wake-sleep"),
        ),
        _cell(
            "The encoder fits the weighted samples and climbs no bound; the older wake-sleep has "
            "no weights.",
            _at("gradients", part="fans", estimator="wake_sleep"),
        ),
    ),
    Row(
        _cell("Renyi bound", _at("train", objective="renyi")),
        _cell(
            "Yes: weights to the power 1 \N{MINUS SIGN} \N{GREEK SMALL LETTER ALPHA}",
            _at("elbo_to_iwae", part="curve", renyi="1"),
        ),
        _cell(
            "\N{GREEK SMALL LETTER ALPHA} = 1 is the ELBO, \N{GREEK SMALL LETTER ALPHA} = 0 the "
            "IWAE.",
            _at("glossary", term="renyi-bound"),
        ),
    ),
    Row(
        _cell("q, weighted and resampled", _at("posterior_used")),
        _cell("Yes: after training", _at("claims", claim="posterior_better")),
        _cell(
            "The posterior that the bound really uses, from any encoder.",
            _at("posterior_used", part="trained"),
        ),
    ),
)
HEAD = ("Model", "Uses importance sampling?", "Notes")


def show() -> None:
    """Place the table."""
    st.html(markup(ROWS))


def markup(rows: Iterable[Row]) -> str:
    """The table as HTML; a cell without a written page is plain."""
    head = "".join(f"<th scope=col>{name}</th>" for name in HEAD)
    body = "".join(
        f"<tr><th scope=row>{_linked(row.model)}</th>"
        f"<td data-label='{HEAD[1]}'>{_linked(row.uses)}</td><td>{_linked(row.notes)}</td></tr>"
        for row in rows
    )
    return (
        '<div class="lab-table"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def place_of(cell: Cell) -> Place | None:
    """Where a cell leads: the first of its places whose page is written."""
    return next((place for place in cell.places if terms.exists(place.page)), None)


def _linked(cell: Cell) -> str:
    place, text = place_of(cell), escape(cell.text)
    return (
        f'<a href="{escape(terms.address(place))}" target="_blank">{text}</a>' if place else text
    )
