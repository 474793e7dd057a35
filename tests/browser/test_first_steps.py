"""The Train page at its own opening: it takes its first steps, and whoever presses takes over."""

import pytest

from iwae_core.training import TrainConfig
from iwae_core.ui import first_steps

PATIENCE_MS = 90_000


def opened(visitor, query):
    page = visitor.open("train", query)
    page.wait_for_function("document.querySelector('.lab-train')?.dataset.held")
    return page


def until(page, condition):
    picture = "document.querySelector('.lab-train').dataset"
    page.wait_for_function(f"(({{mode, step}}) => {condition})({picture})", timeout=PATIENCE_MS)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_first_picture_is_full_and_nothing_of_it_is_kept(visit, motion):
    page = opened(visit(reduced_motion=motion), "?data=moons&latents=2&opens=moving")
    until(page, "mode === 'paused' && step === '300'")
    assert "Paused after its first steps" in page.locator(".lab-train-status").inner_text()
    assert int(page.locator(".lab-train").get_attribute("data-painted")) > 0
    assert "run=" not in page.url
    press(page, "Start over")
    until(page, "mode === 'paused' && step === '0'")


def test_a_press_takes_over_at_once(visit):
    # Dear steps, so that a hand is faster than all of them.
    page = opened(visit(), "?opens=moving&K=100&batch=200")
    of_all = first_steps.n_steps((TrainConfig(hidden=(100, 100), n_samples=100, batch_size=200),))
    press(page, "Pause")
    until(page, "mode === 'paused'")
    at = int(page.locator(".lab-train").get_attribute("data-step"))
    assert at < of_all
    press(page, "Step")
    until(page, f"mode === 'paused' && step === '{at + 1}'")


def test_a_run_that_diverges_at_once_says_so_in_words(visit):
    page = opened(visit(), "?rate=0.2&activation=relu")
    press(page, "Step")
    until(page, "mode === 'paused' && step === '1'")
    words = page.locator(".lab-train-status")
    words.get_by_text("held-out bounds are not finite: the run has diverged").wait_for()
    page.get_by_text("Weights of one datapoint: no longer numbers").wait_for()
    press(page, "Play")
    until(page, "mode === 'stopped'")
    words.get_by_text("stopped at step 2: the log weights are no longer finite").wait_for()
    assert "NaN" not in page.locator(".lab-train").inner_text()
