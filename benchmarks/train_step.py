"""Time of one IWAE training step: ours, its matrix products alone, and pythae's.

Burda's one-layer network (784-200-200-50), batch 100. The contestants take turns inside one
process, so a machine that slows down slows all of them; quote the ratios. Real MNIST is used where
`IWAE_LAB_DATA` names its folder, random pixels otherwise. pythae takes part if it can be imported.

    python benchmarks/train_step.py [--seconds 6] [--warm-steps 0] [--threads 1]
"""

import argparse
import json
import os
import time
from collections.abc import Callable

import numpy as np
import torch

from iwae_core import datasets
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, stream
from iwae_core.training import TrainConfig
from iwae_core.training.step import Stepper

D, HIDDEN, LATENT, BATCH = 784, 200, 50, 100


def batches() -> tuple[str, torch.Tensor]:
    """Forty binarized batches, and what they are."""
    if os.environ.get("IWAE_LAB_DATA"):
        source, rows = "MNIST", datasets.load("mnist").train[: 40 * BATCH]
    else:
        source, rows = "random pixels", torch.rand(40 * BATCH, D, generator=make_generator(0)) ** 4
    return source, datasets.binarize(rows, make_generator(1)).view(40, BATCH, D)


def our_step(x: torch.Tensor, n_samples: int, **settings: object) -> Callable[[int], None]:
    config = TrainConfig(n_samples=n_samples, **settings)
    model = Vae(
        D,
        LATENT,
        hidden=(HIDDEN, HIDDEN),
        data_mean=x.mean(dim=(0, 1)),
        generator=make_generator(2),
    )
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    moments = (torch.zeros_like(flat), torch.zeros_like(flat))
    stepper = Stepper(config, model, flat, moments, 0)

    def run(t: int) -> None:
        stepper.step(x[t % len(x)], stream(0, "noise", t))

    return run


def floor(n_samples: int) -> Callable[[int], None]:
    """The step's matrix products, forward and backward, and nothing else."""
    rows = n_samples * BATCH
    encoder = [(D, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 2 * LATENT)]
    decoder = [(LATENT, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, D)]
    products = []
    for number, (n_rows, (n_in, n_out)) in enumerate(
        [(BATCH, shape) for shape in encoder] + [(rows, shape) for shape in decoder]
    ):
        h, weight, grad = (
            torch.randn(n_rows, n_in),
            torch.randn(n_out, n_in),
            torch.randn(n_rows, n_out),
        )
        products.append((h, weight.t()))
        products.append((grad.t(), h))
        if number > 0:  # nobody asks for the gradient by the data
            products.append((grad, weight))
    outputs = [left @ right for left, right in products]

    def run(_t: int) -> None:
        for (left, right), out in zip(products, outputs, strict=True):
            torch.mm(left, right, out=out)

    return run


def pythae_model(n_samples: int) -> torch.nn.Module | None:
    """Pythae's own IWAE on the same network; None where pythae is not installed."""
    try:
        from pythae.models import IWAE, IWAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
    except ImportError:
        return None
    nn = torch.nn

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Linear(D, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh()
            )
            self.loc, self.log_var = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)

        def forward(self, data: torch.Tensor) -> ModelOutput:
            h = self.body(data)
            return ModelOutput(embedding=self.loc(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Linear(LATENT, HIDDEN),
                nn.Tanh(),
                nn.Linear(HIDDEN, HIDDEN),
                nn.Tanh(),
                nn.Linear(HIDDEN, D),
                nn.Sigmoid(),
            )

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.body(z))

    config = IWAEConfig(
        input_dim=(D,), latent_dim=LATENT, number_samples=n_samples, reconstruction_loss="bce"
    )
    return IWAE(config, encoder=Encoder(), decoder=Decoder())


def pythae_step(x: torch.Tensor, n_samples: int) -> Callable[[int], None] | None:
    """Pythae's own loss, with Adam as its trainer calls it."""
    model = pythae_model(n_samples)
    if model is None:
        return None
    from pythae.data.datasets import DatasetOutput

    adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-4)
    model.train()

    def run(t: int) -> None:
        adam.zero_grad()
        model(DatasetOutput(data=x[t % len(x)])).loss.backward()
        adam.step()

    return run


def alternate(
    contestants: dict[str, Callable[[int], None]], seconds: float, warm_steps: int
) -> dict[str, list[float]]:
    """Milliseconds of CPU time per step, contestants in turn, in blocks of about 50 ms."""
    step, blocks = dict.fromkeys(contestants, 0), {}
    for name, run in contestants.items():
        for _ in range(max(3, warm_steps)):
            run(step[name])
            step[name] += 1
        started = time.process_time()
        run(step[name])
        blocks[name] = max(1, int(0.05 / max(1e-4, time.process_time() - started)))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    end = time.perf_counter() + seconds * len(contestants)
    while time.perf_counter() < end:
        for name, run in contestants.items():
            started = time.process_time()
            for _ in range(blocks[name]):
                run(step[name])
                step[name] += 1
            times[name].append(1e3 * (time.process_time() - started) / blocks[name])
    return times


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="per contestant and K")
    parser.add_argument("--warm-steps", type=int, default=0, help="steps to train before timing")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--K", type=int, nargs="+", default=[1, 5, 50])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    source, x = batches()
    rows = []
    for n_samples in options.K:
        contestants = {"ours": our_step(x, n_samples), "floor": floor(n_samples)}
        if n_samples > 5:
            for backward in ("truncated", "resampled"):
                contestants[backward] = our_step(x, n_samples, backward=backward)
        if theirs := pythae_step(x, n_samples):
            contestants["pythae"] = theirs
        times = alternate(contestants, options.seconds, options.warm_steps)
        row: dict[str, object] = {"K": n_samples}
        for name, values in times.items():
            row[f"{name}_ms"] = round(float(np.median(values)), 3)
            row[f"{name}_min_ms"] = round(float(np.min(values)), 3)
        # Ratios pair by pair: neighbours in time saw the same machine.
        for ours in contestants.keys() - {"floor", "pythae"}:
            for other in contestants.keys() & {"floor", "pythae"}:
                ratios = np.array(times[other]) / np.array(times[ours])
                row[f"{other}_over_{ours}"] = round(float(np.median(ratios)), 3)
        rows.append(row)
    print(json.dumps({"data": source, "threads": options.threads, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
