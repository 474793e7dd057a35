"""A configuration is checked as a whole and survives JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iwae_core.training import LIVE_FIELDS, TrainConfig


@given(
    n_samples=st.integers(1, 500),
    hidden=st.lists(st.integers(1, 300), min_size=1, max_size=3),
    learning_rate=st.floats(1e-6, 0.5),
    objective=st.sampled_from(["elbo", "iwae", "renyi", "ciwae"]),
)
def test_json_round_trip_gives_an_equal_config(n_samples, hidden, learning_rate, objective):
    config = TrainConfig(
        n_samples=n_samples, hidden=hidden, learning_rate=learning_rate, objective=objective
    )
    again = TrainConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config
    assert hash(again) == hash(config)


def test_all_faults_are_named_at_once():
    with pytest.raises(ValueError, match="dataset") as caught:
        TrainConfig(dataset="digit", n_samples=0, learning_rate=float("nan"), hidden=())
    message = str(caught.value)
    assert "did you mean 'digits'" in message
    assert "n_samples" in message
    assert "learning_rate must lie in (0, 1), got nan" in message
    assert "hidden" in message


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"objective": "miwae", "objective_setting": 3.0, "n_samples": 4}, "divide"),
        ({"objective": "iwae", "estimator": "closed_form_kl"}, "goes with objective elbo"),
        ({"objective": "ciwae", "objective_setting": 1.5}, "beta must lie"),
        ({"objective_setting": float("nan")}, "objective_setting must be None or a number"),
        ({"n_samples": 2.5}, "whole number"),
        ({"n_samples": True}, "whole number"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed must be whole"),
        ({"seed": True}, "seed must be whole"),
        ({"seed": "one"}, "seed must be whole"),
        ({"learning_rate": "fast"}, "a value of the wrong type"),
        ({"hidden": 100}, "hidden must hold widths"),
        ({"beta": None}, "a value of the wrong type"),
        ({"beta": float("inf")}, "beta must be finite"),
        ({"device": "tpu"}, "unknown device"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, rule):
    with pytest.raises(ValueError, match=rule):
        TrainConfig(**settings)


def test_json_from_elsewhere_is_refused_with_its_cause():
    with pytest.raises(ValueError, match="unknown setting 'n_sample'; did you mean 'n_samples'"):
        TrainConfig.from_json({"n_sample": 5})
    with pytest.raises(ValueError, match="wrong type"):
        TrainConfig.from_json({"learning_rate": "fast"})


def test_only_live_fields_change_in_mid_run():
    config = TrainConfig()
    assert config.with_changes(n_samples=9).n_samples == 9
    assert set(LIVE_FIELDS) < set(config.to_json())
    with pytest.raises(ValueError, match="unknown live field 'hidden'"):
        config.with_changes(hidden=(3,))


def test_devices_are_resolved_or_refused():
    assert TrainConfig(device="cpu").resolved_device() == torch.device("cpu")
    best = TrainConfig(device="auto").resolved_device().type
    if torch.cuda.is_available():
        assert best == "cuda"
    else:
        with pytest.raises(ValueError, match="'cuda' is not available"):
            TrainConfig(device="cuda").resolved_device()


def test_paths_and_numbers_of_numpy_become_what_json_can_hold():
    config = TrainConfig(
        data_folder=Path("data"),
        seed=np.int64(3),
        learning_rate=np.float32(0.5),
        hidden=[np.int32(7)],
    )
    assert config == TrainConfig(data_folder="data", seed=3, learning_rate=0.5, hidden=(7,))
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
