"""The address and the controls in step, through real script runs of two small pages."""

import patience
import pytest
from streamlit.testing.v1 import AppTest

from iwae_core.ui import url
from iwae_core.ui.url import IntField, Link


def two_pages():
    import streamlit as st

    from iwae_core.ui import controls, url

    K = url.IntField(name="K", default=64, low=1, high=1000)
    WIDTH = url.FloatField(name="width", default=1.5, low=0.5, high=3.0)
    GOAL = url.ChoiceField(name="goal", default="iwae", choices=("elbo", "iwae"))
    SEED = url.SeedField()

    page = st.session_state.get("go", "one")
    url.turn_to(page)
    if page == "one":
        link = url.Link("one", K, WIDTH, GOAL, SEED)
        values = (
            controls.log_slider(link, K, "Samples K"),
            controls.slider(link, WIDTH, "Width", unit="sd"),
            controls.choice(link, GOAL, "Objective"),
            controls.seed(link, SEED),
        )
        st.text(repr(values))
    elif page == "two":
        link = url.Link("two", K)
        st.text(repr(controls.number(link, K, "Samples K")))


def start(**query):
    app = AppTest.from_function(two_pages, default_timeout=patience.SECONDS)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def go(app, page):
    # What the navigation of the browser does: another page, and a bare address.
    app.session_state["go"] = page
    app.query_params.clear()
    return app.run()


def values(app):
    assert not app.exception
    return eval(app.text[0].value)


def address(app):
    # AppTest holds what a test set as text, and what the page wrote as a list.
    return {
        name: value if isinstance(value, str) else value[-1]
        for name, value in app.query_params.items()
    }


def test_a_bare_address_shows_the_defaults_and_stays_bare():
    app = start()
    assert values(app) == (64, 1.5, "iwae", 1)
    assert address(app) == {}
    assert not app.warning


def test_a_link_sets_every_control():
    app = start(K="50", width="0.75", goal="elbo", seed="7")
    assert values(app) == (50, 0.75, "elbo", 7)
    assert address(app) == {"K": "50", "width": "0.75", "goal": "elbo", "seed": "7"}
    assert app.select_slider[0].value == 50  # though 50 is no stop of the slider
    assert not app.warning


def test_a_control_writes_what_differs_from_the_defaults():
    app = start(K="50")
    app.slider[0].set_value(2.0).run()
    assert values(app) == (50, 2.0, "iwae", 1)
    assert address(app) == {"K": "50", "width": "2"}
    app.select_slider[0].set_value(64).run()
    assert values(app) == (64, 2.0, "iwae", 1)
    assert address(app) == {"width": "2"}


def test_a_bad_value_falls_back_with_a_message_that_goes_when_a_control_moves():
    app = start(K="9999", width="nan", goal="vae", seed="3", color="red`](x)" * 9)
    assert values(app) == (64, 1.5, "iwae", 3)
    assert address(app) == {"seed": "3"}
    said = [box.value for box in app.warning]
    assert said[1:] == [
        "`K = 9999` in the link is outside 1..1000; using 64.",
        "`width = nan` in the link is not a number; using 1.5.",
        "`goal = vae` in the link is none of elbo, iwae; using iwae.",
    ]
    assert "`color` is unknown" in said[0]
    app.run()
    assert len(app.warning) == 4  # a rerun that nobody asked for does not take it away
    app.slider[0].set_value(2.0).run()
    assert not app.warning


def test_a_strangers_text_cannot_leave_its_code_span():
    app = start(K="`[click](http://example.org)\n# big")
    assert app.warning[0].value.count("`") == 2
    assert "\n" not in app.warning[0].value


def test_a_page_comes_back_with_its_state_and_its_address():
    app = start(K="50", seed="7")
    app = go(app, "two")
    assert address(app) == {}
    assert values(app) == 64  # the same name on another page is another value
    app.number_input[0].set_value(9).run()
    app = go(app, "one")
    assert values(app) == (50, 1.5, "iwae", 7)
    assert address(app) == {"K": "50", "seed": "7"}
    app = go(app, "two")
    assert values(app) == 9
    assert address(app) == {"K": "9"}


