"""What the live picture shows, and what it costs: frames, loss points, pauses, training speed.

Opens *Train* in headless Chromium and plays, with one run and with eight at once (the first is
drawn by the browser; the others are polled as a browser polls, since eight readers sit at eight
machines; ``--browsers`` draws more of them here). Before and after it, the same settings are
trained without a server, slices and looks, in as many worker processes. Then slicing alone, on
Burda's net: a live run against one call of ``advance``, in turns.

    python benchmarks/live.py [--seconds 10] [--runs 1 8] [--browsers 1] [--skip-slicing]

Target on two cores: 30 drawn frames/s, 10 loss points/s, a pause seen within 150 ms, 90 % of the
training speed kept with the picture, 95 % kept by slices.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium
import serving
from playwright.sync_api import sync_playwright

from iwae_core.runtime import executor, looks
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.wire import unpack
from iwae_core.training import TrainConfig, advance, begin

TARGETS = {"drawn": 30, "loss_points": 10, "pause_ms": 150, "kept": 0.9, "kept_by_slices": 0.95}
POLL_SECONDS = 0.05
ROOT = "document.querySelector('.lab-train')"

# Presses Pause: when the first frame after it is drawn, which stands where it was pressed (as a
# browser test holds), and when the server has said where the run stands and the picture is there.
PAUSE = """
async () => {
  const root = document.querySelector(".lab-train");
  const button = [...root.querySelectorAll("button")].find((b) => b.textContent === "Pause");
  const pressed = performance.now();
  button.click();
  let [frozen, stands] = [null, null];
  while (stands === null && performance.now() - pressed < 20000) {
    await new Promise(requestAnimationFrame);
    if (button.textContent === "Play") frozen ??= performance.now() - pressed;
    if (root.dataset.mode === "paused") stands = performance.now() - pressed;
  }
  return [frozen, stands];
}
"""


def in_one_go(config: TrainConfig, seconds: float) -> float:
    """Steps per second of one call after another, in a worker process, without looking."""
    state = advance(begin(config), 3).state
    n_steps, taken, spent, began = 5, 0, 0.0, time.perf_counter()
    while spent < seconds:
        state = advance(state, n_steps).state
        taken += n_steps
        spent = time.perf_counter() - began
        n_steps = max(5, round(taken / spent * seconds / 3))  # a third of the time at a call
    return taken / spent


def headless(config: TrainConfig, n_runs: int, seconds: float) -> float:
    """Steps per second of all runs together, as many at a time as there are cores."""
    pool = executor.local(min(n_runs, executor.n_cores()))
    try:
        executor.warm(pool)
        jobs = [
            pool.submit(in_one_go, config, seconds) for _ in range(min(n_runs, executor.n_cores()))
        ]
        return sum(job.result() for job in jobs)
    finally:
        pool.shutdown()


class Page:
    """One reader of the Train page, with a run of their own."""

    def __init__(self, browser, url: str, query: str) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 1700})
        runs: list[str] = []
        self.page.on(
            "request", lambda sent: runs.append(sent.url) if "/live/" in sent.url else None
        )
        self.page.goto(f"{url}/train{query}")
        self.page.wait_for_function(f"{ROOT}?.dataset.held", timeout=60_000)
        self.route = runs[-1].split("?")[0]

    def press(self, name: str) -> None:
        """Press a button of the picture."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def counts(self) -> dict[str, float]:
        """What the page has drawn so far, and when."""
        found = self.page.evaluate(f"({{ ...{ROOT}.dataset, now: performance.now() }})")
        names = ("painted", "distinct", "glances", "points", "now")
        return {name: float(found[name]) for name in names}

    def pause(self) -> dict[str, float]:
        """Milliseconds from the press to a picture that stands, and to where the run stands."""
        frozen, stands = self.page.evaluate(PAUSE)
        return {"frozen": frozen, "run_stands": stands}


def where(route: str) -> int:
    """Step of a run, asked as a browser asks."""
    meta, _ = unpack(
        httpx.get(route, params={"seen": 2**40, "steps": 2**40, "generation": 1}).content
    )
    return meta["step"]


