"""Home: what this is, in one screen, and the ways in."""

import streamlit as st

from iwae_core.ui import code, lesson, opening, ways

text = lesson.load("home")
st.title(text.title)
story, picture = st.columns([1, 1.5], gap="medium")
shown = opening.report()
with story:
    text.show("story")
    text.show_with("picture", opening.numbers(shown))
    ways.start()
with picture:
    st.fragment(opening.picture)(shown)

for column, reader in zip(st.columns(3), ways.READERS, strict=True):
    with column.container(border=True, height="stretch"):
        text.show(reader)
        ways.links(reader)
code.show(lambda: code.template("home"), "home")
