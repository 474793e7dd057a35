"""Every model trains, is cut, kept and looked at like any other; Gaussian scales are learned."""

import dataclasses
import math
import time

import numpy as np
import pytest
import torch

from iwae_core.models.autoregressive import AutoregressiveBernoulli
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, standard_normal, stream
from iwae_core.training import TrainConfig, advance, begin, load, model_of, save
from iwae_core.training.frame import observe, probe
from iwae_core.training.step import Stepper

SMALL = TrainConfig(
    hidden=(12,), latent_dim=3, batch_size=40, n_samples=3, seed=3, learning_rate=4e-3
)
TWO = {"second_latent_dim": 2, "second_hidden": (8,)}
MODELS = {
    "two layers": TWO,
    "autoregressive": {"decoder": "autoregressive"},
    "both": TWO | {"decoder": "autoregressive"},
    "two layers, real data": TWO | {"dataset": "moons"},
    "fixed scale": {"dataset": "moons", "likelihood_scale": 0.4},
}


def config_of(name, **changes):
    return dataclasses.replace(SMALL, **(MODELS[name] | changes))


def assert_same(ours, theirs):
    for field in dataclasses.fields(ours):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        assert np.array_equal(a, b), field.name


@pytest.mark.parametrize("name", MODELS)
def test_slices_files_and_frames_hold_for_every_model(name, tmp_path):
    config = config_of(name)
    at_once = advance(begin(config), 30).state
    state = begin(config)
    for _ in range(3):
        save(advance(state, 10).state, tmp_path)
        state = load(tmp_path)
    assert_same(at_once, state)
    frame, again = observe(state), observe(state)
    for one, other in ((frame, again), (frame.glance, again.glance)):
        for field in dataclasses.fields(one):
            if field.name not in ("glance", "manifold"):
                assert np.isfinite(getattr(one, field.name)).all(), field.name
                assert np.array_equal(getattr(one, field.name), getattr(other, field.name))
    assert frame.manifold is None  # three latents, or z says not all
    n_units = config.latent_dim + (config.second_latent_dim or 0)
    assert frame.glance.kl_per_dim.shape == frame.glance.active.shape == (n_units,)
    assert max(frame.glance.axes) < config.latent_dim
    shape = (len(probe(config.dataset, None).x), 2)
    assert frame.glance.means.shape == frame.glance.scales.shape == shape


@pytest.mark.parametrize("name", MODELS)
def test_every_model_raises_its_bound(name):
    records = advance(begin(config_of(name)), 200).records
    gain = 0.1 if config_of(name).dataset == "moons" else 1.0
    assert records.objective[-20:].mean() > records.objective[:20].mean() + gain


@pytest.mark.parametrize(
    "estimator", ["stick_the_landing", "doubly_reparameterized", "wake_sleep", "piwae"]
)
def test_two_layers_train_with_every_estimator_of_weights(estimator):
    config = config_of("two layers", estimator=estimator)
    records = advance(begin(config), 120).records
    assert records.objective[-10:].mean() > records.objective[:10].mean() + 1


def test_the_settings_choose_the_model():
    assert isinstance(model_of(begin(config_of("both"))), TwoLayerVae)
    assert isinstance(model_of(begin(config_of("both"))).likelihood, AutoregressiveBernoulli)
    model = model_of(begin(config_of("two layers", second_latent_dim=5)))
    assert model.latent_dims == (3, 5)
    assert model.second_encoder[0].layers[0].out_features == 8
    assert type(model_of(begin(SMALL))) is Vae
    with pytest.raises(ValueError, match="real-valued data"):
        begin(dataclasses.replace(SMALL, dataset="moons", decoder="autoregressive"))


def test_pictures_of_an_autoregressive_model_are_draws_and_cheap():
    state = begin(TrainConfig(decoder="autoregressive", latent_dim=8))
    frame = observe(state)
    assert set(np.unique(frame.samples)) <= {0.0, 1.0}
    assert len(np.unique(frame.reconstructions)) > 2
    model = model_of(state)
    z = model.sample_prior(10, make_generator(0))
    seconds = []
    for _ in range(5):
        started = time.process_time()
        model.decode(z)
        model.sample(10, make_generator(0))
        seconds.append(time.process_time() - started)
    # About 10 ms; a loop that runs the whole network for every pixel takes 80.
    assert min(seconds) < 0.05


def test_a_fixed_scale_stays_and_a_learned_one_moves():
    fixed = model_of(advance(begin(config_of("fixed scale")), 20).state).likelihood
    torch.testing.assert_close(fixed.log_scale, torch.full((2,), math.log(0.4)))
    moons = dataclasses.replace(SMALL, dataset="moons")
    learned = model_of(advance(begin(moons), 100).state).likelihood
    assert (learned.log_scale < -0.02).all()


def test_the_learned_scale_finds_the_noise_of_linear_gaussian_data():
    # 4,000 points around a line in 6 dimensions, noise 0.3 on every coordinate. Its standard
    # error is 0.3 / sqrt(8000) = 1.1 %; the mean of a tanh network fits the line to well below
    # the noise.
    weight = torch.tensor([[1.0], [-0.8], [0.6], [0.5], [-0.7], [0.9]])
    oracle = LinearGaussian(weight, torch.linspace(-1, 1, 6), 0.3)
    x, _ = oracle.sample(4000, make_generator(0))
    model = Vae(
        6,
        1,
        hidden=(16,),
        likelihood="gaussian",
        data_mean=x.mean(dim=0),
        generator=make_generator(1),
    )
    config = TrainConfig(n_samples=5, learning_rate=5e-3)
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    stepper = Stepper(config, model, flat, (torch.zeros_like(flat), torch.zeros_like(flat)), 0)
    n_steps = 800
    for step in range(n_steps):
        rows = torch.randint(len(x), (200,), generator=stream(0, "rows", step))
        stepper.step(x[rows], stream(0, "noise", step), rate_factor=1 - step / n_steps)
    scale = model.likelihood.log_scale.exp()
    assert ((scale - 0.3).abs() < 0.03).all(), scale
    held, _ = oracle.sample(2000, make_generator(2))
    gap = oracle.log_marginal(held) - model.log_weights(held, 50, make_generator(3)).logsumexp(
        dim=0
    ).sub(math.log(50))
    assert gap.mean().item() < 0.1


def test_schedule_factors_reach_one_update():
    # From zero moments Adam's first step is the learning rate times a sign.
    def first_step(**factors):
        model = Vae(5, 2, hidden=(4,), generator=make_generator(0))
        flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        before = flat.clone()
        config = TrainConfig(adam_eps=1e-12)
        stepper = Stepper(config, model, flat, (torch.zeros_like(flat), torch.zeros_like(flat)), 0)
        x = (standard_normal((6, 5), make_generator(1)) > 0).float()
        stepper.step(x, make_generator(2), **factors)
        return flat - before

    torch.testing.assert_close(first_step(rate_factor=0.5), 0.5 * first_step(), atol=1e-6, rtol=0)
    assert not torch.equal(first_step(kl_weight=0.0), first_step())
