"""Runs on real worker processes, and those that a server holds."""

import gc
import os
import signal
import threading

import numpy as np
import patience
import psutil
import pytest
from by_hand import ByHand

from iwae_core.runtime import executor, watched
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


def kill_a_worker(workers):
    # One that answers now: the process may have other children, a server or a browser.
    os.kill(workers.submit(os.getpid).result(), signal.SIGKILL)


@pytest.mark.slow
def test_sigkill_in_mid_run_leads_to_the_same_final_parameters(workers):
    run = LiveRun(SMALL, workers, slice_seconds=0.1)
    run.play()
    # Polled, as a page would: new workers may take longer than the lease of a run.
    patience.wait_for(lambda: run.poll().step > 50)
    kill_a_worker(workers)
    killed_at = run.poll().step
    patience.wait_for(lambda: run.poll().step > killed_at + 100)
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
        return threading.active_count(), len(me.open_files()) + me.num_fds()

    def children():
        return {child.pid for child in me.children()}  # a browser's own come and go

    threads, files = traces()
    mine = children()
    for _ in range(50):
        run = watched.open_run(SMALL)
        run.play()
        watched.close(run.run_id)
        assert watched.find(run.run_id) is None
    workers.submit(os.getpid).result()
    # What other tests have left may end meanwhile; nothing may be left of these.
    patience.wait_for(
        lambda: traces()[0] <= threads and traces()[1] <= files and children() <= mine
    )


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
