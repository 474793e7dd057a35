"""Charts: the figure that leaves the page is the figure that was built, in both tones."""

import numpy as np
import patience
import pytest
from harness import figures, numbers, trace
from streamlit.testing.v1 import AppTest

from iwae_core.ui import charts
from iwae_core.view import theme


def page():
    import numpy as np

    from iwae_core.ui import charts
    from iwae_core.view import theme

    def bell():
        figure = theme.figure(xaxis_title="z")
        figure.add_scatter(
            x=np.arange(3), y=[1.5, np.nan, 2.5], name="p", line=theme.line(theme.TARGET)
        )
        figure.add_heatmap(z=np.arange(6.0).reshape(2, 3), name="map")
        return figure

    charts.show(bell, key="demo", alt="one bell")


def test_a_figure_reaches_the_browser_whole_and_without_a_template():
    app = AppTest.from_function(page, default_timeout=patience.SECONDS).run()
    assert not app.exception
    figure = figures(app)["demo"]
    assert figure["alt"] == "one bell"
    assert "template" not in figure["layout"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "z"
    assert trace(figure, "p")["line"]["color"] == theme.TARGET.light
    np.testing.assert_array_equal(numbers(trace(figure, "p")["x"]), [0, 1, 2])
    np.testing.assert_array_equal(numbers(trace(figure, "map")["z"]), [[0, 1, 2], [3, 4, 5]])


def test_a_chart_must_say_what_it_shows():
    with pytest.raises(ValueError, match="alt must say"):
        charts.show(theme.figure, key="demo", alt=" ")


def test_a_figure_of_the_same_report_is_built_once():
    built = []

    def make(report):
        built.append(report)
        return theme.figure(title=str(len(built)))

    def message(report):
        return charts._message(make, (report,), "demo", "a figure", 300)

    first, second = object(), object()
    assert message(first) == message(first)
    assert message(second) != message(first)
    assert built == [first, second]
