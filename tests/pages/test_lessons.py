"""Every lesson in AppTest: it runs, says its title, and describes its figures."""

import pytest
from harness import assert_no_error, figures, open_page

from iwae_core.places import PAGES
from iwae_core.ui.lessons import LESSONS, SECTIONS


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_runs_and_says_what_it_shows(lesson):
    app = open_page(lesson.name)
    assert_no_error(app)
    assert app.title
    assert not app.warning
    for key, figure in figures(app).items():
        assert len(figure["alt"]) > 20, key
        assert figure["data"], key


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_survives_a_link_that_makes_no_sense(lesson):
    app = open_page(lesson.name, K="nonsense", seed="-1", objective="<b>")
    assert_no_error(app)


def test_every_page_is_a_lesson_and_every_lesson_has_a_section():
    written = {path.stem for path in PAGES.glob("*.py")} - {"registry"}
    assert {lesson.name for lesson in LESSONS} == written
    assert {lesson.section for lesson in LESSONS} <= set(SECTIONS)
    assert len({lesson.title for lesson in LESSONS}) == len(LESSONS)
