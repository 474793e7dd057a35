"""What the application adds to Streamlit's server: routes, headers, and warmth at start."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from iwae_core import __version__
from iwae_core.runtime import executor
from iwae_core.ui import preload, sockets, static, waiting, warmup
from iwae_core.ui.browser import BrowserCookie

# The options the app relies on; a test compares this report with .streamlit/config.toml.
OPTIONS = (
    "runner.postScriptGC",
    "runner.magicEnabled",
    "server.fileWatcherType",
    "server.disconnectedSessionTTL",
    "client.toolbarMode",
    "client.showErrorDetails",
    "browser.gatherUsageStats",
    "logger.hideWelcomeMessage",
)

# Everything comes from this server. Streamlit's front end needs inline styles, blob modules for
# components and, for its Vega charts, eval; only this app's own pages may frame it.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "media-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
        "base-uri 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class SecurityHeaders:
    """ASGI middleware that adds the headers above to every answer; pure, so streams pass."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and complete its answer's headers."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Link", preload.header())
            await send(message)

        await self.app(scope, receive, send_with_headers)


def health(request: Request) -> Response:
    """Say which versions and options are in force, and whether the warm-up is over."""
    return JSONResponse(
        {
            "version": __version__,
            "versions": {name: version(name) for name in ("streamlit", "torch", "plotly")},
            "options": {name: st.get_option(name) for name in OPTIONS},
            "warm": warmup.is_finished(),
        }
    )


async def frames(request: Request) -> Response:
    """Answer ``/live/{run_id}``; imported at the first call, as torch would delay the start."""

    def answer() -> Response:
        from iwae_core.ui import live

        return live.frames(request)

    await waiting.for_news(request, "RUNS")
    return await asyncio.to_thread(answer)


async def twin_frames(request: Request) -> Response:
    """Answer ``/twins-live/{run_id}``; imported at the first call for the same reason."""

    def answer() -> Response:
        from iwae_core.ui import twins_live

        return twins_live.frames(request)

    await waiting.for_news(request, "PAIRS")
    return await asyncio.to_thread(answer)


def open_store() -> None:
    """Bring the database of runs up to date before somebody waits for it."""
    from iwae_core.runtime import kept

    try:
        kept.shared()
    except kept.NoStoreError as fault:  # the app works without; the page says so too
        print(f"IWAE Lab: {fault}", file=sys.stderr)


def close_store() -> None:
    """Write what there is to write."""
    from iwae_core.runtime import kept

    kept.stop_shared()


def routes() -> list[Route]:
    """List the addresses that are ours; Streamlit's own come after them."""
    return [
        Route("/lab/health", health),
        Route("/lab/{name}", static.serve),
        Route("/live/{run_id}", frames),
        Route("/twins-live/{run_id}", twin_frames),
    ]


def middleware() -> list[Middleware]:
    """List what wraps every answer."""
    return [Middleware(SecurityHeaders), Middleware(BrowserCookie)]


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, object]]:
    """Answer once pages can be drawn, warm the workers then, and leave nothing behind."""
    await asyncio.to_thread(warmup.import_modules)
    sockets.send_at_once()
    sockets.allow_many()
    warming = warmup.start(
        lambda: static.asset("plotly.min.js"),
        lambda: executor.warm(executor.shared()),
        open_store,
    )
    host, port = st.get_option("server.address"), st.get_option("server.port")
    print(f"IWAE Lab is served on http://{host}:{port} (Ctrl+C stops it)", file=sys.stderr)
    try:
        yield {}
    finally:
        warming.join(timeout=30)
        close_store()
        executor.stop_shared()
