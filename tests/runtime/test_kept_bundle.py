"""A run as a file: out and in again to the bit, and every way a file can be wrong."""

import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest

from iwae_core.runtime.kept_bundle import MOST_BYTES, Bundle, pack, unpack
from iwae_core.runtime.kept_curves import COLUMNS, CURVES, read_curves, write_curves
from iwae_core.runtime.lineage import Lineage, replay
from iwae_core.training import Stop, TrainConfig, advance

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)


def rows(steps, width):
    values = np.random.default_rng(0).normal(size=(len(steps), width))
    return np.column_stack([steps, values]).astype(np.float32)


@pytest.fixture(scope="module")
def bundle():
    lineage = Lineage(SMALL).changed(12, {"n_samples": 9})
    state = replay(lineage, 30)
    curves = tuple(
        rows(at, len(columns))
        for at, columns in zip((range(1, 31), (0, 11, 20, 30), (11, 25)), CURVES, strict=True)
    )
    return Bundle(name="Nüsse 🌰", lineage=lineage, state=state, curves=curves)


@pytest.fixture(scope="module")
def packed(bundle):
    return pack(bundle, "print('hello')\n")


def parts_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def with_json(data, part, change):
    parts = parts_of(data)
    values = json.loads(parts[part])
    change(values)
    return zipped(parts | {part: json.dumps(values)})


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


