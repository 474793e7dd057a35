"""The ledger's page: filter, deep links, numbers, and experiments that understand their links."""

import contextlib
import io
import math
import re

import pytest
from harness import assert_no_error, open_page, predict, until

from iwae_core.evaluation.studies.claims import CLAIMS, VERDICTS, claim, evidence
from iwae_core.evaluation.studies.evidence import SLOW
from iwae_core.evaluation.studies.evidence_trained import training_table
from iwae_core.evaluation.studies.finding import Finding
from iwae_core.ui import ledger, terms
from iwae_core.view.numbers import MINUS, digits

PLACES = [(one.name, place) for one in CLAIMS for place in one.places]


SENTENCES = [one.sentence for one in CLAIMS]


def boxes(app):
    return [one for one in app.expander if one.label.split(" · ")[-1] in SENTENCES]


def asked(app):
    return [g for g in app.get("button_group") if "Predict first" in g.proto.label]


def tables(app):
    return [element.proto.body for element in app.get("html") if "<table>" in element.proto.body]


def opened(name):
    """Open one claim by its link, judge it, and come back until its numbers are there."""
    app = open_page("claims", claim=name, **{name: "condition"})
    until(app, lambda: tables(app))
    assert not app.warning
    (table,) = tables(app)
    return app, table


pytestmark = pytest.mark.usefixtures("workers")


def test_no_verdict_shows_before_the_reader_has_judged():
    app = open_page("claims", claim="tightens")
    assert [box.label for box in boxes(app)] == [
        claim("tightens").sentence,
        *(one.sentence for one in CLAIMS if one.name != "tightens"),
    ]
    assert {box.icon for box in boxes(app)} == {ledger.UNJUDGED}
    assert len(asked(app)) == 1
    said = " ".join(block.value for block in app.markdown)
    assert claim("tightens").nuance not in said
    assert not tables(app)
    assert not app.get("page_link")


@pytest.mark.parametrize(("answer", "first"), [("condition", "Right"), ("holds", "Not quite")])
def test_a_judgement_opens_the_verdict_and_the_numbers_and_stands_in_the_address(answer, first):
    app = predict(open_page("claims", claim="elbo_below"), answer)
    assert_no_error(app)
    assert app.query_params["elbo_below"] == answer
    said = [block.value for block in app.markdown]
    assert f"{first}: **holds with a condition**." in said
    assert any(claim("elbo_below").nuance in text for text in said)
    until(app, lambda: tables(app))
    judged = boxes(app)[0]
    assert judged.label == f"**Holds with a condition** · {claim('elbo_below').sentence}"
    assert judged.icon == ledger.ICONS[claim("elbo_below").verdict]
    told = f"You have judged 1 of {len(CLAIMS)}, {int(first == 'Right')} as the numbers do."
    assert told in [caption.value for caption in app.caption]


def test_every_claim_stands_with_its_verdict_in_words_and_sign_if_all_are_shown():
    app = open_page("claims", shown=1)
    assert [box.label for box in boxes(app)] == [
        f"**{one.verdict.capitalize()}** · {one.sentence}" for one in CLAIMS
    ]
    assert [box.icon for box in boxes(app)] == [ledger.ICONS[one.verdict] for one in CLAIMS]
    assert len(set(ledger.ICONS.values())) == len(VERDICTS)
    said = app.markdown[0].value
    for verdict, words in zip(VERDICTS, ("hold as", "under a", "not in"), strict=True):
        n = sum(one.verdict == verdict for one in CLAIMS)
        assert f"**{n}** {words}" in said.replace("\n", " ")


def test_the_filter_tells_nothing_of_what_has_not_been_judged():
    app = open_page("claims", verdict="not", downstream="holds", tightens="holds")
    (kept,) = boxes(app)
    assert kept.label.endswith(claim("downstream").sentence)
    said = " ".join(caption.value for caption in app.caption)
    assert "You have judged 2 of 15, 0 as the numbers do." in said
    assert "13 claims that you have not judged yet stand below All only." in said


@pytest.mark.parametrize("name", ledger.FILTERS)
def test_the_filter_keeps_one_verdict(name):
    app = open_page("claims", verdict=name, shown=1)
    assert_no_error(app)
    expected = [one.sentence for one in CLAIMS if one.verdict == ledger.FILTERS[name]]
    assert [box.label.split(" · ")[1] for box in boxes(app)] == expected


def test_a_link_opens_its_claim_in_front_whatever_the_filter():
    app = open_page("claims", claim="better_model", verdict="not", shown=1)
    first = boxes(app)[0]
    assert first.label.endswith(claim("better_model").sentence)
    (table,) = tables(app)
    assert "IWAE, K = 50: L<sub>1000</sub>" in table
    assert len(boxes(app)) == 1 + sum(one.verdict == VERDICTS[2] for one in CLAIMS)


