"""What cutting a run into slices costs: a live run against one call of ``advance``, in turns.

Burda's net (784-200-200-50) on real MNIST where ``IWAE_LAB_DATA`` names its folder, else on the
digits; one worker process. A turn is a stretch of a live run, from the end of one slice to the end
of a later one, between two calls that take as many steps at once in the same process; its ratio is
by the mean of the two, so a machine that slows down slows both. Prints, as JSON, the median of the
ratios with their quartiles, the same by the processor's clock of the worker, which other work does
not move (its waits for the next slice are not in it), and the milliseconds a slice loses: with
nothing looked at, and with every look that a page's run takes (which may have 8.5 % of the time).

    python benchmarks/slicing.py [--turns 7] [--seconds 1] [--samples 1 5 50] [--looked-at 5]

Target: 95 % of the speed kept by slices. Takes three minutes.
"""

import argparse
import json
import os
import threading
import time

import numpy as np
import psutil

from iwae_core.runtime import executor, looks
from iwae_core.runtime.live import LiveRun
from iwae_core.training import RunState, TrainConfig, advance

TARGET = 0.95
FIRST_SLICES = 3  # of a run, after which slices have their length


def seconds_at_once(state: RunState, n_steps: int) -> tuple[float, float]:
    """What one call takes in a worker process, by the wall's clock and by the processor's."""
    began, used = time.perf_counter(), time.process_time()
    advance(state, n_steps)
    return time.perf_counter() - began, time.process_time() - used


class Stretch:
    """A live run between the ends of two slices; times are of their arrival."""

    def __init__(self, run: LiveRun, worker: psutil.Process) -> None:
        self.run = run
        self.worker = worker
        self.ends: list[tuple[float, int]] = []
        self.arrived = threading.Condition()
        run.on_news = self.note

    def note(self) -> None:
        """Called at every news, with the run locked."""
        with self.arrived:
            self.ends.append((time.perf_counter(), self.run.status().step))
            self.arrived.notify()

    def used(self) -> float:
        """Seconds of the processor that the worker has used so far."""
        times = self.worker.cpu_times()
        return times.user + times.system

    def play(self, seconds: float, n_before: int) -> tuple[float, float, int, int]:
        """From the end of one slice to the first after ``seconds``.

        Returns:
            Seconds, the worker's seconds of the processor, steps and slices.
        """
        self.run.poll()
        self.run.play()
        with self.arrived:
            at = self.run.status().step
            self.ends.clear()
            if not self.arrived.wait_for(lambda: len(self.slices(at)) >= n_before, 60.0):
                raise SystemExit(f"no slice came: {self.run.status().cause}")
            began, first = self.slices(at)[-1]
            n_before, used = len(self.slices(at)), self.used()
            self.arrived.wait_for(lambda: self.slices(at)[-1][0] >= began + seconds, 60.0)
            ended, last = self.slices(at)[-1]
            n_slices, used = len(self.slices(at)) - n_before, self.used() - used
        self.run.pause()
        return ended - began, used, last - first, n_slices

    def slices(self, at: int) -> list[tuple[float, int]]:
        """Those that have brought steps since step ``at``."""
        found = []
        for end, step in self.ends:
            if step > at:
                found.append((end, step))
                at = step
        return found


def measure(config: TrainConfig, n_turns: int, seconds: float, *, look: bool) -> dict:
    """Turns of one setting."""
    shares = (looks._GLANCE_SHARE, looks._FRAME_SHARE, looks._DEEP_SHARE)
    if not look:
        looks._GLANCE_SHARE = looks._FRAME_SHARE = looks._DEEP_SHARE = 1e-9
    pool = executor.local(1)
    worker = psutil.Process(pool.submit(os.getpid).result())
    run = LiveRun(config, pool)
    stretch = Stretch(run, worker)
    try:
        _, _, n_steps, _ = stretch.play(seconds, FIRST_SLICES)
        at_once, found = [], []
        for turn in range(n_turns + 1):
            # Behind the slice that the pause has dropped, which the worker still ends.
            at_once.append(pool.submit(seconds_at_once, run.state, n_steps).result())
            if turn < n_turns:
                found.append(stretch.play(seconds, 1))
    finally:
        run.close()
        pool.shutdown()
        looks._GLANCE_SHARE, looks._FRAME_SHARE, looks._DEEP_SHARE = shares
    spent, used, taken, n_slices = np.array(found).T
    per_step = np.array(at_once) / n_steps
    whole, whole_used = ((per_step[:-1] + per_step[1:]) / 2 * taken[:, None]).T
    low, kept, high = np.percentile(whole / spent, [25, 50, 75])
    return {
        "K": config.n_samples,
        "looks": look,
        "kept": round(kept, 3),
        "quartiles": [round(low, 3), round(high, 3)],
        "kept_of_the_worker": round(float(np.median(whole_used / used)), 3),
        "turns": np.round(whole / spent, 3).tolist(),
        "slice_ms": round(1000 * float(np.median(spent / n_slices))),
        "lost_ms_per_slice": round(1000 * float(np.median((spent - whole) / n_slices)), 1),
        "met": None if look else bool(kept >= TARGET),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a live run in a turn")
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 5, 50])
    parser.add_argument("--looked-at", type=int, nargs="*", default=[5], help="K, with all looks")
    options = parser.parse_args()
    dataset = "mnist" if os.environ.get("IWAE_LAB_DATA") else "digits"
    results = [
        measure(
            TrainConfig(dataset=dataset, hidden=(200, 200), latent_dim=50, n_samples=K),
            options.turns,
            options.seconds,
            look=look,
        )
        for look, samples in ((False, options.samples), (True, options.looked_at))
        for K in samples
    ]
    print(json.dumps({"target": TARGET, "dataset": dataset, "results": results}, indent=1))


if __name__ == "__main__":
    main()
