"""The lesson on the posterior really used: its parts, its address and its numbers."""

import re

import numpy as np
import pytest
from harness import assert_no_error, box, code, open_page, predict, prose, scene, values

from iwae_core import datasets
from iwae_core.evaluation.posterior import Grid, exact_posterior
from iwae_core.evaluation.studies import posterior_digits as digits_study
from iwae_core.evaluation.studies import posterior_used as study
from iwae_core.evaluation.studies.posterior_ground import ANY_X, GivenJoint
from iwae_core.evaluation.studies.posterior_targets import SCENES, TARGETS
from iwae_core.evaluation.studies.posterior_trained import best_round_q
from iwae_core.evaluation.studies.tightness import posterior as oracle_posterior
from iwae_core.rng import make_generator
from iwae_core.sampling.densities import Gaussian
from iwae_core.sampling.divergences import kl_divergence
from iwae_core.ui import posterior_best, posterior_digits

NAME = "posterior_used"


def kl_by_hand(log_p, log_q, cell):
    """KL(q || p) by the midpoint rule over a table: independent of the quadrature over q."""
    q = np.exp(log_q)
    return float((q * (log_q - log_p)).sum() * cell)


def test_kl_of_q_has_its_closed_form_over_a_gaussian_posterior():
    app = open_page(NAME, target="linear_gaussian", x=0.9, y=0.1, scale=0.5)
    meta, _ = scene(app, "posterior")
    q = Gaussian((0.9, 0.1), ((0.25, 0.0), (0.0, 0.25)))
    expected, report = kl_divergence(q, oracle_posterior()), meta["panels"][0]["report"]
    assert report["kl_q"] == pytest.approx(expected, rel=1e-6)
    assert abs(report["kl_q"] - expected) <= 1.1 * report["kl_q_error"] < 1e-6


@pytest.mark.parametrize("part", ["drag", "trained"])
def test_divergences_equal_a_sum_over_the_table_that_is_drawn(part):
    app = open_page(NAME, part=part, scale=1.0, trained_K=10)
    meta, arrays = scene(app, "posterior")
    for i, panel in enumerate(meta["panels"]):
        sides = np.subtract(panel["high"], panel["low"])
        cell = sides.prod() / arrays[f"p{i}"].size
        log_p, log_used = (arrays[f"{name}{i}"].astype(np.float64) for name in ("p", "used"))
        found = kl_by_hand(log_p, log_used, cell)
        assert panel["report"]["kl_used"] == pytest.approx(found, abs=0.003)
        assert panel["report"]["kl_used"] < panel["report"]["kl_q"]
        assert panel["report"]["bound"] <= panel["log_marginal"] - panel["report"]["kl_used"]
        assert panel["report"]["kl_q_error"] < 0.01


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_sets_its_controls_and_says_why(name):
    app = open_page(NAME, K=3)
    box(app, "Scene").set_value(name).run()
    assert_no_error(app)
    assert SCENES[name].why in [caption.value for caption in app.caption]
    settings = dict(SCENES[name].settings)
    meta, _ = scene(app, "posterior")
    assert meta["K"] == settings["n_samples"]
    assert meta["panels"][0]["q"]["loc"] == [settings["loc_1"], settings["loc_2"]]
    assert meta["panels"][0]["title"] == TARGETS[settings["target"]].title


def test_the_explanation_of_one_mode_says_what_the_scene_gives():
    app = predict(open_page(NAME), "one")
    (told,) = [text for text in prose(app) if "In that scene" in text]
    one, covers = (
        study.run(study.PosteriorUsedConfig(**dict(SCENES[name].settings)))
        for name in ("one_mode", "covers")
    )
    left = [np.exp(log)[one.first < 0].sum() for log in (one.log_p, one.log_q_used)]
    whole = [np.exp(log).sum() for log in (one.log_p, one.log_q_used)]
    assert "40 % of" in told
    assert left[0] / whole[0] == pytest.approx(0.40, abs=0.005)
    assert "1.2 %" in told
    assert left[1] / whole[1] == pytest.approx(0.012, abs=0.0005)
    for text, value in (("0.53", one.kl_q), ("0.50", one.kl_used), ("1.65", covers.kl_q)):
        assert text in told
        assert f"{value:.2f}" == text
    assert "0.012" in told
    assert f"{covers.kl_used:.3f}" == "0.012"


def of_trained(name):
    """What a scene of part *trained* shows, worked out anew: by the ELBO, by L_K."""
    asked = dict(posterior_best.SCENES[name].settings)
    best = posterior_best.best(asked["target"])
    return [
        study.run(study.PosteriorUsedConfig(**asked, loc_1=x, loc_2=y, scale=scale))
        for x, y, scale in (best["1"], best[str(asked["n_samples"])])
    ]


