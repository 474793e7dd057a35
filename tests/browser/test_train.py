"""The Train page in a real browser: it trains, holds still, changes in mid-run, and lets go."""

import re
import time

import httpx
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout


class Lab:
    """What a reader sees of the live picture: the numbers it says it has drawn."""

    def __init__(self, visitor, query=""):
        self.visitor = visitor
        self.page = visitor.open("train", query)
        self.page.wait_for_function("document.querySelector('.lab-train')?.dataset.held")

    def shown(self, name):
        return self.page.locator(".lab-train").get_attribute(f"data-{name}")

    @property
    def step(self):
        return int(self.shown("step"))

    @property
    def voice(self):
        """What a screen reader says."""
        return self.page.locator(".lab-train [role=status]").inner_text()

    @property
    def bar(self):
        return self.page.get_by_role("slider", name="Step of the run to look at")

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def wait_for(self, condition):
        # Between two pages there is no picture for a moment, hence the empty stand-in.
        picture = "document.querySelector('.lab-train') ?? {dataset: {}}"
        try:
            self.page.wait_for_function(f"(({{dataset}}) => {condition})({picture})")
        except PlaywrightTimeout:
            seen = self.page.evaluate(f"({{...({picture}).dataset}})")
            pytest.fail(f"waited in vain for {condition}; the picture says {seen}")


def test_what_is_scrolled_away_is_not_drawn_while_a_run_moves_and_is_when_it_stands(visit):
    lab = Lab(visit(viewport={"width": 1280, "height": 420}), "?data=moons&latents=2&rate=0.02")
    bars = "document.querySelector('.lab-train figure.kl canvas')"
    lab.page.evaluate("document.querySelector('.lab-transport').scrollIntoView()")
    lab.press("Play")
    lab.wait_for("dataset.mode === 'playing' && Number(dataset.step) > 20")
    # A change of mode or of size may still paint everything once; a movement must not.
    lab.wait_for(
        f"(() => {{ const [now, painted] = [{bars}.toDataURL(), Number(dataset.painted)]; "
        "if (now !== window.before) [window.before, window.since] = [now, painted]; "
        "return painted > window.since + 20; })()"
    )
    lab.page.evaluate(f"{bars}.scrollIntoView()")
    lab.page.wait_for_function(f"{bars}.toDataURL() !== window.before")
    lab.page.evaluate(f"scrollTo(0, 0); window.before = {bars}.toDataURL()")
    lab.page.evaluate("document.querySelector('.lab-transport').scrollIntoView()")
    lab.wait_for(f"Number(dataset.step) > {lab.step} + 100")
    lab.press("Pause")
    lab.wait_for("dataset.mode === 'paused'")
    lab.page.wait_for_function(f"{bars}.toDataURL() !== window.before")


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
    assert status.startswith(f"Paused · step {held:,} · K = 5")
    assert lab.voice.startswith(f"Paused, step {held}.")


def test_K_changes_while_it_runs_and_the_address_follows(visit):
    lab = Lab(visit(), "?data=moons")
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 20")
    slider = lab.page.get_by_role("slider", name=re.compile("^K"))
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


# Presses Pause, and says what the picture did in the next quarter of a second.
PRESS_PAUSE = """
async () => {
  const root = document.querySelector(".lab-train");
  const shown = () => Number(root.dataset.step);
  const button = [...root.querySelectorAll("button")].find((b) => b.textContent === "Pause");
  const before = shown();
  button.click();
  const seen = [];
  for (const began = performance.now(); performance.now() - began < 60; ) {
    await new Promise(requestAnimationFrame);
    seen.push(shown());
  }
  return { before, seen, label: button.textContent };
}
"""


def test_a_pause_shows_in_the_frame_of_the_press_and_space_goes_on(visit):
    lab = Lab(visit(), "?data=moons")
    lab.page.keyboard.press("Space")
    lab.wait_for("Number(dataset.step) > 60 && dataset.mode === 'playing'")
    pressed = lab.page.evaluate(PRESS_PAUSE)
    assert pressed["label"] == "Play"
    # Frozen where it was pressed, until the server has said where the run stands.
    assert pressed["seen"][0] == pressed["before"]
    lab.wait_for("dataset.mode === 'paused'")
    at = lab.step
    assert at >= pressed["before"]
    lab.page.locator(".lab-train button", has_text="Play").blur()
    lab.page.keyboard.press("Space")
    lab.wait_for(f"Number(dataset.step) > {at} && dataset.mode === 'playing'")
    lab.press("Pause")


# Waits for so many redraws of a moving picture, two steps apart at least: where steps are slow, a
# dot moves by less than a pixel shows. How many of them look different.
LOOK_AT_REDRAWS = """
async (count) => {
  const root = document.querySelector(".lab-train");
  const canvas = root.querySelector(".latents canvas");
  const seen = new Set();
  for (let drawn = 0, last = Number(root.dataset.step); drawn < count; ) {
    await new Promise(requestAnimationFrame);
    if (Number(root.dataset.step) < last + 2) continue;
    last = Number(root.dataset.step);
    drawn += 1;
    seen.add(canvas.toDataURL());
  }
  return seen.size;
}
"""


def test_every_redraw_of_a_moving_picture_shows_another_moment(visit):
    lab = Lab(visit(), "?data=moons")
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 3")
    # What is out of sight is not drawn.
    lab.page.evaluate("document.querySelector('.lab-train figure.latents').scrollIntoView()")
    before = int(lab.shown("painted")), int(lab.shown("distinct"))
    assert lab.page.evaluate(LOOK_AT_REDRAWS, 20) >= 10
    painted = int(lab.shown("painted")) - before[0]
    # And most redraws are such: the others bring news to the curves while a dot stands.
    assert int(lab.shown("distinct")) - before[1] > 0.4 * painted
    lab.press("Pause")


