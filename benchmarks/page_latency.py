"""How long a reader waits: from a control released to its figure drawn, in headless Chromium.

Starts the app and measures the first picture of the home page right after the server is up. Then,
on each part of each page, with the box "More" open and the prediction made, it moves every control
again and again: sliders by keys, handles by the pointer and by keys, buttons of the scenes,
choices. For each it prints, as JSON, p50 and p95 of two waits that begin at the release:
`report_ms`, to the first display frame with the exact numbers, and `picture_ms`, to the one in
which the last figure stands still.

    python benchmarks/page_latency.py [--pages NAME ...] [--parts WORDS ...] [--kinds KIND ...]
        [--controls NAME ...] [--moves 20]

Target: the p95 of `picture_ms` at most 250 ms for each control; of `report_ms` for the buttons of
a scene, which may show at leisure what they do. The first picture at most 2 s after the server is
up.
"""

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import page_moves
from playwright.sync_api import Page, TimeoutError, sync_playwright

from iwae_core.ui.lessons import LESSONS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium
import serving

TARGET_MS = 250.0
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
STANDS = "!document.querySelector('.lab-scene:not([data-settled])')"


def summary(kind: str, waits: list[page_moves.Wait | None]) -> dict:
    """What is printed of a control."""
    answered = [wait for wait in waits if wait is not None]
    if not answered:
        return {"moves": 0, "why": "it changes no figure"}
    found: dict = {"moves": len(answered)}
    for name, values in zip(("report_ms", "picture_ms"), zip(*answered, strict=True), strict=True):
        p50, p95 = np.percentile(values, [50, 95])
        found[name] = {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}
    judged = "report_ms" if kind == "button" else "picture_ms"
    return {**found, "met": found[judged]["p95"] <= TARGET_MS}


def wait_for_a_drawing(page: Page, seconds: float = 20) -> bool:
    """Wait for the first drawing of the page; False if it has none."""
    try:
        page.locator("[data-painted]").first.wait_for(state="attached", timeout=1000 * seconds)
    except TimeoutError:
        return False
    return True


def stands(page: Page) -> None:
    """Wait until the page's script has run and its scenes are at rest."""
    page.locator(IDLE).wait_for(timeout=30_000)
    with contextlib.suppress(TimeoutError):  # a page that plays by itself
        page.wait_for_function(STANDS, timeout=5000)


def parts(page: Page) -> list[str]:
    """Names of the lesson's parts, as its switch reads; one empty name for a page without."""
    switch = page.get_by_role("radiogroup", name="Part", exact=True)
    return [name.strip() for name in switch.get_by_role("radio").all_inner_texts()] or [""]


def turn_to(page: Page, part: str) -> None:
    """Choose a part, answer its question, open its rarer controls, and wait until it stands."""
    if part:
        switch = page.get_by_role("radiogroup", name="Part", exact=True)
        switch.get_by_role("radio", name=part, exact=True).click()
        stands(page)
    wait_for_a_drawing(page, 3)
    for question in page.get_by_role("radiogroup", name="Predict first").all():
        question.get_by_role("radio").first.click()
        stands(page)
    more = page.locator("[data-testid=stExpander] summary").filter(has_text="More")
    if more.count():
        more.first.click()
    time.sleep(0.5)
    stands(page)


def measure(page: Page, options: argparse.Namespace) -> dict:
    """Move every control of the part that the options ask for."""
    results = {}
    drawn = page.locator("[data-painted]").count() > 0
    for kind in options.kinds:
        if drawn:  # what the last control asked of a worker is there before the next one is found
            wait_for_a_drawing(page)
        stands(page)
        for control in page_moves.controls(page, kind):
            if options.controls and control.name not in options.controls:
                continue
            page_moves.wait(page, control.move, 0)  # the first one compiles; it is not counted
            waits = []
            for number in range(1, options.moves + 1):
                waits.append(page_moves.wait(page, control.move, number))
                if waits == [None, None]:
                    break
            results[f"{kind}: {control.name}"] = summary(kind, waits)
    return results


def first_picture(page: Page, server: serving.Server) -> dict:
    """Seconds from the server being up to the home page's title and picture."""
    up = time.perf_counter()
    page.goto(server.url)
    page.get_by_role("heading", level=1).first.wait_for(timeout=30_000)
    title_s = time.perf_counter() - up
    drawn = wait_for_a_drawing(page)
    picture_s = round(time.perf_counter() - up, 2) if drawn else None
    return {"title_s": round(title_s, 2), "picture_s": picture_s, "target_s": 2.0}


def visit(page: Page, server: serving.Server, options: argparse.Namespace) -> dict:
    """Every part of every page that the options ask for."""
    results = {}
    for name in options.pages:
        page.goto(f"{server.url}/{'' if name == 'home' else name}")
        page.get_by_role("heading", level=1).first.wait_for(timeout=30_000)
        wait_for_a_drawing(page, 5)
        stands(page)
        for part in parts(page):
            title = f"{name}: {part}" if part else name
            if options.parts and not any(words in part for words in options.parts):
                continue
            turn_to(page, part)
            results[title] = measure(page, options)
            print(title, file=sys.stderr)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", nargs="+", default=[lesson.name for lesson in LESSONS])
    parser.add_argument("--parts", nargs="+", help="only those whose names hold these words")
    parser.add_argument(
        "--kinds", nargs="+", choices=page_moves.KINDS, default=list(page_moves.KINDS)
    )
    parser.add_argument("--controls", nargs="+", help="only those of these names")
    parser.add_argument("--moves", type=int, default=20, help="of each control")
    options = parser.parse_args()
    path = chromium.find()
    if path is None:
        raise SystemExit("no Chromium found; IWAE_LAB_CHROMIUM names one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(page_moves.WATCH)
        page.set_default_timeout(5000)  # of a move, for a control that went away
        with serving.serve() as server:
            first = first_picture(page, server)
            server.wait_until_warm()
            pages = visit(page, server, options)
        browser.close()
    missed = [
        f"{part}: {control}"
        for part, found in pages.items()
        for control, figures in found.items()
        if not figures.get("met", True)
    ]
    print(
        json.dumps(
            {
                "after_server_up": first,
                "target_p95_ms": TARGET_MS,
                "missed": missed,
                "pages": pages,
            }
        )
    )


if __name__ == "__main__":
    main()
