"""The weight x-ray: its address, its scenes, its text, and the numbers it sends."""

import numpy as np
import pytest
import torch
from harness import assert_no_error, box, code, open_page, predict, prose, scene, values

from iwae_core import datasets
from iwae_core.datasets.dataset import binarize
from iwae_core.evaluation.studies import xray as study
from iwae_core.evaluation.studies.xray import XrayConfig
from iwae_core.evaluation.studies.xray_scenes import CROSS, SCENES, UNUSUAL_THREE
from iwae_core.rng import stream
from iwae_core.sampling.weights import ess
from iwae_core.ui import lesson, xray
from iwae_core.view.numbers import MINUS, digits, fixed

NAME = "xray"


def run(**settings):
    config = XrayConfig(**settings)
    return study.run(xray.network(config.network), config)


def test_the_report_that_is_sent_is_the_studys():
    app = open_page(NAME, digit=UNUSUAL_THREE, K=100, squeeze=1.5, dx=0.3, dy=-0.2, seed=4)
    assert_no_error(app)
    meta, arrays = scene(app, "xray")
    report = run(
        drawing=UNUSUAL_THREE, n_samples=100, squeeze=1.5, shift_1=0.3, shift_2=-0.2, seed=4
    )
    assert meta["report"]["log_marginal"] == pytest.approx(report.log_marginal, abs=1e-12)
    assert meta["report"]["k_hat"] == fixed(report.k_hat)
    assert fixed(report.others.mean()) in meta["report"]["mean_of_others"]
    np.testing.assert_array_equal(arrays["others"], report.others)
    np.testing.assert_array_equal(arrays["eps"][:100], study.noise(4)[:100])
    assert digits(report.ess) in meta["alt"]
    below = (xray.evidence_of_digits()["iwae"] < report.log_marginal).mean()
    assert meta["report"]["rank"] == f"above {digits(100 * below, 2)} % of test digits"


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_sets_its_controls_and_says_why(name):
    app = open_page(NAME, K=3, dx=1)
    box(app, "Scene").set_value(name).run()
    assert_no_error(app)
    assert SCENES[name].why in [caption.value for caption in app.caption]
    settings = dict(SCENES[name].settings)
    meta, _ = scene(app, "xray")
    assert meta["state"]["digit"] == settings["drawing"]
    assert meta["state"]["K"] == settings["n_samples"]
    assert meta["name_of_network"] == settings["network"]


def test_what_the_scenes_say_is_so():
    at = {name: run(**dict(each.settings)) for name, each in SCENES.items()}
    assert 0.25 < at["clean"].ess / 64 < 0.4  # a third
    assert at["by_elbo"].ess > at["clean"].ess
    assert at["by_elbo"].log_marginal < at["clean"].log_marginal
    assert at["unusual"].ess < 5
    far = np.hypot(*at["squeezed"].z.T - at["squeezed"].loc[:, None])
    order = at["squeezed"].weight.argsort()
    assert far[order[-16:]].mean() > 1.5 * far[order[:16]].mean()  # the outermost weigh most
    assert at["squeezed"].others.mean() < at["by_elbo"].others.mean() - 1
    assert at["no_digit"].log_marginal < xray.evidence_of_digits()["iwae"][0] - 30
    assert at["no_digit"].weight.sum() == pytest.approx(1)
    assert at["one"].ess == 1
    assert at["one"].bound == at["one"].elbo