def test_an_unknown_claim_is_said_and_nothing_opens():
    app = open_page("claims", claim="tighten", verdict="maybe")
    assert_no_error(app)
    assert len(app.warning) == 2
    assert not tables(app)
    assert len(boxes(app)) == len(CLAIMS)


def test_what_is_opened_by_hand_stands_in_the_address_and_stays_in_its_place():
    app = open_page("claims", shown=1)
    app.session_state["claims.downstream.open"] = True
    app.run()
    assert len(tables(app)) == 1
    assert [box.label.split(" · ")[1] for box in boxes(app)] == SENTENCES


@pytest.mark.parametrize("name", ["elbo_below", "same_model", "downstream", "inside_the_log"])
def test_the_numbers_are_those_of_the_study(name):
    _, table = opened(name)
    rows = re.findall(
        r'<tr><td>(.*?)</td><td class="number">(.*?)</td><td class="origin">(.*?)</td></tr>', table
    )
    findings = evidence(claim(name))
    assert len(rows) == len(findings)
    for (label, value, origin), finding in zip(rows, findings, strict=True):
        assert (
            re.sub("</?sub>", "", label.replace("<sub>", "_")).replace(MINUS, "-") == finding.label
        )
        number = float(re.match(r"[^ ]+", value)[0].replace(MINUS, "-"))
        assert number == pytest.approx(finding.value, rel=1e-3, abs=1e-3)
        assert origin == ("trained models" if finding.spread else "exact")


def test_a_number_of_trained_models_is_the_files():
    _, table = opened("richer_latents")
    row = training_table()["mlp"]["iwae_50"]["mutual_information"]
    shown = f"{digits(row['mean'], 4)} ({digits(row['min'], 4)} to {digits(row['max'], 4)})"
    assert shown in table


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (
            Finding(label="", value=-1.2346, std_error=0.0678, unit="nats"),
            MINUS + "1.235 ± 0.068 nats",
        ),
        (Finding(label="", value=0.4567, std_error=0.31), "0.46 ± 0.31"),
        (Finding(label="", value=16.0, spread=(16.0, 16.0)), "16.00 (16.00 to 16.00)"),
        (Finding(label="", value=52.0), "52"),
        (Finding(label="", value=math.inf), "∞"),
        (Finding(label="", value=1.125, unit="nats"), "1.125 nats"),
        (Finding(label="", value=0.0), "0"),
        (Finding(label="", value=-3e-17, unit="nats"), "0 nats"),
        (Finding(label="", value=3e-7), "3.000·10⁻⁷"),
    ],
)
def test_a_number_is_written_with_what_is_known_of_it(finding, text):
    assert ledger.quantity(finding) == text


@pytest.mark.parametrize(("name", "place"), PLACES, ids=lambda one: str(one))
def test_the_experiment_understands_its_link(name, place):
    app = open_page(place.page, **dict(place.query))
    assert_no_error(app)
    unread = [warning.value for warning in app.warning if "in the link" in warning.value]
    assert not unread


def test_every_claim_has_an_experiment_that_is_written():
    assert all(any(terms.exists(place.page) for place in one.places) for one in CLAIMS)


def test_a_link_stands_only_where_the_page_is_written(monkeypatch):
    app = open_page("claims", claim="same_model", shown=1)
    assert [link.proto.page for link in app.get("page_link")] == ["side_by_side", "board"]
    app = open_page("claims", claim="weights_correct", shown=1)
    (link,) = app.get("page_link")
    assert link.proto.page == "borrowed_samples"
    assert "seed=2" in link.proto.query_string
    monkeypatch.setattr(terms, "LESSONS", ())
    assert not open_page("claims", claim="weights_correct", shown=1).get("page_link")


def test_the_slow_are_claims():
    assert {one.name for one in CLAIMS} >= set(SLOW)


def test_the_script_prints_the_pages_numbers():
    app = open_page("claims", claim="elbo_below")
    app.session_state["code.claims"] = True
    (block,) = app.run().code
    assert 'CLAIM = "elbo_below"' in block.value.replace("'", '"')
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block.value, "script", "exec"), {"__name__": "__main__"})
    lines = out.getvalue().splitlines()
    for line, finding in zip(lines[1:], evidence(claim("elbo_below")), strict=True):
        assert line.startswith(finding.label)
        assert float(line.split(" = ")[-1].split()[0]) == pytest.approx(finding.value, rel=1e-5)
