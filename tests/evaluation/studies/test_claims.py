"""The ledger: fifteen claims, each with a verdict that its own numbers bear out."""

import json
import math

import pytest

from iwae_core.evaluation.studies import evidence as numbers
from iwae_core.evaluation.studies import evidence_trained as from_files
from iwae_core.evaluation.studies.claims import CLAIMS, VERDICTS, Claim, claim, evidence
from iwae_core.places import ASSETS


def values(name):
    return [finding.value for finding in evidence(claim(name))]


def evidence_of(name, part):
    (one,) = [finding for finding in evidence(claim(name)) if part in finding.label]
    return one


def found(name, part):
    return {f.label: f.value for f in evidence(claim(name)) if part in f.label}


@pytest.mark.parametrize("entry", CLAIMS, ids=lambda entry: entry.name)
def test_every_claim_is_whole_and_has_numbers(entry):
    assert entry.sentence.endswith(".")
    assert entry.nuance.endswith(".")
    assert entry.source
    assert entry.verdict in VERDICTS
    assert entry.places
    told = [(place.page, place.shows) for place in entry.places]
    assert len(set(told)) == len(told)  # no two links that read alike
    findings = evidence(entry)
    assert len(findings) >= 2
    labels = [finding.label for finding in findings]
    assert len(set(labels)) == len(labels)
    for finding in findings:
        assert not math.isnan(finding.value)
        if finding.spread:
            assert finding.spread[0] <= finding.value <= finding.spread[1]


def test_there_are_fifteen_and_each_verdict_occurs():
    assert len(CLAIMS) == 15 == len({entry.name for entry in CLAIMS})
    assert {entry.verdict for entry in CLAIMS} == set(VERDICTS)
    assert {entry.name for entry in CLAIMS} == set(numbers.EVIDENCE)
    with pytest.raises(ValueError, match="unknown claim 'tighten'"):
        claim("tighten")
    with pytest.raises(ValueError, match="unknown verdict"):
        Claim(name="tightens", sentence="", verdict="maybe", nuance="", source="", places=())


def test_numbers_that_have_closed_forms():
    exact, estimate, square = values("weights_correct")
    error = evidence(claim("weights_correct"))[1].std_error
    assert exact == 1.0
    assert 0 < abs(estimate - exact) < 4 * error < 1
    assert square == math.inf
    # 1 / E[w^2] = sqrt(2 s^2 - 1) / s^2 in each dimension, s = 1.25
    share = math.sqrt(2 * 1.25**2 - 1) / 1.25**2
    assert values("hard_to_sample") == pytest.approx([share, share**10, share**100])
    assert values("no_weights_in_the_vae") == [1.0, 0.0]
    assert values("inside_the_log") == pytest.approx([1.0, math.log((1 + math.exp(2)) / 2)])
    gaps = values("tightens")[:-1]
    assert gaps[0] == pytest.approx(1.125)
    assert gaps[-1] == pytest.approx(math.expm1(2.25) / 20_000, rel=0.02)
    share = evidence(claim("tightens"))[-1]
    assert 0 < share.value < 0.5
    assert 0 < share.std_error < 0.02
    assert values("elbo_below")[0] == pytest.approx(1.125)
    assert values("elbo_below")[2] == pytest.approx(0.0, abs=1e-12)
    elbo, first, *ways = values("one_is_the_elbo")
    assert elbo == pytest.approx(first)
    errors = [finding.std_error for finding in evidence(claim("one_is_the_elbo"))[2:]]
    # |z| > 5 by chance: 6e-7 each
    assert all(abs(way - elbo) < 5 * error < 0.3 for way, error in zip(ways, errors, strict=True))


def test_numbers_that_bear_the_verdict():
    by_elbo, used_by_elbo, by_iwae, used_by_iwae = values("posterior_better")
    assert used_by_iwae < used_by_elbo < by_elbo < by_iwae
    plain = list(found("encoder_gradient", "plain").values())
    doubly = list(found("encoder_gradient", "doubly").values())
    assert plain[0] > plain[1] > plain[2]
    assert plain[1] / plain[2] == pytest.approx(4, rel=0.2)  # sqrt(256 / 16)
    assert doubly[2] > 50 * plain[2]
    lines, differing, *_ = values("same_model")
    assert differing == 2 < lines < 40


