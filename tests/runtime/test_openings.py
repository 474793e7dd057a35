"""What a class that opens a page at once has computed for it: once, and to the same bits."""

from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import pytest
from by_hand import ByHand

from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.openings import Openings
from iwae_core.runtime.queue import FairQueue
from iwae_core.runtime.twins import TwinRun
from iwae_core.training import TrainConfig, advance, begin

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)
FIRST = 16  # steps


class Class:
    """Readers of one page, before workers and a clock that a test moves."""

    def __init__(self):
        self.pool, self.now, self.n_done = ByHand(), 0.0, 0
        self.queue = FairQueue(lambda: self.pool, 2)

    def open(self, name, config=SMALL):
        run = LiveRun(config, self.queue.lane(name), clock=lambda: self.now)
        run.open(FIRST)
        return run

    def finish(self):
        """Let the workers do all that they have."""
        while self.pool.waiting or self.pool.beside:
            done = self.pool.finish if self.pool.waiting else self.pool.finish_beside
            done()
            self.n_done += 1

    def see_through(self, *runs):
        """Poll as pages do, until all stand after their first steps, with the dear bound."""
        for _ in range(40):
            self.now += 1.0
            for run in runs:
                run.poll()
            self.finish()


@pytest.fixture
def school():
    return Class()


def test_thirty_openings_cost_what_one_costs_and_stand_at_the_same_bits(school):
    alone = Class()
    one = alone.open("one")
    alone.finish()
    alone.see_through(one)
    runs = [school.open(str(i)) for i in range(30)]
    school.finish()
    late = school.open("late")
    school.see_through(*runs, late)
    assert school.n_done == alone.n_done
    expected = advance(begin(SMALL), FIRST).state
    for run in [*runs, late]:
        assert (run.status().mode, run.status().step) == ("paused", FIRST)
        assert np.array_equal(run.state.parameters, expected.parameters)
        assert run.history.seen(-1).steps[:, 0].tolist() == list(range(1, FIRST + 1))
        assert run.history.deepest == FIRST
        assert run.history.deep.rows[-1, 1] == one.history.deep.rows[-1, 1]


def test_who_opens_late_sees_it_move_as_the_first_did(school):
    first = school.open("first")
    school.finish()
    school.see_through(first)
    late = school.open("late")
    steps = []
    while late.status().mode == "playing":
        late.poll()
        steps.append(late.status().step)
        school.now += 1e-4
    assert not school.pool.waiting
    assert set(range(0, FIRST + 1, 2)) <= set(steps)  # eight looks, one after the other
    assert len(steps) > 8  # with time between them


def test_whoever_presses_anything_or_asks_for_something_else_goes_a_way_of_their_own(school):
    runs = [school.open(name) for name in "abc"]
    other = school.open("other", replace(SMALL, seed=5))
    school.finish()
    runs[0].change(n_samples=9)
    runs[1].play()
    school.now += 1.0
    runs[1].poll()
    school.pool.finish()
    runs[1].pause()
    school.pool.waiting.clear()
    school.see_through(runs[0], runs[2], other)
    at = runs[0].snapshot().lineage.changes[0].step
    changed = advance(advance(begin(SMALL), at).state, FIRST - at, {"n_samples": 9}).state
    assert np.array_equal(runs[0].state.parameters, changed.parameters)
    expected = advance(begin(SMALL), FIRST).state
    assert np.array_equal(runs[2].state.parameters, expected.parameters)
    expected = advance(begin(replace(SMALL, seed=5)), FIRST).state
    assert np.array_equal(other.state.parameters, expected.parameters)


def test_pairs_share_theirs_too(school):
    other = replace(SMALL, n_samples=7)
    pairs = [
        TwinRun(SMALL, other, school.queue.lane(name), clock=lambda: school.now) for name in "abc"
    ]
    for pair in pairs:
        pair.open(FIRST)
    school.finish()
    school.see_through(*pairs)
    assert school.n_done == 2 * (1 + 8)
    for pair in pairs:
        for state, config in zip(pair.states, (SMALL, other), strict=True):
            expected = advance(begin(config), FIRST).state
            assert np.array_equal(state.parameters, expected.parameters)


def test_a_killed_worker_costs_its_slice_and_a_failure_is_everybodys_but_not_for_good(
    school, tmp_path
):
    runs = [school.open(name) for name in "abc"]
    school.pool.kill()
    school.finish()
    school.see_through(*runs)
    assert [run.status().step for run in runs] == [FIRST] * 3
    bad = replace(SMALL, dataset="upload." + 32 * "0", data_folder=str(tmp_path))
    with pytest.raises((OSError, ValueError)):
        begin(bad)
    runs = [school.open(name, bad) for name in "de"]
    school.finish()
    assert [run.status().mode for run in runs] == ["stopped"] * 2
    school.open("f", bad)
    assert school.pool.waiting  # it is tried again


def test_who_asks_while_it_is_on_its_way_waits_and_what_is_kept_is_bounded():
    openings, asked, heard = Openings(most_bytes=25_000), [], []
    size = 1000  # float64: 8,000 bytes

    def ask(key):
        openings.ask(
            key,
            lambda done, failed: asked.append((key, done, failed)),
            lambda parts: heard.append((key, parts[0][0])),
            lambda place, cause: heard.append((key, cause)),
        )

    for key in "aab":
        ask(key)
    assert [key for key, *_ in asked] == ["a", "b"]
    asked[0][1]([np.full(size, 1.0)])
    assert heard == [("a", 1.0), ("a", 1.0)]
    asked[1][2](0, "no worker lives")
    ask("b")
    asked[2][1]([np.full(size, 2.0)])
    for key in "cda":
        ask(key)
    assert heard[2:] == [("b", "no worker lives"), ("b", 2.0), ("a", 1.0)]
    for number, (_, done, _) in enumerate(asked[3:]):
        done([np.full(size, number)])
    assert openings.n_bytes <= 25_000
    ask("a")  # it was asked for lately
    ask("b")  # the oldest went
    assert [key for key, *_ in asked] == ["a", "b", "b", "c", "d", "b"]


def test_deaths_without_end_are_told_and_the_next_to_ask_tries_again(school):
    run = school.open("a")
    while school.pool.waiting:
        school.pool.waiting.pop(0)[0].set_exception(BrokenProcessPool("killed"))
    assert run.status().cause == "the worker processes were stopped"
    again = school.open("b")
    school.finish()
    school.see_through(again)
    assert again.status().step == FIRST
