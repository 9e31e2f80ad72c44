"""`setup_telemetry()`: one call at start-up."""

from __future__ import annotations

import atexit
import logging
import multiprocessing.util
import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ticktrace.catalog import CATALOG, InstrumentSpec, own_settings
from ticktrace.engine import Deadline, Switchboard, attempt
from ticktrace.errors import AlreadyConfiguredError, SettingsError
from ticktrace.exporters import known_exporters
from ticktrace.settings import load_settings
from ticktrace.telemetry._handle import SWITCHBOARD, Telemetry
from ticktrace.telemetry._log_files import write_log_files
from ticktrace.telemetry._logs import capture_logs
from ticktrace.telemetry._pipeline import build_pipeline
from ticktrace.telemetry._trace_ids import join_traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import FrameType

    from ticktrace.settings import LoadedSettings
    from ticktrace.telemetry._pipeline import Pipeline

__all__ = ["current_telemetry", "setup_telemetry"]

_log = logging.getLogger("ticktrace")

_lock = threading.RLock()
_current: Telemetry | None = None
_at_exit_registered = False


def current_telemetry() -> Telemetry | None:
    """The handle of the last `setup_telemetry` that has not been shut down, or None."""
    return _current


def setup_telemetry(
    service_name: str | None = None,
    *,
    config: str | Path | None = None,
    instruments: Iterable[InstrumentSpec] = (),
    set_global: bool = True,
    **settings: Any,
) -> Telemetry:
    """Start telemetry: read the settings, detect who sends, start the exporters, set OpenTelemetry's globals.

    Thread-safe. Called again with the same settings it returns the same handle.

    Args:
        service_name: the bot's name (``service.name``).
        config: the settings file; ``ticktrace.yaml`` in the working directory, or the path in ``TICKTRACE_CONFIG``,
            when left out.
        instruments: instruments of the application's own, which join the catalog and those of the settings
            (``metrics.instruments``).
        set_global: whether tracers and meters that libraries get from the OTel API, and the propagator that they use,
            shall be ours. False leaves all of OTel's globals alone.
        settings: any setting by its name: a group as a mapping, ``exporters={"traces": ["console"]}``, or a single one
            with dots, ``**{"prometheus.port": 0}``. They outrank environment and file.

    Returns:
        The handle, to be shut down at the end. `atexit` does it otherwise.

    Raises:
        SettingsError: something is wrong with the settings; the message lists everything that is.
        AlreadyConfiguredError: telemetry runs already with other settings, or another SDK holds the OTel globals.
        MissingExtraError: an exporter needs a package that is not installed.

    Example:
        >>> from ticktrace import setup_telemetry
        >>> with setup_telemetry("doc-bot", exporters={"traces": ["memory"], "metrics": ["memory"]}) as telemetry:
        ...     btc = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
        ...     with btc.candle(close_time=1_700_000_060):
        ...         pass
        ...     telemetry.memory.spans[0].name
        'candle 1m'
    """
    global _current, _at_exit_registered  # noqa: PLW0603  OTel's globals are one a process, and so is their owner
    arguments = dict(settings)
    if service_name is not None:
        arguments["service.name"] = service_name
    arguments.update(_declared(instruments))
    loaded = load_settings(
        arguments,
        file=config,
        known_exporters=known_exporters,
        known_instruments=CATALOG,
    )
    with _lock:
        if _current is not None:
            if _current.settings == loaded.settings:
                return _current
            raise AlreadyConfiguredError(_difference(_current.loaded, loaded))
        for note in loaded.notes:
            _log.warning("ticktrace: %s", note)
        board = SWITCHBOARD if set_global else Switchboard()
        pipeline = build_pipeline(loaded) if loaded.settings.enabled else None
        telemetry = None
        try:
            if pipeline is not None and set_global:
                _install()
            telemetry = Telemetry(loaded, pipeline, on_shutdown=_forget, board=board)
            if pipeline is not None:
                telemetry.undo_at_shutdown(capture_logs(loaded.settings, telemetry.logger_provider))
                for undo in write_log_files(loaded.settings, telemetry.counter):
                    telemetry.undo_at_shutdown(undo)
                if loaded.settings.logs.trace_ids:
                    telemetry.undo_at_shutdown(join_traces(loaded.settings.service.name))
                telemetry.undo_at_shutdown(_flush_on_sigterm(telemetry))
        except BaseException:  # what runs already must not linger
            if telemetry is not None:
                telemetry.shutdown(1.0)
            elif pipeline is not None:
                attempt("set-up", partial(pipeline.shutdown, Deadline(1.0)))
                attempt("set-up", board.switch_off)
            raise
        if not _at_exit_registered:
            atexit.register(_at_exit)
            multiprocessing.util.register_after_fork(
                _finish_with_multiprocessing, _finish_with_multiprocessing
            )
            _at_exit_registered = True
        _current = telemetry
        return telemetry


