"""The figure of several runs: their curves from where they parted, told apart without color."""

import numpy as np
import pytest

from iwae_core.view import branches


def branch(title, steps, offset):
    steps = np.array(steps, dtype=np.float32)
    return branches.Branch(title, int(steps[-1]), steps, steps / 100 + offset, steps / 50 + offset)


@pytest.fixture
def compared():
    pair = (branch("one <b>", range(0, 100, 10), 0), branch("two", range(0, 70, 5), 1))
    return branches.Comparison(("a", "b"), pair, 30)


def test_each_run_has_both_rulers_from_where_they_parted(compared):
    figure = branches.held_out(compared)
    names = [trace.name for trace in figure.data]
    assert names == [
        "one &lt;b&gt;: L<sub>64</sub>",
        "one &lt;b&gt;: L<sub>1</sub>",
        "two: L<sub>64</sub>",
        "two: L<sub>1</sub>",
    ]
    for trace, offset, scale in zip(figure.data, (0, 0, 1, 1), (50, 100, 50, 100), strict=True):
        assert trace.x[0] == 30
        np.testing.assert_allclose(trace.y, trace.x / scale + offset, rtol=1e-6)
    assert [trace.line.dash for trace in figure.data] == ["solid", "dash", "solid", "dash"]
    assert figure.data[0].marker.symbol != figure.data[2].marker.symbol
    assert figure.layout.shapes[0].x0 == 30
    low, high = figure.layout.yaxis.range
    assert low < min(trace.y.min() for trace in figure.data)
    assert high > max(trace.y.max() for trace in figure.data)


def test_a_line_comes_from_the_last_look_before_they_parted(compared):
    apart = branches.Comparison(compared.ids, compared.branches, 33)
    figure = branches.held_out(apart)
    assert [trace.x[0] for trace in figure.data] == [30, 30, 30, 30]
    assert figure.layout.xaxis.range == (33, 90)
    early = branches.Comparison(("a",), (branch("late", range(50, 70, 5), 0),), 33)
    assert branches.held_out(early).data[0].x[0] == 50


def test_runs_that_never_were_one_are_drawn_whole_without_a_mark(compared):
    apart = branches.Comparison(compared.ids, compared.branches, None)
    figure = branches.held_out(apart)
    assert figure.data[0].x[0] == 0
    assert not figure.layout.shapes


def test_equal_comparisons_share_a_drawing_and_news_of_a_run_makes_another(compared):
    longer = branch("two", range(0, 80, 5), 1)
    again = branches.Comparison(compared.ids, compared.branches, 30)
    assert hash(again) == hash(compared)
    assert again == compared
    assert branches.Comparison(compared.ids, (compared.branches[0], longer), 30) != compared
