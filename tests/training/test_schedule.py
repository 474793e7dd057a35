"""Schedules are functions of how far a run has come; rules for the KL do what they say."""

import dataclasses
import json

import numpy as np
import pytest

from iwae_core import datasets
from iwae_core.rng import stream
from iwae_core.training import LIVE_FIELDS, TrainConfig, advance, begin, load, model_of, save
from iwae_core.training.early_stop import held_out_bound, split_rows
from iwae_core.training.schedule import (
    BURDA_EPOCHS,
    KL_SCHEDULES,
    RATE_SCHEDULES,
    burda,
    cyclical,
    linear,
)

SMALL = TrainConfig(
    hidden=(12,), latent_dim=3, batch_size=40, n_samples=2, seed=3, learning_rate=4e-3
)
CLOSED = {"objective": "elbo", "estimator": "closed_form_kl"}
EVERY_SCHEDULE = [
    {"kl_schedule": "linear", "kl_steps": 60},
    {"kl_schedule": "cyclical", "kl_steps": 30, "kl_ramp": 0.4},
    {"rate_schedule": "burda", "rate_stretch": 0.7},
    {"patience": 5},
    CLOSED | {"free_bits": 0.4, "kl_schedule": "linear", "kl_steps": 60},
    CLOSED | {"target_rate": 6.0, "rate_schedule": "burda", "rate_stretch": 0.3},
]


def assert_same(ours, theirs):
    for field in dataclasses.fields(ours):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        assert np.array_equal(a, b), field.name


def trained(n_steps, cuts=1, **settings):
    state = begin(dataclasses.replace(SMALL, **settings))
    for _ in range(cuts):
        state = advance(state, n_steps // cuts).state
    return state


@pytest.mark.parametrize("settings", EVERY_SCHEDULE, ids=lambda settings: "+".join(settings))
def test_a_hundred_steps_at_once_equal_ten_times_ten_under_every_schedule(settings):
    at_once = trained(100, **settings)
    assert_same(at_once, trained(100, cuts=10, **settings))
    # The schedule acts at all: the same run without it ends elsewhere.
    plain = trained(100, **{key: settings[key] for key in CLOSED if key in settings})
    assert not np.array_equal(at_once.parameters, plain.parameters)


def test_every_schedule_by_name_is_among_those_tested():
    tested = {settings.get("kl_schedule", "constant") for settings in EVERY_SCHEDULE}
    assert tested == set(KL_SCHEDULES)
    tested = {settings.get("rate_schedule", "constant") for settings in EVERY_SCHEDULE}
    assert tested == set(RATE_SCHEDULES)


def test_kl_weights_follow_their_course():
    assert [linear(step, 1000, 0.5) for step in (0, 250, 1000, 5000)] == [0, 0.25, 1, 1]
    course = [cyclical(step, 10, 0.5) for step in range(20)]
    assert course[:10] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1])
    assert course[10:] == course[:10]
    assert KL_SCHEDULES["constant"].weight(7, 10, 0.5) == 1


