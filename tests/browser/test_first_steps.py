"""The Train page at its own opening: it takes its first steps, and whoever presses takes over."""

import hands
import pytest
import serving
from playwright.sync_api import expect

from iwae_core.runtime.kept_limits import Limits


def opened(visitor, query):
    page = visitor.open("train", query)
    page.wait_for_function("document.querySelector('.lab-train')?.dataset.held")
    return page


def until(page, condition):
    picture = "document.querySelector('.lab-train').dataset"
    page.wait_for_function(f"(({{mode, step, held}}) => {condition})({picture})")


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_first_picture_is_full_and_nothing_of_it_is_kept(visit, motion):
    page = opened(visit(reduced_motion=motion), "?data=moons&latents=2&opens=moving")
    until(page, "mode === 'paused' && step === '300'")
    expect(page.locator(".lab-train-status")).to_contain_text("Paused after its first steps")
    assert int(page.locator(".lab-train").get_attribute("data-painted")) > 0
    assert "run" not in hands.query(page)
    play = page.get_by_role("button", name="Play", exact=True)
    expect(play).to_have_attribute("title", Limits().about_playing)  # before it is met
    press(page, "Start over")
    until(page, "mode === 'paused' && step === '0'")


def test_a_press_takes_over_at_once(visit, server):
    with server.without_workers():  # so that a hand is faster than all of the steps
        visitor = visit()
        # A seed that no other test has: what was opened before needs no worker.
        page = visitor.open("train", "?data=moons&seed=77&opens=moving")
        page.wait_for_function("document.querySelector('.lab-train')?.dataset.mode === 'playing'")
        press(page, "Pause")
        page.get_by_role("button", name="Play", exact=True).wait_for()
        serving.wait_for(lambda: visitor.standing()["mode"] == "paused", "no pause", server)
    until(page, "mode === 'paused' && held !== ''")
    assert page.locator(".lab-train").get_attribute("data-step") == "0"
    press(page, "Step")
    until(page, "mode === 'paused' && step === '1'")


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
