"""The one way a figure reaches the page.

``st.plotly_chart`` of Streamlit 1.67 builds its node anew at every change of data, so zoom, hover
and legend are lost. This component keeps the node (see assets/components/chart.js); when Streamlit
keeps it too (streamlit#16052), only this file and that one change.
"""

import json
from collections.abc import Callable, Hashable
from functools import lru_cache

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

from iwae_core.ui import component

NAME = "iwae_lab_chart"
_SAVES = 52  # px of the row of buttons below a figure


# The front end draws from these bytes; building them costs more than all the rest of a rerun, and
# a class that follows one link asks for the same pictures over and over. Bytes, since Streamlit
# would write a text into JSON twice more to tell whether it has changed.
@lru_cache(maxsize=256)
def _message(
    make: Callable[..., go.Figure], reports: tuple[Hashable, ...], key: str, alt: str, height: int
) -> bytes:
    spec = make(*reports).to_dict()
    spec["layout"].pop("template", None)  # the browser has both themes' templates
    about = {"alt": alt, "height": height, "key": key}
    return f'{{"figure": {to_json_plotly(spec)}, {json.dumps(about)[1:]}'.encode()


def show(
    make: Callable[..., go.Figure], *reports: Hashable, key: str, alt: str, height: int = 380
) -> None:
    """Draw a figure of ``iwae_core.view``, in the reader's theme.

    Args:
        make: The function of ``iwae_core.view`` that builds the figure, with its light tones.
        reports: What to build it from. A report is known by its identity, so figures of kept
            reports (``ui.studies``) are kept as well.
        key: Names the chart in the session; the same key keeps zoom and legend when data change.
        alt: What the figure shows, in one sentence, for those who do not see it.
        height: Of the figure in px, without the buttons below it; the width follows the page.

    Raises:
        ValueError: If ``alt`` says nothing.
    """
    if not alt.strip():
        raise ValueError("alt must say what the figure shows, got an empty text")
    component.of_module(NAME, "chart.js")(
        key=key,
        data=_message(make, reports, key, alt, height),
        height=height
        + _SAVES,  # the place is kept free, so nothing below jumps when the figure arrives
    )
