"""Every entry is unique, whole and leads to a page."""

import re

import pytest

from iwae_core.evaluation.studies.glossary import PAGES, Place, glossary, parse, term
from iwae_core.places import PAGES as FOLDER


@pytest.mark.parametrize("entry", glossary(), ids=lambda entry: entry.anchor)
def test_an_entry_is_one_sentence_with_a_formula_that_closes(entry):
    assert entry.meaning[0].isupper()
    assert entry.meaning.endswith(".")
    assert not re.search(r"[.!?] [A-Z]", entry.meaning), "more than one sentence"
    for latex in (entry.symbol, entry.formula):
        depth = 0
        for i, character in enumerate(latex):
            if i and latex[i - 1] == "\\":
                continue
            depth += (character == "{") - (character == "}")
            assert depth >= 0
        assert depth == 0
        assert latex.count(r"\Big[") == latex.count(r"\Big]")
        assert latex.count(r"\Big(") == latex.count(r"\Big)")
        assert not any(ord(c) < 32 for c in latex), "a lost backslash"
    assert entry.formula
    assert entry.places
    assert {place.page for place in entry.places} <= set(PAGES)


def test_names_and_anchors_are_unique_and_nothing_of_the_file_is_left_out():
    from iwae_core.places import ASSETS

    source = (ASSETS / "reference" / "terms.md").read_text("utf-8")
    names = [entry.name.lower() for entry in glossary()]
    anchors = [entry.anchor for entry in glossary()]
    assert len(set(names)) == len(names) == len(set(anchors)) > 50
    assert len(names) == source.count("\nSee: ") == source.count("\n### ")


def test_an_entry_is_read_as_it_is_written():
    source = (
        "# Terms\n\n## Weights\n\n### Log weight $\\log w_k$\nIts logarithm,\nin nats.\n"
        "$$\\log w$$\nSee: train?K=5&seed=2, gradients\n\n## Bounds\n\n### Gap\nHow far.\n"
        "$$\\log p - L$$\nSee: home\n"
    )
    first, second = parse(source)
    assert (first.name, first.symbol, first.section) == ("Log weight", r"\log w_k", "Weights")
    assert first.meaning == "Its logarithm, in nats."
    assert first.places == (
        Place(page="train", query=(("K", "5"), ("seed", "2"))),
        Place(page="gradients"),
    )
    assert (second.symbol, second.section) == ("", "Bounds")
    for lost in ("$$\\log w$$\n", "See: home\n", "Its logarithm,\nin nats.\n"):
        with pytest.raises(ValueError, match="an entry is a name with its symbol"):
            parse(source.replace(lost, ""))
    with pytest.raises(ValueError, match="unknown page 'trian'"):
        parse(source.replace("train", "trian"))


def test_every_page_that_exists_has_its_name_here():
    written = {path.stem for path in FOLDER.glob("*.py")} - {"registry"}
    assert written <= set(PAGES)
    assert {"home", "borrowed_samples", "elbo_to_iwae", "train"} <= written


def test_a_term_is_found_by_its_name():
    assert term("ciwae").symbol == r"\beta"
    assert term("log-weight") == term("Log weight")
    with pytest.raises(ValueError, match="no 'weigth'"):
        term("weigth")
