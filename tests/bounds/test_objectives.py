"""Each bound at its known ends, on numbers computed by hand, and in its order among the others."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iwae_core.bounds.objectives import (
    Ciwae,
    Miwae,
    Renyi,
    elbo,
    iwae,
    make_objective,
    sample_shares,
)
from iwae_core.sampling.weights import normalize

log_weights = hnp.arrays(
    float,
    st.tuples(st.sampled_from([1, 2, 4, 6, 12]), st.integers(1, 4)),
    elements=st.floats(-50, 50),
).map(torch.from_numpy)

TWO = torch.tensor([0.0, 2.0], dtype=torch.float64)
FOUR = torch.tensor([[0.0], [2.0], [-1.0], [0.5]], dtype=torch.float64)


def test_two_weights_give_the_numbers_computed_by_hand():
    assert elbo(TWO).item() == 1.0
    assert iwae(TWO).item() == pytest.approx(math.log((1 + math.e**2) / 2), abs=1e-12)
    assert Renyi(0.5)(TWO).item() == pytest.approx(2 * math.log((1 + math.e) / 2), abs=1e-12)
    assert Renyi(2.0)(TWO).item() == pytest.approx(-math.log((1 + math.exp(-2)) / 2), abs=1e-12)
    assert Ciwae(0.25)(TWO).item() == pytest.approx(0.25 + 0.75 * 1.4337808, abs=1e-6)


def test_one_sample_makes_every_bound_the_elbo():
    log_w = torch.tensor([[0.3, -7.0]], dtype=torch.float64)
    for objective in (elbo, iwae, Renyi(0.5), Renyi(-3), Renyi(-math.inf), Ciwae(0.5), Miwae(1)):
        torch.testing.assert_close(objective(log_w), log_w[0])


def test_miwae_with_one_group_is_the_iwae_and_with_K_groups_the_elbo():
    torch.testing.assert_close(Miwae(1)(FOUR), iwae(FOUR))
    torch.testing.assert_close(Miwae(4)(FOUR), elbo(FOUR))
    assert not torch.allclose(iwae(FOUR), elbo(FOUR))
    middle = Miwae(2)(FOUR).item()
    assert elbo(FOUR).item() < middle < iwae(FOUR).item()


def test_renyi_meets_its_limits():
    torch.testing.assert_close(Renyi(0.0)(FOUR), iwae(FOUR))
    torch.testing.assert_close(Renyi(1.0)(FOUR), elbo(FOUR))
    torch.testing.assert_close(Renyi(1 - 1e-7)(FOUR), elbo(FOUR), atol=1e-6, rtol=0)
    torch.testing.assert_close(Renyi(-math.inf)(FOUR), FOUR.amax(dim=0))
    # log-mean-exp falls short of the maximum by at most log K, divided by 1 - alpha
    torch.testing.assert_close(Renyi(-1e5)(FOUR), FOUR.amax(dim=0), atol=2e-5, rtol=0)


@pytest.mark.parametrize("alpha", [0.95, 0.999, 1 - 1e-6, 1 + 1e-4, 1.05])
def test_renyi_near_the_elbo_keeps_the_digits_of_float32(alpha):
    # The plain formula is 0.002 nats off at 1 - 1e-4 and a quarter of a nat at 1 - 1e-6.
    log_w = torch.from_numpy(np.random.default_rng(3).normal(-90, 5, (50, 6)).astype(np.float32))
    x = log_w.double().numpy()
    tempered = np.log1p(np.expm1((1 - alpha) * (x - x.mean(axis=0))).mean(axis=0))
    exact = x.mean(axis=0) + tempered / (1 - alpha)
    np.testing.assert_allclose(Renyi(alpha)(log_w).numpy(), exact, atol=3e-5)
    shares = sample_shares(Renyi(alpha), log_w).double()
    tilted = torch.softmax((1 - alpha) * log_w.double(), dim=0)
    torch.testing.assert_close(shares, tilted, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("alpha", [-1e7, -1e30, -1e37])
def test_renyi_far_below_zero_is_the_largest_weight_and_never_overflows(alpha):
    log_w = torch.tensor([[-90.0, 500.0], [-85.0, -math.inf]])
    assert Renyi(alpha)(log_w).tolist() == pytest.approx([-85.0, 500.0], abs=1e-4)
    assert Renyi(-alpha)(log_w).tolist() == pytest.approx([-90.0, -math.inf], abs=1e-4)


@given(log_w=log_weights)
def test_more_samples_never_loosen_the_bound(log_w):
    # Burda et al. (2016), theorem 1, for fixed weights: the bound on all K is at least the
    # mean of the bounds on its K leave-one-out subsets (Jensen).
    K = len(log_w)
    if K == 1:
        return
    subsets = torch.stack([log_w[torch.arange(K) != k] for k in range(K)], dim=1)
    assert (iwae(subsets).mean(dim=0) <= iwae(log_w) + 1e-9).all()


@given(log_w=log_weights, alpha=st.floats(-3, 3), step=st.floats(0.01, 3))
def test_the_renyi_bound_falls_with_alpha(log_w, alpha, step):
    assert (Renyi(alpha + step)(log_w) <= Renyi(alpha)(log_w) + 1e-7).all()


@given(
    log_w=log_weights,
    objective=st.sampled_from([elbo, iwae, Renyi(0.5), Renyi(-2.0), Ciwae(0.3), Miwae(1)]),
)
def test_shares_of_the_gradient_sum_to_one(log_w, objective):
    shares = sample_shares(objective, log_w)
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(log_w.shape[1]).double())
    assert not shares.requires_grad


def test_shares_are_equal_for_the_elbo_and_the_weights_for_the_iwae():
    torch.testing.assert_close(sample_shares(elbo, FOUR), torch.full_like(FOUR, 0.25))
    torch.testing.assert_close(sample_shares(iwae, FOUR), normalize(FOUR))


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Renyi(math.nan), "alpha"),
        (lambda: Renyi(math.inf), "alpha"),
        (lambda: Ciwae(1.5), r"beta must lie in \[0, 1\], got 1.5"),
        (lambda: Miwae(0), "n_groups must be at least 1"),
        (lambda: Miwae(3)(FOUR), "got 3 and 4"),
    ],
)
def test_settings_without_meaning_are_refused(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()


def test_objectives_are_found_by_name_and_unknown_names_get_a_hint():
    assert make_objective("iwae") is iwae
    assert make_objective("renyi", 2.0) == Renyi(2.0)
    assert make_objective("miwae", 4.0) == Miwae(4)
    with pytest.raises(ValueError, match="did you mean 'ciwae'"):
        make_objective("ciwa")


@given(log_w=log_weights, objective=st.sampled_from([elbo, iwae]))
def test_shares_known_in_closed_form_are_the_gradient(log_w, objective):
    leaf = log_w.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(leaf).sum(), leaf)
    torch.testing.assert_close(sample_shares(objective, log_w), gradient)


def test_the_limit_to_the_elbo_holds_in_every_precision():
    # In half precision 1e-9 times a log weight is zero; what came back was the largest weight.
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        log_w = torch.tensor([0.0, 0.5, -1.0, 2.0], dtype=dtype)
        assert Renyi(1 - 1e-9)(log_w).item() == pytest.approx(0.375, abs=1e-3)
        assert Renyi(-1e9)(log_w).dtype is dtype


@pytest.mark.parametrize("alpha", [-math.inf, -1.0, 0.5, 1 - 1e-9, 1.0, 2.0])
def test_every_renyi_bound_refuses_whole_numbers(alpha):
    with pytest.raises(ValueError, match="floating-point"):
        Renyi(alpha)(torch.tensor([0, 1, 2]))


def test_shares_are_given_in_inference_too():
    with torch.inference_mode():
        inferred = sample_shares(Renyi(0.5), FOUR + 0)
    torch.testing.assert_close(inferred.clone(), sample_shares(Renyi(0.5), FOUR))
