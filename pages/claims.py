"""Reference: the usual claims, each with a verdict, its nuance and the numbers behind it."""

import streamlit as st

from iwae_core.ui import code, ledger, lesson, terms
from iwae_core.ui.url import Link

text = lesson.load("claims")
terms.style()
st.title(text.title)
numbers = ledger.counts()
text.show_with("intro", numbers)
link = Link(ledger.PAGE, *ledger.FIELDS)
ledger.sort(link)
for claim in ledger.kept(link):
    ledger.place(link, claim)
text.show_with("closing", numbers)
code.show(lambda: ledger.script(link), ledger.PAGE)
