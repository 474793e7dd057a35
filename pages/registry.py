"""The script every visit runs: one navigation over the list of lessons."""

import streamlit as st

from iwae_core.ui import lessons, look, url

look.apply()

sections: dict[str, list[st.Page]] = {}
for lesson in lessons.LESSONS:
    page = st.Page(
        lesson.path,
        title=lesson.title,
        icon=lesson.icon,
        url_path=lesson.name,
        default=lesson.name == "home",
    )
    sections.setdefault(lesson.section, []).append(page)

page = st.navigation(sections)
url.turn_to(page.url_path or "home")  # the default page has no path
page.run()
