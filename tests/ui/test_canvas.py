"""Scenes and the page: what a browser sends becomes a state only where the field would take it."""

import numpy as np
import patience
import pytest
from harness import scene
from streamlit.testing.v1 import AppTest

from iwae_core.runtime.wire import pack, unpack
from iwae_core.ui import canvas
from iwae_core.ui.fields import BoolField, ChoiceField, FloatField, IntField, StopField


class Kept:
    """The part of a link that a scene writes to."""

    def __init__(self):
        self.values = {}

    def set(self, field, value):
        self.values[field.name] = value


LOC = FloatField(name="loc", default=0.0, low=-3.0, high=3.0)
COUNT = IntField(name="K", default=4, low=1, high=64)
STOP = StopField(name="stop", default=2, stops=(1, 2, 4))
FAMILY = ChoiceField(name="family", default="a", choices=("a", "b"))
ON = BoolField(name="on")


@pytest.mark.parametrize(
    ("field", "sent", "taken"),
    [
        (LOC, 1.25, 1.25),
        (LOC, 2, 2.0),
        (COUNT, 8, 8),
        (STOP, 4, 4),
        (FAMILY, "b", "b"),
        (ON, True, True),
        (ON, False, False),
    ],
)
def test_what_a_field_takes_is_set(field, sent, taken):
    kept = Kept()
    canvas.take_one(kept, field, sent)
    assert kept.values == {field.name: taken}


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        (LOC, 99.0),
        (LOC, float("nan")),
        (LOC, float("inf")),
        (LOC, None),
        (LOC, [1.0]),
        (LOC, {"a": 1}),
        (COUNT, 1.5),
        (COUNT, 0),
        (COUNT, 10**30),
        (STOP, 3),
        (FAMILY, "<script>"),
        (FAMILY, 1),
        (ON, "yes"),
        (ON, 2),
    ],
)
def test_anything_else_is_left_alone(field, sent):
    kept = Kept()
    canvas.take_one(kept, field, sent)
    assert kept.values == {}


def page():
    import numpy as np

    from iwae_core.ui import canvas
    from iwae_core.ui.fields import FloatField
    from iwae_core.ui.url import Link

    field = FloatField(name="loc", default=0.5, low=-3.0, high=3.0)
    link = Link("demo", field)
    arrays = {"x": np.array([1.0, 1 / 3]), "f": np.array([1 / 3], dtype=np.float32)}
    canvas.show("gap", link, field, alt="a picture", meta={"more": [1, 2]}, arrays=arrays)


def test_a_scene_is_sent_its_state_its_name_and_its_arrays():
    app = AppTest.from_function(page, default_timeout=patience.SECONDS)
    app.query_params["loc"] = "1.5"
    app.run()
    assert not app.exception
    meta, arrays = scene(app, "gap")
    assert meta == {
        "state": {"loc": 1.5}, "echo": 0, "name": "demo-gap", "alt": "a picture", "more": [1, 2],
    }  # fmt: skip
    assert arrays["x"].tolist() == [1.0, 1 / 3]
    assert arrays["f"][0] == np.float32(1 / 3)


def test_a_scene_must_say_what_it_shows():
    with pytest.raises(ValueError, match="alt must say"):
        canvas.show("gap", Kept(), alt=" ", meta={}, arrays={})


def test_arrays_of_both_precisions_survive_the_wire_side_by_side():
    single = np.array([[1.5, -2.0, 1 / 3]], dtype=np.float32)
    double = np.array([1 / 7, np.inf])
    meta, arrays = unpack(
        pack({"name": "Ω"}, {"single": single, "double": double, "n": single[0]})
    )
    assert meta == {"name": "Ω"}
    np.testing.assert_array_equal(arrays["single"], single)
    np.testing.assert_array_equal(arrays["double"], double)
    assert arrays["double"].dtype == np.float64
