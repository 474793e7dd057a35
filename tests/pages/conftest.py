"""What the tests of pages share."""

import pytest

from iwae_core.runtime import executor, kept


@pytest.fixture(scope="module")
def workers():
    """The server's worker processes, warm, and its store; both gone after the module."""
    # On a busy machine workers take longer to start than a run waits for a poll.
    executor.warm(executor.shared())
    yield
    kept.stop_shared()
    executor.stop_shared()
