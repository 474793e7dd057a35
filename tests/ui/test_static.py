"""Files below /lab/: compressed, cacheable by their content, and only those we mean to serve."""

import asyncio
import gzip
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.applications import Starlette

from iwae_core.places import ASSETS
from iwae_core.ui import server, static


class Client:
    """Asks our routes, wrapped in our middleware, without a socket."""

    def __init__(self):
        self.app = Starlette(routes=server.routes(), middleware=server.middleware())

    def get(self, path, headers=None):
        async def ask():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
                return await client.get(path, headers=headers)

        # A thread of its own: Playwright, once started, keeps an event loop in this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(ask())).result()


@pytest.fixture(scope="module")
def client():
    return Client()


@pytest.mark.parametrize("name", ["chart.js", "theme.js", "plotly.min.js", "lab.css"])
def test_a_file_arrives_compressed_and_whole(client, name):
    answer = client.get(f"/lab/{name}", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == static.asset(name).body
    assert gzip.decompress(static.asset(name).compressed) == answer.content
    assert answer.headers["content-type"].startswith(("text/javascript", "text/css"))


def test_a_file_arrives_plain_where_compression_is_not_asked_for(client):
    answer = client.get("/lab/numbers.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in answer.headers
    assert answer.content == (ASSETS / "components" / "numbers.js").read_bytes()


def test_modules_import_each_other_by_addresses_that_may_be_kept_for_ever(client):
    # As the browser does: follow every import from a scene, whatever lies below it.
    waiting, seen = ["scene_borrowed.js", "engine.js"], set()
    while waiting:
        answer = client.get("/lab/" + waiting.pop())
        assert answer.status_code == 200
        imports = re.findall(r'^(?:import|}|export).* from "(.*)";$', answer.text, re.MULTILINE)
        for path in imports:
            name, digest = re.fullmatch(r"\./([\w.]+)\?v=(\w+)", path).groups()
            assert digest == static.asset(name).digest
            waiting += {path.removeprefix("./")} - seen
            seen.add(path.removeprefix("./"))
    assert len(seen) > 8
    # The same modules that a page asks for at once.
    named = {f"lab/{path}" for path in seen} | {static.url("engine.js")}
    asked = {static.url(name) for name in static.graph("engine.js", "scene_borrowed.js")}
    assert asked == named | {static.url("scene_borrowed.js")}


def test_a_change_below_changes_the_address_of_all_that_stands_on_it(monkeypatch):
    before = static.url("engine.js")
    read = static._read
    monkeypatch.setattr(
        static, "_read", lambda name: read(name) + (b"\n" if name == "theme.js" else b"")
    )
    static.asset.cache_clear()
    try:
        assert static.url("engine.js") != before
    finally:
        monkeypatch.undo()
        static.asset.cache_clear()
    assert static.url("engine.js") == before


def test_an_address_with_the_contents_hash_may_be_kept_for_ever(client):
    hashed = client.get("/" + static.url("chart.js"))
    assert "immutable" in hashed.headers["cache-control"]
    assert client.get("/lab/chart.js").headers["cache-control"] == "no-cache"
    assert client.get("/lab/chart.js?v=other").headers["cache-control"] == "no-cache"


def test_an_unchanged_file_is_not_sent_again(client):
    tag = client.get("/lab/chart.js").headers["etag"]
    again = client.get("/lab/chart.js", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.content == b""
    assert client.get("/lab/chart.js", headers={"If-None-Match": '"x"'}).status_code == 200


@pytest.mark.parametrize("name", ["nothing.js", "..%2f..%2fapp.py", "%2e%2e", "chart.js%00", "."])
def test_nothing_else_is_served(client, name):
    assert client.get(f"/lab/{name}").status_code == 404


def test_every_answer_carries_the_headers(client):
    for path in ("/lab/chart.js", "/lab/nothing.js", "/lab/health"):
        headers = client.get(path).headers
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_the_policy_names_no_outside_host():
    policy = server._HEADERS["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "*" not in policy
