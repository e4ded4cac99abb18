"""Downloads: one process of each machine fetches a file, the others wait."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_TIMEOUT = 3600.0
"""Seconds; ImageNet's largest networks take minutes."""


def is_local_main_process() -> bool:
    """True in the process of each machine that fetches files; always in a single process."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0


def wait_for(is_there: Callable[[], bool], what: str, timeout: float = _TIMEOUT) -> None:
    """Wait, in all other processes, until that one has fetched a file.

    No collective operation: an analysis runs in one process of a group alone, and in a group nobody
    else would come to its barrier. The file must appear whole, as ``torch.hub`` makes it.

    Raises:
        TimeoutError: It did not come; what that process says tells why.
    """
    end = time.monotonic() + timeout
    while not is_local_main_process() and not is_there():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} was not fetched by the first process of this machine")
        time.sleep(0.2)