def test_the_numbers_of_the_explanation_are_those_of_the_networks():
    app = predict(open_page(NAME), "elbo")
    told = " ".join(m.value for m in app.markdown)
    elbo, iwae = run(network="elbo"), run()
    assert "43 of 64, against 19" in told
    assert (round(elbo.ess), round(iwae.ess)) == (43, 19)
    gray = datasets.load("digits").test.double()
    x = torch.cat([binarize(row[None], stream(1, "digit", i)) for i, row in enumerate(gray)])
    mean = {}
    for name in ("elbo", "iwae"):
        model = xray.network(name)
        with torch.no_grad():
            q = model.posterior(x)
            z = q.from_noise(study.noise(1)[:64, None])
            log_w = model.log_joint(x, z) - q.log_prob(z)
        mean[name] = (ess(log_w).mean().item(), xray.evidence_of_digits()[name].mean())
    assert "all 297 test digits" in told
    assert len(x) == 297
    assert "40 on average for the ELBO's\nnetwork and 11 for the IWAE's" in told
    assert [round(each[0]) for each in mean.values()] == [40, 11]
    assert f"{MINUS}23.3 nats for the first and {MINUS}22.7" in told
    assert [f"{each[1]:.1f}" for each in mean.values()] == ["-23.3", "-22.7"]


def test_what_to_notice_holds_for_the_clean_three():
    wide, half = run(), run(squeeze=0.5)
    assert half.ess > wide.ess  # the IWAE's encoder, squeezed a little
    narrow = run(network="elbo", squeeze=0.25)
    assert narrow.ess < run(network="elbo").ess
    many = run(n_samples=1000)
    assert many.ess / 1000 == pytest.approx(wide.ess / 64, rel=0.35)  # their share stays


def test_a_drawing_that_is_no_digit_is_called_so():
    app = open_page(NAME, digit=CROSS)
    assert_no_error(app)
    assert scene(app, "xray")[0]["report"]["rank"] == "below every test digit"
    (told,) = [info.value for info in app.info]
    assert fixed(run(drawing=CROSS).log_marginal) in told
    assert not open_page(NAME).info


def test_a_start_sets_the_drawing():
    app = open_page(NAME)
    assert box(app, "Start from").value == "3"
    box(app, "Start from").set_value("7").run()
    assert_no_error(app)
    assert app.query_params["digit"] == xray.starts()["7"]
    box(app, "Start from").set_value("empty").run()
    assert set(scene(app, "xray")[0]["state"]["digit"]) == {"A"}


def test_bad_values_fall_back_with_a_message():
    app = open_page(NAME, digit="hello", K=0, squeeze=9, network="gan", pen="brush")
    assert_no_error(app)
    assert len(app.warning) == 5
    assert scene(app, "xray")[0] == scene(open_page(NAME), "xray")[0]


@pytest.mark.parametrize("network", ["iwae", "elbo"])
def test_the_code_prints_the_numbers_of_the_page(network):
    settings = {"squeeze": 0.7, "K": 40, "seed": 3}
    app = open_page(NAME, network=network, digit=CROSS, dx=0.5, dy=0.25, **settings)
    found = values(code(app, NAME))
    report = run(
        network=network,
        drawing=CROSS,
        squeeze=0.7,
        shift_1=0.5,
        shift_2=0.25,
        n_samples=40,
        seed=3,
    )
    for name in ("ess", "max_weight", "k_hat", "elbo", "bound", "log_marginal"):
        assert found[name] == pytest.approx(getattr(report, name), rel=1e-8), name


@pytest.mark.parametrize("answer", xray.ANSWERS)
def test_the_explanation_waits_for_a_prediction(answer):
    texts = lesson.load(NAME).parts
    app = open_page(NAME)
    told = [texts["why"].split("$")[0], texts[f"answer_{answer}"]]
    assert not any(part in text for part in told for text in prose(app))
    predict(app, answer)
    assert_no_error(app)
    assert all(any(part in text for text in prose(app)) for part in told)


def test_the_network_in_the_message_is_the_one_that_ships():
    _, arrays = scene(open_page(NAME, network="elbo"), "xray")
    model = xray.network("elbo")
    for part, of in (("encoder", model.encoder), ("decoder", [model.decoder, model.likelihood])):
        count = sum(p.numel() for each in of for p in each.parameters())
        assert len(arrays[part]) == count
    np.testing.assert_array_equal(
        arrays["decoder"][-64:], model.likelihood.logits.bias.detach().numpy()
    )
