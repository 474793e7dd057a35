"""Two runs in lock step in a real browser: play, pause and step, and the numbers are theirs."""

import re
from dataclasses import replace

import numpy as np

from iwae_core.runtime.twin_slices import held_out_row
from iwae_core.training import TrainConfig, advance, begin
from iwae_core.training.twin_look import look

NAME = "twins"
PHONE = {"width": 390, "height": 844}
A = TrainConfig(
    dataset="moons",
    objective="elbo",
    estimator="closed_form_kl",
    n_samples=1,
    latent_dim=2,
    learning_rate=0.002,
    seed=4,
)
B = replace(A, objective="iwae", estimator="reparameterized", n_samples=3)
QUERY = "?data=moons&latents=2&K=3&seed=4"


def shown(page):
    """What the picture says of itself."""
    return page.locator(".lab-pair").evaluate("node => ({...node.dataset})")


def until(page, condition):
    page.wait_for_function(
        f"() => {{ const pair = document.querySelector('.lab-pair'); "
        f"if (!pair) return false; const {{step, mode, samples, row}} = pair.dataset; "
        f"return {condition}; }}"
    )
    return shown(page)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def row_of(found):
    return np.array([float(number) for number in found["row"].split(",")])


def test_both_play_and_pause_at_one_step_and_every_number_is_theirs(visit):
    page = visit().open(NAME, QUERY)
    until(page, "step === '0' && row !== ''")
    press(page, "Play")
    until(page, "Number(step) > 20 && mode === 'playing'")
    press(page, "Pause")
    found = until(page, "mode === 'paused' && row.split(',')[0] === step")
    at = int(found["step"])
    expected = held_out_row(*(look(advance(begin(config), at).state) for config in (A, B)))
    np.testing.assert_allclose(row_of(found), expected, rtol=1e-4, atol=1e-4)
    heading = page.get_by_text("B less A at step").inner_text()
    numbers = re.findall(r"[+\N{MINUS SIGN}]?\d+\.\d\d", heading)
    assert heading == ("B less A at step {}: L₆₄ {} ± {}, L₁ {} ± {} nats".format(at, *numbers))
    apart = [float(text.replace("\N{MINUS SIGN}", "-")) for text in numbers]
    np.testing.assert_allclose(apart, expected[[7, 8, 5, 6]], atol=0.0051)  # two decimals
    press(page, "Step")
    until(page, f"Number(step) === {at + 1}")
    press(page, "Start over")
    until(page, "step === '0' && mode === 'paused'")


def test_k_changes_the_pair_while_it_plays_and_a_reload_finds_it_where_it_stood(visit):
    page = visit(viewport=PHONE).open(NAME, QUERY)
    press(page, "Play")
    until(page, "Number(step) > 2")
    page.get_by_role("slider", name=re.compile("K of B")).focus()
    page.keyboard.press("ArrowRight")
    found = until(page, "samples === '1,4'")
    assert found["mode"] == "playing"
    width = page.evaluate("document.querySelector('.lab-pair').scrollWidth")
    assert width <= PHONE["width"]
    page.wait_for_url(re.compile("K=4.*pair="))
    press(page, "Pause")
    found = until(page, "mode === 'paused' && row.split(',')[0] === step")
    page.reload()
    again = until(page, f"step === '{found['step']}' && row.split(',')[0] === step")
    assert again["samples"] == "1,4"
    assert again["mode"] == "paused"
    # B was changed on the way, and it is said to the bit how both stand.
    np.testing.assert_allclose(row_of(again), row_of(found), rtol=1e-6)


def test_the_page_opens_with_first_steps_whose_curves_wait_for_the_prediction(visit):
    page = visit(reduced_motion="reduce").open(NAME, QUERY + "&opens=moving")
    found = until(page, "step === '300' && mode === 'paused'")
    assert found["covered"] == "true"
    assert "pair=" not in page.evaluate("location.search")
    heading = page.locator(".lab-pair figcaption").nth(1)
    assert heading.inner_text() == "B less A"
    press(page, "Play")  # the button knows that the pair stands, though nobody pressed Pause
    found = until(page, "Number(step) > 300 && pair.dataset.covered === 'false'")
    assert "B less A at step" in heading.inner_text()
    press(page, "Pause")
    page.wait_for_url(re.compile("pair="))


def test_the_likelihood_rows_wait_for_the_predictions(visit):
    page = visit(viewport=PHONE, color_scheme="dark").open(NAME)
    page.get_by_text("Once you have predicted, above.", exact=True).wait_for()
    for name in ("B, the IWAE", "A, the VAE"):  # by mouse, then by keys
        group = page.get_by_role("radio", name=name).or_(
            page.get_by_role("button", name=name, exact=True)
        )
        if name.startswith("B"):
            group.first.click()
        else:
            page.wait_for_url(re.compile("answer_one=b"))
            group.last.focus()
            page.keyboard.press("Space")
    page.locator("[data-name=L_5000]").wait_for()
    box = page.locator(".lab-uses").bounding_box()
    assert box["x"] + box["width"] <= PHONE["width"]
    assert "better, at every seed" in page.locator("[data-name=L_5000] .verdict").inner_text()