def _declared(instruments: Iterable[InstrumentSpec]) -> dict[str, Any]:
    """Rows given in code, as settings, so that they are checked, shown and compared as those are."""
    settings: dict[str, Any] = {}
    problems = []
    for number, row in enumerate(instruments):
        given: object = row
        if not isinstance(given, InstrumentSpec):
            problems.append(f"argument instruments[{number}]: must be an InstrumentSpec, not {given!r:.80}")
        elif f"metrics.instruments.{row.name}" in settings:
            problems.append(f'argument instruments[{number}]: "{row.name}" is declared twice')
        else:
            settings[f"metrics.instruments.{row.name}"] = own_settings(row)
    if problems:
        raise SettingsError(problems)
    return settings


def _install() -> None:
    taken = SWITCHBOARD.install()
    if taken:
        raise AlreadyConfiguredError(
            f"another OpenTelemetry SDK is already set up for {', '.join(taken)}; call setup_telemetry() before it, remove"
            " it, or pass set_global=False to keep it for libraries and use ticktrace for trading only"
        )


def _difference(running: LoadedSettings, asked: LoadedSettings) -> str:
    before, now = _flat(running.settings.model_dump()), _flat(asked.settings.model_dump())
    changed = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    # Names only: a value may be a secret.
    return (
        "telemetry runs already with other settings; shut it down first (under opentelemetry-instrument the environment"
        f" decides, e.g. OTEL_SERVICE_NAME). They differ in: {', '.join(changed)}"
    )


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            flat.update(_flat(value, f"{path}."))
        else:
            flat[path] = value
    return flat


def _forget(telemetry: Telemetry) -> None:
    global _current  # noqa: PLW0603  see setup_telemetry
    if _current is telemetry:
        _current = None


def _at_exit() -> None:
    if _current is not None:
        _current.shutdown()


def _flush_on_sigterm(telemetry: Telemetry) -> Callable[[], None]:
    """Where the settings ask for it, shut down on SIGTERM and then do what the process would have done anyway."""

    def nothing() -> None:
        pass

    if not telemetry.settings.shutdown.on_sigterm:
        return nothing
    if threading.current_thread() is not threading.main_thread():
        _log.warning(
            "ticktrace: shutdown.on_sigterm works only when setup_telemetry() is called in the main thread"
        )
        return nothing
    previous = signal.getsignal(signal.SIGTERM)
    if previous is None:  # installed by other means than Python's; it could not be put back
        _log.warning("ticktrace: shutdown.on_sigterm cannot join the handler that is already there")
        return nothing

    def handle(number: int, _frame: FrameType | None) -> None:
        # The main thread may hold a lock that shutting down needs, so it must go on: another thread shuts down and then
        # sends the signal again, to whatever would have received it. A second signal in between does so at once.
        signal.signal(number, previous)

        def finish() -> None:
            telemetry.shutdown()
            os.kill(os.getpid(), number)

        try:
            threading.Thread(target=finish, name="ticktrace-sigterm").start()
        except RuntimeError:  # there is no thread to be had: too many, or the interpreter is about to exit
            finish()

    signal.signal(signal.SIGTERM, handle)

    def undo() -> None:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is handle
        ):
            signal.signal(signal.SIGTERM, previous)

    return undo


def _finish_with_multiprocessing(_: object) -> None:
    """In a child of `multiprocessing`, which ends without running what `atexit` holds."""
    multiprocessing.util.Finalize(None, _at_exit, exitpriority=0)


def _restart_in_child() -> None:
    """After a fork: the parent's locks may be held for ever and its telemetry is not ours to send."""
    global _lock  # noqa: PLW0603  see setup_telemetry
    _lock = threading.RLock()
    attempt("fork", SWITCHBOARD.switch_off)  # renews its locks, too; what runs on is switched on again below
    telemetry = _current
    if telemetry is None:
        return
    abandoned = telemetry.restart_in_child(partial(build_pipeline, forked=True))
    if abandoned is not None:
        silence = threading.Thread(target=_silence, args=(abandoned,), name="ticktrace-silence", daemon=True)
        attempt("fork", silence.start)


_SDK_FORK_HOOKS_SECONDS = 0.2


def _silence(abandoned: Pipeline) -> None:
    """Stop the threads that the SDK's own fork hooks restart for the parent's pipeline.

    They run after ours and replace locks that may be held; hence the wait. Guards keep that pipeline from sending
    anything from this process in any case.
    """
    time.sleep(_SDK_FORK_HOOKS_SECONDS)
    abandoned.engine.silence()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_in_child)
