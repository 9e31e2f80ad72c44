"""Databases by OpenTelemetry's own conventions, ``db.client.*``: how long operations take, and how the pool copes.

Spans are the business of OpenTelemetry's instrumentations, of which SQLAlchemy's records spans and little else. What is
here adds the metrics of the conventions (semantic conventions 1.x, "Database client metrics") beside it.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind

from ticktrace import semconv
from ticktrace.engine import SpanStart, contained, report, text_of
from ticktrace.trading._block import Block
from ticktrace.trading._transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.engine import BoundHistogram, BoundUpDownCounter, Instruments
    from ticktrace.trading._recorder import Recorder

__all__ = ["Database", "DatabaseOperation"]

_SYSTEMS: Final = {"mssql": "microsoft.sql_server", "oracle": "oracle.db"}
_COMMENTS: Final = re.compile(r"\s*(?:/\*.*?\*/|--[^\n]*\n|\s)*", re.DOTALL)
_STARTED: Final = "_ticktrace_started"
_STATE: Final = "ticktrace.state"
_SINCE: Final = "ticktrace.since"


class DatabaseOperation(Block):
    """One operation on a database, timed, with a CLIENT span; made by `Database.operation`.

    Records ``db.client.operation.duration``.
    """

    def __init__(self, database: Database, operation: str, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._database = database
        self._operation = operation

    def span_start(self) -> SpanStart:
        """The span, as the conventions have it: ``{operation} {namespace}``."""
        labels = self._database.labels(self._operation)
        name = f"{self._operation} {labels.get(semconv.DB_NAMESPACE, '')}".strip()
        return SpanStart(name, labels, SpanKind.CLIENT)

    def measure(self, seconds: float) -> None:
        """Record how long it took."""
        self._database.took(self._operation, seconds, self.failed)


class Database:
    """A database that the bot uses; made by `Trading.database`. Thread-safe.

    Attributes:
        system: the product, as OpenTelemetry names it (``db.system.name``): sqlite, postgresql, …
    """

    def __init__(
        self,
        recorder: Recorder,
        instruments: Instruments,
        system: str,
        *,
        namespace: str | None = None,
        pool: str | None = None,
        server: str | None = None,
        port: int | None = None,
    ) -> None:
        self._recorder = recorder
        self._instruments = instruments
        self.system: str = system
        self._labels: dict[str, Any] = {
            semconv.DB_SYSTEM_NAME: system,
            semconv.DB_NAMESPACE: namespace,
            semconv.SERVER_ADDRESS: server,
            semconv.SERVER_PORT: port,
        }
        self._labels = {key: value for key, value in self._labels.items() if value is not None}
        self._pool: dict[str, Any] = {semconv.DB_CONNECTION_POOL_NAME: pool or namespace or system}
        self._durations: dict[tuple[str, str | None], BoundHistogram] = {}
        self._states: dict[str, BoundUpDownCounter] = {
            state: instruments.up_down_counter(
                "db.client.connection.count", {**self._pool, semconv.DB_CONNECTION_STATE: state}
            )
            for state in ("idle", "used")
        }

    def operation(self, name: str) -> DatabaseOperation:
        """A block for one operation, for ``with`` or ``async with``.

        For clients that no instrumentation of OpenTelemetry knows: with one, there would be two spans.

        Args:
            name: the command, one of few: SELECT, INSERT, findAndModify, …
        """
        return DatabaseOperation(self, text_of(name), self._recorder)

    def labels(self, operation: str) -> dict[str, Any]:
        """The attributes of an operation."""
        return {**self._labels, semconv.DB_OPERATION_NAME: self._recorder.words.operations.label(operation)}

    @contained(None)
    def took(self, operation: str, seconds: float, error_type: str | None = None) -> None:
        """An operation took so long (``db.client.operation.duration``)."""
        words = self._recorder.words
        key = (
            words.operations.label(operation),
            None if error_type is None else words.errors.label(error_type),
        )
        histogram = self._durations.get(key)
        if histogram is None:
            labels = {**self._labels, semconv.DB_OPERATION_NAME: key[0], semconv.ERROR_TYPE: key[1]}
            histogram = self._durations[key] = self._instruments.histogram(
                "db.client.operation.duration", labels
            )
        histogram.record(seconds)

    def watch(self, engine: Any) -> Callable[[], None]:
        """Record all operations and the connection pool of an engine of SQLAlchemy, 2.0 or later.

        Beside the duration of operations, among which ``COMMIT`` and ``ROLLBACK`` are the ends of transactions:
        ``db.client.connection.count`` by state, ``.max``, ``.pending_requests``, ``.timeouts``, ``.create_time``,
        ``.wait_time`` and ``.use_time``. No spans: those are the work of ``opentelemetry-instrumentation-sqlalchemy``.

        Args:
            engine: a plain or an asynchronous one.

        Returns:
            What ends it.
        """
        import sqlalchemy.event  # noqa: PLC0415  who has an engine has SQLAlchemy, others need not

        watch = _EngineWatch(self, getattr(engine, "sync_engine", engine), self._recorder.now)
        for name, listener in watch.listeners.items():
            sqlalchemy.event.listen(watch.engine, name, listener)
        watch.watch_pool()
        watch.transactions.watch()

        def undo() -> None:
            for name, listener in watch.listeners.items():
                if sqlalchemy.event.contains(watch.engine, name, listener):
                    sqlalchemy.event.remove(watch.engine, name, listener)
            watch.leave_pool()
            watch.transactions.leave()

        return undo

    def pool_histogram(self, name: str) -> BoundHistogram:
        """A histogram of the pool: ``create_time``, ``wait_time`` or ``use_time``."""
        return self._instruments.histogram(f"db.client.connection.{name}", self._pool)

    def pool_counter(self, name: str) -> BoundUpDownCounter:
        """An up-down counter of the pool: ``max`` or ``pending_requests``."""
        return self._instruments.up_down_counter(f"db.client.connection.{name}", self._pool)

    def timed_out(self) -> None:
        """Nobody gave a connection back in time (``db.client.connection.timeouts``)."""
        self._instruments.counter("db.client.connection.timeouts", self._pool).add(1)

    def moved(self, before: str | None, after: str | None) -> None:
        """A connection of the pool went from one state, idle, used or none, to another."""
        if before is not None:
            self._states[before].add(-1)
        if after is not None:
            self._states[after].add(1)

    @classmethod
    def of_engine(
        cls, recorder: Recorder, instruments: Instruments, engine: Any, pool: str | None
    ) -> Database:
        """The database behind an engine of SQLAlchemy."""
        engine = getattr(engine, "sync_engine", engine)
        url, system = engine.url, engine.dialect.name
        namespace = url.database
        if system == "sqlite":  # a path, of which the name says enough
            namespace = PurePath(namespace or ":memory:").name
        return cls(
            recorder,
            instruments,
            _SYSTEMS.get(system, system),
            namespace=namespace,
            pool=pool,
            server=url.host,
            port=url.port,
        )


class _EngineWatch:
    """Listens to the events of one engine of SQLAlchemy, and stands before its pool.

    Attributes:
        engine: the engine.
        transactions: stands before their ends.
        listeners: by event.
    """

    def __init__(self, database: Database, engine: Any, now: Callable[[], int]) -> None:
        self.engine: Any = engine
        self._database = database
        self._now = now
        self._create = database.pool_histogram("create_time")
        self._wait = database.pool_histogram("wait_time")
        self._use = database.pool_histogram("use_time")
        self._most = database.pool_counter("max")
        self._pending = database.pool_counter("pending_requests")
        self._watched: tuple[Any, int] | None = None
        self.transactions: Transactions = Transactions(engine.dialect, database.took, now)
        self.listeners: dict[str, Callable[..., None]] = {
            "before_cursor_execute": self._before,
            "after_cursor_execute": self._after,
            "handle_error": self._failed,
            "do_connect": self._connecting,
            "connect": self._connected,
            "checkout": self._checked_out,
            "checkin": self._checked_in,
            "close": self._closed,
            "detach": self._closed,
            "engine_disposed": self._disposed,
            **self.transactions.listeners,
        }

    @contained(None)
    def _before(
        self, _conn: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool
    ) -> None:
        if context is not None:
            setattr(context, _STARTED, self._now())

    @contained(None)
    def _after(
        self, _conn: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool
    ) -> None:
        self._took(context, statement, None)

    @contained(None)
    def _failed(self, context: Any) -> None:
        self._took(
            context.execution_context, context.statement, type(context.original_exception).__qualname__
        )

    def _took(self, context: Any, statement: str | None, error_type: str | None) -> None:
        started = getattr(context, _STARTED, None)
        if started is not None:
            delattr(context, _STARTED)
            seconds = (self._now() - started) * 1e-9
            self._database.took(_operation_of(statement or ""), seconds, error_type)

    @contained(None)
    def _connecting(self, _dialect: Any, record: Any, _args: Any, _kwargs: Any) -> None:
        record.record_info[_SINCE] = self._now()

    @contained(None)
    def _connected(self, _connection: Any, record: Any) -> None:
        since = record.record_info.pop(_SINCE, None)
        if since is not None:
            self._create.record((self._now() - since) * 1e-9)
        self._move(record, "idle")

    @contained(None)
    def _checked_out(self, _connection: Any, record: Any, _proxy: Any) -> None:
        record.record_info[_SINCE] = self._now()
        self._move(record, "used")

    @contained(None)
    def _checked_in(self, _connection: Any, record: Any) -> None:
        since = record.record_info.pop(_SINCE, None)
        if since is not None:
            self._use.record((self._now() - since) * 1e-9)
        if record.record_info.get(_STATE) is not None:  # else it was closed while it was used
            self._move(record, "idle")

    @contained(None)
    def _closed(self, _connection: Any, record: Any) -> None:
        self._move(record, None)

    def _move(self, record: Any, state: str | None) -> None:
        before = record.record_info.pop(_STATE, None)
        if state is not None:
            record.record_info[_STATE] = state
        self._database.moved(before, state)

    @contained(None)
    def _disposed(self, _engine: Any) -> None:
        self.watch_pool()

    def watch_pool(self) -> None:
        """Stand before the engine's pool; after `dispose` it has another one."""
        self.leave_pool()
        pool = self.engine.pool
        connect = pool.connect
        pool.connect = self._timed(connect)
        most = _most_connections(pool)
        self._most.add(most)
        self._watched = (pool, most)

    def leave_pool(self) -> None:
        """Stand there no longer."""
        if self._watched is not None:
            (pool, most), self._watched = self._watched, None
            vars(pool).pop("connect", None)
            self._most.add(-most)

    def _timed(self, connect: Callable[[], Any]) -> Callable[[], Any]:
        def wait() -> Any:
            started = self._now()
            self._pending.add(1)
            try:
                connection = connect()
            except Exception as error:
                try:
                    if type(error).__name__ == "TimeoutError":
                        self._database.timed_out()
                except Exception as fault:  # noqa: BLE001  the barrier
                    report("database.timeout", fault)
                raise
            finally:
                self._pending.add(-1)
            self._wait.record((self._now() - started) * 1e-9)
            return connection

        return wait


def _operation_of(statement: str) -> str:
    """The first word of a statement, which is what OpenTelemetry's instrumentations take for its operation."""
    after = _COMMENTS.match(statement)
    words = statement[after.end() if after else 0 :].split(None, 1)
    return words[0].upper() if words else "other"


def _most_connections(pool: Any) -> int:
    """How many connections a pool may have; 0 where it has no limit or does not say."""
    try:
        overflow = pool._max_overflow  # noqa: SLF001  SQLAlchemy has no other way to ask
        return int(pool.size()) + overflow if overflow >= 0 else 0
    except Exception:  # noqa: BLE001  only some pools count
        return 0
