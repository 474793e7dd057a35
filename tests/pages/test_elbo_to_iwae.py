"""The lesson on the bound: its four parts, their controls, their address and their numbers."""

import math

import numpy as np
import pytest
import torch
from harness import assert_no_error, code, open_page, predict, scene, values, with_more
from scipy.special import logsumexp

from iwae_core.evaluation.studies import coins, elbo_ways, layers, microscope, saved, tightness
from iwae_core.evaluation.studies.layers import LayersConfig, LayersReport
from iwae_core.places import ASSETS
from iwae_core.rng import stream
from iwae_core.ui import bound_coins, bound_jensen, bound_layers, bound_ways

NAME = "elbo_to_iwae"
SCENE = {"coins": "coins", "jensen": "jensen", "curve": "sandwich", "three_ways": "ways"}
PARTS = tuple(SCENE)
STUDIES = {"coins": coins, "jensen": microscope, "curve": tightness, "three_ways": elbo_ways}


def sent(app, part):
    return scene(app, SCENE[part])


def shown(app):
    return " ".join(markdown.value for markdown in app.markdown)


def test_the_coins_have_weights_of_the_models_closed_form():
    # log p(x, z) - log q(z) from the matrices alone, with no density of the package.
    meta, arrays = sent(open_page(NAME, shift=0.8, scale=1.3, seed=5, box=4), "coins")
    model, x = tightness.oracle()
    W, b, s = model.weight.numpy(), model.bias.numpy(), model.noise_scale
    precision = np.eye(2) + W.T @ W / s**2
    covariance = np.linalg.inv(precision)
    mean = covariance @ W.T @ (x.numpy()[0] - b) / s**2
    root = np.linalg.cholesky(covariance)
    eps = torch.randn(1, 64, 2, generator=stream(5, "coins"), dtype=torch.float64).numpy()[0]
    z = mean + 0.8 * root[:, 0] + 1.3 * eps @ root.T
    log_joint = (
        -0.5 * (z**2).sum(1)
        - 0.5 * ((x.numpy()[0] - b - z @ W.T) ** 2).sum(1) / s**2
        - 2.5 * np.log(2 * np.pi)
        - 3 * np.log(s)
    )
    log_q = -0.5 * (eps**2).sum(1) - np.log(2 * np.pi) - np.log(1.69 * np.linalg.det(root))
    np.testing.assert_allclose(arrays["log_w"], log_joint - log_q, atol=1e-9)
    outer = W @ W.T + s**2 * np.eye(3)
    gap = x.numpy()[0] - b
    exact = -0.5 * (gap @ np.linalg.solve(outer, gap) + np.linalg.slogdet(2 * np.pi * outer)[1])
    assert meta["log_marginal"] == pytest.approx(exact, abs=1e-9)
    assert meta["state"] == {"box": 4, "seed": 5}


def test_the_curve_is_the_mean_of_brute_force_groups():
    meta, arrays = sent(open_page(NAME, part="curve", K=37, shift=0.6), "curve")
    log_w = tightness.log_weights(tightness.TightnessConfig(shift=0.6)).numpy()
    n = len(log_w) // 37
    single = logsumexp(log_w[: 37 * n].reshape(37, n), axis=0) - np.log(37)
    steady = single - np.expm1(single - meta["log_marginal"])
    assert meta["report"]["bound"] == pytest.approx(steady.mean(), abs=1e-9)
    assert meta["report"]["n_runs"] == n
    assert meta["report"]["share_above"] == np.mean(single > meta["log_marginal"])
    assert arrays["counts"].sum() > 0.99 * n


def test_a_shift_has_the_gap_of_its_closed_form():
    # q shifted by d standard deviations: the ELBO lacks d^2 / 2, the upper bound exceeds by it.
    meta, arrays = sent(open_page(NAME, part="curve", K=1), "curve")
    assert meta["layers"][:2] == ["iwae", "upper"]
    gaps = meta["log_marginal"] - arrays["expected"][:2, 0]
    np.testing.assert_allclose(gaps, [1.125, -1.125], atol=1e-7)
    assert abs(meta["report"]["gap"] - 1.125) < 5 * meta["report"]["std_error"]
    text = shown(open_page(NAME, part="curve"))
    assert f"is {math.expm1(2.25):.2f}" in text


