"""A run's past as a value: any state of it again, to the bit."""

import dataclasses

import numpy as np
import pytest
from by_hand import ByHand

from iwae_core.runtime.lineage import Change, Lineage, Origin, replay
from iwae_core.runtime.live import LiveRun
from iwae_core.training import Stop, TrainConfig, advance, begin

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)


def same(one, other):
    names = [field.name for field in dataclasses.fields(one)]
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@pytest.fixture(scope="module")
def past():
    """A run with K, rate and objective changed on the way, and every state of it by its step."""
    lineage, state, states = Lineage(SMALL), begin(SMALL), {}
    plan = [
        (7, {"n_samples": 9}),
        (0, {"learning_rate": 0.02}),  # two changes at one step
        (20, {"objective": "elbo", "estimator": "closed_form_kl"}),
        (33, {}),
    ]
    for n_steps, values in plan:
        for _ in range(n_steps):
            state = advance(state, 1).state
            states[state.step] = state
        if values:
            lineage = lineage.changed(state.step, values)
            state = advance(state, 0, values).state
            states[state.step] = state
    return lineage, states


@pytest.mark.parametrize("step", [1, 6, 7, 8, 27, 30, 60])
@pytest.mark.parametrize("kept_at", [(), (5,), (7,), (3, 27), (60,)])
def test_a_replay_is_the_run_itself_to_the_bit(past, step, kept_at):
    lineage, states = past
    kept = [states[at] for at in kept_at]
    assert same(replay(lineage, step, kept), states[step])


def test_a_state_kept_before_a_change_serves_as_well_as_one_kept_after(past):
    lineage, states = past
    before = replay(lineage.before(27), 27)
    assert before.config.objective == "iwae"
    assert same(replay(lineage, 40, [before]), states[40])


def test_the_past_before_a_step_leaves_out_what_was_changed_there(past):
    lineage, states = past
    assert lineage.before(7).config_now() == SMALL
    assert lineage.before(8).config_now().n_samples == 9
    assert lineage.config_now() == states[60].config


def test_a_change_out_of_order_or_refused_leaves_the_lineage():
    lineage = Lineage(SMALL).changed(10, {"n_samples": 4})
    with pytest.raises(ValueError, match="the last one is at step 10, got 9"):
        lineage.changed(9, {"n_samples": 5})
    with pytest.raises(ValueError, match="latent_dim"):
        lineage.changed(11, {"latent_dim": 5})
    assert lineage.changes == (Change(10, {"n_samples": 4}),)


def test_a_run_that_lost_its_patience_and_was_let_go_on_replays_exactly():
    impatient = dataclasses.replace(SMALL, patience=1, learning_rate=0.2)
    stopped = advance(begin(impatient), 5000).state
    assert stopped.stop is not None
    lineage = Lineage(impatient).changed(stopped.step, {"learning_rate": 0.001}, stopped.stop)
    on = advance(stopped, 50, {"learning_rate": 0.001}).state
    assert same(replay(lineage, on.step, [stopped]), on)
    assert same(replay(lineage, on.step), on)
    with pytest.raises(ValueError, match="never came to step"):
        replay(Lineage(impatient), stopped.step + 1)


def test_a_run_that_overflowed_and_was_let_go_on_replays_exactly():
    # A replay to the last good step does not meet the overflow; the lineage knows of it.
    patient = dataclasses.replace(SMALL, patience=500, learning_rate=0.2)
    good = advance(begin(patient), 150).state
    assert good.best_epoch < good.epoch - 1
    stopped = dataclasses.replace(good, stop=Stop(step=151, cause="the gradient overflowed"))
    on = advance(stopped, 30, {"learning_rate": 1e-4}).state
    lineage = Lineage(patient).changed(150, {"learning_rate": 1e-4}, stopped.stop)
    assert same(replay(lineage, 180), on)
    assert same(replay(lineage, 180, [good]), on)
    unaware = Lineage(patient).changed(150, {"learning_rate": 1e-4})
    assert not same(replay(unaware, 180), on)


