"""How long a reader waits: from a control released to its figure drawn, in headless Chromium.

Starts the app and measures the first picture of the home page right after the server is up. Then,
on each page, and on each part of a lesson in parts, it prints, as JSON, p50 and p95 of two waits:
`slider`, from the release of the key that moves the first slider by a stop to the first display
frame after the last figure has been painted (Streamlit itself waits about 200 ms before it sends a
slider moved by keys), and `handle`, from the release of a scene's first handle to the exact report
of its new state.

    python benchmarks/page_latency.py [--pages NAME ...] [--moves 30]

Target: p95 at most 250 ms; the first picture at most 2 s after the server is up.
"""

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, TimeoutError, sync_playwright

from iwae_core.ui.lessons import LESSONS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium
import serving

TARGET_MS = 250.0
PAUSE_S = 0.4  # between two moves, so that each is one rerun of its own

# Every drawing of ours counts up `data-painted` when it has drawn.
WATCH = """() => {
  window.labReleased = null;
  window.labWaits = [];
  addEventListener("keyup", () => { window.labReleased = performance.now(); }, true);
  new MutationObserver(() => requestAnimationFrame(() => {
    if (window.labReleased !== null) window.labLast = performance.now() - window.labReleased;
  })).observe(document.body, { subtree: true, attributeFilter: ["data-painted"] });
}"""


def move(page: Page, key: str) -> float | None:
    """Press a key on the first slider; milliseconds to the last figure painted, None if none."""
    slider = page.locator("input[type=range]").first
    page.evaluate("window.labLast = null")
    slider.press(key)
    with contextlib.suppress(TimeoutError):
        page.wait_for_function("window.labLast !== null", timeout=3000)
    time.sleep(PAUSE_S)  # for the page's other figures
    return page.evaluate("window.labLast")


def wait_for_a_drawing(page: Page, seconds: float = 20) -> bool:
    """Wait for the first drawing of the page; False if it has none."""
    try:
        page.locator("[data-painted]").first.wait_for(state="attached", timeout=1000 * seconds)
    except TimeoutError:
        return False
    return True


def measure_slider(page: Page, n_moves: int) -> dict:
    """Move the first slider up and down ``n_moves`` times."""
    if not page.locator("input[type=range]").count() or not page.locator("[data-painted]").count():
        return {"moves": 0, "why": "no slider, or no figure that a slider changes"}
    page.evaluate(WATCH)
    move(page, "ArrowRight")  # the first one compiles; it is not counted
    keys = ["ArrowRight", "ArrowLeft"]
    waits = [move(page, keys[number // 3 % 2]) for number in range(n_moves)]
    drawn = [wait for wait in waits if wait is not None]
    if not drawn:
        return {"moves": 0, "why": "the first slider changes no figure"}
    return summary(drawn)


# Drags the first handle to and fro, one release each, and waits for the report of the new state.
RELEASE = """async (n) => {
  const scene = document.querySelector(".lab-scene");
  const waits = [];
  for (let i = 0; i <= n; i++) {
    const knob = scene.querySelector(".lab-knob");
    knob.setPointerCapture = () => {}; // a made-up pointer cannot be captured
    const box = knob.getBoundingClientRect();
    const at = (kind, dx) => knob.dispatchEvent(new PointerEvent(kind, {
      bubbles: true, button: 0, pointerId: 1, isPrimary: true,
      clientX: box.left + 22 + dx, clientY: box.top + 22,
    }));
    const before = Number(scene.dataset.settled);
    at("pointerdown", 0);
    at("pointermove", i % 2 ? -45 - i : 45 + i);
    await new Promise(requestAnimationFrame);
    const began = performance.now();
    at("pointerup", 0);
    const arrived = () => Number(scene.dataset.settled) > before;
    while (!arrived() && performance.now() - began < 5000) {
      await new Promise(requestAnimationFrame);
    }
    if (i && arrived()) waits.push(performance.now() - began); // the first one compiles
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return waits;
}"""


def summary(waits: list[float]) -> dict:
    """What is printed of a list of milliseconds."""
    p50, p95 = np.percentile(waits, [50, 95])
    return {
        "moves": len(waits),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "target_p95_ms": TARGET_MS,
        "met": bool(p95 <= TARGET_MS),
    }


def parts(page: Page) -> list[str]:
    """Names of the lesson's parts, as its switch reads; one empty name for a page without."""
    found = page.get_by_role("radiogroup", name="Part").get_by_role("radio").all_inner_texts()
    return [name.strip() for name in found] or [""]


def turn_to(page: Page, part: str) -> None:
    """Choose a part and wait until it stands still."""
    if part:
        page.get_by_role("radiogroup", name="Part").get_by_role("radio", name=part).click()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    wait_for_a_drawing(page)
    time.sleep(1)


def measure_handle(page: Page, n_moves: int) -> dict:
    """Drag and release the first handle of the page's scene ``n_moves`` times."""
    if not page.locator(".lab-scene .lab-knob").count():
        return {"moves": 0, "why": "no scene with a handle"}
    waits = page.evaluate(RELEASE, n_moves)
    return summary(waits) if waits else {"moves": 0, "why": "the first handle has no report"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", nargs="+", default=[lesson.name for lesson in LESSONS])
    parser.add_argument("--moves", type=int, default=30, help="per page")
    options = parser.parse_args()
    path = chromium.find()
    if path is None:
        raise SystemExit("no Chromium found; IWAE_LAB_CHROMIUM names one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        with serving.serve() as server:
            up = time.perf_counter()
            page.goto(server.url)
            page.get_by_role("heading", level=1).first.wait_for()
            title_s = time.perf_counter() - up
            drawn = wait_for_a_drawing(page)
            picture_s = round(time.perf_counter() - up, 2) if drawn else None
            server.wait_until_warm()
            results = {}
            for name in options.pages:
                page.goto(f"{server.url}/{'' if name == 'home' else name}")
                page.get_by_role("heading", level=1).first.wait_for()
                page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
                for part in parts(page):
                    turn_to(page, part)
                    results[f"{name}: {part}" if part else name] = {
                        "slider": measure_slider(page, options.moves),
                        "handle": measure_handle(page, options.moves),
                    }
        browser.close()
    first = {"title_s": round(title_s, 2), "picture_s": picture_s, "target_s": 2.0}
    print(json.dumps({"after_server_up": first, "pages": results}))


if __name__ == "__main__":
    main()
