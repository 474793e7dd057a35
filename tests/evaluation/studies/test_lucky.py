"""The lucky particle: everything by brute force, chances by closed form and simulation."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from iwae_core.evaluation.studies import lucky, weighting
from iwae_core.evaluation.studies.lucky import SCENES, LuckyConfig, run
from iwae_core.evaluation.studies.weighting import ESTIMATORS
from iwae_core.rng import stream


def problem(config):
    c = config
    return weighting.problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("target", ["far_bump", "unnormalized", "student_t"])
def test_everything_is_the_estimator_on_the_draws_named(target, estimator):
    out = (3, 59, 40)
    config = LuckyConfig(
        target=target, loc=0.4, n_samples=60, estimator=estimator, seed=3, left_out=out
    )
    report, asked = run(config), problem(config)
    z = torch.from_numpy(report.z)
    estimate = ESTIMATORS[estimator]

    def value(keep):
        return estimate(asked.f(z[keep]), asked.log_weights(z[keep])).value.item()

    every = np.arange(60)
    for k in (0, 7, 59):
        assert report.running[k] == pytest.approx(value(every[: k + 1]), abs=1e-12)
        left = value(every) - value(every[every != k])
        assert report.influence[k] == pytest.approx(left, abs=1e-12)
    np.testing.assert_allclose(report.jump[1:], np.diff(report.running), atol=1e-12)
    kept = np.array([k for k in every if k not in out])
    np.testing.assert_array_equal(report.kept, kept)
    assert report.running_kept[20] == pytest.approx(value(kept[:21]), abs=1e-12)
    rest = estimate(asked.f(z[kept]), asked.log_weights(z[kept]))
    assert report.rest.n == 57
    assert report.rest.estimate == rest.value.item() == pytest.approx(report.running_kept[-1])
    assert report.rest.std_error == rest.std_error.item()
    assert report.rest.ess == rest.ess.item()
    assert report.rest.k_hat == rest.k_hat.item()
    w = np.exp(report.log_w)
    np.testing.assert_allclose(report.share, w / w.sum())
    assert report.full.max_weight == pytest.approx(report.share.max())
    assert report.rest.max_weight == pytest.approx(w[kept].max() / w[kept].sum())
    sizes = np.abs(report.jump[report.largest])
    assert (report.largest >= 20).all()
    assert (np.diff(sizes) <= 0).all()
    assert sizes[0] == np.abs(report.jump[20:]).max()


def test_leaving_nothing_out_changes_nothing():
    report = run(LuckyConfig())
    assert report.full.estimate == report.rest.estimate
    np.testing.assert_array_equal(report.running, report.running_kept)
    same = weighting.run(LuckyConfig().run_config())
    np.testing.assert_array_equal(report.z, same.z)
    assert same.estimate == report.full.estimate
    assert report.true_std == pytest.approx(same.std_of_term / math.sqrt(1000))


def test_the_chance_of_luck_is_a_normal_tail_and_that_of_3000_runs():
    report = run(LuckyConfig())
    ((low, high),) = report.regions
    q = stats.norm(0.0, 1.25)
    assert report.chance_per_draw == pytest.approx(q.sf(low) - q.sf(high), rel=1e-9)
    p = report.chance_per_draw
    assert report.chance_in_run == pytest.approx(1 - (1 - p) ** 1000)
    assert report.chance_late == pytest.approx((1 - p) ** 500 - (1 - p) ** 1000)
    z = 1.25 * torch.randn((1000, 3000), generator=stream(8, "x"), dtype=torch.float64)
    lucky_draws = (problem(LuckyConfig()).log_weights(z) >= math.log(100)).numpy()
    some = lucky_draws.any(axis=0)
    late = some & ~lucky_draws[:500].any(axis=0)
    for share, chance in ((some, report.chance_in_run), (late, report.chance_late)):
        assert abs(share.mean() - chance) < 5 * math.sqrt(chance * (1 - chance) / 3000)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_runs_without_luck_tend_to_what_is_common(estimator):
    # One run of 10^6 draws without its lucky ones; the reported error is honest here, for what
    # is left has bounded weights.
    report = run(LuckyConfig(estimator=estimator))
    asked = problem(LuckyConfig())
    z = asked.draw((1_000_000,), stream(9, "many"), torch.float64)
    common = asked.log_weights(z) < report.log_lucky
    found = ESTIMATORS[estimator](asked.f(z[common]), asked.log_weights(z[common]))
    assert abs(found.value.item() - report.common) < 5 * found.std_error.item()
    assert found.std_error.item() < 0.005
    assert abs(report.common - report.exact) > 0.3


def test_the_scenes_are_what_they_say():
    late = run(LuckyConfig(**dict(SCENES["late"].settings)))
    assert late.lucky.tolist() == [883] == late.largest[:1].tolist()
    assert late.share[883] == pytest.approx(0.44, abs=0.005)
    assert abs(late.running[882] - late.common) < 0.1
    assert round(100 * late.chance_late) == 7
    without = run(LuckyConfig(**dict(SCENES["late"].settings), left_out=(883,)))
    assert without.rest.estimate == pytest.approx(
        late.full.estimate - late.influence[883], abs=1e-12
    )
    assert without.rest.max_weight < 0.1
    assert without.rest.ess > 50 * without.full.ess
    never = run(LuckyConfig(**dict(SCENES["never"].settings)))
    assert len(never.lucky) == 0
    assert round(100 * (1 - never.chance_in_run)) == 85
    assert (never.exact - never.full.estimate) / never.full.std_error == pytest.approx(18, abs=1)
    assert never.full.k_hat < 0.5
    early = run(LuckyConfig(**dict(SCENES["early"].settings)))
    assert early.lucky.tolist() == [229] == early.largest[:1].tolist()
    assert early.full.estimate > 2 * early.exact
    wide = run(LuckyConfig(**dict(SCENES["wide"].settings)))
    assert len(wide.lucky) == 0
    heaviest = int(wide.share.argmax())
    assert abs(wide.influence[heaviest]) < 0.05 * wide.exact
    # No weight exceeds 4.1, so the exact k is 0; k-hat sees two sizes of weights and warns.
    z = np.linspace(-30, 30, 60_001)
    p = 0.9 * stats.norm(0, 1).pdf(z) + 0.1 * stats.norm(5, 0.5).pdf(z)
    assert np.exp(wide.log_w).max() <= (p / stats.norm(0, 2.5).pdf(z)).max() < 4.1
    warned = [run(LuckyConfig(scale=2.5, seed=seed)).full.k_hat for seed in range(1, 9)]
    assert min(warned) > 0.7
    assert np.median(warned) == pytest.approx(1.0, abs=0.15)
    at = stats.norm(0, 2.5)
    assert at.sf(4.5) - at.sf(5.5) == pytest.approx(1 / 40, rel=0.3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"left_out": (1000,)}, "0 to 999"),
        ({"left_out": (-1,)}, "0 to 999"),
        ({"left_out": (1.5,)}, "0 to 999"),
        ({"left_out": (4, 4)}, "twice"),
        ({"n_samples": 21, "left_out": tuple(range(20))}, "two draws must stay"),
        ({"n_samples": 20}, "at least 21"),
        ({"n_samples": 5001}, "at most 5000"),
        ({"target": "nrmal"}, "unknown target"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LuckyConfig(**settings)
    assert lucky.MAX_SAMPLES == 5000
