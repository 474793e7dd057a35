"""How many draws: the rule in closed form, the estimators against the library's own."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from iwae_core.evaluation.studies import choices, how_many
from iwae_core.evaluation.studies.how_many import SCENES, HowManyConfig, run, score
from iwae_core.evaluation.studies.noise import NormalNoise
from iwae_core.sampling import estimators, weights


def noise(seed, n):
    return NormalNoise(seed, "how_many")((n, 200))


def test_a_shift_has_the_rule_in_closed_form():
    # Equal scales, d apart: KL = d^2 / 2, log w has standard deviation d under p, E[w^2] = e^d^2.
    report = run(HowManyConfig(loc=2.0, n_max=50))
    assert report.kl == pytest.approx(2.0)
    assert report.spread == pytest.approx(2.0)
    assert report.needed == pytest.approx(math.exp(2))
    assert report.needed_low == pytest.approx(1.0)
    assert report.needed_high == pytest.approx(math.exp(4))
    assert report.second_moment == pytest.approx(math.exp(4))
    sigmas = stats.norm.ppf(0.95)
    assert report.needed_variance == pytest.approx(math.expm1(4) * (sigmas / 0.1) ** 2)


def test_the_mean_weight_at_every_stop_is_the_mean_of_all_weights_so_far():
    # More than one chunk and more stops than chunks; a scaled target has another truth.
    config = HowManyConfig(target="unnormalized", loc=0.5, scale=1.5, n_max=700, seed=4)
    report = run(config)
    z = 0.5 + 1.5 * noise(4, 700)
    log_w = choices.TARGETS["unnormalized"].made.log_prob(z)
    log_w = log_w - torch.from_numpy(stats.norm(0.5, 1.5).logpdf(z.numpy()))
    assert report.exact == pytest.approx(3.0)
    for j, n in enumerate(report.n.astype(int)):
        mean = weights.log_mean_exp(log_w[:n]).exp().numpy()
        np.testing.assert_allclose(report.running[j], mean, rtol=1e-10)
    within = np.abs(report.running - 3) <= 0.3
    np.testing.assert_array_equal(report.within, within.mean(axis=1))


@pytest.mark.parametrize("self_normalized", [True, False])
def test_a_question_is_answered_by_the_estimator_named(self_normalized):
    config = HowManyConfig(
        target="normal", loc=0.2, scale=1.4, question="z", n_max=400,
        self_normalized=self_normalized,
    )  # fmt: skip
    report = run(config)
    z = 0.2 + 1.4 * noise(1, 400)
    p, q = choices.TARGETS["normal"].made, choices.FAMILIES["normal"].made(0.2, 1.4, 3.0)
    name = "self_normalized" if self_normalized else "importance"
    value = getattr(estimators, name)(z, p.log_prob(z) - q.log_prob(z)).value
    np.testing.assert_allclose(report.running[-1], value, rtol=1e-9)
    assert report.exact == 1.0


def test_the_measured_number_is_where_the_share_stays_above():
    report = run(HowManyConfig(**dict(SCENES["wide"].settings), n_max=3000))
    late = report.n >= report.measured
    assert (report.within[late] >= 0.9).all()
    assert report.within[~late][-1] < 0.9
    # Bounded weights: the Normal law is a good guide. Shares are off by 2 %, n by 15 %.
    assert report.measured == pytest.approx(report.needed_variance, rel=0.4)


def test_other_seeds_and_families_spread_as_the_exact_variance_says():
    # 200 estimators: spread known to 5 %, 5 sigma is 25 %.
    for family in ("normal", "laplace", "defensive", "student_t"):
        settings = {"family": family, "loc": 0.3, "scale": 1.5, "n_max": 500, "seed": 2}
        report = run(HowManyConfig(**settings))
        spread = report.running[-1].std(ddof=1)
        assert spread == pytest.approx(math.sqrt((report.second_moment - 1) / 500), rel=0.25)
        assert abs(report.running[-1].mean() - 1) < 5 * spread / math.sqrt(200)


def test_the_scenes_are_what_they_say():
    near = run(HowManyConfig(**dict(SCENES["near"].settings)))
    assert round(near.needed) == 7
    assert 5_000 < near.measured < 20_000
    far = run(HowManyConfig(**dict(SCENES["far"].settings)))
    assert far.needed == pytest.approx(460, abs=5)
    assert far.needed_high / far.needed == pytest.approx(33, abs=0.5)
    assert far.measured == math.inf
    last = far.running[-1]
    assert np.mean(last < 0.9) > 0.5
    assert 0 < np.mean(last > 1.1) < 0.3
    assert last.max() > 2
    wide = run(HowManyConfig(**dict(SCENES["wide"].settings)))
    assert wide.needed == pytest.approx(2.5, abs=0.05)
    assert 350 < wide.measured < 800
    assert wide.needed_variance == pytest.approx(500, rel=0.1)
    bump = run(HowManyConfig(**dict(SCENES["bump"].settings)))
    assert round(bump.needed) == 2
    assert score(bump.needed, bump).from_measured == pytest.approx(-4, abs=0.3)


def test_a_flag_is_scored_in_orders_of_magnitude():
    report = run(HowManyConfig(**dict(SCENES["wide"].settings), n_max=3000))
    flag = score(100 * report.needed, report)
    assert flag.from_rule == pytest.approx(2.0)
    assert not flag.within_rule
    assert flag.from_measured == pytest.approx(math.log10(100 * report.needed / report.measured))
    assert score(report.needed, report).within_rule
    at = np.flatnonzero(report.n <= 100 * report.needed)[-1]
    assert flag.within_at_flag == report.within[at]
    assert score(1e9, report).within_at_flag == report.within[-1]
    never = run(HowManyConfig(loc=4.0, n_max=100))
    assert score(10, never).from_measured == -math.inf
    with pytest.raises(ValueError, match=r"one draw or more, got 0\.5"):
        score(0.5, report)


def test_tails_that_break_the_rule_are_named():
    # A Student t of three degrees has a KL to a Normal (two moments) but no spread (four).
    report = run(HowManyConfig(target="student_t", loc=1.0, scale=1.5, n_max=20))
    assert math.isfinite(report.kl)
    assert report.spread == report.needed_high == report.second_moment == math.inf
    assert report.needed_low == 0
    missed = run(HowManyConfig(family="uniform", n_max=20))
    assert missed.kl == missed.needed == math.inf
    assert score(10, missed).from_rule == -math.inf


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_max": 9}, "at least 10"),
        ({"n_max": 2_000_000}, "at most 1000000"),
        ({"self_normalized": True}, "always be one"),
        ({"question": "zz"}, "unknown question"),
        ({"target": "zz"}, "unknown target"),
        ({"family": "zz"}, "unknown family"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        HowManyConfig(**settings)


def test_a_tenth_of_nothing_is_no_tolerance():
    with pytest.raises(ValueError, match="not zero"):
        run(HowManyConfig(question="z"))
    assert how_many.CLOSE == 0.1
