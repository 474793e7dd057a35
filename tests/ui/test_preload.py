"""What a page's answer names to be fetched early; tests/browser asks a server for it."""

import re

from iwae_core.ui import preload, static


def addresses():
    return re.findall(r"<([^>]+)>; rel=modulepreload", preload.header())


def test_every_chunk_of_streamlit_is_found_once():
    names = [address.rsplit("/", 1)[1] for address in addresses()]
    for chunk in preload.CHUNKS:
        assert len([name for name in names if name.startswith(f"{chunk}.")]) == 1, chunk


def test_the_engine_and_all_its_modules_are_named_with_their_hashes():
    assert {static.url(name) for name in static.graph("engine.js")} <= set(addresses())
