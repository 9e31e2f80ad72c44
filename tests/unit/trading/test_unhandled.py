"""What nobody catches is recorded where that was asked for, passed on, and the hooks are left as they were found."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace.errors import NoEventLoopError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

ERRORS = "trading.errors"
CRITICAL = "trading.critical_errors"


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


class Hooks:
    """The hooks that the application had before us, and what they were told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def main(self, kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        self.told.append(error)

    def thread(self, args: Any) -> None:
        self.told.append(args.exc_value)

    def loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.told.append(context.get("exception") or context["message"])


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Hooks:
    hooks = Hooks()
    monkeypatch.setattr(sys, "excepthook", hooks.main)
    monkeypatch.setattr(threading, "excepthook", hooks.thread)
    return hooks


def die(error: BaseException) -> None:
    """What the interpreter does with an exception that reaches the top."""
    try:
        raise error  # noqa: TRY301  so that it has a traceback
    except BaseException as caught:  # noqa: BLE001  also the end of the program
        sys.excepthook(type(caught), caught, caught.__traceback__)


def run_thread(error: BaseException) -> None:
    def work() -> None:
        raise error

    thread = threading.Thread(target=work, name="feed-7")
    thread.start()
    thread.join()


def test_nothing_is_hooked_unless_asked_for(telemetry: Telemetry, before: Hooks) -> None:
    assert sys.excepthook == before.main
    assert threading.excepthook == before.thread


def test_what_ends_the_program_is_critical_and_passed_on(
    telemetry: Telemetry, captured: Captured, before: Hooks, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.catch_unhandled()
    error = ValueError("the end")
    die(error)
    assert before.told == [error]
    labels = {"trading__component": "main", "error__type": "ValueError"}
    assert captured.value(ERRORS, **labels) == captured.value(CRITICAL, **labels) == 1
    (data,) = telemetry.memory.logs
    assert (data.log_record.severity_text, data.log_record.body) == ("CRITICAL", "the end")
    assert caplog.records == []  # the hook before ours writes it down


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_end_on_purpose_is_passed_on_and_no_error(
    telemetry: Telemetry, captured: Captured, before: Hooks, end: type[BaseException]
) -> None:
    telemetry.catch_unhandled()
    die(end())
    assert [type(told) for told in before.told] == [end]
    assert captured.points(ERRORS) == []


def test_what_ends_a_thread_is_critical_and_passed_on(
    telemetry: Telemetry, captured: Captured, before: Hooks
) -> None:
    telemetry.catch_unhandled()
    error = ValueError("a thread")
    run_thread(error)
    assert before.told == [error]
    assert captured.value(CRITICAL, trading__component="thread", error__type="ValueError") == 1
    (data,) = telemetry.memory.logs
    assert (data.log_record.attributes or {})["thread.name"] == "feed-7"


def test_what_was_recorded_already_counts_once_but_is_critical(
    telemetry: Telemetry, captured: Captured, before: Hooks
) -> None:
    telemetry.catch_unhandled()
    error = ValueError()
    telemetry.error(error, component="engine")
    die(error)
    assert captured.value(ERRORS) == 1
    assert captured.value(CRITICAL, trading__component="main") == 1


def test_each_hook_is_put_in_place_once_and_only_those_that_are_wanted(
    telemetry: Telemetry, before: Hooks
) -> None:
    telemetry.catch_unhandled(threads=False)
    ours = sys.excepthook
    assert threading.excepthook == before.thread
    telemetry.catch_unhandled()
    assert sys.excepthook is ours
    assert threading.excepthook != before.thread


def test_at_shutdown_what_was_there_before_is_back(telemetry: Telemetry, before: Hooks) -> None:
    telemetry.catch_unhandled()
    telemetry.shutdown()
    assert sys.excepthook == before.main
    assert threading.excepthook == before.thread


def test_a_hook_on_top_of_ours_stays_and_ours_only_passes_on(
    telemetry: Telemetry, captured: Captured, before: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry.catch_unhandled()
    ours = sys.excepthook
    later: list[BaseException] = []

    def on_top(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        later.append(error)
        ours(kind, error, traceback)

    monkeypatch.setattr(sys, "excepthook", on_top)
    telemetry.shutdown()
    assert sys.excepthook is on_top
    error = ValueError()
    die(error)
    assert later == before.told == [error]


def test_another_telemetry_hooks_anew(start: Callable[..., Telemetry], before: Hooks) -> None:
    first = start()
    first.catch_unhandled()
    first.shutdown()
    second = start(mode="paper")
    second.catch_unhandled()
    die(ValueError())
    assert Captured(second).value(CRITICAL) == 1
    assert len(before.told) == 1


async def test_tasks_that_nobody_awaits_are_errors_and_passed_on(
    telemetry: Telemetry, captured: Captured, before: Hooks
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(before.loop)
    telemetry.catch_unhandled(asyncio=True)

    async def fail() -> None:
        raise ValueError("in a task")

    tasks = [asyncio.create_task(fail(), name="ticker")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks.clear()
    gc.collect()
    assert [str(told) for told in before.told] == ["in a task"]
    assert captured.value(ERRORS, trading__component="asyncio", error__type="ValueError") == 1
    assert captured.points(CRITICAL) == []
    (data,) = telemetry.memory.logs
    attributes = data.log_record.attributes or {}
    assert attributes["asyncio.message"] == "Task exception was never retrieved"
    assert attributes["asyncio.task.name"] == "ticker"


async def test_what_the_loop_complains_of_without_an_exception_is_an_error_too(
    telemetry: Telemetry, captured: Captured, before: Hooks
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(before.loop)
    telemetry.catch_unhandled(asyncio=loop)
    loop.call_exception_handler({"message": "something is off"})
    assert before.told == ["something is off"]
    assert captured.value(ERRORS, trading__component="asyncio", error__type="error") == 1
    assert captured.points("trading.exceptions") == []


async def test_without_a_handler_before_the_loops_own_is_called_and_is_back_at_shutdown(
    telemetry: Telemetry, captured: Captured, before: Hooks, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    telemetry.catch_unhandled(asyncio=True)
    telemetry.catch_unhandled(asyncio=True)
    with caplog.at_level(logging.ERROR, "asyncio"):
        loop.call_exception_handler({"message": "something is off"})
    assert [line.getMessage() for line in caplog.records if line.name == "asyncio"] == ["something is off"]
    assert captured.value(ERRORS) == 1
    telemetry.shutdown()
    assert loop.get_exception_handler() is None


async def test_a_handler_on_top_of_ours_stays(telemetry: Telemetry, before: Hooks) -> None:
    loop = asyncio.get_running_loop()
    telemetry.catch_unhandled(asyncio=True)
    loop.set_exception_handler(before.loop)
    telemetry.shutdown()
    assert loop.get_exception_handler() == before.loop


def test_asyncio_needs_a_loop(telemetry: Telemetry, before: Hooks) -> None:
    with pytest.raises(NoEventLoopError, match="pass the loop"):
        telemetry.catch_unhandled(asyncio=True)
    assert sys.excepthook == before.main


def test_without_telemetry_nothing_is_hooked(start: Callable[..., Telemetry], before: Hooks) -> None:
    start(enabled=False).catch_unhandled(asyncio=True)
    assert sys.excepthook == before.main
