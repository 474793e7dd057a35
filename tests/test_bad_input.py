"""Bad input at the public boundary: a ValueError that says why, or a result without NaN.

Each entry of ``CALLS`` is a public function with strategies for its arguments that reach far
outside what it accepts: tensors of any small shape with NaN, infinities, zeros and huge numbers,
counts of 0, -1 and 1.5, unknown names, settings out of range. No other exception may come back,
and no NaN in any result. Objectives, log_mean_exp and log_joint alone hand a NaN on, by contract:
they run at every step of a training or a sampler, which looks at what they return; here they get
finite numbers of any shape.
"""

import dataclasses
import linecache
import math
import re
import traceback

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from wild_models import CALLS as MODEL_CALLS
from wild_models import VAE
from wild_runs import CALLS as RUN_CALLS
from wild_sampling import CALLS as SAMPLING_CALLS
from wild_values import D

from iwae_core import datasets, rng
from iwae_core.bounds import objectives
from iwae_core.evaluation import log_likelihood
from iwae_core.sampling import problems, weights
from iwae_core.training import TrainConfig

CALLS = {**SAMPLING_CALLS, **MODEL_CALLS, **RUN_CALLS}


def assert_no_nan(result):
    """Look into tensors, arrays, numbers, tuples and the fields of reports."""
    if isinstance(result, torch.Tensor):
        assert not torch.isnan(result).any(), "a NaN came back without a word"
    elif isinstance(result, np.ndarray):
        assert result.dtype.kind != "f" or not np.isnan(result).any(), "a NaN came back"
    elif isinstance(result, float):
        assert not math.isnan(result), "a NaN came back without a word"
    elif isinstance(result, tuple | list):
        for part in result:
            assert_no_nan(part)
    elif dataclasses.is_dataclass(result):
        for field in dataclasses.fields(result):
            assert_no_nan(getattr(result, field.name))


def outcome(function, arguments):
    """The result, or the refusal and whether a `raise` of ours made it; other exceptions pass."""
    try:
        return function(*arguments), None, True
    except ValueError as refusal:
        # NumPy and torch raise from C, where the last line in sight is our call of them.
        frame, line = list(traceback.walk_tb(refusal.__traceback__))[-1]
        file = frame.f_code.co_filename
        is_raise = linecache.getline(file, line).lstrip().startswith("raise ")
        return None, str(refusal), is_raise and "iwae_core" in file


@pytest.mark.parametrize("name", CALLS)
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_a_public_function_refuses_with_a_reason_or_answers_without_nan(name, data):
    function, *strategies = CALLS[name]
    result, refusal, is_ours = outcome(function, data.draw(st.tuples(*strategies)))
    assert_no_nan(result)
    if refusal is not None:
        # A ValueError of torch or NumPy says nothing of our rule.
        assert is_ours, f"not our own words: {refusal}"
        assert len(refusal) > 20


def test_the_judge_finds_nan_wherever_it_hides():
    @dataclasses.dataclass
    class Report:
        values: object

    for hidden in (math.nan, torch.tensor([0.0, math.nan]), np.array([math.nan])):
        with pytest.raises(AssertionError, match="a NaN came back"):
            assert_no_nan((1.0, Report(values=[hidden])))


def test_the_judge_tells_our_refusals_from_those_of_the_libraries():
    _, refusal, is_ours = outcome(np.zeros(0).min, ())
    assert refusal
    assert not is_ours
    # From C, the last line in sight is the call, though the file is one of ours.
    scope = {}
    exec(
        compile("def call():\n    np.concatenate([])", weights.__file__, "exec"), {"np": np}, scope
    )
    _, refusal, is_ours = outcome(scope["call"], ())
    assert refusal
    assert not is_ours
    assert outcome(rng.make_generator, (-1,))[2]
    with pytest.raises(RuntimeError):
        outcome(torch.randn, (-1,))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: objectives.make_objective("iwea"),
            "unknown objective 'iwea'; did you mean 'iwae'",
        ),
        (lambda: datasets.find("mnits"), "unknown data set 'mnits'; did you mean 'mnist'"),
        (lambda: problems.get_problem("too_narow"), "did you mean 'too_narrow'"),
        (lambda: TrainConfig(activation="thanh"), "did you mean 'tanh'"),
        (
            lambda: VAE.log_weights(torch.zeros(2, D), 0, rng.make_generator(0)),
            "at least 1, got 0",
        ),
        (lambda: VAE.encode(torch.full((1, D), math.nan)), "x holds NaN or an infinity"),
        (lambda: VAE.encode(torch.zeros(D)), "a single datapoint is x[None]"),
        (lambda: VAE.encode(torch.zeros(1, D).double()), "x must hold torch.float32 numbers"),
        (lambda: weights.ess(torch.full((3,), -math.inf)), "the proposal never visits the target"),
        (lambda: rng.make_generator(0.5), "and be whole, got 0.5"),
        (lambda: rng.standard_normal((-1,), rng.make_generator(0)), "non-negative lengths"),
        (
            lambda: log_likelihood(VAE, torch.zeros(1, D), 2.5, rng.make_generator(0)),
            "got 2.5 and 8192",
        ),
    ],
)
def test_a_refusal_says_rule_value_and_likely_cause(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()
