"""The browser's formulas, run under Node, equal the core's to 1e-9."""

import shutil

import numpy as np
import pytest
import torch
from node import under_node

from iwae_core.evaluation.studies import choices
from iwae_core.evaluation.studies.choices import FAMILIES, INTEGRANDS, TARGETS
from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling import estimators, weights
from iwae_core.sampling.densities import Normal, StudentT
from iwae_core.ui import formulas
from iwae_core.view.numbers import digits, fixed, percent, signed

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def columns():
    generator = make_generator(3)
    for spread, shift, count in [(1, 0, 5), (10, -900, 64), (40, 800, 7), (0, 3, 4), (1, 0, 1)]:
        yield shift + spread * standard_normal((count,), generator, torch.float64)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("logMeanExp", weights.log_mean_exp),
        ("normalize", weights.normalize),
        ("ess", weights.ess),
        ("maxWeight", weights.max_weight),
    ],
)
def test_weights_equal_the_core(tmp_path, name, function):
    sent = list(columns())
    found = under_node(tmp_path, [[name, column.tolist()] for column in sent])
    for column, answer in zip(sent, found, strict=True):
        np.testing.assert_allclose(answer, function(column).numpy(), rtol=0, atol=1e-9)


DENSITIES = (
    {name: entry.made for name, entry in TARGETS.items()}
    | {
        "drawn": choices.find_target("drawn.AAGz5_xABBCAAZZ").made,
        "heavy": StudentT(-0.7, 2.5, 1.5),
    }
    | {f"q_{name}": entry.made(0.8, 0.7, 4.5) for name, entry in FAMILIES.items()}
)


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_equal_the_core(tmp_path, name):
    density = DENSITIES[name]
    described = formulas.density(density)
    z = torch.cat([torch.linspace(-9, 9, 181, dtype=torch.float64) + 1 / 7])
    found = under_node(tmp_path, [["logDensity", described, point] for point in z.tolist()])
    answer = np.array([float(value) for value in found])
    np.testing.assert_allclose(answer, density.log_prob(z).numpy(), rtol=1e-12, atol=1e-9)
    assert np.isfinite(answer).sum() > 10


@pytest.mark.parametrize("name", INTEGRANDS)
def test_integrands_equal_the_core(tmp_path, name):
    f = INTEGRANDS[name].made
    z = [-2.5, 0.0, 2.9, 3.1, 5.5]
    found = under_node(tmp_path, [["integrand", formulas.integrand(f), point] for point in z])
    np.testing.assert_allclose(found, f(torch.tensor(z, dtype=torch.float64)), rtol=1e-12)


@pytest.mark.parametrize("plain", [True, False])
def test_running_estimates_equal_the_core_at_every_length(tmp_path, plain):
    estimate = estimators.importance if plain else estimators.self_normalized
    target, q = Normal(700.0, 1.0), Normal(699.0, 1.7)  # a far mean asks for care with squares
    z = q.from_noise(standard_normal((40,), make_generator(5), torch.float64))
    log_w = target.log_prob(z) - q.log_prob(z) + 3
    (found,) = under_node(tmp_path, [["running", z.tolist(), log_w.tolist(), plain]])
    for k in (1, 2, 3, 10, 39, 40):
        each = estimate(z[:k], log_w[:k])
        assert found["values"][k - 1] == pytest.approx(each.value.item(), rel=1e-9)
        error = float(found["errors"][k - 1])
        if k == 1:
            assert error == float("inf")
        else:
            assert error == pytest.approx(each.std_error.item(), rel=1e-8)


def test_an_unknown_density_has_no_formula():
    with pytest.raises(ValueError, match="no formula"):
        formulas.density(object())


def test_numbers_read_the_same_in_the_browser(tmp_path):
    values = [
        0.0,
        -0.0004,
        1.0,
        9.996,
        0.09996,
        -2.71828,
        1234.5,
        -1.125,
        0.125,
        999.5,
        987654.3,
        2.8665e-7,
        -3.1e9,
    ]
    values += (standard_normal((40,), make_generator(1), torch.float64).exp() ** 3).tolist()
    for name, function, more in [
        ("digits", digits, [3]),
        ("digits", digits, [2]),
        ("fixed", fixed, [2]),
        ("fixed", fixed, [0]),
        ("signed", signed, [2]),
        ("percent", percent, []),
    ]:
        calls = [[name, value, *more] for value in values]
        found = under_node(tmp_path, calls, "numbers")
        assert found == [function(value, *more) for value in values], name
