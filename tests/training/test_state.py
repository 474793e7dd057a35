"""A kept state is readable without pickle, and a broken one says which file is broken."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from iwae_core.training import TrainConfig, advance, begin, load, model_of, save

SMALL = TrainConfig(hidden=(7,), latent_dim=2, batch_size=20)


@pytest.fixture
def kept(tmp_path):
    save(advance(begin(SMALL), 2).state, tmp_path)
    return tmp_path


def test_the_file_is_a_plain_checkpoint_with_the_models_names(kept):
    state = load(kept)
    arrays = load_file(kept / "state.safetensors")
    for name, value in model_of(state).state_dict().items():
        assert np.array_equal(arrays[f"model.{name}"], value.numpy())
    assert sorted(path.name for path in kept.iterdir()) == ["state.json", "state.safetensors"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def rewrite(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("name", "breakage"),
    [
        ("state.json", lambda path: path.unlink()),
        ("state.json", truncate),
        ("state.json", lambda path: path.write_text("[]")),
        ("state.json", lambda path: rewrite(path, lambda v: v.update(format=99))),
        ("state.json", lambda path: rewrite(path, lambda v: v.pop("step"))),
        ("state.json", lambda path: rewrite(path, lambda v: v["config"].update(n_samples=0))),
        ("state.safetensors", lambda path: path.unlink()),
        ("state.safetensors", truncate),
        ("state.safetensors", lambda path: path.write_bytes(b"not a tensor file")),
        ("state.safetensors", lambda path: save_file({"a": np.zeros(3)}, path)),
    ],
)
def test_a_broken_file_is_named(kept, name, breakage):
    breakage(kept / name)
    with pytest.raises(ValueError, match=name):
        load(kept)


def test_parameters_of_another_configuration_are_refused(kept):
    rewrite(kept / "state.json", lambda values: values["config"].update(latent_dim=5))
    with pytest.raises(ValueError, match="parameters"):
        load(kept)
