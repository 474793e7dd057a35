"""Reference: every term and symbol, one sentence each, with its formula and its pages."""

import streamlit as st

from iwae_core.ui import lesson, terms
from iwae_core.ui.url import Link

text = lesson.load("glossary")
terms.style()
st.title(text.title)
text.show("intro")
terms.front(Link(terms.PAGE, terms.TERM))
if not terms.listing(terms.search()):
    text.show("nothing")
