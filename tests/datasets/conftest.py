"""A published data set in miniature, and a mirror of it that needs no network."""

import gzip
import hashlib
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from iwae_core.datasets import files as data_files
from iwae_core.datasets.files import DATA_FOLDER_VARIABLE, PublishedFile, PublishedFiles

TRAIN_IMAGES = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3) * 8
TEST_IMAGES = 255 - TRAIN_IMAGES[:2]
ARRAYS = {
    "train_images": TRAIN_IMAGES,
    "train_labels": np.array([0, 1, 2, 1, 0], dtype=np.uint8),
    "test_images": TEST_IMAGES,
    "test_labels": np.array([2, 1], dtype=np.uint8),
}


def idx_bytes(array):
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def file_name(role):
    return f"{role}-idx.gz"


class _Mirror(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests.append(self.path)
        super().do_GET()


@pytest.fixture
def mirror(tmp_path):
    """A web server on this machine: `.folder` is what it serves, `.requests` what was asked."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Mirror, directory=str(folder)))
    server.folder, server.requests = folder, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no data folder and no proxy: what the user's machine holds stays out."""
    monkeypatch.delenv(DATA_FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(data_files, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def publish():
    """Write the four files to a folder and return their description."""

    def write(folder, mirrors=(), packed=True):
        published = {}
        for role, array in ARRAYS.items():
            content = idx_bytes(array)
            archive = gzip.compress(content, mtime=0)
            name = file_name(role)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / (name if packed else name[:-3])).write_bytes(archive if packed else content)
            published[role] = PublishedFile(
                name=name,
                sha256=hashlib.sha256(content).hexdigest(),
                packed_sha256=hashlib.sha256(archive).hexdigest(),
            )
        return PublishedFiles(
            name="tiny", files=published, subfolders=("tiny", "other"), mirrors=mirrors
        )

    return write
