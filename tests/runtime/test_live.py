"""A watched run: what a person may do, and what happens when workers die or nobody watches."""

import dataclasses
import gc
import math
import os
import signal
import threading
import time
from argparse import Namespace
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import psutil
import pytest
from by_hand import ByHand

from iwae_core.runtime import attempts, executor, looks, watched
from iwae_core.runtime.live import LiveRun
from iwae_core.training import TrainConfig, advance, begin

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)


@pytest.fixture
def pool():
    return ByHand()


@pytest.fixture(scope="module")
def workers():
    pool = executor.local(2)
    executor.warm(pool)
    yield pool
    pool.shutdown()


def wait_for(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_a_run_starts_paused_with_its_first_picture(pool):
    run = LiveRun(SMALL, pool)
    pool.finish()
    assert run.status().mode == "paused"
    assert run.status().step == 0
    assert run.history.frame.step == 0
    assert not pool.waiting


def test_play_pause_step_and_their_numbers_are_those_of_the_pure_function(pool):
    run = LiveRun(SMALL, pool)
    pool.finish()
    run.play()
    for _ in range(3):
        pool.finish()
    at = run.status().step
    assert at > 1
    run.pause()
    pool.finish()  # the slice under way comes in late
    assert run.status().step == at
    assert not pool.waiting
    run.step(2)
    pool.finish()
    assert run.status().step == at + 2
    assert run.status().mode == "paused"
    expected = advance(begin(SMALL), at + 2).state
    assert np.array_equal(run.state.parameters, expected.parameters)
    assert run.history.steps.rows[-1, 0] == at + 2
    assert len(run.history.steps.rows) == at + 2


def test_a_change_takes_effect_in_the_next_slice(pool):
    run = LiveRun(SMALL, pool)
    pool.finish()
    run.play()
    pool.finish()
    run.change(n_samples=7, learning_rate=0.01)
    pool.finish()  # was under way with K = 3
    assert run.state.config.n_samples == 3
    pool.finish()
    assert run.state.config.n_samples == 7
    assert run.state.config.learning_rate == 0.01
    with pytest.raises(ValueError, match="n_samples"):
        run.change(n_samples=0)
    assert run.config.n_samples == 7


def test_reset_keeps_the_seed_and_new_seed_changes_it(pool):
    run = LiveRun(SMALL, pool)
    pool.finish()
    first = run.state.parameters
    run.play()
    pool.finish()
    run.reset()
    pool.waiting.pop(0)  # the slice under way before the reset
    pool.finish()
    assert np.array_equal(run.state.parameters, first)
    assert run.status().generation == 2
    assert len(run.history.steps.rows) == 0
    run.new_seed(9)
    pool.finish()
    assert not np.array_equal(run.state.parameters, first)
    assert run.config.seed == 9


def test_a_dead_worker_costs_one_slice_and_a_slice_that_always_dies_stops_the_run(pool):
    run = LiveRun(SMALL, pool)
    pool.finish()
    run.play()
    pool.finish()
    at = run.status().step
    pool.kill()
    assert run.status().mode == "playing"
    pool.finish()
    assert run.status().step > at
    for _ in range(attempts.MOST):
        pool.kill()
    assert run.status().mode == "stopped"
    assert "worker processes were stopped" in run.status().cause
    assert not pool.waiting


def test_a_run_that_cannot_begin_says_why(pool, tmp_path):
    run = LiveRun(TrainConfig(dataset="mnist_fixed", data_folder=str(tmp_path), hidden=(4,)), pool)
    pool.finish()
    assert run.status().mode == "stopped"
    assert "binarized_mnist" in run.status().cause


def test_a_run_nobody_polls_pauses_and_a_poll_lets_it_go_on(pool):
    now = [0.0]
    run = LiveRun(SMALL, pool, lease_seconds=20, clock=lambda: now[0])
    pool.finish()
    run.play()
    now[0] = 19.0
    pool.finish()
    assert len(pool.waiting) == 1
    now[0] = 21.0
    pool.finish()
    assert not pool.waiting
    assert run.status().mode == "playing"
    at = run.status().step
    run.poll()
    pool.finish()
    assert run.status().step > at


def test_many_runs_share_the_workers_in_turn(pool):
    runs = [LiveRun(SMALL, pool) for _ in range(5)]
    for _ in range(5):
        pool.finish()
    for run in runs:
        run.play()
    for _ in range(3):
        before = [run.status().step for run in runs]
        for _ in range(5):
            pool.finish()
        assert all(run.status().step > at for run, at in zip(runs, before, strict=True))
        assert len(pool.waiting) == 5  # one slice each, never more


def kill_a_worker(workers):
    # One that answers now: the process may have other children, a server or a browser.
    os.kill(workers.submit(os.getpid).result(), signal.SIGKILL)


@pytest.mark.slow
def test_sigkill_in_mid_run_leads_to_the_same_final_parameters(workers):
    run = LiveRun(SMALL, workers, slice_seconds=0.1)
    run.play()
    # Polled, as a page would: new workers may take longer than the lease of a run.
    wait_for(lambda: run.poll().step > 50)
    kill_a_worker(workers)
    killed_at = run.poll().step
    wait_for(lambda: run.poll().step > killed_at + 100)
    run.pause()
    state = run.state
    undisturbed = workers.submit(_undisturbed, state.step).result()
    assert np.array_equal(state.parameters, undisturbed)
    steps = run.history.steps.rows[:, 0]
    assert np.array_equal(steps, np.arange(1, len(steps) + 1))


def _undisturbed(n_steps):
    return advance(begin(SMALL), n_steps).state.parameters


@pytest.mark.slow
def test_fifty_opened_and_closed_runs_leave_nothing_behind(workers, monkeypatch):
    monkeypatch.setattr(executor, "_shared", workers)
    me = psutil.Process()

    def traces():
        gc.collect()
        return (
            {child.pid for child in me.children()},  # a browser's own come and go
            threading.active_count(),
            len(me.open_files()) + me.num_fds(),
        )

    others = watched.n_runs()
    before = traces()
    for _ in range(50):
        run = watched.open_run(SMALL)
        run.play()
        watched.close(run.run_id)
        assert watched.find(run.run_id) is None
    workers.submit(os.getpid).result()
    assert watched.n_runs() == others
    wait_for(lambda: traces() == before)


def test_runs_that_nobody_polls_are_forgotten(pool, monkeypatch):
    monkeypatch.setattr(executor, "_shared", pool)
    run = watched.open_run(SMALL)
    watched.sweep(run.last_poll + watched.KEEP_SECONDS - 1)
    assert watched.find(run.run_id) is run
    watched.sweep(run.last_poll + watched.KEEP_SECONDS + 1)
    assert watched.find(run.run_id) is None
    assert run.status().mode == "stopped"


def test_a_run_that_its_page_left_pauses_and_ends_when_nobody_polls_it(pool, monkeypatch):
    monkeypatch.setattr(executor, "_shared", pool)
    run, other = watched.open_run(SMALL), watched.open_run(SMALL)
    pool.finish()
    run.play()
    watched.leave(run.run_id)
    watched.leave(other.run_id)
    assert run.status().mode == "paused"
    assert watched.find(run.run_id) is run  # its picture may ask once more
    watched.stay(other.run_id)  # shown again
    watched.sweep(run.last_poll + watched.LEFT_SECONDS + 1)
    assert watched.find(run.run_id) is None
    assert watched.find(other.run_id) is other
    watched.close(other.run_id)


def test_the_pool_refuses_nonsense():
    with pytest.raises(ValueError, match="n_workers must be at least 1, got 0"):
        executor.local(0)


def test_a_worker_has_one_thread(workers):
    assert workers.submit(_n_threads).result() == 1


def _n_threads():
    import torch

    return torch.get_num_threads()


def test_a_slice_brings_glances_of_its_steps(pool):
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
        pool.finish()
        while pool.beside:
            pool.finish_beside()
    assert run.history.deep.rows[-1, 0] <= run.status().step
    assert math.isfinite(run.history.deep.rows[-1, 1])
    while not pool.beside:
        pool.finish()
    pool.beside.pop()[0].set_exception(BrokenProcessPool("killed"))
    pool.finish()
    assert run.status().mode == "playing"


def test_a_paced_run_takes_as_many_steps_as_it_is_told(pool):
    now = [0.0]
    run = LiveRun(SMALL, pool, clock=lambda: now[0])
    pool.finish()
    run.pace(8.0)
    run.play()
    for _ in range(100):  # ten seconds of polls
        run.poll()
        while pool.waiting:
            pool.finish()
        now[0] += 0.1
    assert 72 <= run.status().step <= 88
    assert run.status().pace == 8.0
    run.pace(None)
    run.poll()
    pool.finish()
    assert len(pool.waiting) == 1  # the next slice does not wait for a poll
    with pytest.raises(ValueError, match="pace must be positive"):
        run.pace(0)


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
