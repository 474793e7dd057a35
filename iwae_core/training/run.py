r"""The step between two states, and many of them in a row.

:func:`advance` is a pure function. The batch, the bits and the noise of step t come from streams
named by the seed and t, never from a generator that lives on, so 100 steps at once and ten times
10 steps give the same bits, in this process or another, before and after a save.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core import datasets
from iwae_core.bounds.objectives import make_objective
from iwae_core.counts import is_count
from iwae_core.datasets import Dataset, binarize
from iwae_core.denormals import flushed
from iwae_core.models.model import LatentModel
from iwae_core.rng import stream
from iwae_core.sampling.weights import ess
from iwae_core.training.captured import CapturedStepper, check_capturable
from iwae_core.training.early_stop import held_out_bound, split_rows
from iwae_core.training.schedule import KL_SCHEDULES, RATE_SCHEDULES
from iwae_core.training.state import RunState, Stop, build_model
from iwae_core.training.step import Stepper


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """What each step of a slice saw, one entry a step.

    Attributes:
        step: Number of the step, from 1.
        objective: Mean over the batch of the trained objective, nats. With ``beta = 1`` it is a
            lower bound of log p(x) in expectation (a Renyi bound with alpha < 0 may lie above);
            with another beta only the ELBO is, and only if beta is larger.
        ess: Mean over the batch of the effective sample size, in samples.
        n_samples: K of the slice.
    """

    step: NDArray[np.int64]
    objective: NDArray[np.float64]
    ess: NDArray[np.float64]
    n_samples: int


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Some steps of a run: the state after them and what was seen on the way."""

    state: RunState
    records: Records


@flushed()
def advance(
    state: RunState,
    n_steps: int,
    changes: Mapping[str, Any] | None = None,
    *,
    capture: bool = False,
    watch: Callable[[LatentModel, int], None] | None = None,
) -> Slice:
    """Take up to ``n_steps`` training steps.

    Args:
        state: Where to start; it is not written to.
        n_steps: Updates to take.
        changes: Live fields of the configuration to change first; a change also lets a stopped
            run try again.
        capture: On CUDA, replay each step from a recorded graph; see
            :mod:`iwae_core.training.captured`. The numbers stay those of the plain step.
        watch: Called after each step with the network, to be read only, and the step's number.
            What it looks at changes nothing. Where a slice goes wrong it also sees steps that
            the returned state does not hold.

    Returns:
        The state after the last finite step and the records of the steps taken. Where a loss or a
        parameter stops being finite, the state is the last good one and says why in ``stop``; so
        it does where the run's patience ends.

    Raises:
        ValueError: If ``n_steps`` is negative, a change is refused, or the run cannot be captured.
    """
    if not is_count(n_steps, 0):
        raise ValueError(f"n_steps must not be negative, got {n_steps}: a whole number?")
    if changes:
        config = state.config.with_changes(**changes)
        # What ended a run's patience was another setting: it gets the whole of it again.
        best_epoch = state.best_epoch if state.stop is None else state.epoch
        state = dataclasses.replace(state, config=config, stop=None, best_epoch=best_epoch)
    if capture:
        check_capturable(state.config)
    recorder = _Recorder(state)
    if state.stop is not None or n_steps == 0:
        return Slice(state, recorder.records())
    trainer = _Trainer(state, CapturedStepper if capture else Stepper)
    for _ in range(n_steps):
        recorder.add(trainer.step())
        if watch is not None:
            watch(trainer.stepper.model, trainer.n_taken)
        if trainer.stop is not None:
            break
    after, records = trainer.state(), recorder.records()
    if np.isfinite(records.objective).all() and np.isfinite(after.parameters).all():
        return Slice(after, records)
    return _up_to_the_last_good_step(state, len(records.step))


def _up_to_the_last_good_step(state: RunState, n_steps: int) -> Slice:
    """Replay a slice that went wrong, looking at every step; rare, so it may be slow."""
    trainer, recorder, good = _Trainer(state), _Recorder(state), state
    for _ in range(n_steps):
        log_w = trainer.step()
        tried = trainer.state()
        if not torch.isfinite(log_w).all():
            cause = "the log weights are no longer finite"
        elif not np.isfinite(tried.parameters).all():
            cause = "the gradient overflowed, so the parameters are no longer finite"
        else:
            recorder.add(log_w)
            good = tried
            continue
        hint = "; a smaller learning rate usually helps"
        stop = Stop(step=tried.step, cause=cause + hint)
        return Slice(dataclasses.replace(good, stop=stop), recorder.records())
    return Slice(good, recorder.records())