def test_the_microscope_has_the_study_s_own_noise():
    meta, arrays = sent(
        open_page(NAME, part="jensen", law="bounded", sigma=1.5, mean_of=8), "jensen"
    )
    eps = torch.randn(8, 4000, generator=stream(1, "weights"), dtype=torch.float64)
    noise = torch.special.log_ndtr(eps)[:, :512].float().numpy()
    np.testing.assert_array_equal(arrays["noise"][:8], noise)
    assert meta["report"]["approximation"] == pytest.approx(1.5**2 / 4 / 16)
    # E[log mean] by brute force: 4 million runs would do; the study's 4000 hold it to 5 errors.
    r = 2.5 * torch.special.ndtr(eps).numpy() ** 1.5
    runs = np.log(r.mean(axis=0))
    assert abs(-runs.mean() - meta["report"]["gap"]) < 5 * runs.std() / np.sqrt(4000)


def test_the_prediction_of_the_microscope_quotes_true_numbers():
    from iwae_core.ui import lesson

    report = microscope.run(microscope.MicroscopeConfig(sigma=2.6, n_samples=16))
    parts = lesson.load(NAME).parts
    assert f"{report.approximate_gap:.0f} nats" in parts["jensen_question"]
    assert f"{report.gap:.2f} nats" in parts["jensen_answer_smaller"]


def test_the_three_ways_agree_on_the_closed_form():
    meta, arrays = sent(open_page(NAME, part="three_ways", shift=1.0), "three_ways")
    assert meta["elbo"] == pytest.approx(meta["log_marginal"] - 0.5, abs=1e-9)
    for draws, way in zip(arrays["draws"], meta["ways"], strict=True):
        error = way["spread"] / np.sqrt(draws.size)
        assert abs(draws.mean() - meta["elbo"]) < 5 * error  # false alarm 6e-7 each


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("coins", "box", 16),
        ("coins", "seed", 9),
        ("jensen", "mean_of", 4),
        ("jensen", "sigma", 0.5),
        ("curve", "K", 64),
        ("curve", "scale", 1.3),
        ("three_ways", "draws", 32),
        ("three_ways", "shift", -0.5),
    ],
)
def test_a_number_moves_the_picture_and_the_address(part, field, value):
    app = with_more(open_page(NAME, part=part), NAME)
    before = sent(app, part)[0]
    (control,) = [
        c for c in (*app.slider, *app.select_slider, *app.number_input)
        if c.key == f"{NAME}.{field}"
    ]  # fmt: skip
    control.set_value(value).run()
    assert_no_error(app)
    assert float(app.query_params[field]) == value
    after = sent(app, part)[0]
    assert after["alt"] != before["alt"]
    again = sent(open_page(NAME, **app.query_params), part)[0]
    assert {**again, "echo": 0} == {**after, "echo": 0}


@pytest.mark.parametrize("part", PARTS)
def test_every_scene_sets_its_controls_and_says_why(part):
    app = open_page(NAME, part=part, shift=0.3, sigma=0.35, answer_coins="up")
    for name, given in STUDIES[part].SCENES.items():
        (choice,) = [c for c in app.selectbox if c.label == "Scene"]
        choice.set_value(name).run()
        assert_no_error(app)
        assert not app.warning
        assert given.why in [caption.value for caption in app.caption]
        (choice,) = [c for c in app.selectbox if c.label == "Scene"]
        assert choice.value == name


@pytest.mark.parametrize("part", PARTS)
def test_the_explanation_waits_for_a_prediction(part):
    from iwae_core.ui import lesson

    parts = lesson.load(NAME).parts
    explained = parts[f"{part}_why"].split("$")[0][:30]  # before any formula is dressed
    app = open_page(NAME, part=part)
    assert explained not in shown(app)
    answers = {name.split("_")[-1] for name in parts if name.startswith(f"{part}_answer_")}
    for answer in sorted(answers):
        answer = "monte_carlo" if answer == "carlo" else "log_w" if answer == "w" else answer
        predict(app, answer)
        assert_no_error(app)
        assert parts[f"{part}_answer_{answer}"][:12] in shown(app)
        assert explained in shown(app)


