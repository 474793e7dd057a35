"""A watched run: what a person may do, and what happens when workers die or nobody watches."""

import numpy as np
import pytest
from by_hand import ByHand

from iwae_core.runtime import attempts
from iwae_core.runtime.live import LiveRun
from iwae_core.training import TrainConfig, advance, begin

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)


@pytest.fixture
def pool():
    return ByHand()


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
