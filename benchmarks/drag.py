"""How smoothly a scene follows the hand: redraws per second while q is dragged, and memory.

Opens *Borrowed samples* in headless Chromium and drags the peak of q. The pointer moves once for
each frame that the browser offers, so what is counted is what it can draw, not how fast a script
can send events.

With --minutes it then drags on, letting go every few seconds (so every release's report comes
too), and every half minute, after a minute of warming up, forces a collection and takes a snapshot
of the JavaScript heap. V8 keeps the code of every function that has run, and makes faster code of
what runs often, of which there is more in the first minutes of any page. So the heap is told
apart: `code`, and `data`, which is everything that a script can hold (objects, arrays, closures,
strings, numbers). A leak of ours would be data, and grow with the time: what is judged is the
slope of a straight line through its sizes, in MB a minute, with the 95 % interval of the fit.

    python benchmarks/drag.py [--particles 2000 10000] [--seconds 5] [--minutes 0]

Target in headless Chromium on two cores: 55 redraws/s with 2,000 particles, 50 with 10,000; no
growth of data. "No growth" means that the whole interval of the slope lies below 0.02 MB a minute
(0.1 MB in five minutes, 1 kB for each release); where the interval holds 0.02 the run was too
short to tell, and says so.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium
import numpy as np
import serving
from playwright.sync_api import sync_playwright
from scipy import stats

TARGETS = {2_000: 55, 10_000: 50}
TOLERANCE = 0.02  # MB of data a minute
WARM_S = 60.0  # until the first snapshot
EVERY_S = 30.0  # from one snapshot to the next
CODE = {"code", "hidden", "native", "object shape", "synthetic"}  # node types that are not data

# Moves the held handle to and fro, a step for each frame, and counts the frames that were drawn.
DRAG = """
async ([seconds, reach]) => {
  const canvas = document.querySelector(".lab-stage canvas");
  const knob = document.querySelector(".lab-knob[data-name=peak]");
  const box = knob.getBoundingClientRect();
  const [x, y] = [box.left + 22, box.top + 22];
  const at = (kind, dx) => knob.dispatchEvent(new PointerEvent(kind, {
    bubbles: true, button: 0, pointerId: 1, isPrimary: true, clientX: x + dx, clientY: y,
  }));
  knob.setPointerCapture = () => {}; // a made-up pointer cannot be captured
  at("pointerdown", 0);
  const [began, drawn, times] = [performance.now(), canvas.drawn, []];
  let [last, now] = [began, began];
  while (now - began < 1000 * seconds) {
    at("pointermove", reach * Math.sin((now - began) / 250));
    now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  at("pointerup", 0);
  times.sort((one, other) => one - other);
  return {
    redraws_per_second: (canvas.drawn - drawn) / ((now - began) / 1000),
    frame_ms_p95: times[Math.floor(0.95 * times.length)],
  };
}
"""


def drag(page, seconds: float) -> dict:
    """Drag for a while; redraws per second and the time between frames."""
    found = page.evaluate(DRAG, [seconds, 110])
    page.wait_for_selector(".lab-scene[data-fresh=true]", timeout=30_000)
    return {name: round(value, 1) for name, value in found.items()}


# Drags on until told to stop, and lets go every three seconds.
DRAG_ON = """
() => {
  const scene = document.querySelector(".lab-scene");
  const run = (window.labDrag = { on: true, releases: 0 });
  (async () => {
    while (run.on) {
      const knob = scene.querySelector(".lab-knob[data-name=peak]");
      knob.setPointerCapture = () => {};
      const box = knob.getBoundingClientRect();
      const [x, y] = [box.left + 22, box.top + 22];
      const at = (kind, dx) => knob.dispatchEvent(new PointerEvent(kind, {
        bubbles: true, button: 0, pointerId: 1, isPrimary: true, clientX: x + dx, clientY: y,
      }));
      const side = run.releases % 2 ? -1 : 1;
      at("pointerdown", 0);
      const began = performance.now();
      let now = began;
      while (now - began < 3000) {
        at("pointermove", side * 60 * (1 - Math.cos((now - began) / 250)));
        now = await new Promise(requestAnimationFrame);
      }
      at("pointermove", side * (20 + (run.releases % 7)));
      await new Promise(requestAnimationFrame);
      at("pointerup", 0);
      run.releases += 1;
      const until = performance.now() + 5000;
      while (scene.dataset.settled === undefined && performance.now() < until) {
        await new Promise(requestAnimationFrame);
      }
    }
  })();
}
"""


def heap_by_kind(session) -> dict[str, float]:
    """What the heap holds after a collection, in MB: ``data`` and ``code``."""
    chunks: list[str] = []

    def take(event: dict) -> None:
        chunks.append(event["chunk"])

    session.on("HeapProfiler.addHeapSnapshotChunk", take)
    session.send("HeapProfiler.collectGarbage")
    session.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    session.remove_listener("HeapProfiler.addHeapSnapshotChunk", take)
    snapshot = json.loads("".join(chunks))
    meta, nodes = snapshot["snapshot"]["meta"], snapshot["nodes"]
    fields, kinds = meta["node_fields"], meta["node_types"][0]
    width, kind_at, size_at = len(fields), fields.index("type"), fields.index("self_size")
    sizes: Counter[str] = Counter()
    for at in range(0, len(nodes), width):
        kind = kinds[nodes[at + kind_at]]
        if kind == "code" or kind not in CODE:
            sizes["code" if kind == "code" else "data"] += nodes[at + size_at]
    return {name: size / 2**20 for name, size in sizes.items()}


def slope(minutes: list[float], sizes: list[float]) -> dict[str, float]:
    """MB a minute of a straight line through sizes in MB, and its 95 % interval."""
    fit = stats.linregress(minutes, sizes)
    reach = stats.t.ppf(0.975, len(sizes) - 2) * fit.stderr
    ends = {"slope": fit.slope, "low": fit.slope - reach, "high": fit.slope + reach}
    return {name: round(float(value), 4) for name, value in ends.items()}


def verdict(data: dict[str, float]) -> str:
    """What the slope of the data says about growth."""
    if data["high"] < TOLERANCE:
        return "no growth"
    return "growth" if data["low"] > TOLERANCE else "too short to tell"


def weigh(page, minutes: float) -> dict:
    """Drag on for so long, and weigh the heap every half minute."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    page.evaluate(DRAG_ON)
    time.sleep(WARM_S)
    heap_by_kind(session)  # the first snapshot leaves something of its own
    began, at, found = time.monotonic(), [], []
    n_looks = max(4, round(60 * minutes / EVERY_S) + 1)
    for due in np.linspace(0.0, 60 * minutes, n_looks):
        time.sleep(max(0.0, began + due - time.monotonic()))
        at.append((time.monotonic() - began) / 60)
        found.append(heap_by_kind(session))
    releases = page.evaluate(
        "() => { window.labDrag.on = false; return window.labDrag.releases; }"
    )
    sizes = {kind: [look[kind] for look in found] for kind in ("data", "code")}
    slopes = {kind: slope(at, values) for kind, values in sizes.items()}
    return {
        "minutes": round(at[-1], 2),
        "releases": releases,
        "heap_mb": {kind: [round(size, 3) for size in values] for kind, values in sizes.items()},
        "mb_per_minute": slopes,
        "tolerance_mb_per_minute": TOLERANCE,
        "verdict": verdict(slopes["data"]),
        "met": verdict(slopes["data"]) == "no growth",
    }


def measure(page, server, n_particles: int, seconds: float) -> dict:
    """Open the lesson with so many particles, and drag."""
    page.goto(f"{server.url}/borrowed_samples?K={n_particles}")
    page.wait_for_selector(".lab-scene[data-painted]", timeout=60_000)
    drag(page, 1.0)  # the first frames compile the code
    found = drag(page, seconds)
    target = TARGETS.get(n_particles)
    met = None if target is None else found["redraws_per_second"] >= target
    return {"particles": n_particles, **found, "target": target, "met": met}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, nargs="+", default=[2_000, 10_000])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="of dragging, to watch the heap"
    )
    options = parser.parse_args()
    with serving.serve() as server, sync_playwright() as playwright:
        server.wait_until_warm()
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=chromium.ARGUMENTS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        result = {"drags": [measure(page, server, K, options.seconds) for K in options.particles]}
        if options.minutes:
            result["memory"] = weigh(page, options.minutes)
        print(json.dumps(result))


if __name__ == "__main__":
    main()
