"""Which callback a thread that runs an event loop is in."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import TYPE_CHECKING, Any

from ticktrace.runtime._frames import callback_of, depth_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.runtime._frames import Callback


def seen_in(work: Callable[[threading.Event, threading.Event], None]) -> Callback | None:
    """What another thread sees while `work` waits on a thread that runs a loop."""
    inside, go_on = threading.Event(), threading.Event()
    depths: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: depths.append(depth_of(sys._getframe()) - 1))
        await asyncio.sleep(0)
        loop.call_soon(work, inside, go_on)
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert inside.wait(20)
    seen = callback_of(thread.ident or 0, depths[0])
    go_on.set()
    thread.join(20)
    return seen


def test_the_outermost_function_is_the_name_and_the_innermost_of_the_application_the_place() -> None:
    def on_book(inside: threading.Event, go_on: threading.Event) -> None:
        inner(inside, go_on)

    def inner(inside: threading.Event, go_on: threading.Event) -> None:
        inside.set()
        go_on.wait(20)  # frames of the standard library

    seen = seen_in(on_book)
    assert seen is not None
    here = "test_the_outermost_function_is_the_name_and_the_innermost_of_the_application_the_place.<locals>"
    assert seen.name == f"{__name__}.{here}.on_book"
    assert seen.at == f"{__name__}.{here}.inner:{inner.__code__.co_firstlineno + 2}"


def test_frames_of_a_library_around_the_application_are_passed_over() -> None:
    class Read(json.JSONEncoder):
        def default(self, o: Any) -> str:
            o.inside.set()
            o.go_on.wait(20)
            return ""

    class Both:
        def __init__(self, inside: threading.Event, go_on: threading.Event) -> None:
            self.inside, self.go_on = inside, go_on

    # The loop calls json's own method, which calls the application's.
    def start(inside: threading.Event, go_on: threading.Event) -> None:
        asyncio.get_running_loop().call_soon(Read().encode, Both(inside, go_on))

    seen = seen_in(start)
    assert seen is not None
    assert seen.name.endswith("Read.default")
    assert seen.at.startswith(f"{seen.name}:")


def test_a_thread_that_is_gone_and_a_loop_that_waits_are_in_nothing() -> None:
    assert callback_of(0, 0) is None
    assert callback_of(threading.get_ident(), depth_of(sys._getframe()) + 1_000) is None
