"""Pictures that move under the hand: scenes drawn in the browser, in step with a page's address.

Python sends one message: the state of the fields, seeded noise and exact values. The browser
(assets/components/engine.js) draws at display rate while a handle is dragged; on release the state
comes back into the fields, the page reruns, and the exact report goes out. A preset, a reset or
another address moves the scene the same way: it is a message with another state.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st
from numpy.typing import NDArray

from iwae_core.runtime.wire import pack
from iwae_core.ui import static
from iwae_core.ui.fields import Field
from iwae_core.ui.url import Link

PREFIX = "iwae_lab_scene_"

# All modules are asked for at once: by itself the browser finds imports of imports late.
_LOADER = """
export default async function (component) {
  const open = (path) => import(new URL(path, document.baseURI).href);
  const [engine, scene] = await Promise.all(%s.map(open));
  return engine.default(component, scene.default);
}
"""


@cache
def _component(scene: str) -> Any:
    modules = static.graph("engine.js", f"scene_{scene}.js")
    code = _LOADER % json.dumps([static.url(module) for module in modules])
    return st.components.v2.component(PREFIX + scene, js=code, isolate_styles=False)


def show(
    scene: str,
    link: Link,
    *fields: Field[Any],
    alt: str,
    meta: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Draw a scene and let it set fields.

    Args:
        scene: The module ``assets/components/scene_<scene>.js``.
        link: The page's fields.
        fields: Those that are the scene's state, by their names in the address.
        alt: What the picture shows, in one sentence, for those who do not see it.
        meta: What the scene needs beside arrays; JSON, finite numbers.
        arrays: float64 arrays keep their precision, others travel as float32.

    Raises:
        ValueError: If ``alt`` says nothing.
    """
    if not alt.strip():
        raise ValueError("alt must say what the picture shows, got an empty text")
    key = f"{link.page}.scene_{scene}"

    def take() -> None:
        sent = st.session_state[key].get("state") or {}
        for field in fields:
            take_one(link, field, sent.get(field.name))

    held = (st.session_state.get(key) or {}).get("state") or {}
    message = {
        "state": {field.name: link.value(field) for field in fields},
        "echo": held.get("sent", 0),
        "name": f"{link.page}-{scene}",
        "alt": alt,
        **meta,
    }
    _component(scene)(key=key, data=pack(message, arrays), on_state_change=take)


def take_one(link: Link, field: Field[Any], value: object) -> None:
    """Set a field to what a browser sent; what the field would not take from an address stays.

    Only numbers, texts and truth values are looked at: the sender may be anyone.
    """
    if isinstance(value, bool):
        text = str(int(value))
    elif isinstance(value, int | float | str):
        text = str(value)
    else:
        return
    try:
        link.set(field, field.parse(text))
    except ValueError:
        return
