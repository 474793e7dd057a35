"""The browser's files, served below ``/lab/``: our modules, the palette, and plotly.js.

Every file is read once, compressed once and kept. A request that names the content's hash
(``?v=...``) may be cached for ever; any other is answered with an ETag and 304 when unchanged.
Modules name each other with their hashes, so that a returning reader asks for none of them, and
:func:`graph` lists what a module needs, so that a page asks for all of it at once.
"""

import gzip
import hashlib
import importlib.resources
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from iwae_core.places import ASSETS
from iwae_core.view import theme

_TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
_IMPORT = re.compile(rb'(?<=from ")\./([\w.]+)(?=")')
_GENERATED: dict[str, Callable[[], str]] = {"theme.js": theme.javascript}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it travels: its bytes plain and compressed, and the hash of its content."""

    body: bytes
    compressed: bytes
    digest: str
    media_type: str


@cache
def asset(name: str) -> Asset:
    """Load one file below ``/lab/``.

    Raises:
        FileNotFoundError: If ``assets/components`` has no such file and we generate none.
    """
    body = _IMPORT.sub(lambda found: f"./{_versioned(found[1].decode())}".encode(), _read(name))
    return Asset(
        body=body,
        compressed=gzip.compress(body, compresslevel=6, mtime=0),
        digest=hashlib.blake2b(body, digest_size=8).hexdigest(),
        media_type=_TYPES[name[name.rindex(".") :]],
    )


def _read(name: str) -> bytes:
    if name in _GENERATED:
        return _GENERATED[name]().encode()
    if name == "plotly.min.js":
        return (importlib.resources.files("plotly") / "package_data" / name).read_bytes()
    # Only names that the folder lists: a path with `..` is simply not among them.
    files = {path.name: path for path in (ASSETS / "components").iterdir()}
    if name not in files or files[name].suffix not in _TYPES:
        raise FileNotFoundError(name)
    return files[name].read_bytes()


def url(name: str) -> str:
    """Address of an asset relative to the app's root, with its hash: cacheable for ever."""
    return f"lab/{_versioned(name)}"


def _versioned(name: str) -> str:
    return f"{name}?v={asset(name).digest}"


def graph(*names: str) -> list[str]:
    """List the modules named and all that they import, each once, importers first."""
    found = dict.fromkeys(names)
    for name in names:
        imported = (each.decode() for each in _IMPORT.findall(_read(name)))
        found |= dict.fromkeys(graph(*imported))
    return list(found)


def serve(request: Request) -> Response:
    """Answer ``/lab/{name}``; Starlette runs it in a thread, so the first read blocks nobody."""
    try:
        found = asset(request.path_params["name"])
    except FileNotFoundError:
        return Response("no such file\n", status_code=404, media_type="text/plain")
    tag = f'"{found.digest}"'
    hashed = request.query_params.get("v") == found.digest
    headers = {
        "ETag": tag,
        "Vary": "Accept-Encoding",
        "Cache-Control": "public, max-age=31536000, immutable" if hashed else "no-cache",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    body = found.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = found.compressed, "gzip"
    return Response(body, media_type=found.media_type, headers=headers)
