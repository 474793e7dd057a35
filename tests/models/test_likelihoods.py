"""The fused output layers, against the plain formulas and on logits where those break."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iwae_core.models.likelihoods import Bernoulli, Gaussian
from iwae_core.rng import make_generator, standard_normal


def bernoulli(n_hidden, data_dim, spread=1.0, dtype=torch.float64):
    generator = make_generator(5)
    layer = Bernoulli(n_hidden, data_dim).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(spread * standard_normal(parameter.shape, generator, dtype))
    return layer


def plain(layer, x, h):
    logits = layer.logits(h)
    return (x * logits - torch.nn.functional.softplus(logits)).sum(-1)


@given(
    data_dim=st.sampled_from([1, 7, 111, 112, 113, 250]),
    spread=st.sampled_from([0.1, 1, 30]),
    K=st.sampled_from([1, 3, 8, 9, 20]),
)
def test_bernoulli_equals_the_plain_formula_and_its_gradient(data_dim, spread, K):
    layer = bernoulli(4, data_dim, spread)
    h = standard_normal((K, 2, 4), make_generator(1), torch.float64).requires_grad_()
    x = torch.bernoulli(torch.full((2, data_dim), 0.4).double(), generator=make_generator(2))
    x.requires_grad_()
    share = standard_normal((K, 2), make_generator(3), torch.float64)
    expected = plain(layer, x, h)
    found = layer.log_prob(x, h)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-9)
    with torch.no_grad():
        torch.testing.assert_close(layer.log_prob(x, h), expected, rtol=1e-10, atol=1e-9)
    leaves = (h, *layer.parameters(), x)
    for ours, theirs in zip(
        torch.autograd.grad((share * found).sum(), leaves),
        torch.autograd.grad((share * expected).sum(), leaves),
        strict=True,
    ):
        # torch's softplus is cut at 20, which costs the reference exp(-20) a pixel.
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=2e-7)


@pytest.mark.parametrize("logit", [20.0, -20.0, 200.0, -3000.0])
def test_a_confident_wrong_pixel_costs_its_logit_and_keeps_its_gradient(logit):
    layer = Bernoulli(1, 1)
    with torch.no_grad():
        layer.logits.weight.zero_()
        layer.logits.bias.fill_(logit)
    x = torch.tensor([[0.0 if logit > 0 else 1.0]])
    log_prob = layer.log_prob(x, torch.zeros(1, 1, 1))
    assert log_prob.item() == pytest.approx(-abs(logit), rel=1e-6)
    log_prob.sum().backward()
    assert layer.logits.bias.grad.item() == pytest.approx(-math.copysign(1, logit))


def test_float32_on_784_pixels_stays_within_a_thousandth_of_a_nat():
    layer = bernoulli(50, 784, 0.3, torch.float32)
    h = torch.tanh(standard_normal((20, 10, 50), make_generator(1)))
    x = torch.bernoulli(torch.full((10, 784), 0.2), generator=make_generator(2))
    found = layer.log_prob(x, h).double()
    expected = plain(layer.double(), x.double(), h.double())
    assert (found - expected).abs().max() < 1e-3


def test_gaussian_equals_scipy_and_learns_its_scale():
    layer = Gaussian(3, 2).double()
    with torch.no_grad():
        layer.loc.weight.fill_(0.3)
        layer.loc.bias.copy_(torch.tensor([1.0, -2.0]))
        layer.log_scale.copy_(torch.tensor([0.5, -0.7]))
    h = torch.tensor([[[0.2, -1.0, 0.4]]]).double()
    x = torch.tensor([[1.4, -1.0]]).double()
    loc = layer.mean(h)[0, 0].detach()
    expected = stats.norm(loc, torch.exp(layer.log_scale).detach()).logpdf(x[0]).sum()
    assert layer.log_prob(x, h).item() == pytest.approx(expected, abs=1e-12)
    layer.log_prob(x, h).sum().backward()
    z = (x[0] - loc) / torch.exp(layer.log_scale.detach())
    torch.testing.assert_close(layer.log_scale.grad, z**2 - 1)
    assert [name for name, _ in Gaussian(3, 2, scale=0.1).named_parameters()] == [
        "loc.weight",
        "loc.bias",
    ]
