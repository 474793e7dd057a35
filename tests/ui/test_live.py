"""What a browser gets from a run, and that it misses nothing whenever it asks."""

from concurrent.futures import Executor, Future

import numpy as np

from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.wire import pack, unpack
from iwae_core.training import TrainConfig
from iwae_core.ui.live import message

SMALL = TrainConfig(hidden=(8,), latent_dim=3, n_samples=3, batch_size=50)


class Later(Executor):
    """Keeps what was submitted until the test lets it run."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args):
        self.waiting.append((Future(), fn, args))
        return self.waiting[-1][0]

    def run_one(self):
        future, fn, args = self.waiting.pop(0)
        future.set_result(fn(*args))


def ask(run, since, generation):
    return unpack(message(run, since, generation))


def test_arrays_and_meta_survive_the_wire():
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "empty": np.zeros((0, 4)),
        "flags": np.ones(3, bool),
    }
    meta, back = unpack(pack({"name": "µ", "step": 3}, arrays))
    assert meta == {"name": "µ", "step": 3}
    for name, values in arrays.items():
        assert back[name].shape == values.shape
        np.testing.assert_array_equal(back[name], values)


def test_one_who_asks_before_the_run_has_begun_still_gets_its_first_frame():
    pool = Later()
    run = LiveRun(SMALL, pool)
    meta, arrays = ask(run, -1, 0)
    assert "frame_step" not in meta
    assert len(arrays["steps"]) == 0
    pool.run_one()
    meta, arrays = ask(run, -1, meta["generation"])
    assert meta["frame_step"] == 0
    assert arrays["originals"].shape == (10, 64)
    assert arrays["labels"].shape == (297,)
    assert arrays["log_w"].shape == (64,)
    assert arrays["held_out"][0, 2] > arrays["held_out"][0, 1]


def test_each_message_brings_what_came_since_and_a_reset_brings_all():
    pool = Later()
    run = LiveRun(SMALL, pool)
    pool.run_one()
    run.step(5)
    pool.run_one()
    meta, arrays = ask(run, 0, 1)
    assert arrays["steps"][:, 0].tolist() == [1, 2, 3, 4, 5]
    assert meta["frame_step"] == 5
    assert "labels" not in arrays
    meta, arrays = ask(run, 5, 1)
    assert len(arrays["steps"]) == 0
    assert "frame_step" not in meta
    run.reset()
    pool.run_one()
    meta, arrays = ask(run, 5, 1)
    assert meta["generation"] == 2
    assert meta["frame_step"] == 0
    assert "labels" in arrays
