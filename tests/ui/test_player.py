"""What the player's buttons make a run do, and that nobody can make it do more."""

import pytest
from by_hand import ByHand

from iwae_core.runtime.live import LiveRun
from iwae_core.training import TrainConfig
from iwae_core.ui.player import obey, obey_all

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50)


@pytest.fixture
def run():
    pool = ByHand()
    run = LiveRun(SMALL, pool)
    pool.finish()
    run.pool = pool
    return run


def test_each_button_does_what_it_says(run):
    obey(run, "play")
    assert run.status().mode == "playing"
    obey(run, "pause")
    assert run.status().mode == "paused"
    run.pool.waiting.clear()
    obey(run, "step", 10)
    run.pool.finish()
    assert run.status().step == 10
    obey(run, "pace", 3)
    assert run.status().pace == 3
    obey(run, "pace", None)
    assert run.status().pace is None
    obey(run, "reset")
    run.pool.finish()
    assert (run.status().step, run.status().generation) == (0, 2)


def test_a_command_is_obeyed_once_and_in_order(run):
    sent = {"run": run.run_id, "list": [[5, "step", 1], [6, "step", 2], [9, "pace", 10]]}
    assert obey_all(run, sent, 0) == 9
    assert run.status().pace == 10
    run.pool.finish()
    while run.pool.waiting:
        run.pool.finish()
    assert run.status().step == 3
    assert obey_all(run, sent, 9) == 9
    assert not run.pool.waiting
    sent["list"].append([12, "play", None])
    assert obey_all(run, sent, 9) == 12
    assert run.status().mode == "playing"


def test_what_is_pressed_after_a_fork_is_not_for_the_run_that_was_left(run):
    shown = [run]

    def one(run, what, value):
        if what == "fork":
            shown.clear()
        else:
            obey(run, what, value)

    sent = {"run": run.run_id, "list": [[5, "step", 1], [6, "fork", 0], [7, "play", None]]}
    assert obey_all(run, sent, 0, one, lambda run: run in shown) == 6
    run.pool.finish()
    assert (run.status().mode, run.status().step) == ("paused", 1)
    assert obey_all(run, sent, 6, one, lambda run: run in shown) == 6
    assert run.status().mode == "paused"


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "play",
        {"run": "another", "list": [[5, "play", None]]},
        {"list": [[5, "play", None]]},
        {"run": "mine", "list": "play"},
        {"run": "mine", "list": [["5", "play", None], [5, "play"], 7, None]},
        {"run": "mine", "list": [[5, "close", None], [6, ["play"], None]]},
        {"run": "mine", "list": [[5, "step", 0], [6, "step", -1], [7, "step", 10**9]]},
        {"run": "mine", "list": [[5, "step", True], [6, "step", "3"], [7, "step", None]]},
    ],
)
def test_what_no_button_sends_does_nothing(run, sent):
    if isinstance(sent, dict) and sent.get("run") == "mine":
        sent["run"] = run.run_id
    obey_all(run, sent, 0)
    assert run.status().mode == "paused"
    assert not run.pool.waiting


@pytest.mark.parametrize("pace", ["fast", -1, 0, float("inf"), float("nan"), [3]])
def test_a_pace_that_is_none_means_full_speed(run, pace):
    obey(run, "pace", pace)
    assert run.status().pace is None
