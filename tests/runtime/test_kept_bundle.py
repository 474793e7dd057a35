"""A run as a file: out and in again to the bit."""

import dataclasses

import numpy as np
import pytest
from bundles import SMALL, parts_of, zipped

from iwae_core.runtime.kept_bundle import Bundle, pack, unpack
from iwae_core.runtime.kept_curves import COLUMNS, write_curves
from iwae_core.runtime.lineage import Lineage, replay
from iwae_core.training import Stop, advance


def test_what_goes_out_comes_in_to_the_bit(bundle, packed):
    again = unpack(packed)
    assert again.name == bundle.name
    assert again.lineage == bundle.lineage
    for name in ("parameters", "first_moment", "second_moment"):
        assert np.array_equal(getattr(again.state, name), getattr(bundle.state, name))
    assert (again.state.step, again.state.config) == (30, bundle.state.config)
    for one, other in zip(again.curves, bundle.curves, strict=True):
        assert np.array_equal(one, other)
    on = advance(again.state, 5).state
    assert np.array_equal(on.parameters, advance(bundle.state, 5).state.parameters)


def test_a_small_uploaded_table_travels_along(bundle, tmp_path, monkeypatch):
    from iwae_core.datasets import uploads
    from iwae_core.datasets.tables import Table

    monkeypatch.setenv("IWAE_LAB_UPLOADS", str(tmp_path / "here"))
    draws = np.random.default_rng(1).normal(size=(120, 2)).astype(np.float32)
    table = Table(
        columns=("a", "b"),
        train=draws[:100],
        test=draws[100:],
        train_labels=None,
        test_labels=None,
        class_names=(),
        binary=False,
    )
    name = uploads.keep(table)
    lineage = Lineage(dataclasses.replace(SMALL, dataset=name))
    state = replay(lineage, 3)
    curves = tuple(curve[:0] for curve in bundle.curves)
    packed = pack(Bundle(name="mine", lineage=lineage, state=state, curves=curves), "")
    assert "table.safetensors" in parts_of(packed)
    monkeypatch.setenv("IWAE_LAB_UPLOADS", str(tmp_path / "elsewhere"))
    another = parts_of(packed) | {"table.safetensors": b"no table"}
    with pytest.raises(ValueError, match="damaged or exchanged"):
        unpack(zipped(another))
    without = {k: v for k, v in parts_of(packed).items() if k != "table.safetensors"}
    with pytest.raises(ValueError, match="an uploaded table that is not on this server"):
        unpack(zipped(without))
    assert not (tmp_path / "elsewhere").exists()
    again = unpack(packed)
    on = advance(again.state, 2).state
    assert np.array_equal(on.parameters, replay(lineage, 5).parameters)


def test_a_stopped_run_and_one_with_a_data_folder_come_in_too(bundle):
    stop = Stop(31, "the gradient overflowed")
    lineage = Lineage(
        dataclasses.replace(SMALL, data_folder="/etc"), bundle.lineage.changes
    ).changed(20, {"n_samples": 4}, stop)
    state = replay(dataclasses.replace(lineage, config=SMALL), 30)
    state = dataclasses.replace(state, config=lineage.config_now(), stop=stop)
    stopped = dataclasses.replace(bundle, lineage=lineage, state=state)
    again = unpack(pack(stopped, ""))
    assert again.state.stop == stop
    assert again.lineage.changes[1].stop == stop
    assert again.lineage.config.data_folder is None
    assert again.state.config.data_folder is None


def test_the_table_of_the_curves_names_its_units(bundle):
    text = write_curves(bundle.curves)
    header, first, *_ = text.splitlines()
    assert header == ",".join(COLUMNS)
    assert all("(" in column for column in COLUMNS[1:])
    assert first.startswith("0,,")  # held out before the first step


def test_the_parts_are_plain_files_that_others_read(packed, bundle):
    parts = parts_of(packed)
    assert sorted(name.split("-")[0] for name in parts) == [
        *("curves.csv", "reproduce.py", "run.json", "state", "state.json")
    ]
    import safetensors.numpy

    (arrays,) = [name for name in parts if name.startswith("state-")]
    named = safetensors.numpy.load(parts[arrays])
    assert sum(values.size for values in named.values()) == 3 * len(bundle.state.parameters)
