r"""On CUDA: one step as one graph, so that the GPU does not wait for the CPU to launch it.

A step of Burda's nets at batch 20 is some hundred kernels of a few microseconds each; launching
them one by one takes longer than running them. A CUDA graph records the launches once and replays
them all with a single call. What is recorded is fixed: the shapes, K, the learning rate and the KL
weight. So a change of stage in Burda's schedule records anew, and settings that change at every
step are refused. The noise is not fixed: the recorded generator takes each step's own seed before
the replay, so a captured run draws the numbers of one that is not captured.

**No GPU was at hand where it was written.** There the tests record and replay on the CPU, by an
emulation of what a graph keeps and what recording forbids (tests/emulated_graphs.py): the run is
that of the plain step to the bit. On CUDA itself its test, marked ``cuda``, has yet to run.
"""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from iwae_core.rng import make_generator
from iwae_core.training.config import TrainConfig
from iwae_core.training.step import Stepper

_WARM_STEPS = 3  # torch asks for some steps beside the main stream before it records


def check_capturable(config: TrainConfig) -> None:
    """Refuse a run whose steps are not all alike, or that is not on a GPU.

    Raises:
        ValueError: If the device is not CUDA, the backward pass picks samples by their weights
            (shapes then change with the data), or the KL weight changes while it warms up.
    """
    faults = []
    if config.resolved_device().type != "cuda":
        faults.append(f"device must be 'cuda' to capture a graph, got {config.device!r}")
    if config.backward != "exact":
        faults.append(f"backward must be 'exact' under a captured graph, got {config.backward!r}")
    if config.kl_schedule != "constant":
        faults.append(
            f"kl_schedule must be 'constant' under a captured graph, got {config.kl_schedule!r}"
        )
    if faults:
        raise ValueError("; ".join(faults))


class CapturedStepper(Stepper):
    """A :class:`Stepper` that replays its step from a CUDA graph; same arguments, same numbers."""

    _recorded: tuple[torch.Size, float, float] | None = None

    def step(
        self,
        x: Tensor,
        noise: torch.Generator,
        *,
        kl_weight: float = 1.0,
        rate_factor: float = 1.0,
    ) -> Tensor:
        """Take one step; see :meth:`Stepper.step`. ``noise`` must be fresh: its seed is taken."""
        wanted = (x.shape, kl_weight, rate_factor)
        if self._recorded != wanted:
            self._record(x, kl_weight, rate_factor)
            self._recorded = wanted
        self._x.copy_(x)
        self._noise.manual_seed(noise.initial_seed())
        self._replay()
        return self._log_w.clone()  # the next replay writes over it

    def _record(self, x: Tensor, kl_weight: float, rate_factor: float) -> None:
        written = (self.flat, *self.moments, self._n_taken)
        before = [tensor.clone() for tensor in written]
        self._x, self._noise = x.clone(), make_generator(0, x.device)

        def step() -> None:
            self._log_w = Stepper.step(
                self, self._x, self._noise, kl_weight=kl_weight, rate_factor=rate_factor
            )

        self._replay = record(step, [self._noise])
        for tensor, kept in zip(written, before, strict=True):  # the warm steps were not meant
            tensor.copy_(kept)


def record(
    run: Callable[[], None], generators: Sequence[torch.Generator] = ()
) -> Callable[[], None]:
    """Record what ``run`` launches; the result launches it again with one call.

    Args:
        run: Work on CUDA, all in tensors that stay where they are. It runs a few times first.
        generators: Those that it draws from.
    """
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(_WARM_STEPS):
            run()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with warnings.catch_warnings():
        # Versions of torch that find the generators by themselves deprecate telling (#176753).
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        for generator in generators:
            graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        run()
    replay: Callable[[], None] = graph.replay
    return replay
