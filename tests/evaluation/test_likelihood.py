"""The streamed likelihood: the same number as all at once, the exact one, in flat memory."""

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_mean

from iwae_core.bounds.objectives import iwae
from iwae_core.evaluation.likelihood import log_likelihood
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.networks import DiagonalNormal
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, standard_normal

ORACLE = LinearGaussian(
    torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.1]], dtype=torch.float64),
    torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64),
    0.8,
)


class Weighed:
    """The oracle with a q that is wide and off the posterior."""

    def __init__(self, shift=0.3):
        self.shift = shift
        self.passes = []

    def log_weights(self, x, n_samples, generator):
        self.passes.append((len(x), n_samples))
        mean, covariance = ORACLE.posterior(x)
        q = DiagonalNormal(
            mean + self.shift, (1.5 * covariance.diagonal()).log().div(2) + 0 * mean
        )
        eps = standard_normal((n_samples, len(x), 2), generator, torch.float64)
        z = q.from_noise(eps)
        return ORACLE.log_joint(x, z) - q.log_prob(z)


class Replayed:
    """Hands out rows of given log weights, in order."""

    def __init__(self, log_w):
        self.log_w, self.at = log_w, 0

    def log_weights(self, x, n_samples, generator):
        rows = self.log_w[self.at : self.at + n_samples]
        self.at += n_samples
        return rows


@settings(max_examples=30)
@given(
    K=st.integers(1, 40), B=st.integers(1, 3), chunk=st.integers(1, 50), seed=st.integers(0, 99)
)
def test_streamed_in_any_chunks_equals_all_at_once(K, B, chunk, seed):
    log_w = 300 * standard_normal((K, B), make_generator(seed), torch.float64)
    # chunk below B * 64 would split the rows too; one replay serves one block of rows
    rows = max(1, chunk // min(K, 64))
    if rows < B:
        log_w, B = log_w[:, :1], 1
    found = log_likelihood(Replayed(log_w), torch.zeros(B, 3), K, make_generator(0), chunk=chunk)
    torch.testing.assert_close(found, iwae(log_w), rtol=1e-12, atol=1e-12)
    assert found.dtype == torch.float64


def test_many_samples_reach_the_exact_log_p():
    x, _ = ORACLE.sample(3, make_generator(1))
    x = x[[0, 1, 2] * 20]
    found = log_likelihood(Weighed(), x, 20_000, make_generator(2), chunk=200_000)
    # Var(w)/p^2 is below 0.5 here, so the bias is below 2e-5 and the spread 0.005: with 60 values
    # an error of 0.006 nat is found.
    assert_mean(found - ORACLE.log_marginal(x), 0.0, allowance=2e-5)
    coarse = log_likelihood(Weighed(), x, 1, make_generator(2))
    assert (coarse - ORACLE.log_marginal(x)).abs().mean() > 0.2


def test_no_pass_is_larger_than_the_chunk_and_the_encoder_is_shared_by_64_samples():
    model = Weighed()
    log_likelihood(model, torch.zeros(5000, 3).double(), 100, make_generator(0), chunk=640)
    assert max(rows * K for rows, K in model.passes) <= 640
    assert min(K for rows, K in model.passes if rows == 10) >= 36
    assert sum(rows * K for rows, K in model.passes) == 5000 * 100


def test_the_vae_gives_the_same_numbers_as_its_log_weights():
    vae = Vae(4, 3, hidden=(6,), generator=make_generator(0)).double()
    x = torch.bernoulli(torch.full((7, 4), 0.3).double(), generator=make_generator(1))
    found = log_likelihood(vae, x, 50, make_generator(2))
    torch.testing.assert_close(found, iwae(vae.log_weights(x, 50, make_generator(2))).detach())
    assert not found.requires_grad


MEMORY = """
import resource, torch
from iwae_core.evaluation.likelihood import log_likelihood
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator
torch.set_num_threads(1)
vae = Vae(784, 4, hidden=(8,), generator=make_generator(0))
x = torch.zeros(2, 784)
peak = []
for n_samples in (1_000, 1_000, 100_000):
    log_likelihood(vae, x, n_samples, make_generator(1), chunk=2000)
    peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(*peak)
"""


def test_peak_memory_is_flat_up_to_one_hundred_thousand_samples():
    # All at once the logits alone are 100,000 * 2 * 784 * 4 bytes = 627 MB; a pass has 6.3 MB.
    # A process of its own, because the high-water mark never falls.
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, check=True)
    _, at_1000, at_100_000 = map(int, done.stdout.split())
    assert at_100_000 - at_1000 < 10_000  # KiB


@pytest.mark.parametrize(
    ("x", "n_samples", "chunk", "rule"),
    [
        (torch.zeros(2, 3), 0, 10, "n_samples and chunk must be at least 1, got 0 and 10"),
        (torch.zeros(2, 3), 5, 0, "got 5 and 0"),
        (torch.zeros(3), 5, 10, r"shape \(B, D\)"),
        (torch.zeros(0, 3), 5, 10, "at least 1 rows"),
        (torch.full((2, 3), math.nan), 5, 10, "NaN or an infinity"),
        (torch.zeros(2, 3, dtype=torch.int64), 5, 10, "floating-point"),
    ],
)
def test_bad_input_is_refused(x, n_samples, chunk, rule):
    with pytest.raises(ValueError, match=rule):
        log_likelihood(Weighed(), x, n_samples, make_generator(0), chunk=chunk)


def test_a_diverged_model_is_refused_and_zero_weights_are_data():
    x = torch.zeros(1, 3)
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="diverged"):
            log_likelihood(Replayed(torch.tensor([[0.0], [bad]])), x, 2, make_generator(0))
    zero = log_likelihood(Replayed(torch.full((2, 1), -math.inf)), x, 2, make_generator(0))
    assert zero.tolist() == [-math.inf]
