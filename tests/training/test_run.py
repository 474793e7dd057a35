"""A run is a value: the same bits however it is cut, moved, kept or changed."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iwae_core import datasets
from iwae_core.bounds.objectives import iwae
from iwae_core.bounds.surrogates import ESTIMATORS
from iwae_core.denormals import are_flushed
from iwae_core.rng import stream
from iwae_core.training import TrainConfig, advance, begin, load, model_of, save
from iwae_core.training.frame import observe

SMALL = TrainConfig(
    hidden=(12,), latent_dim=3, batch_size=40, n_samples=4, seed=3, learning_rate=4e-3
)


def assert_same(ours, theirs):
    for field in dataclasses.fields(ours):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        assert np.array_equal(a, b), field.name


def in_slices(state, sizes, changes=None):
    objective = []
    for n_steps in sizes:
        taken = advance(state, n_steps, changes)
        state, changes = taken.state, None
        objective.append(taken.records.objective)
    return state, np.concatenate(objective)


def test_denormals_are_flushed_in_every_step_and_only_there():
    # Without it a step at K = 50 on MNIST takes twice as long after 40 steps.
    seen = []
    advance(begin(SMALL), 2, watch=lambda *_: seen.append(are_flushed()))
    assert seen == [True, True]
    assert not are_flushed()


def test_a_hundred_steps_at_once_equal_ten_times_ten():
    # 1,500 digits in batches of 40 are 37 steps: the run crosses two epochs.
    at_once, objective = in_slices(begin(SMALL), [100])
    tens, same_objective = in_slices(begin(SMALL), [10] * 10)
    assert_same(at_once, tens)
    assert np.array_equal(objective, same_objective)
    assert at_once.step == 100
    assert at_once.epoch == 2


@settings(max_examples=8)
@given(cuts=st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_any_cut_gives_the_same_bits(cuts):
    at_once, _ = in_slices(begin(SMALL), [sum(cuts)])
    cut, _ = in_slices(begin(SMALL), cuts)
    assert_same(at_once, cut)


def test_another_process_gives_the_same_bits(tmp_path):
    save(begin(SMALL), tmp_path / "start")
    script = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from iwae_core.training import advance, load, save\n"
        "save(advance(load(sys.argv[1]), 20).state, sys.argv[2])\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "start", tmp_path / "end"], check=True
    )
    assert_same(load(tmp_path / "end"), advance(begin(SMALL), 20).state)


def test_saving_and_loading_in_between_changes_nothing(tmp_path):
    state = advance(begin(SMALL), 7).state
    save(state, tmp_path)
    assert_same(load(tmp_path), state)
    assert_same(advance(load(tmp_path), 8).state, advance(state, 8).state)


def test_a_change_of_K_and_back_replays_to_the_same_bits():
    def there_and_back(cut):
        state, _ = in_slices(begin(SMALL), cut)
        state, _ = in_slices(state, cut, {"n_samples": 9})
        return in_slices(state, cut, {"n_samples": 4})[0]

    assert_same(there_and_back([12]), there_and_back([5, 7]))
    assert there_and_back([12]).config == SMALL
    plain, _ = in_slices(begin(SMALL), [36])
    assert not np.array_equal(plain.parameters, there_and_back([12]).parameters)


def test_the_global_generator_and_other_runs_have_no_influence():
    undisturbed, _ = in_slices(begin(SMALL), [6, 6])
    torch.manual_seed(99)
    state = advance(begin(SMALL), 6).state
    advance(begin(dataclasses.replace(SMALL, seed=8)), 3)
    torch.rand(10)
    assert_same(undisturbed, advance(state, 6).state)


@pytest.fixture
def double_by_default():
    """A notebook that computes in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize(
    "fields",
    [
        {"dataset": "digits", "decoder": "autoregressive", "backward": "resampled"},
        {"dataset": "digits", "second_latent_dim": 2},
        {"dataset": "moons", "latent_dim": 2, "backward": "truncated"},
    ],
    ids=["autoregressive", "two layers", "plane"],
)
def test_the_default_type_of_a_notebook_has_no_influence(fields, request):
    config = TrainConfig(**fields, hidden=(16,), n_samples=4, device="cpu")
    once = advance(begin(config), 3)
    request.getfixturevalue("double_by_default")
    again = advance(begin(config), 3)
    assert again.state.parameters.dtype == np.float32
    np.testing.assert_array_equal(again.state.parameters, once.state.parameters)
    np.testing.assert_array_equal(again.records.objective, once.records.objective)
    np.testing.assert_array_equal(observe(again.state).samples, observe(once.state).samples)