class _Recorder:
    """Turns each step's log weights into its record, some steps at a time.

    The log weights are copied into one buffer: a small tensor kept from each step would pin the
    heap between the step's large ones, and a slice of 6,000 steps grew by gigabytes that way.
    """

    _STEPS = 32

    def __init__(self, start: RunState) -> None:
        self._first = start.step + 1
        self._n_samples = start.config.n_samples
        self._objective = make_objective(start.config.objective, start.config.objective_setting)
        self._buffer: Tensor | None = None
        self._n_waiting = 0
        self._rows: list[NDArray[np.float64]] = [np.zeros((2, 0))]

    def add(self, log_w: Tensor) -> None:
        """Take in a step's log weights, shape ``(K, B)``."""
        if self._buffer is None:
            # (K, steps, B): an objective reduces axis 0 and takes any batch.
            K, B = log_w.shape
            self._buffer = log_w.new_empty((K, self._STEPS, B))
        self._buffer[:, self._n_waiting] = log_w
        self._n_waiting += 1
        if self._n_waiting == self._STEPS:
            self._sum_up()

    def _sum_up(self) -> None:
        if self._buffer is None or not self._n_waiting:
            return
        log_w = self._buffer[:, : self._n_waiting]
        sizes = ess(torch.nan_to_num(log_w, nan=0.0, posinf=0.0))
        row = torch.stack([self._objective(log_w).mean(dim=1), sizes.mean(dim=1)])
        self._rows.append(row.cpu().double().numpy())
        self._n_waiting = 0

    def records(self) -> Records:
        """The records of all steps so far."""
        self._sum_up()
        objective, sizes = np.concatenate(self._rows, axis=1)
        return Records(
            step=np.arange(self._first, self._first + len(objective)),
            objective=objective,
            ess=sizes,
            n_samples=self._n_samples,
        )


class _Trainer:
    """The mutable inside of one slice: a stepper, its batches and its noise."""

    def __init__(self, state: RunState, make_stepper: type[Stepper] = Stepper) -> None:
        config = state.config
        device = config.resolved_device()
        flat, first, second = (
            torch.from_numpy(values.copy()).to(device)
            for values in (state.parameters, state.first_moment, state.second_moment)
        )
        model = build_model(config, generator=None).to(device)
        self.stepper = make_stepper(config, model, flat, (first, second), state.step)
        self.batches = _Batches(state, datasets.load(config.dataset, config.data_folder))
        self.config = config
        self.device = device
        self.n_taken = state.step
        self.kl_weight = KL_SCHEDULES[config.kl_schedule].weight
        self.rate_factor = RATE_SCHEDULES[config.rate_schedule].factor
        self.best_bound, self.best_epoch = state.best_bound, state.best_epoch
        self.stop: Stop | None = None

    def step(self) -> Tensor:
        """Take one step; returns its log weights ``(K, B)`` in nats."""
        config = self.config
        kl_weight = self.kl_weight(self.n_taken, config.kl_steps, config.kl_ramp)
        self.n_taken += 1
        x = _moved(self.batches.take(self.n_taken), self.device)
        rate_factor = self.rate_factor(self.batches.epoch, config.rate_stretch)
        noise = stream(config.seed, "noise", self.n_taken, device=self.device)
        log_w = self.stepper.step(x, noise, kl_weight=kl_weight, rate_factor=rate_factor)
        if config.patience is not None and self.batches.at_end_of_epoch:
            self._look_at_what_is_held_out(config.patience)
        return log_w

    def _look_at_what_is_held_out(self, patience: int) -> None:
        bound, epoch = held_out_bound(self.stepper.model, self.config), self.batches.epoch
        if self.best_bound is None or bound > self.best_bound:
            self.best_bound, self.best_epoch = bound, epoch
        elif epoch - self.best_epoch >= patience:
            self.stop = Stop(
                step=self.n_taken + 1,
                cause=(
                    f"the held-out bound has not risen for {patience} epochs: {bound:.2f} nats, "
                    f"best {self.best_bound:.2f} after epoch {self.best_epoch + 1}"
                ),
            )

    def state(self) -> RunState:
        """The run as it stands."""
        parameters, first, second = (
            values.detach().cpu().numpy().copy()
            for values in (self.stepper.flat, *self.stepper.moments)
        )
        return RunState(
            config=self.config,
            step=self.n_taken,
            epoch=self.batches.epoch,
            position=self.batches.position,
            parameters=parameters,
            first_moment=first,
            second_moment=second,
            stop=self.stop,
            best_bound=self.best_bound,
            best_epoch=self.best_epoch,
        )


def _moved(x: Tensor, device: torch.device) -> Tensor:
    """A batch on the device; to a GPU it travels from pinned memory, and nobody waits for it."""
    if device.type != "cuda":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)


@functools.lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, n_rows: int) -> Tensor:
    """The order of an epoch; the slices of one epoch need not shuffle MNIST each."""
    return torch.randperm(n_rows, generator=stream(seed, "order", epoch))


class _Batches:
    """Minibatches without replacement, in an order that the seed and the epoch decide."""

    def __init__(self, state: RunState, data: Dataset) -> None:
        self.seed = state.config.seed
        self.data = data
        # Without patience every row trains, and the order is drawn over all of them.
        self.rows = (
            torch.arange(len(data.train))
            if state.config.patience is None
            else split_rows(state.config.seed, len(data.train))[0]
        )
        self.size = min(state.config.batch_size, len(self.rows))
        self.redraw = data.binary and not data.already_binarized
        self.epoch, self.position = state.epoch, state.position
        self._order = self._shuffled()

    def _shuffled(self) -> Tensor:
        return self.rows[_epoch_order(self.seed, self.epoch, len(self.rows))]

    @property
    def at_end_of_epoch(self) -> bool:
        """Whether the next batch begins another pass over the data."""
        return self.position + self.size > len(self.rows)

    def take(self, step: int) -> Tensor:
        """The batch of a step, ``(B, D)``; a remainder smaller than a batch is left out."""
        if self.at_end_of_epoch:
            self.epoch, self.position = self.epoch + 1, 0
            self._order = self._shuffled()
        rows = self._order[self.position : self.position + self.size]
        self.position += self.size
        x = self.data.train[rows]
        return binarize(x, stream(self.seed, "bits", step)) if self.redraw else x
