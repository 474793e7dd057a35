"""Home: the live picture and the ways in."""

import numpy as np
import pytest
from harness import assert_no_error, open_page, prose, scene

from iwae_core.evaluation.studies.tightness import TightnessConfig, run
from iwae_core.ui import lessons, ways
from iwae_core.view.numbers import digits


def test_the_story_quotes_the_picture():
    app = open_page("home")
    report = run(TightnessConfig())
    said = " ".join(prose(app))
    assert f"{digits(report.log_marginal - report.elbo)} nats are missing" in said
    assert f"{digits(report.log_marginal - report.bound[8], 2)} at K = 256" in said
    meta, arrays = scene(app, "gap")
    assert meta["log_marginal"] == report.log_marginal
    np.testing.assert_array_equal(arrays["bound"], report.bound[:9])


@pytest.mark.parametrize("bad", ["3", "0", "many"])
def test_a_k_between_the_powers_of_two_falls_back(bad):
    app = open_page("home", K=bad)
    assert_no_error(app)
    assert scene(app, "gap")[0]["state"] == {"K": 256}


def test_every_way_in_leads_to_a_page_that_understands_its_link():
    known = {lesson.name for lesson in lessons.LESSONS}
    for reader in ways.READERS:
        for name, label, _, query in ways._WAYS[reader]:
            assert name in known
            assert label
            app = open_page(name, **query)
            assert_no_error(app)
            assert not app.warning


def test_a_lesson_that_is_not_written_has_no_link(monkeypatch):
    links = len(open_page("home").get("page_link"))
    assert links == 1 + sum(len(ways._WAYS[reader]) for reader in ways.READERS)
    without = tuple(lesson for lesson in lessons.LESSONS if lesson.name != "train")
    monkeypatch.setattr(ways, "LESSONS", without)
    assert len(open_page("home").get("page_link")) == links - 2


@pytest.mark.parametrize("reader", ways.READERS)
def test_each_reader_has_at_least_two_links(reader):
    assert len(ways._WAYS[reader]) >= 2