def test_the_state_given_is_not_written_to():
    state = begin(SMALL)
    before = state.parameters.copy()
    advance(state, 5)
    assert np.array_equal(state.parameters, before)
    assert not np.array_equal(advance(state, 5).state.parameters, before)


def test_training_raises_the_held_out_bound():
    # An untrained net knows the pixel means; 300 steps of this
    # small one gain about 2.7 nats.
    data = datasets.load("digits")
    x = datasets.binarize(data.test, stream(0, "test"))
    start = begin(SMALL)
    end = advance(start, 300).state
    before, after = (
        iwae(model_of(state).log_weights(x, 20, stream(1, "noise"))).mean().item()
        for state in (start, end)
    )
    assert after > before + 1.5


def test_the_gradient_followed_is_that_of_the_objective():
    # One step of Adam from zero moments moves every parameter by lr * g / (|g| + eps).
    config = dataclasses.replace(SMALL, adam_eps=1e-3)
    state = begin(config)
    after = advance(state, 1).state
    model = model_of(state)
    data = datasets.load("digits")
    rows = torch.randperm(len(data.train), generator=stream(3, "order", 0))[:40]
    x = datasets.binarize(data.train[rows], stream(3, "bits", 1))
    iwae(model.log_weights(x, 4, stream(3, "noise", 1))).mean().backward()
    g = torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).numpy()
    np.testing.assert_allclose(
        after.parameters - state.parameters, 4e-3 * g / (np.abs(g) + 1e-3), rtol=2e-3, atol=1e-6
    )


@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
def test_every_estimator_trains(estimator):
    objective = {"closed_form_kl": "elbo", "piwae": "miwae"}.get(estimator, "iwae")
    config = dataclasses.replace(
        SMALL, estimator=estimator, objective=objective, objective_setting=2.0
    )
    records = advance(begin(config), 80).records
    assert records.objective[-10:].mean() > records.objective[:10].mean() + 1
    assert ((records.ess >= 1 - 1e-4) & (records.ess <= 4 + 1e-4)).all()


@pytest.mark.parametrize("dataset", ["moons", "rings", "pinwheel", "gaussians"])
def test_points_in_the_plane_train_with_a_gaussian(dataset):
    config = dataclasses.replace(SMALL, dataset=dataset, latent_dim=2)
    records = advance(begin(config), 150).records
    assert records.objective[-10:].mean() > records.objective[:10].mean() + 0.2


def overflowing(where):
    state = advance(begin(SMALL), 4).state
    parameters = state.parameters.copy()
    if where == "loss":
        parameters[0] = np.inf
        return dataclasses.replace(state, parameters=parameters)
    moment = state.first_moment.copy()
    moment[0] = np.inf
    return dataclasses.replace(state, first_moment=moment)


@pytest.mark.parametrize(("where", "cause"), [("loss", "log weights"), ("gradient", "gradient")])
def test_numbers_that_are_not_finite_stop_the_run_with_step_and_cause(where, cause):
    broken = overflowing(where)
    taken = advance(broken, 6)
    assert taken.state.stop.step == 5
    assert cause in taken.state.stop.cause
    assert taken.state.step == 4
    assert len(taken.records.step) == 0
    again = advance(taken.state, 6)
    assert again.state is taken.state
    assert len(again.records.step) == 0
    lifted = advance(taken.state, 0, {"learning_rate": 1e-4}).state
    assert lifted.stop is None


def test_misuse_is_refused():
    state = begin(SMALL)
    with pytest.raises(ValueError, match="n_steps must not be negative, got -1"):
        advance(state, -1)
    with pytest.raises(ValueError, match="unknown live field 'latent_dim'"):
        advance(state, 1, {"latent_dim": 5})
    with pytest.raises(ValueError, match="n_samples must be a whole number"):
        advance(state, 1, {"n_samples": 0})


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
def test_cuda_slices_give_the_same_bits_and_agree_with_the_cpu():
    config = dataclasses.replace(SMALL, device="cuda")
    at_once, _ = in_slices(begin(config), [30])
    cut, _ = in_slices(begin(config), [10] * 3)
    assert_same(at_once, cut)
    # Other noise than on the CPU, so only the level of the bound can agree.
    ours = advance(at_once, 300).records.objective[-50:].mean()
    theirs = advance(begin(SMALL), 330).records.objective[-50:].mean()
    assert ours == pytest.approx(theirs, abs=1.5)
