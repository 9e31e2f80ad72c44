"""Captured log calls: whatever is wrong with one stays with it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


@pytest.fixture
def bot(start: Callable[..., Telemetry]) -> logging.Logger:
    """A logger whose only handler is telemetry's: pytest's own would raise, too."""
    start(logs={"capture": True})
    handler = next(
        each for each in logging.getLogger().handlers if "LoggingHandler" in str(type(each).__mro__)
    )
    logger = logging.Logger("bot")  # noqa: LOG001  apart from the tree, see above
    logger.addHandler(handler)
    return logger


@pytest.mark.parametrize(
    ("message", "arguments", "extra"),
    [
        ("%d", ("x",), None),
        (Unprintable(), (), None),
        ("%s", (Unprintable(),), None),
        ("x", (), {"a": Unprintable()}),
    ],
)
def test_a_wrong_log_call_is_contained_and_counted(
    bot: logging.Logger, message: Any, arguments: tuple[Any, ...], extra: dict[str, Any] | None
) -> None:
    before = internal_errors()
    bot.warning(message, *arguments, extra=extra)
    assert internal_errors() == before + 1


def test_only_our_own_loggers_are_left_out(start: Callable[..., Telemetry]) -> None:
    telemetry = start(logs={"capture": True})
    for name in ("ticktrace", "ticktrace.bot", "grpc", "opentelemetry.sdk", "urllib3.connectionpool"):
        logging.getLogger(name).warning("about ourselves")
    for name in ("ticktrace_bot", "ticktracer.x", "grpcbot", "opentelemetry_helper"):
        logging.getLogger(name).warning(name)
    bodies = [record.log_record.body for record in telemetry.memory.logs]
    assert bodies == ["ticktrace_bot", "ticktracer.x", "grpcbot", "opentelemetry_helper"]