def of_digits(name):
    """What a scene of part *digits* shows, worked out anew: by the ELBO, by L_50."""
    asked = dict(posterior_digits.SCENES[name].settings)
    return [
        digits_study.of_digit(
            posterior_digits.network(network),
            asked["digit"],
            asked["n_samples"],
            make_generator(0),
        )
        for network in digits_study.NETWORKS
    ]


def numbers_of(why):
    """The numbers with a point that a sentence says, in its order."""
    return re.findall(r"\d+\.\d+", why)


def said(*values):
    """Numbers as a sentence says them: value and decimals."""
    return [f"{value:.{decimals}f}" for value, decimals in values]


def test_the_scenes_of_the_trained_q_say_what_they_show():
    whys = {name: numbers_of(scene.why) for name, scene in posterior_best.SCENES.items()}
    elbo, iwae = of_trained("banana")
    assert whys.pop("banana") == said(
        (iwae.kl_q, 2), (elbo.kl_q, 2), (iwae.kl_used, 3), (elbo.kl_used, 2)
    )
    elbo, iwae = of_trained("both_modes")
    assert abs(iwae.loc[0]) < iwae.scale[0] < elbo.loc[0]  # across both, on one
    assert whys.pop("both_modes") == said(
        (elbo.kl_used, 2), (elbo.kl_q, 2), (iwae.kl_q, 2), (iwae.kl_used, 3)
    )
    elbo, iwae = of_trained("too_few")
    np.testing.assert_allclose(iwae.loc, elbo.loc, atol=0.01)
    assert whys.pop("too_few") == said((iwae.scale[0], 2), (elbo.scale[0], 2), (elbo.kl_used, 2))
    assert f"{iwae.kl_used:.2f}" == f"{elbo.kl_used:.2f}"
    elbo, iwae = of_trained("tilted")
    assert 1.8 < iwae.scale[0] / elbo.scale[0] < 2
    assert whys.pop("tilted") == [*said((elbo.scale[0], 2), (elbo.kl_used, 3)), "0.001"]
    assert iwae.kl_used < 0.001
    assert not whys


def test_the_scenes_of_digits_say_what_they_show():
    whys = {name: numbers_of(scene.why) for name, scene in posterior_digits.SCENES.items()}
    labels = datasets.load("digits").test_labels
    for named in posterior_digits.SCENES.values():
        label = labels[dict(named.settings)["digit"]].item()
        assert named.title.startswith(f"A {label}")
    elbo, iwae = of_digits("as_trained")
    assert whys.pop("as_trained") == said(
        (iwae.kl_q, 1), (elbo.kl_q, 1), (iwae.kl_used, 3), (elbo.kl_used, 3)
    )
    elbo, iwae = of_digits("alone")
    assert (elbo.kl_used, iwae.kl_used) == pytest.approx((elbo.kl_q, iwae.kl_q), rel=1e-6)
    assert whys.pop("alone") == said((elbo.kl_q, 3), (iwae.kl_q, 1))
    elbo, iwae = of_digits("missed")
    assert whys.pop("missed") == said(
        (elbo.kl_q, 1), (elbo.kl_used, 1), (iwae.kl_used, 3), (iwae.kl_q, 1)
    )
    p, q = np.exp(elbo.log_p), np.exp(elbo.log_q)
    seldom = p > 50 * q  # where less than one of 50 draws is for what p has there
    assert p[seldom].sum() / p.sum() > 0.6
    assert q[seldom].sum() / q.sum() < 0.005
    elbo, iwae = of_digits("other_way")
    assert whys.pop("other_way") == said((iwae.kl_q, 1), (iwae.kl_used, 3), (elbo.kl_used, 3))
    assert elbo.log_marginal > iwae.log_marginal
    assert not whys


@pytest.mark.parametrize(("target", "K"), [("linear_gaussian", 1), ("banana", 5)])
def test_the_q_that_ships_is_the_best_one(target, K):
    found, shipped = best_round_q(target, K), posterior_best.best(target)[str(K)]
    np.testing.assert_allclose(shipped, found, atol=2e-3)


def test_by_the_elbo_over_a_gaussian_the_best_round_q_has_its_closed_form():
    # KL(q || p) is least at p's mean and at 2 / s^2 = trace of p's precision.
    p = oracle_posterior()
    x, y, scale = posterior_best.best("linear_gaussian")["1"]
    np.testing.assert_allclose((x, y), p.mean, atol=1e-3)
    precision = np.linalg.inv(np.asarray(p.covariance))
    assert scale == pytest.approx((2 / np.trace(precision)) ** 0.5, abs=1e-3)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("K", [5, 20, 100])
def test_the_iwaes_q_looks_worse_and_serves_better(target, K):
    app = open_page(NAME, part="trained", target=target, trained_K=K)
    by_elbo, by_iwae = (panel["report"] for panel in scene(app, "posterior")[0]["panels"])
    assert by_iwae["kl_q"] > by_elbo["kl_q"]
    assert by_iwae["kl_used"] < by_elbo["kl_used"]
    assert by_iwae["bound"] > by_elbo["bound"]


