"""What the live picture shows, and what it costs: frames, loss points, pauses, training speed.

Opens *Train* in headless Chromium and plays, with one run and with eight at once (the first is
drawn by the browser; the others are polled as a browser polls, since eight readers sit at eight
machines; ``--browsers`` draws more of them here). Before and after it, the same settings are
trained without a server, slices and looks, in as many worker processes. What slices cost by
themselves is ``slicing.py``.

Where the cores' time goes is told by the processor's clock: to the workers that train, to the
server, to Chromium by kind of process (without a GPU it draws in software), and to this script.

    python benchmarks/live.py [--seconds 10] [--runs 1 8] [--browsers 1]

Target on two cores: 30 drawn frames/s, 10 loss points/s, a pause seen within 150 ms, 90 % of the
training speed kept with the picture.
"""

import argparse
import contextlib
import json
import statistics
import sys
import threading
import time
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium
import serving
from playwright.sync_api import sync_playwright

from iwae_core.runtime import executor
from iwae_core.runtime.wire import unpack
from iwae_core.training import TrainConfig, advance, begin

TARGETS = {"drawn": 30, "loss_points": 10, "pause_ms": 150, "kept": 0.9}
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


def cpu_seconds(server: psutil.Process) -> dict[str, float]:
    """CPU time used so far by each kind of process that shares the cores."""
    workers = {each.pid for each in server.children(recursive=True)}
    found: dict[str, float] = {}
    everyone = [psutil.Process(), *psutil.Process().children(recursive=True)]
    for each in everyone:
        with contextlib.suppress(psutil.NoSuchProcess):
            line, times = " ".join(each.cmdline()), each.cpu_times()
            if each.pid == server.pid:
                kind = "server"
            elif each.pid in workers:
                kind = "workers"
            elif "--type=" in line:
                kind = "chromium_" + line.split("--type=")[1].split()[0].replace("-", "_")
            elif "chrom" in each.name():
                kind = "chromium_browser"
            else:
                kind = "this_script"
            found[kind] = found.get(kind, 0.0) + times.user + times.system
    return found


def shares(before: dict[str, float], after: dict[str, float], seconds: float) -> dict[str, float]:
    """Of all the time of the cores, what each kind of process took; dead ones are left out."""
    whole = seconds * executor.n_cores()
    spent = {kind: (after[kind] - before.get(kind, 0.0)) / whole for kind in after}
    return {kind: round(share, 3) for kind, share in sorted(spent.items()) if share >= 0.0005}


def watched(
    browser, server: serving.Server, query: str, n_runs: int, n_drawn: int, seconds: float
) -> dict:
    """Play so many runs; what the first page shows, and the speed of all."""
    url, process = server.url, psutil.Process(server.process.pid)
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
        used = cpu_seconds(process)
        first.page.wait_for_timeout(1000 * seconds)
        taken = shares(used, cpu_seconds(process), seconds)
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
        "shares_of_the_cores": taken,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--browsers", type=int, default=1, help="how many runs Chromium draws")
    parser.add_argument("--dataset", default="digits")
    options = parser.parse_args()
    result: dict = {"targets": TARGETS, "cores": executor.n_cores(), "watched": []}
    config = TrainConfig(
        dataset=options.dataset,
        learning_rate=0.002,
        seed=1,
        hidden=(200, 200) if "mnist" in options.dataset else (100, 100),
    )
    for n_runs in options.runs:
        before = headless(config, n_runs, options.seconds)
        with serving.serve() as server, sync_playwright() as playwright:
            server.wait_until_warm()
            browser = playwright.chromium.launch(
                executable_path=chromium.find(), args=chromium.ARGUMENTS
            )
            found = watched(
                browser,
                server,
                f"?data={options.dataset}&opens=still",
                n_runs,
                min(n_runs, options.browsers),
                options.seconds,
            )
        alone = (before + headless(config, n_runs, options.seconds)) / 2
        kept = round(found["steps_per_second"] / alone, 3)
        found |= {"headless_steps_per_second": round(alone, 1), "kept": kept}
        result["watched"].append({"runs": n_runs, **found})
    print(json.dumps(result))


if __name__ == "__main__":
    main()
