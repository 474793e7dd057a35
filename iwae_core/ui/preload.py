"""What a browser is told to fetch beside the page itself, as it would find out late by itself.

Streamlit's front end asks for the code of a component or a formula when it draws the first one,
and for what that imports after that: two more round trips, each behind a busy start. Every page of
ours shows a scene or a formula, so its answer names those files in a ``Link`` header.
"""

from functools import cache
from pathlib import Path

import streamlit

from iwae_core.ui import static

# Streamlit's own chunks, without the hash in their names.
CHUNKS = (
    "BidiComponent",
    "recordbatch",
    "serialization",
    "Html",
    "purify.es",
    "rehype-katex",
    "hastscript",
    "web-namespaces",
)
_FOLDER = Path(streamlit.__file__).parent / "static" / "static" / "js"


@cache
def header() -> str:
    """Value of the ``Link`` header; addresses are relative to the app's root, as pages are."""
    found = [path.name for chunk in CHUNKS for path in sorted(_FOLDER.glob(f"{chunk}.*.js"))]
    addresses = [f"static/js/{name}" for name in found]
    addresses += [static.url(name) for name in static.graph("engine.js")]
    return ", ".join(f"<{address}>; rel=modulepreload" for address in addresses)
