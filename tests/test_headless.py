"""iwae-lab train and evaluate: a run in a folder that goes on where it stands."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import patience
import pytest
import torch
from commands import SMALL, assert_same_curve, curve, lines, train

from iwae_core import cli, datasets, headless, headless_board, training
from iwae_core.datasets import binarize
from iwae_core.evaluation import log_likelihood
from iwae_core.rng import stream
from iwae_core.training import TrainConfig


def test_a_run_in_two_sittings_is_the_run_in_one(tmp_path, capsys):
    assert train(tmp_path / "one", *SMALL, "--steps", "60", "--json") == 0
    assert train(tmp_path / "two", *SMALL, "--steps", "25", "--json") == 0
    assert train(tmp_path / "two", "--steps", "60", "--json") == 0
    one, two = (training.load(tmp_path / name) for name in ("one", "two"))
    np.testing.assert_array_equal(one.parameters, two.parameters)
    assert_same_curve(tmp_path / "one", tmp_path / "two")
    said = lines(capsys)
    assert [line["step"] for line in said if "folder" in line] == [60, 25, 60]
    assert said[-1]["L_64"] > said[-1]["L_1"]


def test_what_is_trained_is_what_the_library_trains(tmp_path, capsys):
    settings = {"dataset": "moons", "hidden": (8,), "latent_dim": 2, "batch_size": 50}
    state = training.begin(TrainConfig(**settings, n_samples=3, learning_rate=0.01))
    expected = training.advance(state, 20).state
    more = ["--n-samples", "3", "--learning-rate", "0.01", "--steps", "20"]
    assert train(tmp_path, *SMALL, *more) == 0
    found = training.load(tmp_path)
    assert found.config == expected.config
    np.testing.assert_array_equal(found.parameters, expected.parameters)


def test_a_live_setting_may_change_and_another_may_not(tmp_path, capsys):
    assert train(tmp_path, *SMALL, "--steps", "10") == 0
    assert train(tmp_path, "--steps", "20", "--n-samples", "16") == 0
    assert training.load(tmp_path).config.n_samples == 16
    assert curve(tmp_path)[:, 3].tolist() == [5] * 10 + [16] * 10
    capsys.readouterr()
    assert train(tmp_path, "--latent-dim", "3") == headless.EXIT_REFUSED
    assert "choose another --out" in capsys.readouterr().err


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(tmp_path):
    # The command, but with a save each half second, or all of it would take three times as long.
    program = "import sys; from iwae_core import cli, headless; headless.SAVE_SECONDS = 0.5; "
    program += "sys.exit(cli.main(sys.argv[1:]))"
    command = ["train", "--out", str(tmp_path / "killed"), *SMALL, "--steps", "100000", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *command], stdout=subprocess.PIPE, text=True
    )
    saved = 0
    for line in process.stdout:
        saved = json.loads(line)["step"]
        if "L_1" in line:
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=patience.SECONDS)
    process.stdout.close()
    goal = training.load(tmp_path / "killed").step + 7
    assert saved < goal
    assert train(tmp_path / "killed", "--steps", str(goal)) == 0
    assert train(tmp_path / "whole", *SMALL, "--steps", str(goal)) == 0
    killed, whole = (training.load(tmp_path / name) for name in ("killed", "whole"))
    np.testing.assert_array_equal(killed.parameters, whole.parameters)
    assert_same_curve(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize("where", ["advance", "save"])
def test_ctrl_c_costs_the_slice_under_way_and_no_more(where, tmp_path, capsys, monkeypatch):
    # In a slice, or in the middle of a save, when the curve is written and the state is not.
    real, calls = getattr(training, where), []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == (4 if where == "advance" else 1):
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(training, where, interrupted)
    monkeypatch.setattr(headless, "SAVE_SECONDS", 1e9 if where == "advance" else 0.0)
    assert train(tmp_path / "one", *SMALL, "--steps", "60") == headless.EXIT_INTERRUPTED
    assert "the same command goes on from here" in capsys.readouterr().err
    monkeypatch.undo()
    reached = training.load(tmp_path / "one").step
    assert 0 < reached < 60
    assert list(curve(tmp_path / "one")[:, 0]) == list(range(1, reached + 1))
    assert train(tmp_path / "one", *SMALL, "--steps", "60") == 0
    assert train(tmp_path / "two", *SMALL, "--steps", "60") == 0
    one, two = (training.load(tmp_path / name) for name in ("one", "two"))
    np.testing.assert_array_equal(one.parameters, two.parameters)
    assert_same_curve(tmp_path / "one", tmp_path / "two")


def test_evaluate_prints_the_bounds_of_the_library(tmp_path, capsys):
    train(tmp_path, "--hidden", "10", "--steps", "30")
    capsys.readouterr()
    assert (
        cli.main(["evaluate", str(tmp_path), "--samples", "100", "--images", "40", "--json"]) == 0
    )
    (found,) = lines(capsys)
    x = binarize(datasets.load("digits").test[:40], stream(0, "test bits"))
    model = training.model_of(training.load(tmp_path))
    bounds = log_likelihood(model, x, 100, stream(0, "noise", 100))
    assert found["L_100"] == pytest.approx(bounds.mean().item(), abs=1e-9)
    assert found["L_1"] < found["L_64"] < found["L_100"] + 0.2
    assert found["images"] == 40
    assert cli.main(["evaluate", str(tmp_path / "none")]) == 2


def test_tensorboard_that_is_not_there_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(headless_board, "has_tensorboard", lambda: False)
    assert train(tmp_path, *SMALL, "--steps", "1", "--tensorboard", str(tmp_path / "log")) == 2
    assert "pip install tensorboard" in capsys.readouterr().err
    assert not (tmp_path / "log").exists()


def logged(folder):
    """The scalars of a log as TensorBoard shows them: name -> [(step, value), ..]."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = events.EventAccumulator(str(folder))
    found.Reload()
    return {
        name: [(event.step, event.value) for event in found.Scalars(name)]
        for name in found.Tags()["scalars"]
    }


