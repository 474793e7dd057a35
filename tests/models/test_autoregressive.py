"""The autoregressive output layer: causal by its Jacobian, normalized by summing every image."""

import itertools

import pytest
import torch
from support import assert_mean

from iwae_core.models.autoregressive import AutoregressiveBernoulli
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, standard_normal


def make_layer(data_dim, n_hidden=9, activation="tanh"):
    layer = AutoregressiveBernoulli(n_hidden, data_dim, activation).double()
    noise = make_generator(3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(0.8 * standard_normal(parameter.shape, noise, torch.float64))
    return layer


def every_image(data_dim):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=data_dim)), dtype=torch.float64)


def hidden(*shape, seed=1):
    return torch.tanh(standard_normal(shape, make_generator(seed), torch.float64))


@pytest.mark.parametrize(("data_dim", "n_hidden"), [(1, 4), (6, 9), (7, 3), (5, 40)])
def test_a_pixel_depends_on_the_earlier_ones_and_on_no_other(data_dim, n_hidden):
    layer, h = make_layer(data_dim, n_hidden), hidden(2, 1, n_hidden)
    x = torch.full((1, data_dim), 0.4, dtype=torch.float64)
    slope = torch.autograd.functional.jacobian(lambda at: layer.logits(at, h), x)
    slope = slope.squeeze(1).squeeze(2)  # (K, D logits, D pixels)
    assert (slope.triu(0) == 0).all()
    rows, columns = torch.tril_indices(data_dim, data_dim, -1)
    assert (slope[:, rows, columns] != 0).all()


def test_hidden_units_carry_pixels_too_and_not_the_direct_path_alone():
    layer, h = make_layer(6), hidden(1, 1, 9)
    with torch.no_grad():
        layer.logits_from_pixels.zero_()
    x = torch.full((1, 6), 0.4, dtype=torch.float64)
    slope = torch.autograd.functional.jacobian(lambda at: layer.logits(at, h), x)[0, 0, :, 0]
    assert (slope.triu(0) == 0).all()
    rows, columns = torch.tril_indices(6, 6, -1)
    assert (slope[rows, columns] != 0).all()


@pytest.mark.parametrize("data_dim", [1, 3, 8])
def test_the_probabilities_of_all_images_add_to_one(data_dim):
    layer, x = make_layer(data_dim), every_image(data_dim)
    h = hidden(4, 1, 9).expand(4, len(x), 9)
    total = layer.log_prob(x, h).exp().sum(dim=1)
    torch.testing.assert_close(total, torch.ones(4, dtype=torch.float64), rtol=1e-12, atol=0)


def test_one_pass_equals_one_pass_per_sample():
    layer, x = make_layer(5), every_image(5)
    h = hidden(3, 32, 9)
    together = layer.log_prob(x, h)
    alone = torch.stack([layer.log_prob(x, row[None])[0] for row in h])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("n_hidden", [2, 9, 30])
def test_samples_follow_the_probabilities_of_every_image(n_hidden):
    # 16 frequencies of 40,000 draws, each a mean with its own standard error.
    layer, x = make_layer(4, n_hidden), every_image(4)
    h = hidden(1, 1, n_hidden)
    expected = layer.log_prob(x, h.expand(1, 16, n_hidden)).exp()[0]
    drawn = layer.sample(h[0].expand(40_000, n_hidden), make_generator(2))
    code = (drawn @ torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)).long()
    for image in range(16):
        assert_mean((code == image).double(), expected[image].item())


def test_the_expected_pixels_are_close_to_the_exact_sum_and_repeat():
    layer, x = make_layer(4), every_image(4)
    h = hidden(60, 9)
    p = layer.log_prob(x, h[:, None].expand(60, 16, 9)).exp()  # (60, 16)
    exact = p @ x
    found = layer.mean(h)
    assert torch.equal(found, layer.mean(h))
    torch.testing.assert_close(layer.mean(h[7:9]), found[7:9])
    # Eight paths: 0.18 is the largest possible standard error of a pixel.
    assert (found - exact).abs().max() < 5 * 0.18
    assert (found - exact).square().mean().sqrt() < 0.18
    # The first pixel has nothing before it, so it is exact.
    torch.testing.assert_close(found[:, 0], exact[:, 0])
    assert layer.mean(h.view(6, 10, 9)).shape == (6, 10, 4)


def test_the_vae_starts_at_the_data_mean_whatever_the_earlier_pixels():
    mean = torch.tensor([0.0, 0.2, 0.5, 1.0])
    vae = Vae(
        4, 3, hidden=(6,), decoder="autoregressive", data_mean=mean, generator=make_generator(0)
    )
    torch.testing.assert_close(
        torch.sigmoid(vae.likelihood.logits_from_latent.bias), mean.clamp(1e-3, 1 - 1e-3)
    )
    assert (vae.likelihood.logits_from_pixels == 0).all()
    x, z = vae.sample(5, make_generator(1))
    assert x.shape == (5, 4)
    assert vae.decode(z).shape == (5, 4)
    assert vae.log_weights(x, 7, make_generator(1)).shape == (7, 5)


def test_real_data_are_refused():
    with pytest.raises(ValueError, match=r"binary pixels.*got 'gaussian'"):
        Vae(4, 3, decoder="autoregressive", likelihood="gaussian", generator=None)
    with pytest.raises(ValueError, match="decoder must be one of"):
        Vae(4, 3, decoder="lstm", generator=None)
