"""Whose runs are whose: a secret that this server gives each browser, and what is made of it.

The secret is a cookie that no script can read and that no other site's page can send along. The
store knows only a digest of it, so who reads the database cannot pose as anybody.
"""

import hashlib
import re
import secrets

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "iwae_lab_browser"

_YEAR = 365 * 24 * 3600  # seconds
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes
_SESSION = "browser.secret"


class BrowserCookie:
    """ASGI middleware that gives a secret to each browser that opens a page without one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a page for a newcomer takes the cookie along."""
        if scope["type"] != "http" or _is_secret(HTTPConnection(scope).cookies.get(COOKIE)):
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Set-Cookie", _cookie(scope["scheme"] == "https"))
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def _cookie(is_secure: bool) -> str:
    value = secrets.token_urlsafe(32)
    fixed = f"{COOKIE}={value}; Path=/; Max-Age={_YEAR}; HttpOnly; SameSite=Lax"
    return fixed + "; Secure" if is_secure else fixed


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and _SECRET.fullmatch(value) is not None


def owner() -> str:
    """Who this session's runs belong to; without a cookie, the session itself."""
    secret = st.context.cookies.get(COOKIE)
    if not isinstance(secret, str) or not _is_secret(secret):
        secret = st.session_state.setdefault(_SESSION, secrets.token_urlsafe(32))
    return hashlib.sha256(secret.encode()).hexdigest()[:32]
