"""The SDK's meter provider, keeping the last values of what it aggregates into histograms.

Every measurement of the SDK passes its measurement consumer, one for each provider; here stands one around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics._internal.aggregation import (
    _ExplicitBucketHistogramAggregation,
    _ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.metrics._internal.measurement_consumer import MeasurementConsumer
from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import DefaultAggregation

from ticktrace.engine.barrier import report

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics._internal.instrument import _Asynchronous, _Instrument
    from opentelemetry.sdk.metrics._internal.measurement import Measurement
    from opentelemetry.sdk.metrics._internal.point import MetricsData
    from opentelemetry.sdk.metrics._internal.sdk_configuration import SdkConfiguration
    from opentelemetry.sdk.metrics.export import MetricReader

    from ticktrace.engine.recent import Recent

__all__ = ["RecentMeterProvider"]

_HISTOGRAMS = (_ExplicitBucketHistogramAggregation, _ExponentialBucketHistogramAggregation)


class _KeepingConsumer(MeasurementConsumer):
    """Hands every measurement on, and keeps its value if a histogram is made of it."""

    def __init__(self, consumer: MeasurementConsumer, config: SdkConfiguration, recent: Recent) -> None:
        self._consumer = consumer
        self._config = config
        self._recent = recent
        self._streams: dict[Any, tuple[bool, frozenset[str] | None]] = {}

    def consume_measurement(self, measurement: Measurement) -> None:
        self._consumer.consume_measurement(measurement)
        try:
            instrument = measurement.instrument
            stream = self._streams.get(instrument)
            if stream is None:
                stream = self._streams[instrument] = self._stream_of(instrument)
            is_histogram, keys = stream
            if is_histogram:
                attributes = measurement.attributes or {}
                if keys is not None:
                    attributes = {key: value for key, value in attributes.items() if key in keys}
                self._recent.add_one(instrument.name, attributes, measurement.value)
        except Exception as error:  # noqa: BLE001  on the recording thread: telemetry never raises into the bot
            report("metrics.recent", error)

    def register_asynchronous_instrument(self, instrument: _Asynchronous) -> None:
        self._consumer.register_asynchronous_instrument(instrument)

    def collect(self, metric_reader: MetricReader, timeout_millis: float = 10_000) -> MetricsData | None:
        return self._consumer.collect(metric_reader, timeout_millis)

    def __getattr__(
        self, name: str
    ) -> Any:  # what the provider asks of the SDK's own class beyond the abstract one
        if name == "_consumer":
            raise AttributeError(name)
        return getattr(self._consumer, name)

    def _stream_of(self, instrument: _Instrument) -> tuple[bool, frozenset[str] | None]:
        """Whether the views make a histogram of it, and which attributes any of them keeps; None for all."""
        kind: type[Any] = type(instrument)
        storage = MetricReaderStorage(
            self._config, {kind: AggregationTemporality.CUMULATIVE}, {kind: DefaultAggregation()}
        )
        found: set[str] = set()
        is_histogram = everything = False
        for match in storage._get_or_init_view_instrument_match(instrument):  # noqa: SLF001  the SDK's inside
            if isinstance(match._aggregation, _HISTOGRAMS):  # noqa: SLF001
                is_histogram = True
                keys = match._view._attribute_keys  # noqa: SLF001
                everything = everything or keys is None
                found |= keys or set()
        return is_histogram, None if everything else frozenset(found)


class RecentMeterProvider(MeterProvider):
    """The SDK's meter provider.

    Args:
        recent: keeps the values of histograms.
        options: the SDK's.
    """

    def __init__(self, recent: Recent, **options: Any) -> None:
        super().__init__(**options)
        # Before there is a meter: each takes the consumer with it.
        self._measurement_consumer = _KeepingConsumer(  # type: ignore[assignment]  # the SDK means the abstract class
            self._measurement_consumer, self._sdk_config, recent
        )
