r"""The step between two states, and many of them in a row.

:func:`advance` is a pure function. The batch, the bits and the noise of step t come from streams
named by the seed and t, never from a generator that lives on, so 100 steps at once and ten times
10 steps give the same bits, in this process or another, before and after a save.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core import datasets
from iwae_core.bounds.objectives import make_objective
from iwae_core.datasets import Dataset, binarize
from iwae_core.rng import stream
from iwae_core.sampling.weights import ess
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
            lower bound of log p(x) in expectation; with another beta it bounds nothing.
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


def advance(state: RunState, n_steps: int, changes: Mapping[str, Any] | None = None) -> Slice:
    """Take up to ``n_steps`` training steps.

    Args:
        state: Where to start; it is not written to.
        n_steps: Updates to take.
        changes: Live fields of the configuration to change first; a change also lets a stopped
            run try again.

    Returns:
        The state after the last finite step and the records of the steps taken. Where a loss or a
        parameter stops being finite, the state is the last good one and says why in ``stop``; so
        it does where the run's patience ends.

    Raises:
        ValueError: If ``n_steps`` is negative or a change is refused.
    """
    if n_steps < 0:
        raise ValueError(f"n_steps must not be negative, got {n_steps}")
    if changes:
        config = state.config.with_changes(**changes)
        # What ended a run's patience was another setting: it gets the whole of it again.
        best_epoch = state.best_epoch if state.stop is None else state.epoch
        state = dataclasses.replace(state, config=config, stop=None, best_epoch=best_epoch)
    if state.stop is not None or n_steps == 0:
        return Slice(state, _records(state, 0, []))
    trainer = _Trainer(state)
    log_w: list[Tensor] = []
    while len(log_w) < n_steps and trainer.stop is None:
        log_w.append(trainer.step())
    after, records = trainer.state(), _records(state, len(log_w), log_w)
    if np.isfinite(records.objective).all() and np.isfinite(after.parameters).all():
        return Slice(after, records)
    return _up_to_the_last_good_step(state, len(log_w))


def _up_to_the_last_good_step(state: RunState, n_steps: int) -> Slice:
    """Replay a slice that went wrong, looking at every step; rare, so it may be slow."""
    trainer, log_w, good = _Trainer(state), [], state
    for n_taken in range(n_steps):
        log_w.append(trainer.step())
        tried = trainer.state()
        if not torch.isfinite(log_w[-1]).all():
            cause = "the log weights are no longer finite"
        elif not np.isfinite(tried.parameters).all():
            cause = "the gradient overflowed, so the parameters are no longer finite"
        else:
            good = tried
            continue
        hint = "; a smaller learning rate usually helps"
        stop = Stop(step=tried.step, cause=cause + hint)
        return Slice(
            dataclasses.replace(good, stop=stop), _records(state, n_taken, log_w[:n_taken])
        )
    return Slice(good, _records(state, n_steps, log_w))


def _records(start: RunState, n_steps: int, log_w: list[Tensor]) -> Records:
    config = start.config
    steps = np.arange(start.step + 1, start.step + n_steps + 1)
    if not log_w:
        nothing = np.zeros(0)
        return Records(step=steps, objective=nothing, ess=nothing, n_samples=config.n_samples)
    # (n_steps, K, B) -> (K, n_steps, B): an objective reduces axis 0 and takes any batch.
    stacked = torch.stack(log_w).transpose(0, 1)
    objective = make_objective(config.objective, config.objective_setting)
    sizes = ess(torch.nan_to_num(stacked, nan=0.0, posinf=0.0))
    return Records(
        step=steps,
        objective=objective(stacked).mean(dim=1).double().cpu().numpy(),
        ess=sizes.mean(dim=1).double().cpu().numpy(),
        n_samples=config.n_samples,
    )


class _Trainer:
    """The mutable inside of one slice: a stepper, its batches and its noise."""

    def __init__(self, state: RunState) -> None:
        config = state.config
        device = config.resolved_device()
        flat, first, second = (
            torch.from_numpy(values.copy()).to(device)
            for values in (state.parameters, state.first_moment, state.second_moment)
        )
        model = build_model(config, generator=None).to(device)
        self.stepper = Stepper(config, model, flat, (first, second), state.step)
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
        x = self.batches.take(self.n_taken).to(self.device)
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
        order = stream(self.seed, "order", self.epoch)
        return self.rows[torch.randperm(len(self.rows), generator=order)]

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
