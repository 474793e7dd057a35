"""What one browser may have in the store, and what is left of it."""

import gc
import threading

import patience
import psutil
import pytest
from keeping import LIMITS

from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.kept_limits import Limits


def parameters(run):
    return run.state.parameters


def test_limits_are_refused_with_a_sentence(world):
    record = world.keeper.record_of(world.open())
    for number in range(3):
        world.keeper.fork(record, 1, {}, "me", f"b{number}")
    with pytest.raises(ValueError, match="3 of 3 runs are kept; delete one first"):
        world.keeper.fork(record, 1, {}, "me", "b")
    world.keeper.fork(record, 1, {}, "you", "b")
    small = Keeper(world.keeper.store, world.start, limits=Limits(n_bytes=1000))
    with pytest.raises(ValueError, match="of 0 MB; delete some first"):
        small.check_room("me")


def test_only_so_many_runs_of_one_browser_play(world):
    runs = [world.open(1) for _ in range(2)]
    for run in runs:
        world.keeper.check_may_play("me")
        run.play()
    with pytest.raises(ValueError, match="2 runs of yours are playing"):
        world.keeper.check_may_play("me")
    world.keeper.check_may_play("you")
    runs[0].pause()
    world.keeper.check_may_play("me")


def test_runs_that_nobody_named_make_room_for_new_ones_but_not_while_open(world):
    first = world.open(seed=1)
    named = world.open(seed=2)
    world.keeper.store.rename(world.keeper.record_of(named).id, "kept")
    ids = {}
    for seed in range(3, 7):
        world.now += 1
        run = world.open(seed=seed)
        ids[seed] = world.keeper.record_of(run).id
        run.close()
    world.keeper.flush()
    left = {record.id for record in world.keeper.store.of("me")}
    held = {world.keeper.record_of(run).id for run in (first, named)}
    assert left == held | {ids[5], ids[6]}


def test_fifty_opened_played_and_closed_runs_leave_rows_and_nothing_else(world):
    me = psutil.Process()
    world.open(seed=100).close()
    world.keeper.flush()

    def traces():
        gc.collect()
        world.keeper.store.engine.dispose()  # a few connections wait for their next use
        return threading.active_count(), me.num_fds()

    threads, files = traces()
    for seed in range(50):
        world.now += 1
        world.open(1, seed=seed).close()
    world.keeper.flush()
    # What other tests have left may end meanwhile; nothing may be left of these.
    patience.wait_for(lambda: traces()[0] <= threads and traces()[1] <= files)
    assert not world.keeper._writer._entries
    assert not world.keeper._writer._marked
    assert len(world.keeper.store.of("me")) == LIMITS.n_recent
    assert len(list(world.keeper.store.folder.iterdir())) == LIMITS.n_recent
