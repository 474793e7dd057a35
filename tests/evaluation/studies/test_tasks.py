"""Tasks: solutions pass, near misses fail for the reason named, judgements are exact."""

import dataclasses
import math

import pytest
import torch
from scipy import integrate, stats

from iwae_core.evaluation.studies import choices, weighting
from iwae_core.evaluation.studies.tasks import TASKS, check
from iwae_core.rng import stream


def changed(task, **changes):
    return check(task, dataclasses.replace(TASKS[task].solution, **changes))


def value(verdict, part):
    (condition,) = [c for c in verdict.conditions if part in c.text]
    return condition.value


@pytest.mark.parametrize("task", TASKS)
def test_the_solution_passes_and_the_page_as_it_opens_does_not(task):
    verdict = check(task, TASKS[task].solution)
    assert verdict.passed
    assert all(condition.met for condition in verdict.conditions)
    assert verdict.sentence == TASKS[task].praise
    start = weighting.WeightingConfig(
        target=TASKS[task].target, integrand=TASKS[task].integrand, loc=0.5, scale=1.5
    )
    assert not check(task, start).passed


@pytest.mark.parametrize(
    ("task", "changes", "reason"),
    [
        ("beat_the_target", {"loc": 1.0, "scale": 1.0}, "variance of w f is below half"),
        ("beat_the_target", {"scale": 0.7}, "variance of w f is below half"),
        ("beat_the_target", {"estimator": "self_normalized"}, "the average is the plain one"),
        ("beat_the_target", {"integrand": "z"}, "the question is the mean of z² under Normal"),
        ("few_effective", {"loc": 1.0}, "less than 1 from p"),
        ("few_effective", {"family": "uniform"}, "q is a Normal"),
        ("few_effective", {"scale": 0.95}, "expected ESS"),
        ("few_effective", {"n_samples": 99}, "K is at least 100"),
        ("few_effective", {"seed": 8}, "ESS of these draws"),
        ("calm_tails", {"family": "normal"}, "all weights are bounded"),
        ("calm_tails", {"df": 3.5}, "all weights are bounded"),
        ("calm_tails", {"loc": 3.0}, "80 % of the draws"),
        ("one_percent", {"n_samples": 65}, "K is at most 64"),
        ("one_percent", {"loc": 1.3}, "exact standard error"),
        ("rare", {"n_samples": 400}, "exact standard error"),
        ("rare", {"scale": 0.6}, "exact standard error"),
        ("both_modes", {"loc": 3.0}, "35 % of the draws"),
        ("fooled", {"scale": 4.0}, "at least 90 %"),
    ],
)
def test_a_near_miss_fails_for_the_reason_named(task, changes, reason):
    verdict = changed(task, **changes)
    assert not verdict.passed
    assert reason in verdict.sentence


def test_an_error_that_happens_to_be_small_is_not_enough():
    # Some seeds are within 1 % by luck, with a q whose exact error is 10 %.
    lucky = 0
    for seed in range(1, 60):
        verdict = changed("one_percent", loc=0.5, seed=seed)
        if value(verdict, "off by less than 1 %") < 0.01:
            lucky += 1
            assert not verdict.passed
    assert lucky > 0


def test_the_exact_numbers_are_those_of_an_independent_quadrature():
    verdict = changed("beat_the_target", loc=1.5, scale=1.2)
    p, q = stats.norm(1, 1), stats.norm(1.5, 1.2)
    square = integrate.quad(lambda z: p.pdf(z) ** 2 * z**4 / q.pdf(z), -12, 14)[0]
    assert value(verdict, "variance") == pytest.approx((square - 4) / 6, rel=1e-6)
    verdict = changed("one_percent", loc=1.2, scale=1.1)
    p, q = stats.norm(0, 1), stats.norm(1.2, 1.1)
    square = integrate.quad(lambda z: p.pdf(z) ** 2 * math.exp(2 * z) / q.pdf(z), -12, 14)[0]
    true = math.sqrt((square / math.e - 1) / 64)
    assert value(verdict, "exact standard error") == pytest.approx(true, rel=1e-6)
    verdict = changed("rare", loc=5.5)
    moment = math.exp(5.5**2) * stats.norm.sf(10.5) / stats.norm.sf(5) ** 2
    assert value(verdict, "exact") == pytest.approx(math.sqrt((moment - 1) / 1000), rel=1e-6)
    verdict = changed("calm_tails", scale=1.5, df=3.0)
    assert value(verdict, "bounded") == pytest.approx(math.log(1.5), rel=1e-6)


def test_what_is_measured_is_measured_on_these_draws():
    verdict = check("fooled", TASKS["fooled"].solution)
    z = -2 + 0.65 * torch.randn(200, generator=stream(2, "draws"), dtype=torch.float64)
    target = choices.TARGETS["two_modes"].made
    w = torch.exp(target.log_prob(z) + torch.from_numpy(-stats.norm(-2, 0.65).logpdf(z.numpy())))
    assert value(verdict, "90 %") == pytest.approx((w.sum() ** 2 / (w**2).sum()).item() / 200)
    terms = w * z
    off = abs(terms.mean().item() - 0.5) / (terms.std().item() / math.sqrt(200))
    assert value(verdict, "reported errors") == pytest.approx(off, rel=1e-9)


def test_other_answers_than_the_solution_are_accepted():
    assert changed("beat_the_target", family="laplace", loc=2.0, scale=1.0).passed
    assert changed("both_modes", family="student_t", df=30.0, scale=2.5).passed
    assert changed("one_percent", loc=0.97, seed=1).passed


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="unknown task 'x'"):
        check("x", weighting.WeightingConfig())
