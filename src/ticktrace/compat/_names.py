"""Old metric names, what they mean now, and which of them cannot be written any more."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from ticktrace.engine import text_of
from ticktrace.errors import CatalogError
from ticktrace.measuring import NAMES, is_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ticktrace.catalog import InstrumentSpec

__all__ = ["Written", "duration_named", "written"]

# Old names in another unit than the instrument's: what a value under that name is multiplied by.
_FACTORS: Final[Mapping[str, float]] = MappingProxyType({"candle_processing_latency_ns": 1e-9})

# Old counters that Prometheus now derives from a histogram: there is nothing left to count by hand.
_DERIVED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "candle_processing_count": "the number of values of",
        "http_requests_total": "the number of values of",
        "http_errors_total": "the number of values with an error of",
    }
)


class Written(NamedTuple):
    """An instrument as an old name writes it.

    Attributes:
        spec: the instrument's row.
        factor: makes a value in the instrument's unit of one under the old name.
    """

    spec: InstrumentSpec
    factor: float


def written(name: str) -> Written:
    """What values under `name` are recorded on.

    Raises:
        CatalogError: no instrument has that name (the message lists names that look like it), or the application must not
            record it itself.
    """
    name = text_of(name).strip()
    spec = NAMES.find(name)
    if name in _DERIVED:
        raise CatalogError(
            f"{name} is {_DERIVED[name]} {spec.name}; record that, and Prometheus has {name} by the alias rules"
        )
    if spec.recorded_by == "otel" and not spec.name.startswith("db."):
        who = (
            "telemetry.instrument_fastapi(app) records it"
            if spec.group == "HTTP"
            else "OpenTelemetry's system metrics instrumentation records it"
        )
        raise CatalogError(f"{name} is {spec.name}, which an application does not record itself: {who}")
    return Written(spec, _FACTORS.get(name, 1.0))


def duration_named(name: str) -> InstrumentSpec:
    """The histogram of seconds that is called so.

    Raises:
        CatalogError: there is none, see `written`; or it is no duration.
    """
    spec = written(name).spec
    if not is_duration(spec):
        raise CatalogError(
            f"{name} is {spec.name}, a {spec.kind.value.replace('_', ' ')} in {spec.unit!r} and no duration"
        )
    return spec
