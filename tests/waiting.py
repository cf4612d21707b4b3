"""Waiting for what another process does in its own time."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], limit: float = 10) -> bool:
    """Until it holds, asked twenty times a second; fails after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return True