def test_a_digits_posterior_is_normalized_and_its_evidence_does_not_depend_on_the_grid():
    app = open_page(NAME, part="digits", digit=3, used_K=50)
    assert_no_error(app)
    meta, arrays = scene(app, "posterior")
    for i, (name, panel) in enumerate(zip(digits_study.NETWORKS, meta["panels"], strict=True)):
        sides = np.subtract(panel["high"], panel["low"])
        p = np.exp(arrays[f"p{i}"].astype(np.float64))
        assert p.sum() * sides.prod() / p.size == pytest.approx(1.0, abs=0.02)
        wide = Grid(low=(-6.0, -6.0), high=(6.0, 6.0), n=400)
        x = digits_study.digit(3)
        by_hand = exact_posterior(posterior_digits.network(name), x, wide).log_normalizer
        assert panel["log_marginal"] == pytest.approx(by_hand, abs=0.01)
        assert panel["report"]["bound"] < panel["log_marginal"]
    np.testing.assert_array_equal(arrays["image0"].ravel(), digits_study.digit(3)[0].numpy())


def test_the_averages_over_digits_are_those_of_the_networks_that_ship():
    found = posterior_digits.measured()
    assert found["n_samples"] == list(digits_study.CURVE)
    for name in digits_study.NETWORKS:
        rows = [
            digits_study.divergences(posterior_digits.network(name), index) for index in range(4)
        ]
        for key in ("log_marginal", "kl_used", "bound"):
            mean, error = np.asarray(found[name][key]), np.asarray(found[name][f"{key}_error"])
            spread = error * found["n_digits"] ** 0.5
            few = np.mean([getattr(row, key) for row in rows], axis=0)
            assert (np.abs(few - mean) < 5 * spread / 2).all(), key  # four digits are few


@pytest.mark.parametrize("part", ["drag", "trained", "digits"])
def test_the_code_prints_the_numbers_of_the_page(part):
    app = open_page(NAME, part=part, K=7, used_K=7, digit=2, trained_K=5, seed=3)
    panels = scene(app, "posterior")[0]["panels"]
    found = values(code(app, f"{NAME}_{part}"))
    prefixes = [f"{name}_" for name in digits_study.NETWORKS] if part == "digits" else [""]
    for prefix, panel in zip(prefixes, panels[-len(prefixes) :], strict=True):
        assert found[f"{prefix}log_marginal"] == pytest.approx(panel["log_marginal"], rel=1e-8)
        for name in ("kl_q", "kl_used", "bound"):
            assert found[prefix + name] == pytest.approx(panel["report"][name], rel=1e-7)
    if part != "digits":  # by another route, which is noisy and on a grid
        assert found["kl_used_by_draws"] == pytest.approx(found["kl_used"], abs=0.03)


@pytest.mark.parametrize(
    ("part", "answer"), [("drag", "middle"), ("trained", "farther"), ("digits", "smaller")]
)
def test_the_explanation_waits_for_a_prediction(part, answer):
    app = open_page(NAME, part=part)
    before = len(app.markdown)
    predict(app, answer)
    assert_no_error(app)
    # what of the answer is right, where the reason stands, and the reason
    assert len(app.markdown) == before + 3
    assert app.query_params[f"answer_{part}"] == answer


def test_bad_values_fall_back_with_a_message():
    app = open_page(NAME, K=0, x="far", target="elephant", trained_K=3)
    assert_no_error(app)
    assert len(app.warning) == 4
    assert scene(app, "posterior")[0] == scene(open_page(NAME), "posterior")[0]


def test_a_q_too_wide_for_its_posterior_is_cut_with_a_word():
    app = open_page(NAME, target="linear_gaussian", scale=2.5)
    assert_no_error(app)
    assert any("at most 1.5 wide" in info.value for info in app.info)
    assert scene(app, "posterior")[0]["panels"][0]["q"]["scale"] == [1.5, 1.5]


def test_the_weights_the_browser_gets_are_those_of_its_nodes():
    app = open_page(NAME, x=0.5, y=-0.4, scale=0.7)
    _, arrays = scene(app, "posterior")
    z = np.array([0.5, -0.4]) + 0.7 * arrays["eps"]
    log_q = -0.5 * (arrays["eps"] ** 2).sum(axis=1) - np.log(2 * np.pi * 0.49)
    import torch

    log_joint = GivenJoint(TARGETS["banana"].joint).log_joint(ANY_X, torch.from_numpy(z))
    np.testing.assert_allclose(arrays["log_w0"], log_joint.numpy() - log_q, atol=1e-9)
    assert arrays["probability"].sum() == pytest.approx(1.0)
