"""Branches of a kept run, and looks at what is another's or long past."""

import dataclasses
import threading

import numpy as np
import pytest
from keeping import SMALL

from iwae_core.runtime.lineage import replay
from iwae_core.training.frame import observe


def parameters(run):
    return run.state.parameters


def test_starting_over_leaves_the_old_run_and_begins_another(world):
    run = world.open()
    old = world.keeper.record_of(run)
    world.keeper.store.rename(old.id, "good one")
    run.reset()
    assert world.keeper.record_of(run) is None
    world.pool.finish()
    world.play(run, 2)
    world.keeper.flush()
    new = world.keeper.record_of(run)
    assert new.id != old.id
    assert world.keeper.store.get(old.id).step == old.step
    assert world.keeper.store.get(old.id).name == "good one"


@pytest.mark.parametrize("values", [{}, {"n_samples": 8}])
def test_a_fork_is_its_parents_past_and_then_its_own(world, values):
    run = world.open(n_slices=5)
    run.change(learning_rate=0.01)
    world.play(run)
    parent = world.keeper.record_of(run)
    step = run.snapshot().lineage.changes[0].step  # where the rate was changed: a fork is before
    branch = world.keeper.fork(parent, step, values, "you", "branch")
    world.finish()
    record = world.keeper.record_of(branch)
    assert (record.parent_id, record.parent_step, record.owner) == (parent.id, step, "you")
    assert branch.status().step == step
    assert branch.config == dataclasses.replace(SMALL, **values)
    before = run.snapshot().lineage.before(step)
    assert np.array_equal(parameters(branch), replay(before, step).parameters)
    world.play(branch)
    world.keeper.flush()
    lineage = branch.snapshot().lineage
    assert np.array_equal(parameters(branch), replay(lineage, branch.status().step).parameters)
    assert branch.history.seen().steps[:, 0].tolist() == list(range(1, branch.status().step + 1))
    # The fork of a fork at the same step, with the settings from before its change.
    again = world.keeper.fork(record, step, {"n_samples": 3}, "you", "back")
    world.finish()
    assert again.config == SMALL
    assert np.array_equal(parameters(again), replay(before, step).parameters)


def test_first_steps_that_nobody_asked_for_are_kept_once_somebody_forks_them(world):
    run = world.keeper.open(SMALL, "me")
    world.pool.finish()
    with pytest.raises(ValueError, match="has taken no step yet"):
        world.keeper.keep(run)
    run = world.keeper.open(SMALL, "me")
    world.pool.finish()
    run.open(12)
    while run.status().step < 7:
        world.pool.finish()
    world.keeper.flush()
    assert world.keeper.of("me") == []
    record = world.keeper.keep(run)  # in the midst of them: it stands still there
    assert (run.status().mode, run.status().opening_to) == ("paused", None)
    assert world.keeper.of("me") == [record]
    assert record.step == run.status().step >= 7
    branch = world.keeper.fork(record, 5, {"n_samples": 8}, "me", "branch")
    world.finish()
    assert branch.config == dataclasses.replace(SMALL, n_samples=8)
    before = run.snapshot().lineage.before(5)
    assert np.array_equal(parameters(branch), replay(before, 5).parameters)
    assert (world.keeper.usage("me").n_kept, world.keeper.usage("me").n_recent) == (1, 1)


def test_a_moment_before_the_film_of_a_reopened_run_is_replayed_to_the_bit(world):
    run = world.open(n_slices=5)
    run.change(n_samples=9)
    world.play(run, 5)
    parent = world.keeper.record_of(run)
    step = run.snapshot().lineage.changes[0].step
    branch = world.keeper.fork(parent, run.status().step, {"n_samples": 2}, "me")
    world.finish()
    record = world.keeper.record_of(branch)
    world.play(branch)
    lineage = run.snapshot().lineage
    for each in (run, branch):
        each.close()
    world.keeper.close()
    world.start_server()
    world.keeper.store.delete(parent.id)  # a branch has its own past
    again = world.keeper.reopen(world.keeper.store.get(record.id))
    world.finish()
    for at in (1, step, step + 1):
        answer = []
        asking = threading.Thread(
            target=lambda at=at, answer=answer: answer.append(world.keeper.look_back(again, at))
        )
        asking.start()
        while asking.is_alive():
            world.finish()
            asking.join(timeout=0.01)
        (moment,) = answer
        then = replay(lineage.before(at), at)
        assert moment.glance.step == moment.pictures_step == at
        expected = observe(then, again.history.axes)
        assert np.array_equal(moment.glance.log_w, expected.glance.log_w)
        assert np.array_equal(moment.pictures.samples, expected.samples)
    assert world.keeper.look_back(again, again.status().step + 10_000) is None


def test_a_fork_beyond_the_run_or_of_what_is_not_live_is_refused(world):
    record = world.keeper.record_of(world.open())
    with pytest.raises(ValueError, match=f"has come to step {record.step}, got"):
        world.keeper.fork(record, record.step + 1, {}, "me", "b")
    with pytest.raises(ValueError, match="latent_dim"):
        world.keeper.fork(record, 1, {"latent_dim": 3}, "me", "b")
    with pytest.raises(ValueError, match="n_samples"):
        world.keeper.fork(record, 1, {"n_samples": 0}, "me", "b")
    assert len(world.keeper.store.of("me")) == 1


def test_a_look_at_anothers_run_is_not_written(world):
    run = world.open(owner="teacher")
    record = world.keeper.record_of(run)
    assert world.keeper.view(record, "pupil") is run  # live: the class sees it go on
    run.close()
    world.keeper.flush()
    view = world.keeper.view(record, "pupil")
    world.finish()
    assert np.array_equal(parameters(view), parameters(run))
    world.play(view)
    world.keeper.flush()
    assert world.keeper.store.get(record.id).step == record.step
    assert world.keeper.store.of("pupil") == []
