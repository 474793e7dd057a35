"""The secret that tells browsers apart: who gets one, what it looks like, what is kept of it."""

import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from iwae_core.ui.browser import COOKIE, BrowserCookie


@pytest.fixture
def ask():
    app = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse("<p>hello</p>")),
            Route("/data", lambda _: JSONResponse({})),
        ],
        middleware=[Middleware(BrowserCookie)],
    )

    def get(path="/", base="http://lab", **cookies):
        import asyncio

        async def once():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url=base, cookies=cookies
            ) as client:
                return await client.get(path)

        return asyncio.run(once()).headers.get("set-cookie")

    return get


def test_a_newcomers_page_brings_an_unguessable_cookie_that_no_script_reads(ask):
    one, other = ask(), ask()
    pattern = rf"{COOKIE}=[\w-]{{43}}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
    assert re.fullmatch(pattern, one)
    assert one != other


def test_over_https_it_is_never_sent_in_the_clear(ask):
    assert ask(base="https://lab").endswith("; Secure")


def test_who_has_one_keeps_it_and_data_bring_none(ask):
    assert ask(**{COOKIE: "a" * 43}) is None
    assert ask("/data") is None
    assert ask(**{COOKIE: "forged; Path=/"}) is not None
