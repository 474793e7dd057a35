"""The VAE's densities add up to its log weights, whatever its sizes."""

import pytest
import torch
from support import assert_mean

from iwae_core.bounds.backward import truncated
from iwae_core.bounds.objectives import iwae
from iwae_core.bounds.surrogates import ESTIMATORS, reparameterized
from iwae_core.models.networks import DiagonalNormal
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, standard_normal


def make_vae(**changes):
    settings = {"hidden": (6, 5), "generator": make_generator(0)} | changes
    return Vae(4, 3, **settings).double()


def binary(n, generator):
    return torch.bernoulli(torch.full((n, 4), 0.3).double(), generator=generator)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_log_weights_are_joint_minus_q(likelihood):
    vae = make_vae(likelihood=likelihood)
    x = binary(7, make_generator(1))
    log_w = vae.log_weights(x, 5, make_generator(2))
    loc, scale = vae.encode(x)
    z = loc + scale * standard_normal((5, 7, 3), make_generator(2), torch.float64)
    q = torch.distributions.Normal(loc, scale)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    mean = vae.decode(z)
    if likelihood == "bernoulli":
        likelihood_term = torch.distributions.Bernoulli(mean).log_prob(x).sum(-1)
    else:
        scale_x = torch.exp(vae.likelihood.log_scale)
        likelihood_term = torch.distributions.Normal(mean, scale_x).log_prob(x).sum(-1)
    torch.testing.assert_close(log_w, likelihood_term + prior - q.log_prob(z).sum(-1))
    torch.testing.assert_close(vae.log_joint(x, z), likelihood_term + prior)
    assert log_w.shape == (5, 7)


def test_the_encoder_runs_once_per_datapoint_whatever_K():
    vae = make_vae()
    seen = []
    vae.encoder.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    vae.log_weights(binary(7, make_generator(1)), 50, make_generator(2))
    assert seen == [(7, 4)]


def test_closed_form_kl_is_the_mean_of_the_log_ratio():
    q = DiagonalNormal(torch.tensor([[0.7, -1.2]]).double(), torch.tensor([[-0.5, 0.3]]).double())
    eps = standard_normal((40_000, 1, 2), make_generator(3), torch.float64)
    z = q.from_noise(eps)
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    assert_mean(q.log_prob(z) - normal, q.kl_to_standard().sum().item())


def test_the_output_bias_starts_at_the_data_mean():
    mean = torch.tensor([0.0, 0.2, 0.5, 1.0])
    vae = Vae(4, 3, hidden=(6,), data_mean=mean, generator=make_generator(0))
    torch.testing.assert_close(
        torch.sigmoid(vae.likelihood.logits.bias), mean.clamp(1e-3, 1 - 1e-3)
    )


def test_equal_seeds_start_equal_and_samples_follow_their_generator():
    assert torch.equal(make_vae().decoder.layers[0].weight, make_vae().decoder.layers[0].weight)
    x, z = make_vae().sample(6, make_generator(4))
    again, _ = make_vae().sample(6, make_generator(4))
    assert torch.equal(x, again)
    assert z.shape == (6, 3)
    assert set(x.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: make_vae(hidden=()), "at least 1"),
        (lambda: make_vae(likelihood="poisson"), "likelihood must be one of"),
        (lambda: make_vae(activation="cos"), "activation must be one of"),
        (lambda: make_vae(scale=-1.0), "scale must be positive"),
        (
            lambda: make_vae().encode(torch.zeros(2, 5)),
            r"x must have shape \(B, 4\), got \(2, 5\)",
        ),
        (
            lambda: make_vae().log_weights(torch.zeros(2, 4).double(), 0, make_generator(0)),
            "n_samples must be at least 1, got 0",
        ),
    ],
)
def test_misuse_is_refused_with_its_cause(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()


@pytest.mark.parametrize("decoder", ["mlp", "autoregressive"])
def test_the_gradient_by_the_data_is_that_of_both_networks(decoder):
    # log w depends on x through q and through p(x | z): leaving one out would go unnoticed.
    vae = make_vae(decoder=decoder)
    x = 0.2 + 0.6 * torch.rand((3, 4), generator=make_generator(1), dtype=torch.float64)
    weights = lambda x: vae.log_weights(x, 2, make_generator(2))  # noqa: E731
    assert torch.autograd.gradcheck(weights, x.requires_grad_())


@pytest.mark.parametrize(
    "settings", [{}, {"decoder": "autoregressive"}, {"likelihood": "gaussian"}]
)
def test_no_data_have_no_weights_and_no_gradient(settings):
    vae = make_vae(**settings)
    nothing = torch.zeros((0, 4), dtype=torch.float64)
    assert vae.log_weights(nothing, 5, make_generator(0)).shape == (5, 0)
    for estimator in ESTIMATORS.values():
        with pytest.raises(ValueError, match="the batch is empty"):
            estimator(vae.draws(nothing, 5, make_generator(0)), iwae, 1.0)
    draws = vae.draws(nothing, 5, make_generator(0))
    with pytest.raises(ValueError, match="the batch is empty"):
        truncated(reparameterized, draws, iwae, 1.0, epsilon=0.1)


def test_without_autograd_the_estimators_of_paths_say_so():
    vae, x = make_vae(), binary(2, make_generator(1))
    for name in ("doubly_reparameterized", "piwae"):
        with torch.no_grad(), pytest.raises(ValueError, match=r"not under torch\.no_grad"):
            ESTIMATORS[name](vae.draws(x, 3, make_generator(0)), iwae, 1.0)


def test_intensities_up_to_255_are_no_binary_pixels():
    x = 255 * torch.rand((3, 4), generator=make_generator(1), dtype=torch.float64)
    with pytest.raises(ValueError, match="not yet divided by their largest value"):
        make_vae().log_weights(x, 2, make_generator(2))
    assert make_vae(likelihood="gaussian").log_weights(x, 2, make_generator(2)).shape == (2, 3)