def test_burdas_stages_last_three_times_as_long_each_and_end_at_a_tenth():
    factors = [burda(epoch, 1.0) for epoch in range(BURDA_EPOCHS)]
    values, counts = np.unique(factors, return_counts=True)
    assert BURDA_EPOCHS == 3280
    assert counts[::-1].tolist() == [1, 3, 9, 27, 81, 243, 729, 2187]
    np.testing.assert_allclose(values[::-1], 10 ** (-np.arange(8) / 7))
    assert factors == sorted(factors, reverse=True)
    halved = [burda(epoch, 0.5) for epoch in range(BURDA_EPOCHS // 2)]
    assert halved == factors[::2]


def test_the_weight_of_a_step_is_beta_times_its_schedule():
    # Ten steps, one at a time, under a linear warm-up end where ten steps with beta changed by
    # hand before each of them end.
    by_schedule = trained(10, kl_schedule="linear", kl_steps=8, beta=0.8)
    state = begin(SMALL)
    for step in range(10):
        state = advance(state, 1, {"beta": 0.8 * min(1.0, step / 8)}).state
    assert np.array_equal(by_schedule.parameters, state.parameters)


def test_the_rate_of_an_epoch_is_the_learning_rate_times_its_schedule():
    # 1,500 digits in batches of 40: epochs of 37 steps; stages of 1, 3, ... epochs.
    by_schedule = trained(80, rate_schedule="burda")
    state = advance(begin(SMALL), 37).state
    state = advance(state, 43, {"learning_rate": 4e-3 * 10 ** (-1 / 7)}).state
    assert np.array_equal(by_schedule.parameters, state.parameters)


def test_schedules_may_change_in_mid_run_and_patience_may_not():
    state = advance(begin(SMALL), 5).state
    changed = advance(state, 5, {"kl_schedule": "cyclical", "kl_steps": 4, "kl_ramp": 1.0}).state
    assert not np.array_equal(changed.parameters, advance(state, 5).state.parameters)
    names = ("kl_schedule", "kl_steps", "kl_ramp", "free_bits", "target_rate", "rate_schedule")
    assert set(names) < set(LIVE_FIELDS)
    with pytest.raises(ValueError, match="unknown live field 'patience'"):
        advance(state, 1, {"patience": 3})


def mean_kl(state):
    data = datasets.load("digits")
    x = datasets.binarize(data.test, stream(0, "test bits"))
    return model_of(state).posterior(x).kl_to_standard().mean(dim=0)


def test_free_bits_keep_every_latent_at_its_share():
    settings = CLOSED | {"latent_dim": 6, "beta": 4.0}
    assert mean_kl(trained(600, **settings)).min().item() < 0.05
    kept = mean_kl(trained(600, **settings, free_bits=0.5))
    # Below 0.5 a latent feels no pull, at 0.5 it stops being pulled; batches and test differ.
    assert kept.min().item() > 0.3


@pytest.mark.parametrize("rate", [0.7, 6.0])
def test_a_target_rate_is_reached_from_both_sides(rate):
    settings = CLOSED | {"latent_dim": 6, "beta": 5.0}
    total = mean_kl(trained(600, **settings, target_rate=rate)).sum().item()
    assert total == pytest.approx(rate, abs=0.15 + 0.05 * rate)
    free = mean_kl(trained(600, **(settings | {"beta": 1.0}))).sum().item()
    assert 0.7 + 0.8 < free < 6.0 - 0.8


def test_a_run_stops_when_its_patience_ends_and_says_why(tmp_path):
    # A learning rate far too large makes the bound wander early.
    state = trained(1500, patience=2, learning_rate=0.05)
    assert state.stop is not None
    assert state.stop.step == state.step + 1 < 1500
    assert "held-out bound has not risen for 2 epochs" in state.stop.cause
    assert f"best {state.best_bound:.2f} after epoch {state.best_epoch + 1}" in state.stop.cause
    assert state.epoch == state.best_epoch + 2
    in_slices = trained(1500, cuts=50, patience=2, learning_rate=0.05)
    assert_same(state, in_slices)
    save(state, tmp_path)
    assert_same(load(tmp_path), state)
    again = advance(state, 100)
    assert again.state is state
    # Another setting lets it try again, with the whole patience from here.
    lifted = advance(state, 10, {"learning_rate": 1e-4}).state
    assert lifted.stop is None
    assert lifted.step == state.step + 10
    assert lifted.best_bound == state.best_bound
    assert lifted.best_epoch == state.epoch


def test_a_run_that_diverges_says_so_and_does_not_blame_its_patience():
    # The step that breaks is the last of an epoch, so the held-out bound is asked for, too.
    state = trained(32, patience=1)
    parameters = state.parameters.copy()
    parameters[0] = np.inf
    stopped = advance(dataclasses.replace(state, parameters=parameters), 5).state
    assert stopped.stop.step == 33
    assert "no longer finite" in stopped.stop.cause


def test_records_end_with_the_step_that_ended_the_patience():
    taken = advance(begin(dataclasses.replace(SMALL, patience=1, learning_rate=0.05)), 1500)
    assert taken.records.step.tolist() == list(range(1, taken.state.step + 1))
    assert len(taken.records.objective) == taken.state.step


def test_the_best_bound_is_that_of_the_parameters_at_the_end_of_its_epoch():
    # 1,350 rows in batches of 40: the first epoch ends with step 33.
    state = trained(33, patience=3)
    assert state.best_epoch == 0
    assert state.best_bound == held_out_bound(model_of(state), state.config)
    assert trained(32, patience=3).best_bound is None


def test_held_out_rows_are_never_trained_on_and_come_from_the_training_set():
    kept, held = split_rows(3, 1500)
    assert len(held) == 150
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(1500))
    # Whatever the rows held out are, the parameters of the run stay the same.
    data = datasets.load("digits")
    poisoned = data.train.clone()
    poisoned[held] = 1 - poisoned[held]
    other = dataclasses.replace(data, train=poisoned)
    # The output bias starts at the mean of the whole training set, so both begin from one state.
    start = begin(dataclasses.replace(SMALL, patience=9))
    before = advance(start, 60).state
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iwae_core.training.run.datasets.load", lambda *_: other)
        after = advance(start, 60).state
    assert np.array_equal(before.parameters, after.parameters)


def test_all_settings_survive_json():
    config = TrainConfig(
        **CLOSED,
        second_hidden=[7, 6],
        kl_schedule="cyclical",
        kl_steps=12,
        kl_ramp=0.25,
        free_bits=0.1,
        rate_schedule="burda",
        rate_stretch=0.01,
        patience=4,
        decoder="autoregressive",
    )
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    two = TrainConfig(second_latent_dim=4)
    assert TrainConfig.from_json(json.loads(json.dumps(two.to_json()))) == two


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"free_bits": 0.5}, "estimator closed_form_kl only, got 'reparameterized'"),
        ({"target_rate": 0.0}, "estimator closed_form_kl only"),
        (CLOSED | {"free_bits": -1.0}, "free bits must be finite and not negative, got -1.0"),
        (CLOSED | {"target_rate": float("nan")}, "target rate must be finite"),
        (CLOSED | {"free_bits": 1.0, "target_rate": 3.0}, "two rules for the same KL"),
        (CLOSED | {"second_latent_dim": 3}, "two stochastic layers"),
        ({"kl_schedule": "lineer"}, "did you mean 'linear'"),
        ({"rate_schedule": "cosine"}, "unknown rate_schedule"),
        ({"kl_steps": 0}, "kl_steps must be a whole number of at least 1"),
        ({"kl_ramp": 0.0}, r"kl_ramp must lie in \(0, 1\], got 0.0"),
        ({"rate_stretch": 0.0}, "rate_stretch must be positive"),
        ({"patience": 0}, "patience must be None or a whole number from 1, got 0"),
        ({"second_latent_dim": 2.5}, "second_latent_dim must be None or"),
        ({"second_hidden": ()}, "second_hidden must hold widths"),
        ({"decoder": "autoregressive", "likelihood": "gaussian"}, "binary pixels"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, rule):
    with pytest.raises(ValueError, match=rule):
        TrainConfig(**settings)
