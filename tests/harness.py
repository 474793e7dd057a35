"""What the tests of pages share: a page in AppTest, its figures, its figures' numbers."""

import base64
import contextlib
import io
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from html import unescape
from typing import NamedTuple

import numpy as np
import patience
from streamlit.testing.v1 import AppTest

from iwae_core.places import PAGES


def open_page(name: str, **query: object) -> AppTest:
    """Open one lesson as a link would: through the registry, with a query.

    A run stands at step 0 unless the query says ``opens="moving"``, as at a page's own opening.
    """
    if name in ("train", "twins") and "run" not in query and "pair" not in query:
        query = {"opens": "still", **query}
    app = AppTest.from_file(str(PAGES / "registry.py"), default_timeout=patience.SECONDS)
    if name != "home":
        app.run()  # the navigation must know its pages before one can be switched to
        app.switch_page(f"{name}.py")
    for key, value in query.items():
        app.query_params[key] = str(value)
    return app.run()


def with_more(app: AppTest, name: str) -> AppTest:
    """Open the box "More" of a lesson."""
    app.session_state[f"{name}.more"] = True
    return app.run()


def figures(app: AppTest) -> dict[str, dict]:
    """Every figure on the page by its key, as plotly's JSON: ``data``, ``layout``."""
    from iwae_core.ui import charts

    found = {}
    for element in app.get("bidi_component"):
        if element.proto.component_name == charts.NAME:
            sent = json.loads(element.proto.bytes)
            found[sent["key"]] = {**sent["figure"], "alt": sent["alt"]}
    return found


def scene(app: AppTest, name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """What one scene of ``ui.canvas`` was sent: its meta and its arrays."""
    from iwae_core.runtime.wire import unpack
    from iwae_core.ui import canvas

    (found,) = [
        element.proto.bytes
        for element in app.get("bidi_component")
        if element.proto.component_name == canvas.PREFIX + name
    ]
    return unpack(found)


def trace(figure: dict, name: str) -> dict:
    """One trace of a figure by its name."""
    (found,) = [trace for trace in figure["data"] if trace.get("name") == name]
    return found


def numbers(array: list | dict | None) -> np.ndarray:
    """A trace's array, which plotly sends as a list or as base64 with its type."""
    if isinstance(array, dict):
        flat = np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])
        shape = array.get("shape")
        return flat.reshape([int(n) for n in shape.split(",")]) if shape else flat
    return np.asarray(array if array is not None else [])


class Card(NamedTuple):
    """One card of ``ui.metrics``, as its reader sees it."""

    value: str
    note: str


def cards(app: AppTest) -> dict[str, Card]:
    """Every card on the page by its label."""
    shown = "".join(element.proto.body for element in app.get("html"))
    pattern = r'<dt>(.*?)</dt><dd>(.*?)</dd><dd class="note">(.*?)</dd>'
    return {
        unescape(label): Card(unescape(value), unescape(note))
        for label, value, note in re.findall(pattern, shown)
    }


def until(app: AppTest, found: Callable[[], object]) -> None:
    """Run the page again until what a worker works out for it has arrived."""
    end = time.monotonic() + patience.SECONDS
    while True:
        assert_no_error(app)
        with contextlib.suppress(ValueError):  # a scene that is not there yet
            if found():
                return
        assert time.monotonic() < end, "nothing has arrived"
        time.sleep(0.2)
        app.run()


def predict(app: AppTest, answer: str) -> AppTest:
    """Give an answer to the page's question."""
    (question,) = [
        group for group in app.get("button_group") if "Predict first" in group.proto.label
    ]
    return question.set_value(answer).run()


def code(app: AppTest, name: str) -> str:
    """Open "Show the code" and give the script."""
    app.session_state[f"code.{name}"] = True
    (block,) = app.run().code
    return block.value


def prose(app) -> list[str]:
    """The page's Markdown, its unbreakable spaces like any others."""
    return [element.value.replace("\N{NO-BREAK SPACE}", " ") for element in app.markdown]


def set_by_the_script(app: AppTest) -> list[str]:
    """Labels of the controls whose value the page's last run sent to the browser.

    There it takes the place of what the reader has chosen or typed meanwhile.
    """
    return [one.proto.label for one in app.main if getattr(one.proto, "set_value", False)]


def assert_no_error(app: AppTest) -> None:
    """Hold that the page raised nothing and shows no error box."""
    assert not app.exception, [error.value for error in app.exception]
    assert not app.error, [error.value for error in app.error]


def printed(script: str) -> str:
    """Run a script as a reader would, and give what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(script, "script", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def values(script: str) -> dict[str, float]:
    """Run a script and read the numbers that it prints as ``name = number``."""
    return {name: float(found) for name, found in re.findall(r"(\w+) = (\S+)", printed(script))}


def box(app: AppTest, label: str):
    """The menu or the slider of that label."""
    (found,) = [
        control for control in (*app.selectbox, *app.select_slider) if control.label == label
    ]
    return found


class Inline(Executor):
    """Works at once, in this process, so that a test may change what is worked out."""

    def submit(self, fn, /, *args):
        """A promise that is kept already."""
        future = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args))
        except Exception as fault:
            future.set_exception(fault)
        return future
