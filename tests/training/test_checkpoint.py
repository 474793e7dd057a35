"""A kept state is readable without pickle; a broken one says which file is broken.

And a writer that is cut off leaves the old state or the new one, never a mixture.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import patience
import pytest
from safetensors.numpy import load_file, save_file

from iwae_core.training import TrainConfig, advance, begin, load, model_of, save
from iwae_core.training import checkpoint as module

SMALL = TrainConfig(hidden=(7,), latent_dim=2, batch_size=20)


@pytest.fixture
def kept(tmp_path):
    save(advance(begin(SMALL), 2).state, tmp_path)
    return tmp_path


def arrays_of(folder):
    (path,) = folder.glob("state-*.safetensors")
    return path


def assert_same(found, expected):
    assert (found.step, found.position, found.config) == (
        expected.step,
        expected.position,
        expected.config,
    )
    for name in ("parameters", "first_moment", "second_moment"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_the_file_is_a_plain_checkpoint_with_the_models_names(kept):
    arrays = load_file(arrays_of(kept))
    for name, value in model_of(load(kept)).state_dict().items():
        assert np.array_equal(arrays[f"model.{name}"], value.numpy())


def test_a_folder_holds_two_files_however_often_it_is_written(kept):
    state = load(kept)
    for _ in range(2):
        state = advance(state, 1).state
        save(state, kept)
        save(state, kept)
        assert sorted(path.name for path in kept.iterdir()) == [
            arrays_of(kept).name,
            "state.json",
        ]
        assert_same(load(kept), state)


class Cut(BaseException):
    """The process ends here."""


# What save does to the folder, in order; the sheet's rename is the moment of the change.
MOMENTS = {
    "before the arrays are in place": ("replace", 1, "old"),
    "before the sheet is in place": ("replace", 2, "old"),
    "before the old arrays are gone": ("unlink", 1, "new"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_writer_that_is_cut_off_leaves_the_old_state_or_the_new(kept, monkeypatch, moment):
    operation, count, expected = MOMENTS[moment]
    owner = {"replace": os, "unlink": Path}[operation]
    original, calls = getattr(owner, operation), []

    def cut(*arguments, **settings):
        calls.append(arguments)
        if len(calls) == count:
            raise Cut
        return original(*arguments, **settings)

    states = {"old": load(kept)}
    states["new"] = advance(states["old"], 3).state
    with monkeypatch.context() as patch:
        patch.setattr(owner, operation, cut)
        with pytest.raises(Cut):
            save(states["new"], kept)
    assert_same(load(kept), states[expected])
    # Whoever goes on from there sweeps up what was left.
    later = advance(states["new"], 1).state
    save(later, kept)
    assert_same(load(kept), later)
    assert len(list(kept.iterdir())) == 2


def steps_written(folder):
    sheet = folder / "state.json"
    return json.loads(sheet.read_text())["step"] if sheet.exists() else 0


def test_a_writer_killed_at_any_time_leaves_a_whole_state(tmp_path):
    script = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from iwae_core.training import TrainConfig, advance, begin, save\n"
        "state = begin(TrainConfig(hidden=(7,), latent_dim=2, batch_size=20))\n"
        "while True:\n"
        "    save(state, sys.argv[1])\n"
        "    state = advance(state, 1).state\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    try:
        deadline = time.monotonic() + patience.SECONDS
        while steps_written(tmp_path) < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    state = load(tmp_path)
    assert state.step > 0, "killed before it had written twice: nothing was tried"
    assert_same(state, advance(begin(SMALL), state.step).state)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def rewrite(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    "breakage",
    [
        lambda path: path.unlink(),
        truncate,
        lambda path: path.write_text("[]"),
        lambda path: rewrite(path, lambda v: v.update(format=99)),
        lambda path: rewrite(path, lambda v: v.pop("step")),
        lambda path: rewrite(path, lambda v: v["config"].update(n_samples=0)),
    ],
)
def test_a_broken_sheet_is_named(kept, breakage):
    breakage(kept / "state.json")
    with pytest.raises(ValueError, match=r"state\.json"):
        load(kept)


def flip_last_bit(path):
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize(
    "breakage",
    [
        lambda path: path.unlink(),
        truncate,
        flip_last_bit,
        lambda path: path.write_bytes(b"not a tensor file"),
        lambda path: save_file({"a": np.zeros(3)}, path),
    ],
)
def test_a_broken_arrays_file_is_named(kept, breakage):
    path = arrays_of(kept)
    breakage(path)
    with pytest.raises(ValueError, match=path.name):
        load(kept)


def test_arrays_of_another_step_are_refused(kept, tmp_path):
    # The very mixture: the sheet of one step beside the arrays of the next, under its name.
    other = tmp_path / "other"
    save(advance(load(kept), 1).state, other)
    arrays_of(kept).write_bytes(arrays_of(other).read_bytes())
    with pytest.raises(ValueError, match=r"not what state\.json names: damaged or exchanged"):
        load(kept)


@pytest.mark.parametrize("data", [b"not a tensor file", None])
def test_arrays_that_never_were_a_run_are_refused_though_the_digest_is_right(kept, data):
    path = arrays_of(kept)
    if data is None:
        save_file({"a": np.zeros(3)}, path)
        data = path.read_bytes()
    digest = module._digest(data)
    rewrite(kept / "state.json", lambda values: values.update(arrays=digest))
    (kept / f"state-{digest}.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=digest):
        load(kept)


def test_parameters_of_another_configuration_are_refused(kept):
    rewrite(kept / "state.json", lambda values: values["config"].update(latent_dim=5))
    with pytest.raises(ValueError, match="parameters"):
        load(kept)