BROKEN = {
    "no zip": (lambda data: b"hello" * 100, "not a whole .zip"),
    "empty": (lambda data: b"", "not a whole .zip"),
    "cut off": (lambda data: data[: len(data) // 2], "not a whole .zip"),
    "a byte changed in the arrays": (lambda data: flipped(data), r"\.zip|damaged"),
    "too large": (lambda data: bytes(MOST_BYTES + 1), "50 are taken"),
    "a part too many": (lambda data: zipped(parts_of(data) | {"x.txt": b""}), "no run has"),
    "a path that climbs": (
        lambda data: zipped(parts_of(data) | {"../../etc/passwd": b""}),
        "no run has",
    ),
    "an absolute path": (
        lambda data: zipped(parts_of(data) | {"/tmp/state.json": b""}),
        "no run has",
    ),
    "a pickle": (lambda data: zipped(parts_of(data) | {"model.pt": b"\x80\x04"}), "no run has"),
    "a part missing": (
        lambda data: zipped({k: v for k, v in parts_of(data).items() if k != "run.json"}),
        "lacks run.json",
    ),
    "no arrays": (
        lambda data: zipped({k: v for k, v in parts_of(data).items() if "safe" not in k}),
        "one state-",
    ),
    "a bomb": (
        lambda data: zipped(parts_of(data) | {"reproduce.py": bytes(101_000_000)}),
        "more than 100 MB",
    ),
    "no JSON": (lambda data: zipped(parts_of(data) | {"run.json": b"{"}), "is not JSON"),
    "no text": (lambda data: zipped(parts_of(data) | {"run.json": b"\xff\xfe"}), "not UTF-8"),
    "deep JSON": (
        lambda data: zipped(parts_of(data) | {"run.json": b"[" * 100_000}),
        "is not JSON",
    ),
    "a list for an object": (
        lambda data: zipped(parts_of(data) | {"run.json": b"[]"}),
        "must hold an object",
    ),
    "a later format": (lambda data: edited(data, ["format"], 2), "must have format 1, got 2"),
    "no name": (lambda data: edited(data, ["name"], 3), "must name the run"),
    "a name with control signs": (lambda data: edited(data, ["name"], "a\x1b[0m"), "must name"),
    "a step before all": (lambda data: edited(data, ["step"], -1), "the run's step, got -1"),
    "a step of no end": (lambda data: edited(data, ["step"], 10**400), "the run's step"),
    "another step": (lambda data: edited(data, ["step"], 31), "two different runs"),
    "another past": (lambda data: edited(data, ["past", "config", "seed"], 5), "two different"),
    "no past": (lambda data: edited(data, ["past"], None), "the run's past"),
    "an unknown setting": (lambda data: edited(data, ["past", "config", "evil"], 1), "evil"),
    "a refused setting": (lambda data: edited(data, ["past", "config", "beta"], -1.0), "beta"),
    "a setting of another type": (
        lambda data: edited(data, ["past", "config", "seed"], "4"),
        "wrong type: '4'",
    ),
    "a list for a name": (
        lambda data: edited(data, ["past", "config", "objective"], ["iwae"]),
        "wrong type",
    ),
    "weights without end": (
        lambda data: edited(data, ["past", "config", "n_samples"], 10**15),
        "at most 4096",
    ),
    "latents without end": (
        lambda data: edited(data, ["past", "config", "latent_dim"], 10**9),
        "at most 512",
    ),
    "layers without end": (
        lambda data: edited(data, ["past", "config", "hidden"], [10**9]),
        "2048 units",
    ),
    "a large network": (
        lambda data: edited(data, ["past", "config", "hidden"], [2048] * 4),
        "8,000,000 weights",
    ),
    "an unknown data set": (
        lambda data: edited(data, ["past", "config", "dataset"], "../etc/passwd"),
        "data set",
    ),
    "a change of the network": (
        lambda data: edited(data, ["past", "changes", 0, "values"], {"latent_dim": 3}),
        "latent_dim",
    ),
    "a change after the end": (
        lambda data: edited(data, ["past", "changes", 0, "step"], 99),
        "a change at step 99",
    ),
    "a change that is none": (lambda data: edited(data, ["past", "changes"], [3]), "is none: 3"),
    "a stop that is none": (
        lambda data: edited(data, ["past", "changes", 0, "stop"], {"cause": "x"}),
        "a stop must say",
    ),
    "arrays of another state": (
        lambda data: edited(data, ["arrays"], "0" * 16, "state.json"),
        "other arrays",
    ),
    "a state of another run": (
        lambda data: edited(data, ["config", "seed"], 8, "state.json"),
        "two different runs",
    ),
    "a state at another step": (
        lambda data: edited(data, ["step"], 29, "state.json"),
        "two different runs",
    ),
    "a position that is none": (
        lambda data: edited(data, ["position"], -3, "state.json"),
        "its position, got -3",
    ),
    "an unknown state format": (
        lambda data: edited(data, ["format"], 99, "state.json"),
        "format must be",
    ),
    "no numbers": (lambda data: with_arrays(data, np.nan), "not finite"),
    "numbers without end": (lambda data: with_arrays(data, np.inf), "not finite"),
    "a negative square": (lambda data: with_arrays(data, -1.0), "negative"),
    "other columns": (
        lambda data: zipped(parts_of(data) | {"curves.csv": b"a,b\n1,2\n"}),
        "must have the columns",
    ),
    "an empty table": (lambda data: zipped(parts_of(data) | {"curves.csv": b""}), "curves.csv"),
    "a curve beyond the run": (lambda data: with_row(data, 31, 1.0), r"line 33 .* out of order"),
    "a curve that is not finite": (
        lambda data: with_row(data, 30.5, "inf"),
        "out of order|finite",
    ),
    "a cell that is no number": (lambda data: with_row(data, 30, "x"), "line 33 of curves.csv"),
}


def edited(data, path, value, part="run.json"):
    def change(values):
        for name in path[:-1]:
            values = values[name]
        values[path[-1]] = value

    return with_json(data, part, change)


def flipped(data):
    at = data.index(b".safetensors") + 400
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


def with_arrays(data, value):
    """The arrays with one number exchanged, and every digest right."""
    import hashlib

    import safetensors.numpy

    parts = parts_of(data)
    (name,) = [name for name in parts if name.startswith("state-")]
    arrays = {
        key: values.copy() for key, values in safetensors.numpy.load(parts.pop(name)).items()
    }
    arrays["second_moment"][3] = value
    content = safetensors.numpy.save(arrays)
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    return edited(
        zipped(parts | {f"state-{digest}.safetensors": content}), ["arrays"], digest, "state.json"
    )


def with_row(data, step, value):
    parts = parts_of(data)
    row = ",".join([str(step)] + [str(value)] * (len(COLUMNS) - 1))
    text = parts["curves.csv"].decode() + row + "\n"
    return zipped(parts | {"curves.csv": text})


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_with_one_sentence(packed, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    break_it, told = BROKEN[kind]
    broken = break_it(packed)
    with pytest.raises(ValueError, match=told) as refusal:
        unpack(broken)
    assert "\n" not in str(refusal.value)
    assert "/tmp/tmp" not in str(refusal.value)
    assert len(str(refusal.value)) < 600
    assert list(tmp_path.iterdir()) == []


def test_a_table_with_half_a_point_is_refused():
    line = "1,0.5" + "," * (len(COLUMNS) - 2)
    with pytest.raises(ValueError, match=r"line 2 .* some are missing"):
        read_curves(",".join(COLUMNS) + "\n" + line + "\n", 5)
    nan = "1," + ",".join(["nan"] * (len(COLUMNS) - 1))
    with pytest.raises(ValueError, match="a cell says nan"):
        read_curves(",".join(COLUMNS) + "\n" + nan + "\n", 5)


def test_a_run_whose_data_are_not_here_is_refused_without_fetching_them(
    packed, tmp_path, monkeypatch
):
    monkeypatch.setenv("IWAE_LAB_DATA", str(tmp_path))
    foreign = edited(packed, ["past", "config", "dataset"], "mnist")
    with pytest.raises(ValueError, match="needs mnist, which is not on this server"):
        unpack(foreign)