def test_tensorboard_shows_the_numbers_of_the_curves(tmp_path):
    run, log = tmp_path / "run", tmp_path / "log"
    assert train(run, *SMALL, "--steps", "30", "--tensorboard", str(log)) == 0
    shown = logged(log)
    assert set(shown) == {"train/objective", "held_out/L_1", "held_out/L_64"}
    with (run / "held_out.csv").open() as file:
        step, l_1, l_64 = list(csv.reader(file))[-1]
    assert shown["held_out/L_1"] == [(int(step), pytest.approx(float(l_1), rel=1e-6))]
    assert shown["held_out/L_64"] == [(int(step), pytest.approx(float(l_64), rel=1e-6))]
    objective, begin = curve(run)[:, 1], 0
    for end, value in shown["train/objective"]:  # the mean of each slice
        assert value == pytest.approx(objective[begin:end].mean(), rel=1e-5)
        begin = end
    assert begin == 30


def test_what_a_crash_lost_is_not_shown_twice(tmp_path):
    run, log = tmp_path / "run", tmp_path / "log"
    assert train(run, *SMALL, "--steps", "10", "--tensorboard", str(log)) == 0
    kept = tmp_path / "kept"
    shutil.copytree(run, kept)
    time.sleep(1.1)  # TensorBoard orders files by the second of their names
    assert train(run, "--steps", "30", "--tensorboard", str(log)) == 0
    time.sleep(1.1)
    # As after a kill: the log is ahead of the run's last save.
    assert train(kept, "--steps", "20", "--tensorboard", str(log)) == 0
    steps = [step for step, _ in logged(log)["train/objective"]]
    assert steps == sorted(set(steps))
    assert steps[-1] == 20


def test_a_run_moves_to_another_machine(tmp_path, capsys):
    # Trained on a GPU, with data kept elsewhere; here there is no GPU.
    assert train(tmp_path, *SMALL, "--steps", "20", "--json") == 0
    sheet = tmp_path / "state.json"
    values = json.loads(sheet.read_text())
    values["config"] |= {"device": "cuda", "data_folder": str(tmp_path / "gone")}
    sheet.write_text(json.dumps(values))
    here = ["--device", "cpu", "--data-folder", str(tmp_path)]
    if not torch.cuda.is_available():
        assert cli.main(["evaluate", str(tmp_path)]) == headless.EXIT_REFUSED
        assert "device 'cuda' is not available" in capsys.readouterr().err
    capsys.readouterr()
    evaluated = ["evaluate", str(tmp_path), "--samples", "70", "--images", "20", "--json", *here]
    assert cli.main(evaluated) == 0
    assert train(tmp_path, "--steps", "30", *here, "--json") == 0
    assert lines(capsys)[-1]["step"] == 30


def test_denormals_are_flushed_before_torch_starts_its_threads(tmp_path):
    # Threads that start before the flag is set never flush; 4 million numbers take two threads.
    program = """
import sys, torch
from iwae_core import cli, headless
say = headless._say
def look(found, as_json):
    tiny = torch.full((4_000_000,), 2e-20) * 1e-20
    left = int((tiny != 0).sum())
    say({**found, "threads": torch.get_num_threads(), "left": left}, True)
headless._say = look
cli.main(sys.argv[1:])
"""
    options = ["train", "--out", str(tmp_path), *SMALL, "--steps", "3", "--json", "--threads", "2"]
    done = subprocess.run(
        [sys.executable, "-c", program, *options],
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["threads"], found["left"]) == (2, 0)


def test_one_image_has_a_bound_and_no_standard_error(tmp_path, capsys):
    assert train(tmp_path, *SMALL, "--steps", "5", "--json") == 0
    capsys.readouterr()
    assert cli.main(["evaluate", str(tmp_path), "--images", "1", "--samples", "70", "--json"]) == 0
    (found,) = lines(capsys)
    assert "L_70" in found
    assert not [name for name in found if name.endswith("std_error")]
