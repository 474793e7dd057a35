"""Which share of a training step its own matrix products take; for burda_table.py.

The products of one step are taken down with the tensors they were given, and run again alone.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from iwae_core import datasets
from iwae_core.rng import stream
from iwae_core.training import RunState, model_of
from iwae_core.training.captured import CapturedStepper, record
from iwae_core.training.step import Stepper

TIMED_SECONDS = 3.0


class Products(TorchDispatchMode):
    """Takes down every matrix product that runs under it, with the tensors it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm):
            self.calls.append((func, args))
        return func(*args, **(kwargs or {}))

    @torch.no_grad()
    def replay(self) -> None:
        """Run the products again, alone."""
        for func, args in self.calls:
            func(*args)


def share_in_products(state: RunState, capture: bool) -> tuple[float, float]:
    """Milliseconds of one step, and the share of them that its matrix products take alone."""
    config = state.config
    device = config.resolved_device()
    data = datasets.load(config.dataset, config.data_folder)
    x = datasets.binarize(data.train[: config.batch_size], stream(0, "bits")).to(device)

    def stepper(make: type[Stepper]) -> Stepper:
        flat, first, second = (
            torch.from_numpy(values.copy()).to(device)
            for values in (state.parameters, state.first_moment, state.second_moment)
        )
        return make(config, model_of(state), flat, (first, second), state.step)

    products, timed = Products(), stepper(CapturedStepper if capture else Stepper)
    with products:
        stepper(Stepper).step(x, stream(0, "noise", device=device))
    replay = record(products.replay) if capture else products.replay

    def step() -> None:
        timed.step(x, stream(0, "noise", device=device))

    # In turns, so that a machine that slows down slows both.
    step_times, product_times = [], []
    end = time.perf_counter() + TIMED_SECONDS
    while time.perf_counter() < end or len(step_times) < 5:
        for run, times in ((step, step_times), (replay, product_times)):
            times.append(milliseconds(run, device))
    ratios = np.array(product_times[1:]) / np.array(step_times[1:])  # the first turn warms up
    return float(np.median(step_times[1:])), float(np.median(ratios))


def milliseconds(run: Callable[[], None], device: torch.device, n: int = 20) -> float:
    """Time of one call, over ``n`` of them: of this process on the CPU, of the clock on a GPU."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    began = clock()
    for _ in range(n):
        run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 1e3 * (clock() - began) / n