def test_bad_values_fall_back_with_a_message():
    app = open_page(NAME, part="curve", K=0, shift="far", correlated="yes", box=3, law="cauchy")
    assert_no_error(app)
    assert len(app.warning) == 5
    found, plain = (sent(a, "curve")[0] for a in (app, open_page(NAME, part="curve")))
    assert found == plain


def test_a_spread_beyond_its_law_is_cut_with_a_word():
    app = open_page(NAME, part="jensen", law="pareto", sigma=3)
    assert_no_error(app)
    assert any("0.95" in info.value for info in app.info)
    assert sent(app, "jensen")[0]["report"]["sigma"] == 0.95


def test_new_noise_draws_new_coins_and_keeps_their_law():
    app = open_page(NAME)
    _, before = sent(app, "coins")
    next(b for b in app.button if b.label == "New noise").click().run()
    assert app.query_params["seed"] == "2"
    _, after = sent(app, "coins")
    assert not np.array_equal(before["log_w"], after["log_w"])
    for name in ("expected", "share", "low", "high"):
        np.testing.assert_array_equal(before[name], after[name])


def test_the_part_that_opens_has_a_slider_and_few_elements():
    # benchmarks/clients.py moves it; each element costs the server about 0.4 ms.
    app = open_page(NAME)
    assert app.select_slider[0].key == f"{NAME}.box"
    static = 4  # the page, its title and intro, the fragment
    assert len(list(app.main)) - static <= 19  # the question stands apart from its answers


def test_the_shipped_layers_are_those_of_the_study():
    for name, given in layers.SCENES.items():
        config = LayersConfig(**dict(given.settings))
        shipped = bound_layers.known(config)
        fresh = layers.report(config, [])
        for layer in fresh.layers:
            kept = shipped.layer(layer.name).expected
            np.testing.assert_allclose(layer.expected, kept, rtol=0, atol=1e-9)
        assert shipped.n_repeats == layers.N_REPEATS, name
    text = (ASSETS / "studies" / "layers_wide.json").read_text()
    assert saved.to_json(saved.from_json(LayersReport, text)) == text.strip()


def test_a_q_without_layers_offers_to_work_them_out():
    app = open_page(NAME, part="curve", shift=0.4)
    assert sent(app, "curve")[0]["layers"] == []
    assert [b for b in app.button if b.label == "Work out the layers for this q"]
    assert not [b for b in open_page(NAME, part="curve").button if "layers" in b.label]


def test_the_scripts_of_the_parts_print_the_pages_numbers():
    at = coins.CoinsConfig(shift=0.7, seed=3)
    report = coins.run(at)
    found = values(bound_coins.script(at, 8))
    assert found["needle"] == pytest.approx(report.needle[3], rel=1e-8)
    assert found["elbo_of_these"] == pytest.approx(report.needle[0], rel=1e-8)
    asked = microscope.MicroscopeConfig(law="pareto", sigma=0.3, n_samples=4, seed=2)
    lens = microscope.run(asked)
    found = values(bound_jensen.script(asked))
    for name in ("gap", "approximate_gap", "share_above"):
        assert found[name] == pytest.approx(getattr(lens, name), rel=1e-8)
    config = elbo_ways.ElboWaysConfig(shift=0.2, scale=1.4, n_draws=elbo_ways.MAX_DRAWS)
    found = values(bound_ways.script(config, 100))
    draws = elbo_ways.run(config).way("log_weight").draws[:100]
    assert found["log_weight"] == pytest.approx(draws.mean(), rel=1e-8)
    assert found["log_weight_error"] == pytest.approx(draws.std(ddof=1) / 10, rel=1e-8)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_shows_its_code(part):
    assert "SEED = 4" in code(open_page(NAME, part=part, seed=4), f"{NAME}_{part}")
