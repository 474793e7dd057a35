"""A reader's moves on a page, each timed in the browser from the release of the control.

`report` is the first display frame after the exact numbers of the new state are painted, and
`picture` the one after the last figure has come to rest, easings included. On a page without a
figure its words count: the first frame with new ones, and the last. Every control that can
be moved again and again is found on the page by itself (:func:`controls`), so that a new part of a
lesson is measured without a word here.
"""

import contextlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

from playwright.sync_api import Locator, Page, TimeoutError

KINDS = ("slider", "handle", "key", "button", "choice")
LATEST_MS = 10_000  # after which a move counts as unanswered

# A scene of ours says the number of the message whose report (data-reported) or whose picture at
# rest (data-settled) it shows; a chart counts up `data-painted`.
WATCH = """(() => {
  const watch = (window.labWatch = { quiet: 0 });
  const scenes = () => [...document.querySelectorAll(".lab-scene")];
  watch.arm = () => {
    const shown = scenes().map((scene) => Number(scene.dataset.reported ?? 0));
    watch.floor = Math.max(0, ...shown);
    watch.released = watch.report = watch.picture = null;
  };
  watch.done = () => {
    const now = performance.now();
    const idle = document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]");
    if (watch.released === null || !idle) return false;
    if (scenes().some((scene) => !scene.dataset.settled)) return false;
    return now - Math.max(watch.quiet, watch.released) > (watch.picture === null ? 700 : 250);
  };
  for (const kind of ["keyup", "pointerup"]) {
    addEventListener(kind, () => { watch.released = performance.now(); }, true);
  }
  const seen = ({ target, attributeName: name }) => {
    const scene = target.matches(".lab-scene");
    if (scene ? name === "data-painted" : name !== "data-painted") return;
    if (scene && !(Number(target.getAttribute(name)) > watch.floor)) return;
    watch.quiet = performance.now();
    requestAnimationFrame(() => {
      watch.quiet = performance.now();
      if (watch.released === null) return;
      const wait = watch.quiet - watch.released;
      if (name !== "data-settled") watch.report ??= wait;
      if (name !== "data-reported") watch.picture = wait;
    });
  };
  new MutationObserver((all) => all.forEach(seen)).observe(document, {
    subtree: true, attributeFilter: ["data-painted", "data-reported", "data-settled"],
  });
  new MutationObserver(() => {
    if (document.querySelector("[data-painted]") || watch.released === null) return;
    watch.quiet = performance.now();
    requestAnimationFrame(() => {
      watch.picture = performance.now() - watch.released;
      watch.report ??= watch.picture;
    });
  }).observe(document, { subtree: true, childList: true, characterData: true });
})()"""

# Takes a handle, moves it (the other way where this way does nothing) and lets it go.
DRAG = """async (knob, reach) => {
  const scene = knob.closest(".lab-scene");
  knob.setPointerCapture = () => {}; // a made-up pointer cannot be captured
  const box = knob.getBoundingClientRect();
  const at = (kind, x, y) => knob.dispatchEvent(new PointerEvent(kind, {
    bubbles: true, button: 0, pointerId: 1, isPrimary: true,
    clientX: box.left + 22 + x, clientY: box.top + 22 + y,
  }));
  at("pointerdown", 0, 0);
  const ways = [1, 3, 8].flatMap((far) => [[far, -1], [-far, 1], [far, 1], [-far, -1]]
    .map(([x, y]) => [reach * x, (reach * y * far) / 2]));
  for (const [x, y] of ways) {
    at("pointermove", x, y);
    if (scene.dataset.settled === undefined) break;
  }
  await new Promise(requestAnimationFrame);
  at("pointerup", 0, 0);
}"""

UNMOVED = "knob => knob.closest('.lab-scene').dataset.settled !== undefined"


class Wait(NamedTuple):
    """Milliseconds from a release to the exact report, and to the last picture at rest."""

    report: float
    picture: float


class Control(NamedTuple):
    """A control of the page, and how it is moved for the n-th time."""

    name: str
    move: Callable[[int], None]


def controls(page: Page, kind: str) -> Iterator[Control]:
    """The controls of one kind that stand on the page now."""
    yield from _FINDERS[kind](page)


