"""The rules of every lesson, part by part: predict first, scenes with a why, a link, code."""

import ast
import re

import numpy as np
import pytest
from harness import (
    assert_no_error,
    code,
    open_page,
    predict,
    prose,
    set_by_the_script,
    until,
    with_more,
)

from iwae_core.runtime.wire import unpack
from iwae_core.ui import (
    better_board,
    better_mixtures,
    better_rare,
    better_ratio,
    bound_coins,
    bound_jensen,
    bound_ways,
    canvas,
    failing_flag,
    failing_lift,
    failing_lucky,
    failing_tails,
    gradients_backward,
    gradients_fans,
    gradients_samples,
    gradients_snr,
    lesson,
    posterior_best,
    posterior_digits,
    posterior_drag,
    tightness,
    weighting,
)
from iwae_core.ui.fields import FloatField

PARTS = {
    ("borrowed_samples", ""): weighting,
    ("when_weights_fail", "tails"): failing_tails,
    ("when_weights_fail", "lucky"): failing_lucky,
    ("when_weights_fail", "how_many"): failing_flag,
    ("when_weights_fail", "lift"): failing_lift,
    ("better_proposals", "ratio"): better_ratio,
    ("better_proposals", "mixtures"): better_mixtures,
    ("better_proposals", "rare"): better_rare,
    ("better_proposals", "board"): better_board,
    ("elbo_to_iwae", "coins"): bound_coins,
    ("elbo_to_iwae", "jensen"): bound_jensen,
    ("elbo_to_iwae", "curve"): tightness,
    ("elbo_to_iwae", "three_ways"): bound_ways,
    ("posterior_used", "drag"): posterior_drag,
    ("posterior_used", "trained"): posterior_best,
    ("posterior_used", "digits"): posterior_digits,
    ("gradients", "samples"): gradients_samples,
    ("gradients", "fans"): gradients_fans,
    ("gradients", "snr"): gradients_snr,
    ("gradients", "backward"): gradients_backward,
}
BY_FLAG = ("when_weights_fail", "how_many")  # there the flag is the prediction
SEEDS = {("when_weights_fail", "lucky"): "run"}  # names of seeds that are not "seed"
every_part = pytest.mark.parametrize(
    ("page", "part"), PARTS, ids=[f"{page}-{part}" if part else page for page, part in PARTS]
)


def opened(page, part, **query):
    return open_page(page, **({"part": part} if part else {}), **query)


def words_of(text):
    """The longest run of plain words of a text, without formulas, live numbers and marks."""
    return max(re.split(r"\$[^$]*\$|\$\$|[:{}\[\]*\n\\]", text), key=len).strip()


def sent(app):
    """What the page's scene was sent, but for the count of messages; None while a worker works."""
    found = [
        unpack(element.proto.bytes)[0]
        for element in app.get("bidi_component")
        if element.proto.component_name.startswith(canvas.PREFIX)
    ]
    return {**found[0], "echo": 0} if found else None


@every_part
def test_the_reason_waits_for_the_prediction_and_each_answer_is_answered(page, part):
    texts, before = lesson.load(page).parts, f"{part}_" if part else ""
    why = words_of(texts[f"{before}why"])
    app = opened(page, part)
    assert_no_error(app)
    assert not any(why in text for text in prose(app))
    if (page, part) == BY_FLAG:
        app = opened(page, part, shown=1)
        assert not app.exception
        return
    (question,) = [
        group for group in app.get("button_group") if "Predict first" in group.proto.label
    ]
    given = [name.removeprefix(f"{before}answer_") for name in texts if f"{before}answer_" in name]
    assert len(given) == len(question.options) == 3
    told = set()
    for answer in given:
        predict(app, answer)
        assert_no_error(app)
        said = prose(app)
        assert any(words_of(texts[f"{before}answer_{answer}"]) in text for text in said)
        assert any(why in text for text in said)
        told.add(texts[f"{before}answer_{answer}"])
    assert len(told) == 3  # each misconception has its own word


@every_part
def test_every_scene_says_why_and_is_a_link(page, part):
    module = PARTS[page, part]
    app = opened(page, part)
    texts, before = lesson.load(page).parts, f"{part}_" if part else ""
    tells = (page, part) != BY_FLAG  # else a reason would give the answer away
    if tells:
        predict(app, next(n for n in texts if f"{before}answer_" in n).split("answer_", 1)[1])
    assert len(module.SCENES) >= 2
    for name, scene in module.SCENES.items():
        _scene_of(app).set_value(name).run()
        assert_no_error(app)
        assert not app.warning
        assert (scene.why in [caption.value for caption in app.caption]) == tells
        assert len(scene.why) > 40
        link = {key: np.ravel(value)[0] for key, value in dict(app.query_params).items()}
        again = open_page(page, **link)
        assert_no_error(again)
        assert not again.warning
        assert _scene_of(again).value == _scene_of(app).value == name
        for one in (app, again):
            until(one, lambda one=one: sent(one))  # some are worked out by a worker
        assert sent(again) == sent(app), name


# Questions about another scene than the one a part opens on, and the scene.
OFFERS = {
    ("borrowed_samples", ""): "too_narrow",
    ("when_weights_fail", "tails"): "looks_fine",
    ("better_proposals", "board"): "one_mode",
    ("elbo_to_iwae", "jensen"): "breaks",
    ("elbo_to_iwae", "three_ways"): "exact",
    ("posterior_used", "drag"): "one_mode",
    ("gradients", "samples"): "far",
    ("gradients", "fans"): "tight",
}


@pytest.mark.parametrize(("page", "part"), OFFERS)
def test_an_answer_offers_the_scene_that_was_asked_about(page, part):
    app = opened(page, part)
    before = f"{part}_" if part else ""
    texts = lesson.load(page).parts
    assert not [button for button in app.button if "Show me" in button.label]
    predict(app, next(n for n in texts if f"{before}answer_" in n).split("answer_", 1)[1])
    assert _scene_of(app).value != OFFERS[page, part]
    (offer,) = [button for button in app.button if "Show me" in button.label]
    offer.click().run()
    assert_no_error(app)
    assert _scene_of(app).value == OFFERS[page, part]


def _scene_of(app):
    (choice,) = [choice for choice in app.selectbox if choice.label == "Scene"]
    return choice


@every_part
def test_the_code_is_whole_and_follows_the_seed(page, part):
    name = f"{page}_{part}" if part else page
    seed = SEEDS.get((page, part), "seed")
    scripts = [code(opened(page, part, **{seed: value}), name) for value in (1, 2)]
    for script in scripts:
        ast.parse(script)
        assert "from iwae_core" in script
        assert not re.search(r"\{\{|\bTODO\b", script)
    assert scripts[0] != scripts[1]


@every_part
def test_a_run_of_the_page_sets_no_control_that_stands_as_it_should(page, part):
    app = with_more(opened(page, part), page)
    assert not set_by_the_script(app.run())
    seed = SEEDS.get((page, part), "seed")
    (control,) = [box for box in app.number_input if box.key == f"{page}.{seed}"]
    control.set_value(3).run()
    assert_no_error(app)
    assert set(set_by_the_script(app)) <= {"Scene"}  # no scene has that seed


@every_part
@pytest.mark.parametrize("end", ["low", "high"])
def test_whatever_is_drawn_to_an_end_of_its_range_leaves_a_page(page, part, end):
    fields = [f for f in vars(PARTS[page, part]).values() if isinstance(f, FloatField)]
    for field in fields:
        app = opened(page, part, **{field.name: str(getattr(field, end))})
        assert_no_error(app)
