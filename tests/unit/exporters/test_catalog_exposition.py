"""The catalog promises Prometheus names; the reader must keep the promise."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider

from ticktrace.catalog import CATALOG, Kind
from ticktrace.exporters import PrometheusReader
from ticktrace.settings import load_settings
from ticktrace.views import build_views


def test_every_instrument_of_the_catalog_is_served_under_its_declared_name() -> None:
    settings = load_settings(environ={}).settings
    reader = PrometheusReader()
    provider = MeterProvider(
        [reader], views=build_views(settings.metrics, settings.slo), shutdown_on_exit=False
    )
    meter = provider.get_meter("test")
    for spec in CATALOG.values():
        attributes = dict.fromkeys(spec.attributes, "x")
        match spec.kind:
            case Kind.COUNTER:
                meter.create_counter(spec.name, spec.unit, spec.description).add(1, attributes)
            case Kind.UP_DOWN_COUNTER:
                meter.create_up_down_counter(spec.name, spec.unit, spec.description).add(1, attributes)
            case Kind.HISTOGRAM:
                meter.create_histogram(spec.name, spec.unit, spec.description).record(1, attributes)
            case Kind.GAUGE:
                meter.create_gauge(spec.name, spec.unit, spec.description).set(1, attributes)
    text = reader.exposition(None).body.decode()
    provider.shutdown()
    served = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert {spec.prometheus_name for spec in CATALOG.values()} - served == set()
