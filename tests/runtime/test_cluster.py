"""Slices on a Dask cluster: the same bits, a killed worker, a cluster that is not there."""

import os
import signal

import numpy as np
import patience
import pytest
import serving
import torch

from iwae_core import cli
from iwae_core.runtime import dask_cluster, executor
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.queue import FairQueue
from iwae_core.training import TrainConfig, advance, begin

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)


@pytest.fixture(scope="module")
def address():
    """A scheduler with one worker process, both here."""
    import dask
    from distributed import LocalCluster

    patient = {
        f"distributed.comm.timeouts.{kind}": patience.SECONDS for kind in ("connect", "tcp")
    }
    with (
        dask.config.set(patient),
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(dask_cluster, "PATIENCE_SECONDS", patience.SECONDS)


@pytest.fixture
def workers(address):
    found = executor.cluster(address)
    yield found
    found.shutdown()


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_has_the_bits_of_one_here(workers):
    queue = FairQueue(lambda: workers, workers.n_workers)
    run = LiveRun(SMALL, queue.lane("a browser"), slice_seconds=0.1)
    run.play()
    patience.wait_for(lambda: run.poll().step > 20)  # polled, as a page would
    os.kill(workers.submit(os.getpid).result(), signal.SIGKILL)
    killed_at = run.poll().step
    patience.wait_for(lambda: run.poll().step > killed_at + 50)
    run.pause()
    state = run.state
    np.testing.assert_array_equal(
        state.parameters, advance(begin(SMALL), state.step).state.parameters
    )


def test_each_worker_computes_on_one_thread_and_the_cluster_says_how_many_calls(workers):
    assert workers.n_workers == 1
    assert workers.submit(torch.get_num_threads).result() == 1


def test_a_fault_of_the_work_arrives_as_it_is(workers):
    with pytest.raises(ValueError, match="invalid literal"):
        workers.submit(int, "x").result()


def test_the_server_works_on_the_cluster_that_the_environment_names(address, monkeypatch):
    monkeypatch.setenv(executor.SCHEDULER, address)
    monkeypatch.setattr(executor, "_shared", None)
    try:
        assert isinstance(executor.shared(), dask_cluster.DaskCluster)
        executor.warm(executor.shared())
    finally:
        executor.stop_shared()


def test_a_cluster_that_is_not_there_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setenv(executor.SCHEDULER, "tcp://127.0.0.1:1")
    monkeypatch.setattr(executor, "_shared", None)
    monkeypatch.setattr(dask_cluster, "PATIENCE_SECONDS", 0.3)
    assert cli.main(["--port", str(serving.free_port())]) == cli.EXIT_CANNOT_SERVE
    said = capsys.readouterr().err
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:1'" in said
    assert said.count("\n") == 1