class TestLiveRun:
    """A live run writes its own lineage, and starts from another's."""

    def play(self, run, pool, n_slices):
        run.play()
        for _ in range(n_slices):
            pool.finish()
        run.pause()
        pool.waiting.clear()

    @pytest.fixture
    def pool(self):
        return ByHand()

    @pytest.fixture
    def played(self, pool):
        run = LiveRun(SMALL, pool, slice_seconds=0.01)
        pool.finish()
        self.play(run, pool, 3)
        run.change(n_samples=9)
        run.change(learning_rate=0.01)
        self.play(run, pool, 3)
        run.change(n_samples=9)  # no news
        self.play(run, pool, 2)
        return run

    def test_it_notes_each_change_at_its_step(self, played):
        lineage = played.snapshot().lineage
        (change,) = lineage.changes
        assert change.values == {"n_samples": 9, "learning_rate": 0.01}
        assert 0 < change.step < played.state.step
        assert same(replay(lineage, played.state.step), played.state)

    def test_from_an_origin_it_comes_to_the_same_state_and_stands_paused(self, played, pool):
        snapshot = played.snapshot()
        origin = Origin(lineage=snapshot.lineage, step=snapshot.state.step)
        again = LiveRun(origin, pool, slice_seconds=0.01)
        assert again.status().replaying_to == snapshot.state.step
        while pool.waiting:
            pool.finish()
        assert again.status().replaying_to is None
        assert again.status().mode == "paused"
        assert same(again.state, played.state)
        assert again.config == played.config
        rows = again.snapshot().seen
        # Where slices are cut moves the last digit of a record, never the run.
        assert np.allclose(rows.steps, snapshot.seen.steps, rtol=1e-5)
        assert rows.held_out[-1, 0] == again.state.step
        assert rows.probe is not None

    def test_a_change_made_during_the_replay_waits_for_its_end(self, played, pool):
        snapshot = played.snapshot()
        origin = Origin(lineage=snapshot.lineage, step=snapshot.state.step)
        again = LiveRun(origin, pool, slice_seconds=0.01)
        pool.finish()
        pool.finish()
        again.change(n_samples=3)  # what the replay has at this moment
        again.play()
        again.pause()
        again.play()
        while again.status().step <= origin.step:
            pool.finish()
        assert again.state.config.n_samples == 3
        late = again.snapshot().lineage.changes[-1]
        assert late == Change(origin.step, {"n_samples": 3})

    def test_without_a_poll_a_replay_waits_and_a_poll_lets_it_go_on(self, played, pool):
        now = [0.0]
        snapshot = played.snapshot()
        origin = Origin(lineage=snapshot.lineage, step=snapshot.state.step)
        again = LiveRun(origin, pool, slice_seconds=0.01, clock=lambda: now[0])
        now[0] = 100.0
        pool.finish()
        assert not pool.waiting
        again.poll()
        while pool.waiting:
            pool.finish()
        assert same(again.state, played.state)

    def test_a_stopped_run_reopens_stopped_with_its_reason_and_a_change_frees_it(self, pool):
        impatient = dataclasses.replace(SMALL, patience=1, learning_rate=0.2)
        run = LiveRun(impatient, pool)
        pool.finish()
        run.play()
        while pool.waiting:
            pool.finish()
        assert run.status().mode == "stopped"
        snapshot = run.snapshot()
        origin = Origin(
            lineage=snapshot.lineage, step=snapshot.state.step, stop=snapshot.state.stop
        )
        again = LiveRun(origin, pool)
        while pool.waiting:
            pool.finish()
        assert (again.status().mode, again.status().cause) == ("stopped", run.status().cause)
        again.change(learning_rate=0.001)
        run.change(learning_rate=0.001)
        for each in (again, run):
            each.step(20)
            while pool.waiting:
                pool.finish()
        assert same(again.state, run.state)
        assert again.snapshot().lineage.changes == run.snapshot().lineage.changes