def test_training_numbers_are_the_benchmarks():
    account = json.loads((ASSETS / "evidence" / "training.json").read_text("utf-8"))
    assert account["benchmark"] == "claims_evidence"
    assert len(account["seeds"]) >= 3
    table = account["table"]
    assert set(table) == {"mlp", "autoregressive"}
    for decoder in table.values():
        for row in decoder.values():
            assert row["L_1"]["mean"] <= row["L_64"]["mean"] <= row["L_1000"]["mean"] < 0
            assert 0 <= row["active_units"]["min"] <= row["active_units"]["max"] <= 16
    shown = found("better_model", "IWAE, K = 50: L_1000")
    assert list(shown.values()) == [table["mlp"]["iwae_50"]["L_1000"]["mean"]]
    # a better model by L_1000, a worse one by L_1
    vae, iwae = table["mlp"]["vae"], table["mlp"]["iwae_50"]
    assert iwae["L_1000"]["min"] > vae["L_1000"]["max"]
    assert iwae["L_1"]["max"] < vae["L_1"]["min"]


def test_what_the_nuances_say_of_the_digits_is_in_the_table():
    table = from_files.training_table()
    vae, iwae = table["mlp"]["vae"], table["mlp"]["iwae_50"]
    assert iwae["active_units"]["mean"] > vae["active_units"]["mean"]
    assert iwae["mutual_information"]["max"] < vae["mutual_information"]["min"]
    assert 0.4 < iwae["L_1000"]["mean"] - vae["L_1000"]["mean"] < 0.7
    powerful = table["autoregressive"]
    assert powerful["vae"]["active_units"]["mean"] > 0.8 * 16
    for name in ("iwae_5", "iwae_50"):
        gain = (
            powerful[name]["mutual_information"]["mean"]
            - powerful["vae"]["mutual_information"]["mean"]
        )
        assert 0 < gain < 0.6
    # richer latents, in the pairs of Twins: no difference in the count, less information
    units, information = (
        evidence_of("richer_latents", f"less VAE: {name}") for name in ("active", "information")
    )
    assert units.spread[0] < 0 < units.spread[1]
    assert information.spread[1] < 0
    # a better model: a third of a nat with K = 5
    assert evidence_of("better_model", "less VAE: L_5000").value == pytest.approx(1 / 3, abs=0.03)
    # downstream: worse at every seed of Twins, and of either sign by decoder
    for task in ("linear probe", "10 labels"):
        assert evidence_of("downstream", f"less VAE: {task}").spread[1] < 0
    apart = [
        decoder["iwae_50"]["linear_probe"]["mean"] - decoder["vae"]["linear_probe"]["mean"]
        for decoder in table.values()
    ]
    assert min(apart) < 0 < max(apart)


def test_what_is_said_of_twins_is_in_its_file():
    shipped = json.loads((ASSETS / "studies" / "twins_vae_iwae.json").read_text("utf-8"))
    flat, (_, n_seeds, n) = shipped["values"]["values"], shipped["values"]["shape"]
    at = shipped["names"].index("linear_probe")
    apart = [
        flat[(n_seeds + seed) * n + at] - flat[seed * n + at]  # (setting, seed, measure)
        for seed in range(n_seeds)
    ]
    seen = evidence_of("downstream", "less VAE: linear probe")
    assert seen.value == pytest.approx(sum(apart) / n_seeds)
    assert seen.spread == pytest.approx((min(apart), max(apart)))
    assert "2000 steps, seeds 1, 2, 3, 4, 5" in seen.measured


def test_where_the_model_prefers_to_collapse_no_k_helps():
    collapsed, gained, *_ = values("collapse")
    assert collapsed == 2  # eigenvalues 0.8 and 0.5, below the decoder's variance of 1
    assert abs(gained) < 1e-12


def test_more_samples_raise_one_ruler_and_lower_the_other_with_both_decoders():
    # What the page Side by side in code says of longer runs.
    for row in from_files.training_table().values():
        assert row["iwae_50"]["L_64"]["min"] > row["iwae_5"]["L_64"]["max"]
        assert row["iwae_50"]["L_1"]["max"] < row["iwae_5"]["L_1"]["min"]
    assert len(from_files.training_account()["seeds"]) == 3
