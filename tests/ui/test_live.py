"""What a browser gets from a run, and that it misses nothing whenever it asks."""

import dataclasses
import re
from concurrent.futures import Executor, Future

import numpy as np

from iwae_core import datasets
from iwae_core.datasets import uploads
from iwae_core.datasets.csv_file import read_csv
from iwae_core.datasets.tables import make_table
from iwae_core.runtime.lineage import Lineage, Origin
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.queue import FairQueue
from iwae_core.runtime.wire import pack, unpack
from iwae_core.training import TrainConfig
from iwae_core.ui.live import Known, message, moment_message

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
    return unpack(message(run, generation, Known(since, since, since, since)))


def test_arrays_and_meta_survive_the_wire():
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "empty": np.zeros((0, 4)),
        "flags": np.ones(3, bool),
        "bytes": np.arange(5, dtype=np.uint8),
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
    assert "glance_steps" not in arrays
    assert len(arrays["steps"]) == 0
    pool.run_one()
    meta, arrays = ask(run, -1, meta["generation"])
    assert arrays["glance_steps"].tolist() == [0]
    assert meta["pictures_step"] == 0
    assert arrays["originals"].shape == (10, 64)
    assert arrays["labels"].shape == (297,)
    assert arrays["log_w"].shape == (1, 64)
    assert arrays["means"].shape == arrays["scales"].shape == (1, 297, 2)
    assert arrays["samples"].dtype == np.uint8
    _, one, of_k, many = arrays["held_out"][0]
    assert one < of_k < many


def test_a_run_that_waits_for_others_is_told_its_place_and_a_replay_where_it_goes():
    pool = Later()
    queue = FairQueue(lambda: pool, 1)
    runs = [LiveRun(SMALL, queue.lane(name)) for name in "abc"]
    while pool.waiting:
        pool.run_one()
    assert ask(runs[0], -1, 1)[0]["queue"] == ""
    for run in runs:
        run.play()
    told = [ask(run, -1, 1)[0]["queue"] for run in runs]
    assert told[0].startswith("3 runs share 1 worker: next slice in")
    for place, sentence in zip((1, 2), told[1:], strict=True):
        # A dear look of another run may stand before it.
        found = re.match(r"3 runs share 1 worker: place (\d) in the queue, next", sentence)
        assert int(found[1]) >= place
    again = LiveRun(Origin(lineage=Lineage(SMALL), step=7), Later())
    assert ask(again, -1, 1)[0]["replaying_to"] == 7


def test_each_message_brings_what_came_since_and_a_reset_brings_all():
    pool = Later()
    run = LiveRun(SMALL, pool)
    pool.run_one()
    run.step(5)
    pool.run_one()
    meta, arrays = ask(run, 0, 1)
    assert arrays["steps"][:, 0].tolist() == [1, 2, 3, 4, 5]
    assert set(arrays["steps"][:, 3]) == {3}  # K
    assert arrays["glance_steps"][-1] == meta["pictures_step"] == 5
    assert "labels" not in arrays
    meta, arrays = ask(run, 5, 1)
    assert len(arrays["steps"]) == 0
    assert "glance_steps" not in arrays
    assert "pictures_step" not in meta
    run.reset()
    while pool.waiting:
        pool.run_one()
    meta, arrays = ask(run, 5, 1)
    assert meta["generation"] == 2
    assert arrays["glance_steps"].tolist() == [0]
    assert "labels" in arrays


def test_an_earlier_moment_comes_back_as_it_was_shown():
    pool = Later()
    run = LiveRun(SMALL, pool)
    assert unpack(moment_message(*run.moment(0)))[1] == {}
    for _ in range(3):
        pool.run_one()
        run.step(4)
    then = ask(run, 3, 1)[1]
    meta, arrays = unpack(moment_message(*run.moment(6)))
    assert arrays["glance_steps"].tolist() == [4]
    assert (meta["pictures_step"], meta["step"]) == (4, 8)
    at = then["glance_steps"].tolist().index(4)
    for name in ("means", "scales", "kl_per_dim", "active", "log_w", "axes"):
        np.testing.assert_array_equal(arrays[name][0], then[name][at])


def test_a_late_bound_is_sent_once_and_to_whoever_lacks_it():
    pool = Later()
    run = LiveRun(SMALL, pool)
    pool.run_one()
    run.history.add_deep(0, -30.0)
    assert unpack(message(run, 1, Known(0, 0, 0, -1)))[1]["deep"].tolist() == [[0, -30]]
    assert len(unpack(message(run, 1, Known(0, 0, 0, 0)))[1]["deep"]) == 0


def test_a_look_at_a_step_that_is_known_already_is_news():
    pool = Later()
    run = LiveRun(SMALL, pool)
    pool.run_one()
    run.play()
    while pool.waiting and not len(ask(run, 0, 1)[1].get("glance_steps", ())):
        pool.run_one()
    run.pause()
    at = run.status().step
    pool.waiting.clear()
    for _ in range(3):
        run.poll()
        while pool.waiting:
            pool.run_one()
    meta, arrays = unpack(message(run, 1, Known(at, at - 1, 0, 0)))
    assert arrays["held_out"][-1, 0] == arrays["deep"][-1, 0] == meta["pictures_step"] == at
    assert arrays["glance_steps"].tolist() == [at]
    assert len(arrays["steps"]) == 0


def test_of_a_table_the_picture_shows_the_first_two_columns(tmp_path, monkeypatch):
    monkeypatch.setenv(uploads.FOLDER_VARIABLE, str(tmp_path))
    rows = np.random.default_rng(2).normal(size=(60, 3))
    file = read_csv("\n".join(",".join(map(str, row)) for row in rows).encode())
    name = uploads.keep(make_table(file, file.usable()))
    pool = Later()
    run = LiveRun(dataclasses.replace(SMALL, dataset=name), pool)
    pool.run_one()
    _, arrays = ask(run, -1, 1)
    test = datasets.load(name).test.numpy()
    found = arrays["originals"].reshape(-1, 2)
    assert {tuple(row) for row in found} == {tuple(row) for row in test[:, :2]}
    assert arrays["samples"].shape[1] == 2
