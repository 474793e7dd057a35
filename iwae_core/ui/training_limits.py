"""What a server can train, and what the data allow: said before a run begins, not after it failed.

A step's matrix products are counted from the configuration: forward once, backward twice, the
encoder once per datapoint and the decoder once per sample. Their time on one core, and the memory
they hold, are estimates for a reader who chooses; what a run takes stands in its status line.
"""

import itertools
import math
from dataclasses import dataclass

from iwae_core import datasets
from iwae_core.datasets import uploads
from iwae_core.training import TrainConfig

FLOPS_PER_SECOND = 6e10  # of one core in float32; 80e9 measured here, older machines have less
SLOW_STEP = 0.5  # seconds, from which on a note says so
MOST_STEP_SECONDS = 5.0
MUCH_MEMORY = 400e6  # bytes
MOST_MEMORY = 1e9


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step takes.

    Attributes:
        flops: Additions and multiplications of its matrix products.
        memory: Bytes that wait for the backward pass.
    """

    flops: float
    memory: float

    @property
    def seconds(self) -> float:
        """Estimated time on one core."""
        return self.flops / FLOPS_PER_SECOND


def n_features(dataset: str) -> int:
    """Columns of a data set, without reading more than is known of it.

    Raises:
        ValueError: If the name is unknown.
        OSError: If it is an uploaded table that is not on this machine.
    """
    if dataset.startswith(uploads.PREFIX):
        return datasets.load(dataset).n_features
    shape = datasets.find(dataset).image_shape
    return math.prod(shape) if shape else 2


def cost(config: TrainConfig) -> Cost:
    """Count one step."""
    D, d = n_features(config.dataset), config.latent_dim
    encoder = _products((D, *config.hidden, 2 * d))
    decoder = _products((d, *reversed(config.hidden), D))
    kept = sum(config.hidden) + 3 * D + 4 * d
    if config.second_latent_dim is not None:
        up = (d, *config.second_hidden, 2 * config.second_latent_dim)
        decoder += 2 * _products(up)
        kept += 2 * (sum(config.second_hidden) + 4 * config.second_latent_dim)
    if config.decoder == "autoregressive":
        # What earlier bits say is worked out once for all samples of a datapoint.
        encoder += _products((D, config.hidden[0])) + D * D
        decoder += _products((config.hidden[0], config.hidden[0], D))
        kept += 2 * config.hidden[0] + D
    n_drawn = config.n_samples * config.batch_size
    backward = 2.0 if config.backward == "exact" else 0.5
    flops = 2 * (3 * encoder * config.batch_size + (1 + backward) * decoder * n_drawn)
    share = 1.0 if config.backward == "exact" else 0.3
    return Cost(flops, 4 * kept * n_drawn * share)


def check(config: TrainConfig) -> None:
    """Refuse what the data do not allow, and what would take a shared server too long.

    Raises:
        ValueError: All faults at once, each a sentence.
        OSError: As :func:`n_features`.
    """
    spec = datasets.find(config.dataset)
    faults = []
    if not spec.binary and config.likelihood == "bernoulli":
        faults.append(
            f"a Bernoulli likelihood is for bits, and {spec.title} is of real numbers: take the "
            "Gaussian"
        )
    if not spec.binary and config.decoder == "autoregressive":
        faults.append(
            "the autoregressive decoder draws bits one after the other, and "
            f"{spec.title} is of real numbers: take the plain decoder"
        )
    found = cost(config)
    if found.seconds > MOST_STEP_SECONDS:
        faults.append(
            f"one step would take about {found.seconds:.0f} s of a core, more than this server "
            f"gives ({MOST_STEP_SECONDS:.0f} s): lower K, the batch or the width"
        )
    if found.memory > MOST_MEMORY:
        faults.append(
            f"one step would hold about {found.memory / 1e9:.1f} GB, more than this server gives "
            f"({MOST_MEMORY / 1e9:.1f} GB): lower K, the batch or the width"
        )
    if faults:
        raise ValueError("; ".join(faults))


def note(config: TrainConfig) -> str:
    """What to expect of a run that is slow or large; empty for the others."""
    found = cost(config)
    notes = []
    if found.seconds > SLOW_STEP:
        notes.append(
            f"A step of K = {config.n_samples} and {config.batch_size} datapoints takes about "
            f"{found.seconds:.1f} s of a core ({found.flops / 1e9:.0f} billion operations): "
            "expect the curves to crawl."
        )
    if found.memory > MUCH_MEMORY:
        notes.append(f"It holds about {found.memory / 1e9:.1f} GB of memory meanwhile.")
    return " ".join(notes)


def _products(sizes: tuple[int, ...]) -> int:
    """Multiplications of one datapoint's way through layers of these widths.

    >>> _products((3, 10, 2))
    50
    """
    return sum(a * b for a, b in itertools.pairwise(sizes))
