"""How closely a run is looked at, and that looking changes nothing."""

import dataclasses
import math
from argparse import Namespace
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
from by_hand import ByHand

from iwae_core.runtime import looks, slices
from iwae_core.runtime.live import LiveRun
from iwae_core.training import TrainConfig, advance, begin

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)


@pytest.fixture
def pool():
    return ByHand()


class Clock:
    """Goes on with each look at it: every step takes as long, on any machine."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 0.01
        return self.now

    def thread_time(self):
        return self.now / 10


def test_a_slice_brings_glances_of_its_steps(pool, monkeypatch):
    monkeypatch.setattr(slices, "time", Clock())
    run = LiveRun(dataclasses.replace(SMALL, dataset="digits", hidden=(100, 100)), pool)
    pool.finish()
    run.play()
    for _ in range(3):
        pool.finish()
    seen = run.history.seen(-1)
    steps = [glance.step for glance in seen.glances]
    assert steps == sorted(set(steps))
    assert run.status().step - steps[-1] <= run.status().step // 10
    assert len(steps) > 4  # more than one for each slice


def test_however_often_it_is_looked_at_a_run_takes_the_same_steps(pool, monkeypatch):
    monkeypatch.setattr(looks, "_GLANCES_PER_SECOND", 1e9)
    monkeypatch.setattr(looks, "_GLANCE_SHARE", 1e9)
    run = LiveRun(SMALL, pool)
    pool.finish()
    run.play()
    pool.finish()
    pool.finish()
    steps = [glance.step for glance in run.history.seen(-1).glances]
    at = run.status().step
    assert at > 1
    assert steps == list(range(at + 1))[-64:]  # one after every step; the latest are told
    undisturbed = advance(begin(SMALL), at).state
    assert np.array_equal(run.state.parameters, undisturbed.parameters)
    assert np.array_equal(run.state.second_moment, undisturbed.second_moment)


def test_looks_take_their_share_of_the_time_and_no_more():
    spent = looks.Looks()

    def slice_of(glance, frame):
        return Namespace(
            records=Namespace(step=[1]),
            step_seconds=0.25,
            wall_seconds=0.3,
            glance_seconds=glance,
            frame=frame,
            look_seconds=0.2,
        )

    spent.took(slice_of(0.0005, None))
    assert spent.glance_every == 1 / 30
    spent.took(slice_of(0.01, None))
    assert spent.glance_every == 0.25
    assert spent.time_for_frame()
    spent.took(slice_of(0.01, "a frame"))
    frames = 0
    for _ in range(400):  # 100 seconds of training
        frames += (now := spent.time_for_frame())
        spent.took(slice_of(0.01, "a frame" if now else None))
    assert frames * 0.2 <= 0.03 * 100
    assert frames >= 10


def test_a_deep_bound_is_asked_for_beside_the_run_and_its_failure_costs_nothing(pool):
    run = LiveRun(SMALL, pool)
    pool.finish()
    run.play()
    while not len(run.history.deep.rows):
        run.poll()  # a slow machine may take longer than the lease of a run
        pool.finish()
        while pool.beside:
            pool.finish_beside()
    assert run.history.deep.rows[-1, 0] <= run.status().step
    assert math.isfinite(run.history.deep.rows[-1, 1])
    while not pool.beside:
        run.poll()
        pool.finish()
    pool.beside.pop()[0].set_exception(BrokenProcessPool("killed"))
    pool.finish()
    assert run.status().mode == "playing"


def test_a_paused_run_that_is_watched_is_looked_at_in_full_where_it_stands(pool):
    run = LiveRun(SMALL, pool)
    pool.finish()
    run.play()
    for _ in range(3):
        pool.finish()
    pool.waiting.clear()
    pool.beside.clear()
    run.pause()
    at = run.status().step
    for _ in range(5):
        run.poll()
        while pool.waiting:
            pool.finish()
        while pool.beside:
            pool.finish_beside()
    assert run.status().step == run.history.frame.step == run.history.deep.rows[-1, 0] == at
    run.poll()
    assert not pool.waiting + pool.beside  # once is enough
    undisturbed = advance(begin(SMALL), at).state
    assert np.array_equal(run.state.parameters, undisturbed.parameters)
