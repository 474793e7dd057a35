"""How smoothly a scene follows the hand: redraws per second while q is dragged, and memory.

Opens *Borrowed samples* in headless Chromium and drags the peak of q. The pointer moves once for
each frame that the browser offers, so what is counted is what it can draw, not how fast a script
can send events. Optionally drags on for minutes and watches the JavaScript heap.

    python benchmarks/drag.py [--particles 2000 10000] [--seconds 5] [--minutes 0]

Target in headless Chromium on two cores: 55 redraws/s with 2,000 particles, 50 with 10,000.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium
import serving
from playwright.sync_api import sync_playwright

TARGETS = {2_000: 55, 10_000: 50}

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


def heap_mb(page) -> float:
    """Size of the JavaScript heap after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return used / 2**20


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
            heaps = [heap_mb(page)]
            for _ in range(max(1, round(2 * options.minutes))):
                drag(page, 30.0)
                heaps.append(heap_mb(page))
            result["heap_mb"] = [round(heap, 1) for heap in heaps]
        print(json.dumps(result))


if __name__ == "__main__":
    main()
