"""Two settings side by side: the rows of the comparison and the rule that calls a difference."""

import numpy as np
import pytest

from iwae_core.evaluation.studies import compared, saved
from iwae_core.evaluation.studies.compared import ComparedReport
from iwae_core.places import ASSETS


def found(seed, shift=0.0):
    draws = np.random.default_rng(seed)
    point = {f"L_{K}": draws.normal(-20 + shift, 1, 30) for K in (1, 64, 5000)}
    simulated = {f"simulated_L_{K}": draws.normal(-21, 1, 8) for K in (1, 64, 5000)}
    held_out = {f"held_out_L_{K}": draws.normal(-22, 1, 8) for K in (1, 64, 5000)}
    return {
        **point,
        "active_units": np.array(7.0),
        "linear_probe": np.array(0.8 + shift / 100),
        **simulated,
        "simulated_lower": draws.normal(-20.9, 1, 8),
        "simulated_upper": draws.normal(-20.8, 1, 8),
        **held_out,
        "held_out_lower": draws.normal(-21.9, 1, 8),
    }


def report_of(apart):
    """A report whose L_5000 differs by ``apart`` at each seed."""
    first = {seed: found(seed) for seed in range(len(apart))}
    second = {
        seed: {**first[seed], "L_5000": first[seed]["L_5000"] + by}
        for seed, by in enumerate(apart)
    }
    return compared.compare(first, second, ("A", "B"), made_by="a test")


def test_the_rows_are_what_the_trials_found():
    one = found(3)
    rows = compared.measures_of(one)
    middle = (one["simulated_lower"] + one["simulated_upper"]) / 2
    np.testing.assert_allclose(rows["miss_64"], middle - one["simulated_L_64"])
    np.testing.assert_allclose(rows["width"], one["simulated_upper"] - one["simulated_lower"])
    np.testing.assert_allclose(rows["apart_1"], one["held_out_lower"] - one["held_out_L_1"])
    assert "nmi" not in rows  # the trials did not measure it
    assert list(rows) == [name for name in compared.MEASURES if name in rows]


def test_a_comparison_takes_the_seeds_that_both_have():
    first = {seed: found(seed) for seed in (1, 2, 3)}
    second = {seed: found(seed + 10, 1.0) for seed in (2, 3, 4)}
    report = compared.compare(first, second, ("A", "B"), made_by="a test")
    assert report.seeds.tolist() == [2, 3]
    expected = [[side[s]["L_64"].mean() for s in (2, 3)] for side in (first, second)]
    np.testing.assert_allclose(report.column("L_64"), expected)
    at = report.names.index("L_64")
    assert report.data_error[0, 0, at] == pytest.approx(first[2]["L_64"].std(ddof=1) / np.sqrt(30))
    assert np.isnan(report.data_error[0, 0, report.names.index("active_units")])
    assert (report.n_held_out, report.n_annealed) == (30, 8)
    assert compared.compare(first, {}, ("A", "B"), made_by="a test") is None
    again = saved.from_json(ComparedReport, saved.to_json(report))
    np.testing.assert_array_equal(again.values, report.values)


@pytest.mark.parametrize(
    ("apart", "seen"),
    [
        ([0.3, 0.4, 0.35, 0.3, 0.38], True),
        ([-0.3, -0.4, -0.35], True),
        ([0.3, 0.4, -0.01, 0.3, 0.38], False),  # one seed says otherwise
        ([0.01, 0.9, 0.02, 0.01, 0.01], False),  # one seed says it all
        ([0.3, 0.4], False),  # two seeds tell no spread
    ],
)
def test_a_difference_is_seen_if_every_seed_says_so(apart, seen):
    verdict = compared.verdict(report_of(apart), "L_5000")
    assert verdict.seen is seen
    assert verdict.decidable is (len(apart) >= 3)
    assert verdict.mean == pytest.approx(np.mean(apart))
    assert (verdict.low, verdict.high) == pytest.approx((min(apart), max(apart)))
    error = np.std(apart, ddof=1) / np.sqrt(len(apart))
    assert verdict.std_error == pytest.approx(error)


def test_the_rule_seldom_sees_what_is_not_there_and_often_what_is():
    # Normal differences at five seeds, 2,000 times. Without a difference one sign alone has chance
    # 1/16 = 0.0625, to which the second condition can only be added; with a difference of three
    # standard deviations every seed agrees with probability above 0.99. Beyond four standard
    # errors of a share (0.0054, 0.0022) by chance: 1e-4.
    draws = np.random.default_rng(5)

    def share(size):
        apart = draws.normal(size, 1, (2000, 5))
        one_sign = (apart > 0).all(axis=1) | (apart < 0).all(axis=1)
        error = apart.std(axis=1, ddof=1) / np.sqrt(5)
        return (one_sign & (np.abs(apart.mean(axis=1)) > 2 * error)).mean()

    assert share(0.0) < 0.0625 + 4 * 0.0054
    assert share(3.0) > 0.98
    # The rule of the module is this one.
    for apart in draws.normal(0.7, 1, (60, 5)):
        one_sign = (apart > 0).all() or (apart < 0).all()
        large = abs(apart.mean()) > 2 * apart.std(ddof=1) / np.sqrt(5)
        assert compared.verdict(report_of(apart.tolist()), "L_5000").seen is bool(
            one_sign and large
        )


def shipped(name):
    text = (ASSETS / "studies" / f"twins_{name}.json").read_text("utf-8")
    return saved.from_json(ComparedReport, text)


def test_the_shipped_pair_is_worse_by_the_elbo_and_better_by_many_samples():
    report = shipped("vae_iwae")
    verdicts = {name: compared.verdict(report, name) for name in report.names}
    assert verdicts["L_1"].seen
    assert verdicts["L_1"].mean < -0.3
    for name in ("L_64", "L_5000"):
        assert verdicts[name].seen
        assert verdicts[name].mean > 0.1
    assert len(report.seeds) == 5
    # Bounds of one model keep their order, whatever the seed.
    one, many, most = (report.column(name) for name in ("L_1", "L_64", "L_5000"))
    assert (one < many).all()
    assert (many < most).all()


def test_what_the_scenes_say_of_their_shipped_trials_holds():
    # One bound with two estimates of its KL: a small price at every seed, and little else.
    report = shipped("kl")
    verdicts = {name: compared.verdict(report, name) for name in report.names}
    assert verdicts["L_5000"].seen
    assert -0.1 < verdicts["L_5000"].mean < 0
    assert sum(not one.seen for one in verdicts.values()) > len(verdicts) / 2
    # A cheaper KL: more information, a worse model by either ruler.
    report = shipped("beta")
    for name, sign in (("information", 1), ("L_5000", -1), ("L_1", -1)):
        one = compared.verdict(report, name)
        assert one.seen
        assert np.sign(one.mean) == sign
