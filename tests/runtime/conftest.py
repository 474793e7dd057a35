"""What the tests of the runtime share."""

import pytest
from bundles import make_bundle
from keeping import World

from iwae_core.runtime.kept_bundle import pack


@pytest.fixture
def world(tmp_path):
    """A keeper on a store in a folder of its own."""
    made = World(tmp_path)
    yield made
    made.keeper.close()


@pytest.fixture(scope="module")
def bundle():
    """A run to export."""
    return make_bundle()


@pytest.fixture(scope="module")
def packed(bundle):
    """The same as a file."""
    return pack(bundle, "print('hello')\n")
