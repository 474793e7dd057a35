"""Train K by test K under the hand: cells picked by mouse and keys, and what the cards say."""

import hands
import pytest

from iwae_core.evaluation.studies import ruler_board
from iwae_core.evaluation.studies.ruler_board import BoardReport
from iwae_core.ui import jobs
from iwae_core.view.numbers import fixed

NAME = "board"
PHONE = {"width": 390, "height": 844}


def signed(difference):
    value = fixed(difference.value, 3)
    return f"{'+' if difference.value > 0 else ''}{value} ± {fixed(difference.std_error, 3)}"


@pytest.fixture(scope="module")
def report():
    return jobs.shipped(BoardReport, "board_round")


def assert_cards(page, report, first, second):
    shown = hands.cards(page)
    assert shown["Truth (nats)"].value == fixed(report.true_mean, 3)
    for name, at in (("Cell A (nats)", first), ("Cell B (nats)", second)):
        assert shown[name].value == fixed(report.mean[at], 3)
        assert f"trained with K = {report.train_k[at[0]]}, " in shown[name].note
        below = fixed(report.true_mean - report.mean[at], 3)
        assert shown[name].note.endswith(f"{below} below the truth")
    assert shown["B less A"].value == signed(ruler_board.difference(report, first, second))
    mixed = first[0] != second[0] and first[1] != second[1]
    assert ("of it the model" in shown) == mixed
    if mixed:
        model, ruler = ruler_board.parts(report, first, second)
        assert shown["of it the model"].value == signed(model)
        assert shown["of it the ruler"].value == signed(ruler)


def test_cells_are_picked_by_keys_and_the_warning_comes_and_goes(visit, report):
    page = visit().open(NAME, "?answer=most")
    hands.ready(page)
    assert_cards(page, report, (0, 0), (1, 0))
    warning = page.get_by_text("Different rulers.")
    assert not warning.count()
    hands.press(page, "two", "ArrowRight", "ArrowRight")
    assert hands.query(page)["two"] == "9"
    assert_cards(page, report, (0, 0), (1, 2))
    warning.wait_for()
    hands.press(page, "one", "ArrowRight", "ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown")
    assert hands.query(page)["one"] == "16"
    assert_cards(page, report, (2, 2), (1, 2))
    warning.wait_for(state="detached")
    hands.undo(page, lambda: "one" not in hands.query(page), most=4)


def test_a_click_picks_a_cell_on_a_phone(visit, report):
    page = visit(viewport=PHONE, color_scheme="dark").open(NAME, "?answer=one")
    hands.ready(page)
    canvas = page.locator(".lab-scene canvas")
    box = canvas.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    with hands.answered(page):
        canvas.click(position={"x": box["width"] - 20, "y": 46 + 3.7 * 62})
    assert hands.query(page) == {"answer": "one", "one": "7", "two": "27"}
    assert_cards(page, report, (1, 0), (3, 6))
    hands.drag(page, "two", 0, -2 * 62)
    assert hands.query(page)["two"] == "13"
    assert_cards(page, report, (1, 0), (1, 6))


def test_the_board_is_uncovered_by_a_prediction(visit):
    page = visit().open(NAME)
    hands.ready(page)
    assert set(hands.cards(page)) == {"Truth (nats)", "Cell A (nats)", "Cell B (nats)", "B less A"}
    alt = page.locator(".lab-scene canvas").get_attribute("aria-label")
    assert "only the first ruler is uncovered" in alt
    with hands.answered(page):
        page.get_by_role("radio", name="K = 64").or_(
            page.get_by_role("button", name="K = 64", exact=True)
        ).first.click()
    assert hands.query(page)["answer"] == "most"
    page.get_by_text("although its ELBO is the worst of all").wait_for()
    alt = page.locator(".lab-scene canvas").get_attribute("aria-label")
    assert "only the first ruler is uncovered" not in alt
