"""Every entry is unique, whole and leads to a page."""

import re

import pytest

from iwae_core.evaluation.studies.glossary import GLOSSARY, PAGES, term
from iwae_core.places import PAGES as FOLDER


@pytest.mark.parametrize("entry", GLOSSARY, ids=lambda entry: entry.anchor)
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
    assert entry.page in PAGES


def test_names_and_anchors_are_unique():
    names = [entry.name.lower() for entry in GLOSSARY]
    anchors = [entry.anchor for entry in GLOSSARY]
    assert len(set(names)) == len(names) == len(set(anchors)) > 50


def test_every_page_that_exists_has_its_name_here():
    written = {path.stem for path in FOLDER.glob("*.py")} - {"registry"}
    assert {"home", "borrowed_samples", "elbo_to_iwae", "train"} <= written & set(PAGES)


def test_a_term_is_found_by_its_name():
    assert term("ciwae").symbol == r"\beta"
    with pytest.raises(ValueError, match="no 'weigth'"):
        term("weigth")
