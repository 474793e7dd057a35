"""The glossary's page: search, one entry by its link, and links that are understood."""

import pytest
from harness import assert_no_error, open_page

from iwae_core.evaluation.studies.glossary import glossary
from iwae_core.ui import lesson, terms

PLACES = sorted(
    {place for entry in glossary() for place in entry.places if terms.exists(place.page)},
    key=terms.address,
)


def shown(app):
    return "\n".join(markdown.value for markdown in app.markdown)


def headings(app):
    return [line[4:] for line in shown(app).splitlines() if line.startswith("### ")]


def test_every_entry_is_shown_with_its_sentence_and_formula():
    app = open_page("glossary")
    text = shown(app)
    for entry in glossary():
        assert f"### {entry.name}" in text
        assert entry.meaning in text
        assert f"$${entry.formula}$$" in text
        assert f"](glossary?term={entry.anchor})" in text
    assert "](borrowed_samples)" in text
    assert "](twins)" not in text or terms.exists("twins")


@pytest.mark.parametrize(
    ("asked", "first", "some"),
    [
        ("ess", "Effective sample size", "Effective sample size"),
        ("K", "Number of samples", "Importance-weighted bound"),
        ("effective SAMPLE", "Effective sample size", "Effective sample size"),
        ("phi", "Encoder", "Encoder"),
        ("\\phi", "Encoder", "Encoder"),
        ("q_k", "Implicit posterior", "Implicit posterior"),
        ("w_k", "Importance weight", "Log weight"),
        ("kl", "Kullback-Leibler divergence", "KL warm-up"),
        ("elbo", "Evidence lower bound", "CIWAE"),
    ],
)
def test_a_search_finds_what_is_called_so_first(asked, first, some):
    names = [entry.name for entry in terms.find(asked)]
    assert names[0] == first
    assert some in names
    assert len(names) < len(glossary())


def test_the_search_box_filters_and_says_when_nothing_fits():
    app = open_page("glossary")
    app.text_input[0].set_value("effective sample").run()
    assert_no_error(app)
    assert [name.split(" &nbsp;")[0] for name in headings(app)] == ["Effective sample size"]
    app.text_input[0].set_value("zebra <b>").run()
    assert_no_error(app)
    assert not headings(app)
    assert "Try one word" in shown(app)


def test_a_link_puts_its_entry_in_front():
    app = open_page("glossary", term="tail-index")
    assert_no_error(app)
    assert not app.warning
    front = app.markdown[1].value
    assert front.startswith("## Tail index")
    (close,) = [button for button in app.button if button.label == "Show all terms"]
    close.click().run()
    assert not [one for one in app.markdown if one.value.startswith("## ")]
    assert "term" not in app.query_params


def test_a_link_to_no_entry_is_said():
    app = open_page("glossary", term="tale-index")
    assert_no_error(app)
    assert "tale-index" in app.warning[0].value
    assert len(headings(app)) == len(glossary())


@pytest.mark.parametrize("place", PLACES, ids=terms.address)
def test_a_page_understands_the_link_of_an_entry(place):
    app = open_page(place.page, **dict(place.query))
    assert_no_error(app)
    assert not app.warning, app.warning[0].value


def test_prose_links_a_term_by_its_anchor():
    source = (
        "# T\n<!-- part: a -->\nThe :term[:weights[weights]](importance-weight), and "
        ":term[ESS](effective-sample-size).\n<!-- part: b -->\n:term[x](no-such-term)"
    )
    text = lesson.parse("demo", source)
    assert text.render("a") == (
        "The [:violet[weights]](glossary?term=importance-weight), and "
        "[ESS](glossary?term=effective-sample-size)."
    )
    with pytest.raises(ValueError, match="no 'no-such-term'"):
        text.render("b")


def test_each_first_lesson_links_to_the_glossary():
    for name in ("home", "borrowed_samples", "train"):
        parts = lesson.load(name).parts.values()
        assert any(":term[" in part for part in parts), name
