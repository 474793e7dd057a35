"""The five uses of one model, against scikit-learn, NumPy and closed forms."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from iwae_core import datasets
from iwae_core.evaluation.studies import use_cases
from iwae_core.rng import make_generator
from iwae_core.training import TrainConfig, advance, begin, model_of


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def model():
    # Half a second of training: annealing that starts at a hopeless q needs more temperatures.
    config = TrainConfig(hidden=(12,), latent_dim=3, learning_rate=0.005, seed=5)
    return model_of(advance(begin(config), 300).state)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(use_cases, "N_ANNEALED", 24)  # a third of the time


def test_held_out_bits_are_drawn_once_from_the_whole_test_set(data):
    x = use_cases.held_out(data)
    assert x.shape == data.test.shape
    assert torch.equal(x, use_cases.held_out(data))
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert (x[data.test == 0] == 0).all()


def test_points_in_the_plane_have_no_bits():
    moons = datasets.load("moons")
    assert torch.equal(use_cases.held_out(moons), moons.test[:300])


def test_L_1_is_the_elbo_in_closed_form_within_its_noise(model, data):
    found = use_cases.likelihood(model, data)
    assert {name: values.shape for name, values in found.items()} == {
        f"L_{K}": (297,) for K in (1, 64, 5000)
    }
    x = use_cases.held_out(data)
    with torch.no_grad():
        draws = model.draws(x, 4000, make_generator(1))
        log_p = draws.log_likelihood(draws.z).double()
        elbo = (log_p.mean(dim=0) - draws.kl_per_dim().sum(dim=1)).numpy()
    apart = found["L_1"] - elbo  # |z| > 5 by chance: 6e-7; 0.3 sd of a log weight would be seen
    assert abs(apart.mean()) < 5 * apart.std(ddof=1) / np.sqrt(297)
    assert found["L_1"].mean() < found["L_64"].mean() < found["L_5000"].mean()


def test_what_latents_hold_is_what_scikit_learn_finds(model, data):
    found = use_cases.latents(model, data)
    x = use_cases.held_out(data)
    train = use_cases._with_bits(data, data.train, "train")
    means = [model.encode(part)[0].detach().numpy().astype(float) for part in (train, x)]
    scale = np.sqrt(means[0].var(axis=0).mean())
    scaled = [(part - means[0].mean(axis=0)) / scale for part in means]
    probe = LogisticRegression(max_iter=1000).fit(scaled[0], data.train_labels.numpy())
    expected = probe.score(scaled[1], data.test_labels.numpy())
    assert found["linear_probe"] == pytest.approx(expected, abs=1.5 / 297)
    assert found["active_units"] == (means[1].var(axis=0) > 0.01).sum()
    assert 0 <= found["ari"] <= found["nmi"] <= 1
    assert 0.1 < found["few_labels"] < 1


def test_annealing_encloses_what_the_model_has_made(model, data):
    found = use_cases.accuracy_simulated(model, data)
    lower, upper = found["simulated_lower"], found["simulated_upper"]
    assert lower.shape == (use_cases.N_ANNEALED,)
    # Three latents and a q that fits: 5,000 samples are exact to a hundredth of a nat.
    exact = found["simulated_L_5000"]
    assert abs((lower - exact).mean()) < 0.1
    assert abs((upper - exact).mean()) < 0.1
    assert found["simulated_L_1"].mean() < exact.mean()


def test_on_held_out_data_there_is_no_upper_side(model, data):
    found = use_cases.accuracy_held_out(model, data)
    assert set(found) == {"held_out_lower", *(f"held_out_L_{K}" for K in (1, 64, 5000))}
    x = use_cases.held_out(data)[: use_cases.N_ANNEALED]
    np.testing.assert_array_equal(found["held_out_L_64"], use_cases.bound(model, x, 64))
    assert abs((found["held_out_lower"] - found["held_out_L_5000"]).mean()) < 0.1
