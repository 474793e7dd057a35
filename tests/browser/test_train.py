"""The Train page in a real browser: it trains, holds still, changes in mid-run, and lets go."""

import re
import time

import httpx


class Lab:
    """What a reader sees of the live picture: the numbers it says it has drawn."""

    def __init__(self, visitor, query=""):
        self.page = visitor.open("train", query)
        self.page.wait_for_function("document.querySelector('.lab-train')?.dataset.held")

    def shown(self, name):
        return self.page.locator(".lab-train").get_attribute(f"data-{name}")

    @property
    def step(self):
        return int(self.shown("step"))

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def wait_for(self, condition):
        # Between two pages there is no picture for a moment, hence the empty stand-in.
        picture = "document.querySelector('.lab-train') ?? {dataset: {}}"
        self.page.wait_for_function(f"(({{dataset}}) => {condition})({picture})")


def test_it_trains_on_the_digits_until_the_bound_rises_and_pause_holds(visit):
    lab = Lab(visit())
    untrained = float(lab.shown("held"))
    lab.press("Play")
    lab.wait_for(f"Number(dataset.held) > {untrained} + 2")
    lab.press("Pause")
    lab.wait_for("dataset.mode === 'paused'")
    held = lab.step
    assert held > 10
    time.sleep(1.2)
    assert lab.step == held
    status = lab.page.locator(".lab-train-status").inner_text()
    assert status.startswith(f"Paused · step {held} · K = 5")


def test_K_changes_while_it_runs_and_the_address_follows(visit):
    lab = Lab(visit(), "?data=moons")
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 20")
    slider = lab.page.get_by_role("slider", name=re.compile("K"))
    slider.focus()
    slider.press("ArrowRight")
    lab.wait_for("dataset.samples === '6'")
    before = lab.step
    lab.wait_for(f"dataset.mode === 'playing' && Number(dataset.step) > {before} + 20")
    lab.page.wait_for_url(re.compile(r"K=6"))
    lab.press("Pause")


def test_one_step_by_keyboard_and_start_over_from_the_same_numbers(visit):
    lab = Lab(visit())
    untrained = lab.shown("held")
    lab.page.get_by_role("button", name="Step", exact=True).focus()
    lab.page.keyboard.press("Enter")
    lab.wait_for("dataset.step === '1'")
    lab.press("Start over")
    lab.wait_for("dataset.step === '0' && dataset.mode === 'paused' && dataset.held !== ''")
    assert lab.shown("held") == untrained


def test_leaving_the_page_stops_the_slices_and_coming_back_goes_on(visit):
    visitor = visit()
    lab = Lab(visitor, "?data=moons")
    requests = []
    visitor.page.on("request", lambda request: requests.append(request.url))
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 20")
    visitor.page.get_by_test_id("stSidebarNavLink").filter(has_text="Home").click()
    visitor.wait()
    visitor.page.wait_for_timeout(700)
    requests.clear()
    visitor.page.wait_for_timeout(1200)
    assert not [url for url in requests if "/live/" in url]
    visitor.page.get_by_test_id("stSidebarNavLink").filter(has_text="Train").click()
    visitor.wait()
    lab.wait_for("Number(dataset.step) > 20 && dataset.mode === 'playing'")
    lab.press("Pause")


def test_the_route_answers_only_those_who_know_the_id(server):
    assert httpx.get(f"{server.url}/live/guess").status_code == 404
    assert httpx.post(f"{server.url}/live/guess").status_code == 405


def test_the_picture_fits_a_phone_and_follows_the_dark_theme(visit):
    visitor = visit(viewport={"width": 390, "height": 844}, color_scheme="dark")
    lab = Lab(visitor)
    widths = lab.page.locator(".lab-train canvas").evaluate_all(
        "(all) => all.map((canvas) => canvas.getBoundingClientRect().width)"
    )
    assert len(widths) == 5
    assert all(200 < width <= 390 for width in widths)
    corner = lab.page.locator(".lab-train canvas").first.evaluate(
        "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        ".filter((v, i) => i % 4 === 0 && v > 150).length"
    )
    assert corner > 50  # light ink on the dark page
