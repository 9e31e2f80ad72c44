"""Instrument every application that is created from now on: what ``opentelemetry-instrument`` asks for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from ticktrace.engine.barrier import report

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["instrument_every_fastapi"]


def instrument_every_fastapi(created: Callable[[FastAPI], None]) -> Callable[[], None]:
    """Call `created` with every FastAPI application made from now on.

    The constructor is wrapped, not the class replaced, so ``from fastapi import FastAPI`` done earlier is covered
    too. Applications that exist already are not.

    Args:
        created: usually ``telemetry.instrument_fastapi``; what it raises is reported, never raised.

    Returns:
        A function that undoes this.
    """
    original = FastAPI.__init__

    @functools.wraps(original)
    def initialise(self: FastAPI, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not active or getattr(type(self), "ticktrace_own", False):
            return
        try:
            created(self)
        except Exception as error:  # noqa: BLE001  the application was made, and works
            report("web.every_app", error)

    active = True
    FastAPI.__init__ = initialise  # type: ignore[method-assign]

    def undo() -> None:
        nonlocal active
        active = False  # someone may have wrapped the constructor after us
        if FastAPI.__init__ is initialise:
            FastAPI.__init__ = original  # type: ignore[method-assign]

    return undo
