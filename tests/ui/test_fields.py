"""Fields: what text a link may hold, and that a written value reads back."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae_core.ui import controls
from iwae_core.ui.fields import BoolField, ChoiceField, FloatField, IntField, SeedField

K = IntField(name="K", default=64, low=1, high=1000)
RATE = FloatField(name="rate", default=1e-3, low=1e-5, high=0.1)
OBJECTIVE = ChoiceField(name="objective", default="iwae", choices=("elbo", "iwae"))


@given(st.integers(1, 1000))
def test_a_whole_number_reads_back(value):
    assert K.parse(K.write(value)) == value


@given(st.floats(1e-5, 0.1))
def test_a_number_reads_back_to_the_bit(value):
    assert RATE.parse(RATE.write(value)) == value


def test_the_other_fields_read_back():
    assert [OBJECTIVE.parse(OBJECTIVE.write(name)) for name in OBJECTIVE.choices] == [
        "elbo",
        "iwae",
    ]
    switch = BoolField(name="on")
    assert [switch.parse(switch.write(value)) for value in (True, False)] == [True, False]
    assert SeedField().parse("2147483647") == 2**31 - 1


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        (K, "9999", "outside 1..1000"),
        (K, "0", "outside 1..1000"),
        (K, "1e2", "not a whole number"),
        (K, "", "not a whole number"),
        (K, "9" * 40, "not a whole number"),
        (RATE, "nan", "not a number"),
        (RATE, "inf", "not a number"),
        (RATE, "7", "outside 1·10⁻⁵..0.1"),
        (OBJECTIVE, "vae", "none of elbo, iwae"),
        (BoolField(name="on"), "yes", "neither 0 nor 1"),
        (SeedField(), "-1", "outside 0"),
    ],
)
def test_what_no_control_can_write_is_refused(field, text, reason):
    with pytest.raises(ValueError, match=reason):
        field.parse(text)


@given(st.text(max_size=30))
def test_any_text_gives_a_value_in_range_or_a_reason(text):
    for field in (K, RATE):
        try:
            value = field.parse(text)
        except ValueError:
            continue
        else:
            assert math.isfinite(value)
            assert field.low <= value <= field.high


def test_a_default_outside_its_own_range_is_refused():
    with pytest.raises(ValueError, match="default of K"):
        IntField(name="K", default=0, low=1, high=9)
    with pytest.raises(ValueError, match="default of o"):
        ChoiceField(name="o", default="x", choices=("y",))


@given(st.integers(1, 50), st.integers(51, 5000))
def test_logarithmic_stops_climb_from_end_to_end_in_steps_below_two(low, high):
    stops = controls.log_steps(IntField(name="K", default=low, low=low, high=high))
    assert stops[0] == low
    assert stops[-1] == high
    assert all(one < other <= 2 * one for one, other in itertools.pairwise(stops))


def test_a_logarithmic_scale_cannot_start_at_zero():
    with pytest.raises(ValueError, match="positive low end"):
        controls.log_steps(FloatField(name="x", default=0.5, low=0, high=1))
