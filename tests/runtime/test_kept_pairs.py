"""Twins in the store: kept as two runs, opened again together, and counted as two."""

import dataclasses
import shutil

import numpy as np
import pytest
from keeping import SMALL

from iwae_core.runtime.kept_bundle import pack, unpack
from iwae_core.runtime.lineage import replay
from iwae_core.runtime.twins import TwinRun

A = dataclasses.replace(SMALL, objective="elbo", estimator="closed_form_kl", n_samples=1)
B = dataclasses.replace(SMALL, n_samples=5)


@pytest.fixture
def pairs(world):
    world.keeper.pairs._start = start(world)
    return world.keeper.pairs


def start(world):
    return lambda first, second, owner: TwinRun(first, second, world.pool, slice_seconds=0.005)


def opened(world, n_slices=3, owner="me"):
    pair = world.keeper.pairs.open(A, B, owner)
    world.finish()
    play(world, pair, n_slices)
    return pair


def play(world, pair, n_slices):
    pair.play()
    for _ in range(2 * n_slices):
        world.pool.finish()
    pair.pause()
    world.pool.waiting.clear()
    world.keeper.flush()


def restart(world):
    world.keeper.close()
    world.start_server()
    world.keeper.pairs._start = start(world)
    return world.keeper.pairs


def test_a_pair_comes_into_the_store_as_two_runs_when_it_is_first_played(world, pairs):
    pair = pairs.open(A, B, "me")
    world.finish()
    world.keeper.flush()
    assert pairs.records_of(pair) is None
    play(world, pair, 4)
    (records,) = pairs.of("me")
    assert records == pairs.records_of(pair)
    assert [record.pair_id for record in records] == [records[0].id] * 2
    for record, config, state in zip(records, (A, B), pair.states, strict=True):
        assert record.lineage.config == config
        assert record.step == state.step == pair.status().step
        assert record.bound_64 == pytest.approx(replayed_bound(record), abs=1e-5)
    assert world.keeper.of("me") == []  # among single runs there is none
    assert world.keeper.usage("me").n_recent == 2


def replayed_bound(record):
    from iwae_core.training.twin_look import look

    return look(replay(record.lineage, record.step)).L_64.mean()


def test_after_a_restart_both_stand_together_to_the_bit_with_their_curves(world, pairs):
    pair = opened(world)
    pair.change(A, dataclasses.replace(B, n_samples=9))
    play(world, pair, 3)
    pair.change(dataclasses.replace(A, learning_rate=0.01), dataclasses.replace(B, n_samples=9))
    play(world, pair, 2)
    lost, (_, seen) = pair.states, pair.look()
    (records,) = pairs.of("me")
    last = world.keeper.store.kept_steps(records[1].id)[-1]
    pairs = restart(world)
    # As if the server had died between the files of the two: B's last state is not there.
    shutil.rmtree(world.keeper.store.folder / records[1].id / f"{last:010d}")
    again = pairs.reopen(records, "me")
    assert again.status().replaying_to == records[0].step
    world.finish()
    assert again.status().mode == "paused"
    for state, before in zip(again.states, lost, strict=True):
        assert state.step == before.step
        assert np.array_equal(state.parameters, before.parameters)
        assert np.array_equal(state.second_moment, before.second_moment)
    assert [config.n_samples for config in again.configs] == [1, 9]
    assert again.configs[0].learning_rate == 0.01
    _, shown = again.look()
    for rows, before in zip(shown.trained, seen.trained, strict=True):
        np.testing.assert_allclose(rows, before, rtol=1e-5)
    kept = shown.held_out[:, 0]
    assert kept[-1] == records[0].step
    same = np.isin(seen.held_out[:, 0], kept)
    np.testing.assert_allclose(
        shown.held_out[np.isin(kept, seen.held_out[:, 0])], seen.held_out[same], rtol=1e-5
    )
    assert same.sum() > 2
    assert pairs.reopen(records, "me") is again
    play(world, again, 2)
    assert pairs.of("me")[0][0].step == again.status().step > records[0].step


def test_starting_over_leaves_the_old_pair_and_begins_another(world, pairs):
    pair = opened(world)
    world.keeper.store.rename(pairs.of("me")[0][0].id, "stays")
    (old,) = pairs.of("me")
    world.now += 1
    pair.reset()
    assert pairs.records_of(pair) is None
    world.finish()
    play(world, pair, 2)
    new, kept = pairs.of("me")
    assert kept == old
    assert {record.id for record in new}.isdisjoint(record.id for record in old)


