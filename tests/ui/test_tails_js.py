"""The browser's k-hat and exact tail index equal the core's."""

import math
import shutil

import numpy as np
import pytest
import torch
from node import under_node

from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling import psis
from iwae_core.sampling.densities import Normal, StudentT
from iwae_core.sampling.divergences import tail_index
from iwae_core.ui import formulas

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def log_weights():
    generator = make_generator(9)
    cases = [(1000, 0.7, 0), (1000, 0.1, -800), (226, 1.6, 900), (225, 0.5, 0), (30, 2, 3)]
    for K, k, shift in cases:
        u = torch.rand(K, generator=generator, dtype=torch.float64)
        yield k * -torch.log(u) + shift  # a Pareto law of index k
    eps = standard_normal((2000,), generator, torch.float64)
    yield Normal(0, 1).log_prob(0.5 * eps) - Normal(0, 0.5).log_prob(0.5 * eps)
    yield Normal(0, 1).log_prob(1.3 * eps) - Normal(0, 1.3).log_prob(1.3 * eps)  # bounded
    yield torch.zeros(100, dtype=torch.float64)  # no tail
    yield torch.arange(24, dtype=torch.float64)  # too few draws
    tied = torch.zeros(100, dtype=torch.float64)
    tied[:3] = torch.tensor([5.0, 1.0, 2.0])  # most of the tail ties with the threshold
    yield tied
    yield torch.where(eps > 1, eps, -torch.inf)[:400]  # draws of weight zero


def test_k_hat_equals_the_core_wherever_a_tail_is_fitted_and_where_none_is(tmp_path):
    sent = list(log_weights())
    # JSON knows no infinity, but a Float64Array reads the word.
    columns = [["-Infinity" if w == -math.inf else w for w in column.tolist()] for column in sent]
    found = under_node(tmp_path, [["kHat", column] for column in columns], "tails")
    answers = np.array([float(value) for value in found])
    expected = np.array([psis.k_hat(column).item() for column in sent])
    assert np.isinf(expected).sum() == 3
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("target", [Normal(0.4, 1.5), StudentT(0.0, 1.0, 5.0)])
def test_the_exact_tail_index_equals_the_core(tmp_path, target):
    proposals = [Normal(0.7, scale) for scale in (0.3, 0.75, 1.1, 1.5, 4.0)]
    calls = [["tailIndex", formulas.density(target), formulas.density(q)] for q in proposals]
    expected = [tail_index(target, q) for q in proposals]
    np.testing.assert_allclose(under_node(tmp_path, calls, "tails"), expected, rtol=0, atol=1e-12)
