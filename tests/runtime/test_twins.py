"""Two runs in lock step: what they share, and what happens when one is late, dies or diverges."""

import time
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import pytest
import torch

from iwae_core import datasets
from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.rng import standard_normal, stream
from iwae_core.runtime.held import Held
from iwae_core.runtime.twin_slices import TwinWork, carry_out, check_alike, held_out_row
from iwae_core.runtime.twins import TwinRun
from iwae_core.training import TrainConfig, advance, begin, model_of
from iwae_core.training.twin_look import data_of, look

A = TrainConfig(
    dataset="moons",
    objective="elbo",
    estimator="closed_form_kl",
    hidden=(8,),
    latent_dim=2,
    n_samples=1,
    batch_size=48,
    seed=4,
)
B = replace(A, objective="iwae", estimator="reparameterized", n_samples=5)


class ByHand(Executor):
    """Runs nothing until told; the first waiting piece of a slice is A's, the second B's."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args):
        future = Future()
        self.waiting.append((future, fn, args))
        return future

    def finish(self, place=0):
        future, fn, args = self.waiting.pop(place)
        try:
            future.set_result(fn(*args))
        except Exception as fault:
            future.set_exception(fault)

    def both(self):
        self.finish()
        self.finish()

    def kill(self, place=0):
        future, _, _ = self.waiting.pop(place)
        future.set_exception(BrokenProcessPool("a worker was killed"))


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def pool():
    return ByHand()


def begun(pool, first=A, second=B, **options):
    pair = TwinRun(first, second, pool, **options)
    pool.both()
    return pair


def test_a_pair_starts_paused_from_one_start(pool):
    pair = begun(pool)
    assert pair.status().mode == "paused"
    assert pair.status().step == 0
    assert not pool.waiting
    np.testing.assert_array_equal(*(state.parameters for state in pair.states))
    np.testing.assert_array_equal(pair.states[0].parameters, begin(A).parameters)
    _, seen = pair.look()
    assert len(seen.held_out) == 1


def test_both_take_the_same_steps_and_each_is_the_pure_function(pool):
    pair = begun(pool)
    pair.play()
    for _ in range(3):
        first, second = (args[0] for _, _, args in pool.waiting)
        assert first.n_steps == second.n_steps
        pool.both()
    pair.pause()
    at = pair.status().step
    assert at > 2
    for config, state in zip((A, B), pair.states, strict=True):
        expected = advance(begin(config), at).state
        assert np.array_equal(state.parameters, expected.parameters)
    _, seen = pair.look()
    assert [len(rows) for rows in seen.trained] == [at, at]


def test_batches_and_bits_are_shared_whatever_the_objective_and_K():
    # Each step's x is seen through a model that hands it on.
    from iwae_core.training.run import _Batches

    digits = replace(A, dataset="digits", batch_size=100)
    other = replace(B, dataset="digits", batch_size=100, n_samples=50)
    data = datasets.load("digits")
    sides = [_Batches(begin(config), data) for config in (digits, other)]
    for step in range(1, 40):  # more than two passes over the data
        x, y = (side.take(step) for side in sides)
        assert torch.equal(x, y)


@pytest.mark.parametrize(("B_size", "d", "n_apart"), [(100, 16, 0), (48, 2, 0), (50, 2, 16)])
def test_the_first_sample_of_both_has_the_same_noise(B_size, d, n_apart):
    # As the module says: all of it if B d is a multiple of 16, else all but the last 16 numbers.
    one = standard_normal((1, B_size, d), stream(4, "noise", 7)).flatten()
    many = standard_normal((5, B_size, d), stream(4, "noise", 7))[0].flatten()
    apart = (one != many).nonzero().flatten()
    assert len(apart) <= n_apart
    assert n_apart == 0 or apart.min() >= B_size * d - 16
    # And it is this noise that a model draws with.
    model = model_of(begin(replace(A, batch_size=B_size)))
    x = datasets.load("moons").train[:48]
    with torch.no_grad():
        z = [model.draws(x, K, stream(4, "noise", 7)).z for K in (1, 5)]
    assert torch.equal(z[0][0], z[1][0])


def test_nobody_sees_one_ahead_of_the_other(pool):
    pair = begun(pool)
    pair.play()
    pool.finish(1)  # B is back, A is not
    assert [state.step for state in pair.states] == [0, 0]
    _, seen = pair.look()
    assert len(seen.held_out) == 1
    pool.finish()
    assert [state.step for state in pair.states] == [1, 1]


def test_a_pause_drops_the_slice_of_both(pool):
    pair = begun(pool)
    pair.play()
    pool.both()
    at = pair.status().step
    pool.finish()  # A comes back
    pair.pause()
    pool.finish()  # B comes in late
    assert [state.step for state in pair.states] == [at, at]
    assert not pool.waiting
    pair.step(3)
    pool.both()
    assert [state.step for state in pair.states] == [at + 3, at + 3]
    expected = advance(begin(B), at + 3).state
    assert np.array_equal(pair.states[1].parameters, expected.parameters)


def test_a_killed_worker_costs_its_slice_alone_and_many_deaths_stop_the_pair(pool):
    pair = begun(pool)
    pair.play()
    pool.kill()
    assert len(pool.waiting) == 2
    pool.both()
    assert pair.status().step == 1
    for _ in range(5):
        pool.kill()
        pool.waiting.insert(0, pool.waiting.pop())  # A's again
    assert pair.status().mode == "stopped"
    assert "A cannot go on" in pair.status().cause


def test_a_run_that_diverges_stops_both_at_their_last_common_step(pool):
    pair = begun(pool)
    pair.step(2)
    pool.both()
    pair.change(A, replace(B, learning_rate=0.999, beta=1e38))
    pair.step(200)
    pool.both()
    status = pair.status()
    assert status.mode == "stopped"
    assert "B stopped at step" in status.cause
    assert [state.step for state in pair.states] == [2, 2]
    pair.change(A, B)
    assert pair.status().mode == "paused"
    pair.step()
    pool.both()
    assert pair.status().step == 3


def test_a_change_takes_effect_in_the_next_slice_of_its_side(pool):
    pair = begun(pool)
    pair.change(A, replace(B, n_samples=9))
    pair.step(2)
    pool.both()
    assert pair.status().n_samples == (1, 9)
    expected = advance(begin(B), 2, {"n_samples": 9}).state
    assert np.array_equal(pair.states[1].parameters, expected.parameters)
    assert np.array_equal(pair.states[0].parameters, advance(begin(A), 2).state.parameters)
    with pytest.raises(ValueError, match="another pair"):
        pair.change(replace(A, seed=5), replace(B, seed=5))


def test_start_over_gives_the_same_pair_again(pool):
    pair = begun(pool)
    pair.step(4)
    pool.both()
    before = [state.parameters for state in pair.states]
    pair.reset()
    pool.both()
    assert pair.status().step == 0
    assert pair.status().generation == 2
    pair.step(4)
    pool.both()
    for state, parameters in zip(pair.states, before, strict=True):
        assert np.array_equal(state.parameters, parameters)


def test_a_pair_that_nobody_watches_waits_and_goes_on_with_the_next_poll(pool):
    clock = Clock()
    pair = begun(pool, clock=clock, lease_seconds=10.0)
    pair.play()
    clock.now = 11.0
    pool.both()
    assert not pool.waiting
    assert pair.status().mode == "playing"
    pair.look()
    assert len(pool.waiting) == 2


def test_twins_must_share_what_gives_them_their_start_and_batches():
    check_alike(A, B)
    for other in (
        replace(B, seed=5),
        replace(B, latent_dim=3),
        replace(B, batch_size=50),
        replace(B, dataset="rings"),
    ):
        with pytest.raises(ValueError, match="twins share"):
            check_alike(A, other)


def test_a_pair_whose_data_are_missing_says_so(pool, tmp_path):
    missing = {"dataset": "mnist", "data_folder": str(tmp_path)}
    begun(pool, replace(A, **missing), replace(B, **missing))
    pair = begun(pool, replace(A, **missing), replace(B, **missing))
    assert pair.status().mode == "stopped"
    assert "cannot go on" in pair.status().cause


def test_the_strip_is_the_mean_difference_over_the_held_out_data():
    states = [advance(begin(config), 20).state for config in (A, B)]
    row = held_out_row(*map(look, states))
    x = torch.from_numpy(data_of(states[0]).x)[:100]
    bounds = []
    for state in states:
        with torch.no_grad():
            log_w = model_of(state).log_weights(x, 64, stream(0, "noise")).double()
        bounds.append((elbo(log_w).numpy(), iwae(log_w).numpy()))
    (a_1, a_64), (b_1, b_64) = bounds
    expected = [20, a_1.mean(), a_64.mean(), b_1.mean(), b_64.mean()]
    for apart in (b_1 - a_1, b_64 - a_64):
        expected += [apart.mean(), apart.std(ddof=1) / 10]
    np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_a_slice_is_pure_and_brings_its_look():
    work = TwinWork(start=B, n_steps=5, changes={})
    one, two = carry_out(work), carry_out(work)
    assert np.array_equal(one.state.parameters, two.state.parameters)
    assert np.array_equal(one.look.L_64, two.look.L_64)
    assert one.look.step == 5
    assert one.look.latents.shape == (len(one.probe.labels), 2)
    with torch.no_grad():
        means = model_of(one.state).encode(torch.from_numpy(one.probe.x))[0].numpy()
    assert one.look.n_active == (means.var(axis=0) > 0.01).sum()
    np.testing.assert_allclose(one.look.latents, means[:, list(one.look.axes)], rtol=1e-6)


def test_a_full_server_forgets_what_nobody_has_polled_for_longest(pool):
    held = Held("pairs", most=2, keep_seconds=600.0)
    left, watched_one = held.add(begun(pool)), held.add(begun(pool))
    left.last_poll -= 30  # its page was reloaded
    new = held.add(begun(pool))
    assert held.find(left.run_id) is None
    assert left.is_closed
    assert held.find(watched_one.run_id) is watched_one
    with pytest.raises(ValueError, match="holds 2 pairs"):
        held.add(begun(pool))
    assert held.find(new.run_id) is new


def test_pairs_are_held_by_an_id_and_forgotten_when_nobody_asks(pool):
    held = Held("pairs", most=1, keep_seconds=60.0)
    pair = held.add(begun(pool))
    assert held.find(pair.run_id) is pair
    with pytest.raises(ValueError, match="holds 1 pairs"):
        held.add(begun(pool))
    assert len(held) == 1
    held.sweep(now=time.monotonic() + 61)
    assert held.find(pair.run_id) is None
    assert pair.status().mode == "stopped"
    held.close("nobody")