def test_a_pair_is_named_and_deleted_as_one(world, pairs):
    pair = opened(world)
    (records,) = pairs.of("me")
    world.keeper.store.rename(records[0].id, "twins")
    (named,) = pairs.of("me")
    assert [record.name for record in named] == ["twins", "twins"]
    assert world.keeper.usage("me").n_kept == 2
    world.keeper.delete(named[0])
    assert pairs.of("me") == []
    assert world.keeper.store.pair(records[0].id) is None
    assert list(world.keeper.store.folder.iterdir()) == []
    play(world, pair, 1)
    assert pairs.of("me") == []


def test_a_pair_counts_as_two_where_so_many_may_play_or_stay(world, pairs):
    run = world.open(1)  # the limits of the tests: two play, two stay unnamed
    run.play()
    with pytest.raises(ValueError, match=r"1 runs .* may play 2 \(a pair counts as two\)"):
        world.keeper.check_may_play("me", 2)
    run.pause()
    world.keeper.check_may_play("me", 2)
    single = world.keeper.record_of(run)
    run.close()
    world.keeper.flush()
    world.now += 1
    pair = opened(world)
    pair.play()
    with pytest.raises(ValueError, match="2 runs of yours are playing"):
        world.keeper.check_may_play("me")
    world.keeper.check_may_play("you", 2)
    assert world.keeper.store.get(single.id) is None  # it made room
    assert len(pairs.of("me")) == 1


def test_each_of_a_pair_is_a_run_to_look_at_fork_and_export(world, pairs):
    pair = opened(world, 4)
    (records,) = pairs.of("me")
    view = world.keeper.view(records[1], "me")  # beside the live pair, which is not disturbed
    world.finish()
    assert np.array_equal(view.state.parameters, pair.states[1].parameters)
    branch = world.keeper.fork(records[1], 1, {"n_samples": 2}, "me", "b")
    world.finish()
    assert branch.config == dataclasses.replace(B, n_samples=2)
    (single,) = world.keeper.of("me")
    assert (single.parent_id, single.pair_id) == (records[1].id, None)
    for record, state in zip(records, pair.states, strict=True):
        bundle = unpack(pack(world.keeper.bundle(record), ""))
        assert np.array_equal(bundle.state.parameters, state.parameters)
        assert len(bundle.curves[1]) > 2


def test_anothers_pair_is_looked_at_and_not_written(world, pairs):
    opened(world, owner="teacher")
    (records,) = pairs.of("teacher")
    pairs = restart(world)
    seen = pairs.reopen(records, "pupil")
    world.finish()
    play(world, seen, 2)
    assert pairs.of("pupil") == []
    assert pairs.of("teacher")[0][0].step == records[0].step


def test_steps_taken_unasked_are_not_kept_until_somebody_plays(world, pairs):
    single = world.keeper.open(SMALL, "me")
    pair = pairs.open(A, B, "me")
    for run, n_parts in ((single, 1), (pair, 2)):
        world.finish()
        run.open(5)
        while run.status().mode == "playing":
            for _ in range(n_parts):
                world.pool.finish()
        assert (run.status().step, run.status().mode) == (5, "paused")
        run.open(5)  # it has come there
        assert not world.pool.waiting
    world.keeper.flush()
    assert world.keeper.store.groups("me") == []
    single.play()
    assert world.keeper.record_of(single).lineage.config == SMALL
    single.open(10**6)  # whoever has pressed anything is left alone
    single.pause()
    world.pool.waiting.clear()
    world.keeper.flush()
    (record,) = world.keeper.of("me")
    assert record.step == single.status().step == 5


def test_a_press_takes_over_from_the_first_steps(world):
    run = world.keeper.open(SMALL, "me")
    world.finish()
    run.open(10**6)
    world.pool.finish()
    assert run.status().opening_to == 10**6
    run.pause()
    assert (run.status().mode, run.status().opening_to) == ("paused", None)
    world.pool.waiting.clear()
    run.open(10**6)
    run.play()
    assert (run.status().mode, run.status().opening_to) == ("playing", None)
    world.pool.waiting.clear()
    run.pause()
    run.reset()
    assert (run.status().step, run.status().is_asked_for) == (0, False)
