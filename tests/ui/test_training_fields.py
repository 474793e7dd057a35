"""The training page's address and the run it describes, both ways; presets; limits; the script."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwae_core.datasets import drawn
from iwae_core.training import TrainConfig, advance, begin, burda_config
from iwae_core.training.frame import observe
from iwae_core.ui import code, training, training_config, training_limits
from iwae_core.ui import training_fields as fields
from iwae_core.ui.fields import ChoiceField, IntField
from iwae_core.ui.training_presets import PRESETS, SETTINGS

DEFAULTS = {field.name: field.default for field in fields.FIELDS}


def values_of(field):
    if isinstance(field, ChoiceField):
        return st.sampled_from([c for c in field.choices if c != fields.UPLOAD])
    if isinstance(field, IntField):
        return st.integers(field.low, min(field.high, 2000))
    if isinstance(field, fields.WordField):
        return st.just(field.default)
    return st.floats(field.low, field.high)


ADDRESSES = st.fixed_dictionaries({field.name: values_of(field) for field in fields.FIELDS})


@settings(max_examples=200)
@given(values=ADDRESSES)
def test_an_address_gives_a_run_or_reasons_and_the_run_gives_the_address_back(values):
    written = {field.name: field.write(values[field.name]) for field in fields.FIELDS}
    assert {field.name: field.parse(written[field.name]) for field in fields.FIELDS} == values
    try:
        config = training_config.to_config(values)
    except ValueError as fault:
        said = str(fault)
    else:
        said = ""
        assert training_config.to_config(training_config.from_config(config)) == config
    # Nothing but these three can be at odds: groups that do not divide K, a second layer under a
    # closed-form KL, and a Gaussian that should draw bits.
    expected = [
        values["objective"] in ("miwae", "piwae") and values["K"] % values["groups"] != 0,
        values["objective"] == "vae" and values["layers"] == "2",
        values["decoder"] == "autoregressive" and values["likelihood"] in ("gaussian", "fixed"),
    ]
    words = ["n_groups must divide", "two stochastic layers", "decoder autoregressive"]
    assert [word in said for word in words] == expected
    assert bool(said) == any(expected)


def test_the_defaults_are_the_run_of_the_lesson():
    config = training_config.to_config(DEFAULTS)
    assert config == TrainConfig(learning_rate=0.002, seed=1)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_trains_and_its_script_gives_the_same_numbers(name, capsys):
    values = DEFAULTS | dict(PRESETS[name].settings)
    config = training_config.to_config(values)
    training_limits.check(config)
    assert training_limits.note(config) == ""
    script = code.fill(training.script(config), N_STEPS=4)
    exec(compile(script, "train.py", "exec"), {})
    last = capsys.readouterr().out.splitlines()[-1]
    state = advance(begin(config), 4).state
    frame = observe(state)
    assert (
        last == f"step {state.step}: L_1 = {frame.bound_1:.3f}, L_64 = {frame.bound_64:.3f} nats"
    )
    if name == "too_fast":  # the one that is to fail
        assert "no longer finite" in state.stop.cause
    else:
        assert state.step == 4
        assert np.isfinite([frame.bound_1, frame.bound_64]).all()


def test_presets_differ_and_leave_what_is_a_readers_own():
    settings = [preset.settings for preset in PRESETS.values()]
    assert len(set(settings)) == len(settings)
    assert set(SETTINGS) == set(DEFAULTS) - {"seed", "points", "table"}
    assert all(40 < len(preset.why) < 320 for preset in PRESETS.values())


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(),
        TrainConfig(objective="renyi", n_samples=9),
        TrainConfig(objective="elbo", estimator="closed_form_kl", free_bits=0.25, seed=7),
        TrainConfig(objective="elbo", estimator="closed_form_kl", target_rate=12.0),
        TrainConfig(objective="miwae", objective_setting=4.0, n_samples=8, estimator="piwae"),
        TrainConfig(dataset="moons", hidden=(25,), likelihood="gaussian", likelihood_scale=0.3),
        TrainConfig(second_latent_dim=3, hidden=(50, 50), second_hidden=(25, 25)),
        TrainConfig(dataset=drawn.PREFIX + "A_" * 30, patience=5, backward="resampled"),
        burda_config(1, 5, seed=0),
    ],
)
def test_a_run_from_elsewhere_can_be_shown_by_the_controls(config):
    again = training_config.to_config(training_config.from_config(config))
    assert again.to_json() | {"objective_setting": config.objective_setting} == config.to_json()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (burda_config(2, 5, seed=0), "no control for latents, which is outside 1..64"),
        (TrainConfig(hidden=(100, 50)), "no control for hidden"),
        (TrainConfig(adam_eps=1e-8), "no control for adam_eps"),
        (TrainConfig(hidden=(33,)), "no control for width"),
        (TrainConfig(n_samples=500), "no control for K, which is outside 1..128"),
    ],
)
def test_a_run_that_the_page_cannot_show_says_so(config, says):
    with pytest.raises(ValueError, match=says):
        training_config.from_config(config)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (TrainConfig(dataset="moons", likelihood="bernoulli"), "Two moons is of real numbers"),
        (TrainConfig(dataset="rings", decoder="autoregressive"), "draws bits one after the other"),
        (
            TrainConfig(dataset="mnist", hidden=(400,) * 4, n_samples=128, batch_size=500),
            r"about 1\.\d GB",
        ),
    ],
)
def test_what_the_data_or_the_server_forbid_is_said_before_the_run(config, says):
    with pytest.raises(ValueError, match=says):
        training_limits.check(config)


def test_a_slow_step_is_announced_with_its_count():
    # 784-200-200-50: the decoder multiplies 50*200 + 200*200 + 200*784 = 206,800 times for a
    # sample, the encoder 784*200 + 200*200 + 200*100 = 216,800 times for a datapoint.
    config = TrainConfig(
        dataset="mnist", hidden=(200, 200), latent_dim=50, n_samples=50, batch_size=100
    )
    flops = 6 * (206_800 * 5000 + 216_800 * 100)
    assert training_limits.cost(config).flops == flops
    assert training_limits.note(config) == ""
    big = TrainConfig(
        dataset="mnist", hidden=(200, 200), latent_dim=50, n_samples=128, batch_size=300
    )
    assert "K = 128 and 300 datapoints takes about" in training_limits.note(big)