# Whether the line says of which step the picture is, where that is another than the one asked for.
HONEST = """
() => {
  const { step, sight } = document.querySelector(".lab-train").dataset;
  const line = document.querySelector(".lab-train-status").textContent;
  const told = /picture of ([\\d,]+)/.exec(line);
  return told ? told[1].replace(",", "") === sight && sight !== step : sight === step;
}
"""


def test_one_looks_back_with_the_bar_and_returns_to_the_present(visit):
    lab = Lab(visit(), "?data=moons")
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 100")
    lab.press("Pause")
    lab.wait_for("dataset.mode === 'paused'")
    at = lab.step
    now = picture(lab)
    lab.bar.focus()
    lab.page.keyboard.press("Home")
    lab.wait_for("dataset.step === '0' && dataset.back === '0' && dataset.sight === '0'")
    status = lab.page.locator(".lab-train-status").inner_text()
    assert status.startswith("Looking back · step 0 · K = 5")
    assert lab.voice.startswith("Looking back, step 0")
    assert lab.page.locator(".lab-place").inner_text() == f"step 0 of {at:,}"
    assert picture(lab) != now
    lab.page.keyboard.press("ArrowRight")
    lab.wait_for("Number(dataset.step) > 0 && Number(dataset.sight) >= 0")
    lab.page.wait_for_function(HONEST)
    lab.press("Live")
    lab.wait_for(f"dataset.step === '{at}' && dataset.back === ''")
    assert picture(lab) == now
    lab.bar.focus()
    lab.page.keyboard.press("PageDown")
    lab.wait_for("dataset.back !== ''")
    lab.page.keyboard.press("Escape")
    lab.wait_for("dataset.back === ''")


def picture(lab):
    return lab.page.locator(".lab-train .latents canvas").evaluate("c => c.toDataURL()")


def test_the_speed_is_what_the_slider_says(visit):
    lab = Lab(visit(), "?data=moons")
    speed = lab.page.get_by_role("slider", name="Speed")
    speed.focus()
    lab.page.keyboard.press("Home")
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowRight")
    assert speed.get_attribute("aria-valuetext") == "10 steps/s"
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 3")
    # The run's own step: the picture follows it with a lag, which it may make up for at once.
    began, first = time.monotonic(), lab.visitor.standing()["step"]
    lab.wait_for(f"Number(dataset.step) > {first + 15}")
    # A machine under load may be slower, never faster; a slice, and what it makes up for, aside.
    assert lab.visitor.standing()["step"] - first <= 10 * (time.monotonic() - began + 1.5)
    lab.press("Pause")


def test_without_motion_the_picture_shows_only_moments_that_were_seen(visit):
    lab = Lab(visit(reduced_motion="reduce"), "?data=moons")
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 60")
    assert not lab.page.evaluate("document.querySelector('.lab-train').dataset.gliding === 'true'")
    lab.press("Pause")
    lab.wait_for("dataset.mode === 'paused'")


def test_leaving_the_page_stops_the_slices_and_coming_back_goes_on(visit):
    visitor = visit()
    lab = Lab(visitor, "?data=moons")
    requests = []
    visitor.page.on("request", lambda request: requests.append(request.url))
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 20")
    visitor.page.get_by_test_id("stSidebarNavLink").filter(has_text="Home").click()
    visitor.page.locator(".lab-train").wait_for(state="detached")
    visitor.wait()
    visitor.page.wait_for_timeout(700)
    requests.clear()
    visitor.page.wait_for_timeout(1200)
    assert not [url for url in requests if "/live/" in url]
    visitor.page.get_by_role("link", name="Train", exact=True).click()
    visitor.wait()
    lab.wait_for("Number(dataset.step) > 20 && dataset.mode === 'playing'")
    lab.press("Pause")


def test_the_route_answers_only_those_who_know_the_id(server):
    for query in ("", "?at=3"):
        answer = httpx.get(f"{server.url}/live/guess{query}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert httpx.post(f"{server.url}/live/guess").status_code == 405


def test_the_picture_fits_a_phone_and_follows_the_dark_theme(visit):
    visitor = visit(viewport={"width": 390, "height": 844}, color_scheme="dark")
    lab = Lab(visitor)
    widths = lab.page.locator(".lab-train canvas").evaluate_all(
        "(all) => all.map((canvas) => canvas.getBoundingClientRect().width)"
    )
    assert len([width for width in widths if width]) == 6  # no manifold of eight latents
    assert all(width == 0 or 200 < width <= 390 for width in widths)
    targets = lab.page.locator(".lab-train :is(button, select, input):visible").evaluate_all(
        "(all) => all.map((node) => node.getBoundingClientRect().height)"
    )
    assert targets
    assert min(targets) >= 44
    corner = lab.page.locator(".lab-train canvas").first.evaluate(
        "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        ".filter((v, i) => i % 4 === 0 && v > 150).length"
    )
    assert corner > 50  # light ink on the dark page


def test_a_picture_that_was_out_of_sight_goes_on_when_it_is_back(visit):
    # On coming back its canvases have no size yet; drawing then failed, and the loop ended.
    lab = Lab(visit())
    lab.press("Play")
    lab.page.evaluate(
        """async () => {
          const frame = () => new Promise(requestAnimationFrame);
          const root = document.querySelector(".lab-train");
          for (let i = 0; i < 60; i++) {
            root.style.display = i % 2 ? "" : "none";
            for (let n = 0; n < 3; n++) await frame();
          }
        }"""
    )
    lab.wait_for(f"Number(dataset.painted) > {lab.shown('painted')} + 3")
    lab.press("Pause")
    lab.wait_for("dataset.mode === 'paused'")