@contextlib.contextmanager
def polled(routes: list[str]):
    """Keep runs alive as their readers' browsers would."""
    over = threading.Event()

    def poll(route: str) -> None:
        since = news = -1
        with httpx.Client() as client:
            while not over.wait(POLL_SECONDS):
                names = ("steps", "seen", "held", "deep")
                query = {"generation": 1, "news": news} | dict.fromkeys(names, since)
                meta, _ = unpack(client.get(route, params=query).content)
                since, news = meta["step"], meta["news"]

    threads = [threading.Thread(target=poll, args=(route,)) for route in routes]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def watched(browser, url: str, query: str, n_runs: int, n_drawn: int, seconds: float) -> dict:
    """Play so many runs; what the first page shows, and the speed of all."""
    pages = [Page(browser, url, query) for _ in range(n_runs)]
    routes = [page.route for page in pages]
    for page in pages:
        page.press("Play")
    for page in pages[n_drawn:]:
        page.page.goto("about:blank")  # its run goes on while it is polled
    first = pages[0]
    with polled(routes[n_drawn:]):
        first.page.wait_for_timeout(3000)
        steps, before = [where(route) for route in routes], first.counts()
        first.page.wait_for_timeout(1000 * seconds)
        after, ends = first.counts(), [where(route) for route in routes]
        spent = (after["now"] - before["now"]) / 1000
        rate = {name: (after[name] - before[name]) / spent for name in after}
        pauses = []
        for _ in range(5):
            pauses.append(first.pause())
            first.press("Play")
            first.page.wait_for_timeout(700)
        first.press("Pause")
    for page in pages:
        page.page.close()
    return {
        "drawn_frames_per_second": round(rate["painted"], 1),
        "distinct_frames_per_second": round(rate["distinct"], 1),
        "glances_per_second": round(rate["glances"], 1),
        "loss_points_per_second": round(rate["points"], 1),
        "pause_frozen_ms": round(max(each["frozen"] for each in pauses)),
        "pause_run_stands_ms": round(statistics.median(each["run_stands"] for each in pauses)),
        "steps_per_second": round(sum(ends[i] - steps[i] for i in range(n_runs)) / spent, 1),
    }


def end_of_slice(run: LiveRun, seconds: float) -> None:
    """Watch a run for so long, then until a slice ends: what is under way counts for nothing."""
    began, at = time.perf_counter(), None
    while at is None or run.status().step == at:
        if time.perf_counter() - began < seconds:
            run.poll()
            time.sleep(0.05)
        else:
            at = run.status().step if at is None else at
            time.sleep(0.0005)


def slicing(config: TrainConfig, seconds: float, look: bool) -> dict:
    """A live run against one call, in the same worker process, in turns."""
    if not look:
        looks._GLANCE_SHARE = looks._FRAME_SHARE = looks._DEEP_SHARE = 1e-9
    pool = executor.local(1)
    executor.warm(pool)
    run = LiveRun(config, pool)
    kept = []
    for _ in range(3):
        whole = pool.submit(in_one_go, config, seconds).result()
        run.play()
        end_of_slice(run, 2.0)
        began, first = time.perf_counter(), run.status().step
        end_of_slice(run, seconds)
        kept.append((run.status().step - first) / (time.perf_counter() - began) / whole)
        run.pause()
    run.close()
    pool.shutdown()
    return {"K": config.n_samples, "looks": look, "kept": [round(share, 3) for share in kept]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--browsers", type=int, default=1, help="how many runs Chromium draws")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--skip-slicing", action="store_true")
    parser.add_argument("--skip-watching", action="store_true")
    options = parser.parse_args()
    result: dict = {"targets": TARGETS, "cores": executor.n_cores(), "watched": [], "slicing": []}
    config = TrainConfig(
        dataset=options.dataset,
        learning_rate=0.002,
        seed=1,
        hidden=(200, 200) if "mnist" in options.dataset else (100, 100),
    )
    for n_runs in [] if options.skip_watching else options.runs:
        before = headless(config, n_runs, options.seconds)
        with serving.serve() as server, sync_playwright() as playwright:
            server.wait_until_warm()
            browser = playwright.chromium.launch(
                executable_path=chromium.find(), args=chromium.ARGUMENTS
            )
            found = watched(
                browser,
                server.url,
                f"?data={options.dataset}&opens=still",
                n_runs,
                min(n_runs, options.browsers),
                options.seconds,
            )
        alone = (before + headless(config, n_runs, options.seconds)) / 2
        kept = round(found["steps_per_second"] / alone, 3)
        found |= {"headless_steps_per_second": round(alone, 1), "kept": kept}
        result["watched"].append({"runs": n_runs, **found})
    folder = os.environ.get("IWAE_LAB_DATA")
    dataset = "mnist" if folder else "digits"
    for look in [] if options.skip_slicing else [True, False]:
        for K in (1, 5, 50):
            burda = TrainConfig(dataset=dataset, hidden=(200, 200), latent_dim=50, n_samples=K)
            result["slicing"].append({"dataset": dataset, **slicing(burda, options.seconds, look)})
    print(json.dumps(result))


if __name__ == "__main__":
    main()
