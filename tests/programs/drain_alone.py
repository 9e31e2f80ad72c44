"""A program whose drain is busy for ever when it comes to its end, and that shuts nothing down."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ticktrace.engine.drain import Drain

if TYPE_CHECKING:
    from collections.abc import Iterator

begun = threading.Event()


class Endless:
    """Never done."""

    def steps(self) -> Iterator[None]:
        """Go on."""
        while True:
            begun.set()
            time.sleep(0.001)
            yield


Drain([Endless()]).start()
assert begun.wait(20)
print("end", flush=True)
