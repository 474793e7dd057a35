"""Every way a run's file can be wrong, and the sentence that refuses it."""

import numpy as np
import pytest
from bundles import edited, parts_of, zipped

from iwae_core.runtime.kept_archive import MOST_BYTES
from iwae_core.runtime.kept_bundle import unpack
from iwae_core.runtime.kept_curves import COLUMNS, read_curves

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