def test_a_page_without_fields_between_two_visits_changes_nothing():
    app = start(K="50")
    app = go(app, "neither")
    app = go(app, "one")
    assert values(app) == (50, 1.5, "iwae", 1)
    assert address(app) == {"K": "50"}


def test_a_link_to_a_page_wins_over_its_remembered_state():
    app = start(K="50", seed="7")
    app = go(app, "two")
    app.session_state["go"] = "one"
    app.query_params.clear()
    app.query_params["width"] = "2.5"
    app.run()
    assert values(app) == (64, 2.5, "iwae", 1)


def go_back(app, **query):
    """What the browser does on its button "Back": the address changes, and it says why."""
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(url, "_goes_through_history", lambda: True)
        return app.run()


def test_going_back_in_history_moves_the_controls():
    app = start()
    app.slider[0].set_value(2.0).run()
    app.slider[0].set_value(2.5).run()
    go_back(app, width="2")
    assert values(app)[1] == 2.0
    assert app.slider[0].value == 2.0
    assert address(app) == {"width": "2"}
    go_back(app)
    assert values(app)[1] == 1.5


def test_a_control_moved_before_the_browser_saw_the_new_address_is_not_undone():
    app = start()
    app.slider[0].set_value(2.0).run()
    app.query_params.clear()  # the browser's next request still carries the old address
    app.slider[0].set_value(2.5).run()
    assert values(app)[1] == 2.5
    assert address(app) == {"width": "2.5"}


def test_no_rerun_however_late_brings_an_old_address_back():
    app = start()
    app.slider[0].set_value(2.0).run()
    app.slider[0].set_value(2.5).run()
    for old in ({}, {"width": "2"}):
        app.query_params.clear()
        for name, value in old.items():
            app.query_params[name] = value
        app.run()
        assert values(app)[1] == 2.5
        assert address(app) == {"width": "2.5"}


def test_new_noise_takes_the_next_seed_and_reset_keeps_it():
    app = start(K="50", seed="2147483647")
    app.button[0].click().run()
    assert values(app) == (50, 1.5, "iwae", 0)
    app.button[0].click().run()
    app.button[0].click().run()
    app.button[1].click().run()
    assert values(app) == (64, 1.5, "iwae", 2)
    assert address(app) == {"seed": "2"}


def data_and_steps():
    import streamlit as st

    from iwae_core.ui import url

    DATA = url.ChoiceField(name="data", default="points", choices=("points", "digits"))
    STEPS = url.IntField(name="steps", default=100, low=1, high=1000)
    given = {"points": {}, "digits": {"steps": 500}}
    link = url.Link("board", DATA, STEPS, defaults=lambda values: given[values["data"]])
    st.text(repr((link.value(DATA), link.value(STEPS))))


@pytest.mark.parametrize(
    ("query", "shown", "written"),
    [
        ({}, ("points", 100), {}),
        ({"data": "digits"}, ("digits", 500), {"data": "digits"}),
        ({"data": "digits", "steps": "500"}, ("digits", 500), {"data": "digits"}),
        (
            {"data": "digits", "steps": "100"},
            ("digits", 100),
            {"data": "digits", "steps": "100"},
        ),
        ({"steps": "500"}, ("points", 500), {"steps": "500"}),
    ],
)
def test_a_default_may_follow_from_another_field(query, shown, written):
    app = AppTest.from_function(data_and_steps, default_timeout=patience.SECONDS)
    for name, value in query.items():
        app.query_params[name] = value
    assert values(app.run()) == shown
    assert address(app) == written


def test_two_fields_cannot_share_a_name():
    one = IntField(name="K", default=1, low=1, high=2)
    with pytest.raises(ValueError, match="same name"):
        Link("page", one, one)
