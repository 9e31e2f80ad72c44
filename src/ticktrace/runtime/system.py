"""OpenTelemetry's own metrics of process, interpreter and host, from its psutil instrumentation.

That instrumentation creates observable instruments on a meter provider and never takes them back. So it is given the
provider of the engine itself, with which they end, and through a door that asks first: what is the host's is told by one
process of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import MeterProvider

from ticktrace.engine import report
from ticktrace.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.util.types import Attributes

    Callback = Callable[[CallbackOptions], Iterable[Observation]]

__all__ = ["instrument_system"]

_HOST: Final = "system."
_OUTDATED: Final = "process.runtime."  # the same figures once more, under names that are on their way out


class _Door:
    """A meter that creates observable instruments, each of which asks first.

    Only the calls that the instrumentation makes are here: all by keyword.
    """

    def __init__(self, meter: Meter, allowed: Callable[[str], bool]) -> None:
        self._meter = meter
        self._allowed = allowed

    def create_observable_counter(self, name: str, callbacks: Sequence[Callback], **rest: Any) -> object:
        return self._create(self._meter.create_observable_counter, name, callbacks, rest)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[Callback], **rest: Any
    ) -> object:
        return self._create(self._meter.create_observable_up_down_counter, name, callbacks, rest)

    def create_observable_gauge(self, name: str, callbacks: Sequence[Callback], **rest: Any) -> object:
        return self._create(self._meter.create_observable_gauge, name, callbacks, rest)

    def _create(
        self,
        create: Callable[..., object],
        name: str,
        callbacks: Sequence[Callback],
        rest: dict[str, Any],
    ) -> object:
        if name.startswith(_OUTDATED):
            return None
        return create(name=name, callbacks=[self._guarded(name, callback) for callback in callbacks], **rest)

    def _guarded(self, name: str, callback: Callback) -> Callback:
        def observe(options: CallbackOptions) -> Iterable[Observation]:
            if not self._allowed(name):
                return ()
            try:
                return list(callback(options))
            except Exception as error:  # noqa: BLE001  what the system refuses to tell
                report(f"system.{name}", error)
                return ()

        return observe


class _DoorProvider(MeterProvider):
    def __init__(self, provider: MeterProvider, allowed: Callable[[str], bool]) -> None:
        self._provider = provider
        self._allowed = allowed

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Any:
        meter = self._provider.get_meter(name, version, schema_url, attributes)
        return _Door(meter, self._allowed)


def instrument_system(provider: MeterProvider, mine: Callable[[], bool]) -> None:
    """Have ``process.*``, ``cpython.*`` and ``system.*`` observed whenever `provider` collects, until it is shut down.

    What ``OTEL_PYTHON_SYSTEM_METRICS_EXCLUDED_METRICS`` names is left out, as by the instrumentation itself.

    Args:
        provider: the engine's own, not one that outlives it.
        mine: whether this process tells of its host.

    Raises:
        MissingExtraError: the instrumentation is not installed.
    """
    try:
        from opentelemetry.instrumentation.system_metrics import (  # noqa: PLC0415  an optional dependency
            SystemMetricsInstrumentor,
        )
    except ImportError:
        raise MissingExtraError("process.system_metrics", "system") from None

    class Instrumentor(SystemMetricsInstrumentor):
        """One for this engine and process; an application may still use the usual one, of which there is only one."""

        _instance = None
        _is_instrumented_by_opentelemetry = False

    def allowed(name: str) -> bool:
        return not name.startswith(_HOST) or mine()

    Instrumentor().instrument(meter_provider=_DoorProvider(provider, allowed))
