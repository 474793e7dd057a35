"""Uploaded tables are values: named by their content, found by other processes, never mistaken."""

import os
import subprocess
import sys

import numpy as np
import pytest

from iwae_core import datasets
from iwae_core.datasets import lookup, uploads
from iwae_core.datasets.csv_file import read_csv
from iwae_core.datasets.tables import make_table
from iwae_core.training import TrainConfig, advance, begin


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(uploads.FOLDER_VARIABLE, str(tmp_path / "kept"))
    lookup._table.cache_clear()
    return tmp_path / "kept"


def table(seed=0, n=60, label=None):
    random = np.random.default_rng(seed)
    rows = [f"{a},{b},{'xy'[i % 2]}" for i, (a, b) in enumerate(random.normal(size=(n, 2)))]
    return make_table(read_csv("\n".join(rows).encode()), ["column 1", "column 2"], label)


def test_a_table_comes_back_as_it_was_kept(folder):
    kept = table(label="column 3")
    name = uploads.keep(kept)
    assert name == uploads.keep(kept)
    data = datasets.load(name)
    np.testing.assert_array_equal(data.train.numpy(), kept.train)
    np.testing.assert_array_equal(data.test.numpy(), kept.test)
    np.testing.assert_array_equal(data.test_labels.numpy(), kept.test_labels)
    assert (data.class_names, data.column_names) == (("x", "y"), ("column 1", "column 2"))
    assert (data.likelihood, data.image_shape) == ("gaussian", None)
    spec = datasets.find(name)
    assert (spec.binary, spec.likelihood, spec.class_names) == (False, "gaussian", ("x", "y"))
    assert datasets.missing_files(name) == ()


def test_bits_become_a_picture_as_square_as_can_be():
    bits = np.random.default_rng(0).integers(0, 2, size=(60, 12))
    content = "\n".join(",".join(map(str, row)) for row in bits).encode()
    file = read_csv(content)
    data = datasets.load(uploads.keep(make_table(file, file.usable())))
    assert data.image_shape == (3, 4)
    assert data.already_binarized


def test_another_process_finds_the_table_and_trains_to_the_same_bits():
    name = uploads.keep(table())
    config = TrainConfig(dataset=name, latent_dim=2, hidden=(8,), seed=2)
    here = advance(begin(config), 4).state.parameters
    code = (
        "import torch; torch.set_num_threads(1); from iwae_core.training import *; "
        f"config = TrainConfig(dataset={name!r}, latent_dim=2, hidden=(8,), seed=2); "
        "print(advance(begin(config), 4).state.parameters.tobytes().hex())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert there.stdout.strip() == here.tobytes().hex()


def test_a_link_from_another_machine_says_what_to_do():
    name = uploads.PREFIX + 32 * "a"
    config = TrainConfig(dataset=name)  # as good a value as any, before its data are asked for
    assert datasets.missing_files(name) == (f"{32 * 'a'}.safetensors",)
    for ask in (datasets.load, datasets.find):
        with pytest.raises(OSError, match="not on this machine: tables stay where they were"):
            ask(name)
    with pytest.raises(OSError, match="Upload the same CSV file"):
        begin(config)


@pytest.mark.parametrize("digest", ["", "abc", 31 * "a" + "g", 33 * "a", "../" + 29 * "a"])
def test_a_name_that_is_no_digest_is_refused(digest):
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        TrainConfig(dataset=uploads.PREFIX + digest)


def test_a_damaged_file_is_noticed(folder):
    name = uploads.keep(table())
    (file,) = folder.iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="not the table that was kept"):
        datasets.load(name)


def test_a_file_of_another_kind_with_the_right_digest_is_refused(folder):
    folder.mkdir()
    for content in (b"no safetensors", b""):
        name = uploads.PREFIX + uploads._digest(content)
        uploads.path_of(name).write_bytes(content)
        with pytest.raises(ValueError, match="no table of this version"):
            datasets.load(name)


def test_a_full_folder_drops_what_was_not_used_for_the_longest(folder, monkeypatch):
    names = [uploads.keep(table(seed)) for seed in range(3)]
    size = uploads.path_of(names[0]).stat().st_size
    for age, name in zip((300, 200, 100), names, strict=True):
        then = uploads.path_of(name).stat().st_mtime - age
        os.utime(uploads.path_of(name), (then, then))
    uploads.load(names[0])  # used again: now the second is the oldest
    monkeypatch.setattr(uploads, "MOST_BYTES", 3 * size + size // 2)
    last = uploads.keep(table(9))
    assert [uploads.path_of(name).exists() for name in (*names, last)] == [True, False, True, True]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= uploads.MOST_BYTES
