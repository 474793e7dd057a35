"""Components of the browser whose code is one served module (assets/components)."""

from functools import cache
from typing import Any

import streamlit as st

from iwae_core.ui import static

# A component's script runs from a blob, so the address is formed from the document's.
_LOADER = """
export default async function (component) {
  const module = await import(new URL("%s", document.baseURI).href);
  return module.default(component);
}
"""


@cache
def of_module(name: str, module: str) -> Any:
    """The component ``name`` that the served file ``module`` draws; made once.

    There is no shadow root: plotly puts its styles into the document's head, and the pictures take
    the page's fonts and tones.
    """
    return st.components.v2.component(name, js=_LOADER % static.url(module), isolate_styles=False)