def wait(page: Page, move: Callable[[int], None], number: int) -> Wait | None:
    """Make a move and wait until all is still; None if no figure answers."""
    page.evaluate("labWatch.arm()")
    with contextlib.suppress(TimeoutError):  # a control that went away, or a figure that waits
        move(number)
        page.wait_for_function("labWatch.done()", timeout=LATEST_MS)
    report, picture = page.evaluate("[labWatch.report, labWatch.picture]")
    if picture is None:
        return None
    return Wait(picture if report is None else report, picture)


def _sliders(page: Page) -> Iterator[Control]:
    for slider in page.locator(".stSlider input[type=range]").all():
        yield Control(slider.get_attribute("aria-label") or "", _to_and_fro(page, slider))


def _to_and_fro(page: Page, slider: Locator) -> Callable[[int], None]:
    """Through the stops and back; the noise is new at each turn, so that no answer is kept."""
    way = ["ArrowRight", "ArrowLeft"]

    def move(number: int) -> None:
        value, end = slider.evaluate("(s, right) => [s.value, right ? s.max : s.min]", _right(way))
        if float(value) == float(end):
            way.reverse()
            noise = page.get_by_role("button", name="New noise")
            if noise.count():
                noise.click()
                page.wait_for_function("labWatch.done()", timeout=LATEST_MS)
                page.evaluate("labWatch.arm()")
        slider.press(way[0])

    return move


def _right(way: list[str]) -> bool:
    return way[0] == "ArrowRight"


def _named(page: Page, selector: str) -> list[tuple[str, Locator]]:
    """Parts of scenes by their names; one may go away when another is moved."""
    within = f".lab-scene {selector}"
    names = page.locator(within).evaluate_all("all => all.map((each) => each.dataset.name)")
    return [(name, page.locator(f"{within}[data-name='{name}']").first) for name in names]


def _handles(page: Page) -> Iterator[Control]:
    for name, knob in _named(page, ".lab-knob"):
        side = count()

        def move(number: int, knob: Locator = knob, side: Iterator[int] = side) -> None:
            knob.evaluate(DRAG, (45 + number) * (-1) ** next(side))

        yield Control(name, move)


def _keys(page: Page) -> Iterator[Control]:
    for name, knob in _named(page, ".lab-knob"):
        way = ["ArrowRight", "ArrowLeft"]

        def move(number: int, knob: Locator = knob, way: list[str] = way) -> None:
            knob.press(way[0])
            if knob.evaluate(UNMOVED):
                way.reverse()
                knob.press(way[0])

        yield Control(name, move)


def _buttons(page: Page) -> Iterator[Control]:
    switches = _named(page, ".lab-buttons button[aria-pressed]")
    if switches:  # one of them may be pressed already, so that they take turns
        names = " | ".join(name for name, _ in switches)
        yield Control(names, lambda number: switches[number % len(switches)][1].click())
    for name, button in _named(
        page, ".lab-buttons button:not([aria-pressed]):not([data-name=play])"
    ):
        yield Control(name, _click(button))
    noise = page.get_by_role("button", name="New noise")
    if noise.count():
        yield Control("New noise", _click(noise))


def _click(button: Locator) -> Callable[[int], None]:
    return lambda number: button.click()


def _choices(page: Page) -> Iterator[Control]:
    names = page.locator("[role=radiogroup]").evaluate_all(
        "all => all.map((each) => each.getAttribute('aria-label') ?? '')"
    )
    for name in names:
        group = page.get_by_role("radiogroup", name=name, exact=True).first
        if name == "Part" or "Predict first" in name or not group.count():
            continue
        choices = group.get_by_role("radio").all()
        start = next(i for i, each in enumerate(choices) if each.is_checked())

        def move(number: int, choices: list[Locator] = choices, start: int = start) -> None:
            choices[(start + number + 1) % len(choices)].click()

        yield Control(name, move)
    for menu in page.locator(".stSelectbox").all():
        if not menu.locator("input").is_enabled():
            continue

        def choose(number: int, menu: Locator = menu) -> None:
            menu.get_by_role("button", name="Open").click(timeout=3000)
            others = page.get_by_role("option", selected=False).filter(has_not_text="Your own")
            others.first.wait_for(timeout=3000)
            others.nth(number % others.count()).click(timeout=3000)

        yield Control(menu.inner_text().split("\n")[0], choose)


_FINDERS = {
    "slider": _sliders,
    "handle": _handles,
    "key": _keys,
    "button": _buttons,
    "choice": _choices,
}
