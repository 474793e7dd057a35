"""What a person does with a scene of the drag engine, and what they read from it."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode

from playwright.sync_api import Page

IDLE = '"[data-testid=stApp][data-test-script-state=notRunning]"'
ANSWERED = f"""before => {{
  const idle = document.querySelector({IDLE});
  return idle && Number(document.querySelector(".lab-scene")?.dataset.settled) > before;
}}"""
FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
# The number of the message shown, once nothing runs and what has arrived is taken in: a scene's
# modules hand a message over some tasks after the page's text has changed.
STANDING = f"""async () => {{
  const shown = () => document.querySelector({IDLE})
    && document.querySelector(".lab-scene")?.dataset.settled;
  const before = shown();
  await {FRAME};
  return before && shown() === before ? Number(before) : null;
}}"""


class Card(NamedTuple):
    """One card below a scene."""

    value: str
    note: str


def ready(page: Page) -> None:
    """Wait until the scene shows the exact numbers of its state, and nothing is still moving.

    This is the engine's own word (``data-settled``): the newest message is painted, its state is
    reached, no handle is held and no answer is awaited. What is done to a handle or a button of
    the scene takes the word back at once; what is done to a control of the page does so only when
    the message that answers it comes, so that such a step belongs into `answered`.
    """
    page.locator(".lab-scene[data-settled]").first.wait_for()


def cards(page: Page) -> dict[str, Card]:
    """The cards of the page's scene by their labels."""
    found = page.locator(".lab-scene .lab-cards > div").evaluate_all(
        "all => all.map(c => "
        "[c.dataset.name, c.children[1].textContent, c.children[2].textContent])"
    )
    return {name: Card(value, note) for name, value, note in found}


def query(page: Page) -> dict[str, str]:
    """The settings in the address, the defaults left out.

    Asked of the page itself: what Playwright knows of an address may be older than the picture.
    """
    search = page.evaluate("location.search")
    return {name: values[0] for name, values in parse_qs(search.removeprefix("?")).items()}


def turn(page: Page, **settings: object) -> dict[str, Card]:
    """Go to other settings by the address alone, as a step in the history does; the cards then.

    A fifth of the time of opening the page anew, which a test does once, by `Visitor.open`.
    """
    with answered(page):
        page.evaluate(
            "query => { history.pushState(null, '', `${location.pathname}?${query}`);"
            " dispatchEvent(new PopStateEvent('popstate')); }",
            urlencode(settings),
        )
    return cards(page)


def knob(page: Page, name: str):
    """One handle of the page's scene."""
    return page.locator(f".lab-knob[data-name={name}]")


def take(page: Page, name: str) -> tuple[float, float]:
    """Take a handle by the mouse, once it stands still; where the mouse is then."""
    knob(page, name).hover()
    box = knob(page, name).bounding_box()
    page.mouse.down()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, name: str, dx: float, dy: float = 0) -> None:
    """Take a handle by the mouse, move it in a few steps, let it go, and wait for the report."""
    with answered(page):
        x, y = take(page, name)
        page.mouse.move(x + dx / 2, y + dy / 2)
        page.mouse.move(x + dx, y + dy)
        page.mouse.up()


def during(page: Page) -> dict[str, Card]:
    """The cards while something is held, painted after the last move of it."""
    page.locator(".lab-scene[data-fresh=false]").wait_for()
    page.evaluate(FRAME)
    return cards(page)


def press(page: Page, name: str, *keys: str) -> None:
    """Focus a handle, press keys, and wait for the report."""
    with answered(page):
        knob(page, name).focus()
        for key in keys:
            page.keyboard.press(key)


def undo(page: Page, until: Callable[[], bool], most: int) -> None:
    """Take keys back until all is as it was, by so many presses of Ctrl+Z at most.

    Keys in quick succession are one step; a slow machine spreads them over several.
    """
    for _ in range(most):
        with answered(page):
            page.keyboard.press("Control+z")
        if until():
            return
    raise AssertionError(f"{most} presses of Ctrl+Z have not led back")


class answered:  # noqa: N801 - reads as a word in a with statement
    """Wait, at the end of the block, until the scene shows the answer to what was done in it.

    A handle, a button of the scene, a control of the page, a preset, another part, a step in the
    history: all of them end in a message that is newer than those before the block. Not for a step
    that leaves the scene as it was (no message comes), nor one that loads the document anew.
    """

    def __init__(self, page: Page) -> None:
        self.page = page

    def __enter__(self) -> None:
        while (before := self.page.evaluate(STANDING)) is None:
            self.page.wait_for_function(ANSWERED, arg=0)
        self.before = before

    def __exit__(self, kind, *rest: object) -> None:
        if kind is None:
            self.page.wait_for_function(ANSWERED, arg=self.before)
