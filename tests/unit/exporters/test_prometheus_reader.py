"""What Prometheus is told: exact values under the right labels, whatever the instruments are."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from ticktrace.exporters import PrometheusReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"

Labels = frozenset[tuple[str, str]]


def parsed(document: str) -> list[Metric]:
    return list(parse_openmetrics(document))  # type: ignore[no-untyped-call]  # forgotten upstream


class Bot:
    """A meter provider with our reader."""

    def __init__(self, **options: Any) -> None:
        reader_options = {
            name: options.pop(name) for name in ("scope_labels", "target_info") if name in options
        }
        self.reader = PrometheusReader(**reader_options)
        options.setdefault("resource", Resource({"service.name": "bot"}))
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False, **options)
        self.meter = self.provider.get_meter("test")

    def text(self) -> str:
        return self.reader.exposition(None).body.decode()

    def openmetrics(self) -> str:
        return self.reader.exposition(OPENMETRICS).body.decode()

    def families(self) -> dict[str, Metric]:
        """The scrape, parsed by prometheus_client's strict OpenMetrics parser."""
        return {family.name: family for family in parsed(self.openmetrics())}

    def samples(self) -> dict[tuple[str, Labels], float]:
        """Each sample's value by name and labels, of the text format; fails on a repeated series."""
        found: dict[tuple[str, Labels], float] = {}
        for family in parse_text(self.text()):
            for sample in family.samples:
                key = (
                    sample.name,
                    frozenset((name, value) for name, value in sample.labels.items() if value),
                )
                assert key not in found
                found[key] = sample.value
        return found


@pytest.fixture
def make_bot() -> Iterator[Callable[..., Bot]]:
    bots: list[Bot] = []

    def make(**options: Any) -> Bot:
        bots.append(Bot(**options))
        return bots[-1]

    yield make
    for bot in bots:
        bot.provider.shutdown()


def labels(**values: str) -> Labels:
    return frozenset(values.items())


def test_each_kind_of_instrument_becomes_its_prometheus_type(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot()
    bot.meter.create_counter("trading.candles.processed", "{candle}", "Candles.").add(
        3, {"trading.symbol": "BTC/USDT"}
    )
    bot.meter.create_up_down_counter("trading.orders.open").add(-2)
    bot.meter.create_gauge("trading.portfolio.value", "USD").set(10.5)
    bot.meter.create_histogram(
        "trading.order.fill.duration", "s", explicit_bucket_boundaries_advisory=[1, 5]
    ).record(2.25)
    families = bot.families()
    assert {name: family.type for name, family in families.items()} == {
        "target": "info",
        "trading_candles_processed": "counter",
        "trading_orders_open": "gauge",
        "trading_portfolio_value_USD": "gauge",
        "trading_order_fill_duration_seconds": "histogram",
    }
    assert families["trading_order_fill_duration_seconds"].unit == "seconds"
    assert families["trading_candles_processed"].documentation == "Candles."
    assert bot.samples() == {
        ("target_info", labels(service_name="bot")): 1.0,
        ("trading_candles_processed_total", labels(trading_symbol="BTC/USDT")): 3.0,
        ("trading_orders_open", labels()): -2.0,
        ("trading_portfolio_value_USD", labels()): 10.5,
        ("trading_order_fill_duration_seconds_bucket", labels(le="1.0")): 0.0,
        ("trading_order_fill_duration_seconds_bucket", labels(le="5.0")): 1.0,
        ("trading_order_fill_duration_seconds_bucket", labels(le="+Inf")): 1.0,
        ("trading_order_fill_duration_seconds_count", labels()): 1.0,
        ("trading_order_fill_duration_seconds_sum", labels()): 2.25,
    }


def test_an_exponential_histogram_is_served_beside_the_others(make_bot: Callable[..., Bot]) -> None:
    """Upstream fails the whole scrape."""
    bot = make_bot(views=[View(instrument_name="lag", aggregation=ExponentialBucketHistogramAggregation())])
    bot.meter.create_counter("kept").add(1)
    histogram = bot.meter.create_histogram("lag", "s")
    for value in (0, 0.5, 1.0, 1.5, 2.0, 3.0):
        histogram.record(value)
    samples = bot.samples()
    assert samples["kept_total", labels()] == 1
    assert samples["lag_seconds_count", labels()] == 6
    assert samples["lag_seconds_sum", labels()] == 8.0
    bucket = {dict(key[1])["le"]: value for key, value in samples.items() if key[0] == "lag_seconds_bucket"}
    assert (bucket["0.0"], bucket["1.0"], bucket["2.0"], bucket["+Inf"]) == (1, 3, 5, 6)
    assert bot.families()["lag_seconds"].type == "histogram"


def test_one_family_of_two_scopes_has_the_labels_of_both(make_bot: Callable[..., Bot]) -> None:
    """Upstream puts the second scope's values under the first one's labels."""
    bot = make_bot()
    bot.provider.get_meter("a").create_counter("errors", description="First.").add(1, {"venue": "binance"})
    bot.provider.get_meter("b").create_counter("errors", description="Second.").add(2, {"component": "feed"})
    [family] = [family for family in parsed(bot.openmetrics()) if family.name == "errors"]
    assert family.documentation == "First."
    assert [(sample.labels, sample.value) for sample in family.samples] == [
        ({"component": "", "venue": "binance"}, 1.0),
        ({"component": "feed", "venue": ""}, 2.0),
    ]
    assert bot.text().count("# TYPE errors_total counter") == 1


def test_the_same_series_of_two_scopes_adds_up(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot()
    for name, amount, bounds in (("a", 1, [1, 2]), ("b", 4, [2, 3])):
        meter = bot.provider.get_meter(name)
        meter.create_counter("errors").add(amount, {"venue": "binance"})
        meter.create_histogram("lag", explicit_bucket_boundaries_advisory=bounds).record(1.5)
        meter.create_gauge("depth").set(amount)
    samples = bot.samples()
    assert samples["errors_total", labels(venue="binance")] == 5
    assert samples["depth", labels()] == 4
    assert {dict(key[1])["le"]: value for key, value in samples.items() if key[0] == "lag_bucket"} == {
        "2.0": 2.0,
        "+Inf": 2.0,
    }
    assert samples["lag_sum", labels()] == 3.0


def test_scope_labels_are_left_out_unless_asked_for(make_bot: Callable[..., Bot]) -> None:
    plain, scoped = make_bot(), make_bot(scope_labels=True)
    for bot in (plain, scoped):
        for scope in ("a", "b"):
            bot.provider.get_meter(scope, "1.2").create_counter("errors").add(1)
    assert "otel_scope" not in plain.text()
    assert plain.samples()["errors_total", labels()] == 2
    assert scoped.samples()["errors_total", labels(otel_scope_name="a", otel_scope_version="1.2")] == 1


def test_metrics_that_would_share_a_sample_name_are_not_both_served(
    make_bot: Callable[..., Bot], caplog: pytest.LogCaptureFixture
) -> None:
    bot = make_bot()
    bot.meter.create_histogram("fill").record(1)
    bot.meter.create_gauge("fill.count").set(7)
    bot.meter.create_gauge("orders").set(7)
    bot.meter.create_counter("orders.total").add(1)
    for _ in range(2):
        samples = bot.samples()
    assert samples["fill_count", labels()] == 1
    assert samples["orders", labels()] == 7
    bot.families()
    left_out = [record.getMessage() for record in caplog.records]
    assert len(left_out) == 2
    assert "metric fill.count is left out of the Prometheus exposition: as gauge fill_count" in left_out[0]


def test_attributes_that_become_one_label_share_it(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot()
    bot.meter.create_counter("hits").add(1, {"a.b": "x", "a_b": "y", "le": "z", "flag": True, "empty": ""})
    bot.meter.create_histogram("size", explicit_bucket_boundaries_advisory=[1]).record(1, {"le": "mine"})
    samples = bot.samples()
    assert samples["hits_total", labels(a_b="x;y", le="z", flag="true")] == 1
    assert samples["size_bucket", labels(exported_le="mine", le="1.0")] == 1


def test_negative_bounds_keep_sum_and_count(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot()
    histogram = bot.meter.create_histogram("slippage", "bp", explicit_bucket_boundaries_advisory=[-1, 0, 1])
    histogram.record(0.5)
    samples = bot.samples()
    assert samples["slippage_bp_bucket", labels(le="-1.0")] == 0
    assert samples["slippage_bp_count", labels()] == 1
    assert samples["slippage_bp_sum", labels()] == 0.5


def test_openmetrics_carries_exemplars_that_point_at_the_trace(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot(exemplar_filter=TraceBasedExemplarFilter())
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    counter = bot.meter.create_counter("orders")
    histogram = bot.meter.create_histogram("lag", explicit_bucket_boundaries_advisory=[1, 2])
    with tracer.start_as_current_span("candle") as span:
        counter.add(1)
        histogram.record(1.5)
    context = span.get_span_context()
    expected = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    families = bot.families()
    [total] = families["orders"].samples
    assert total.exemplar is not None
    assert total.exemplar.labels == expected
    exemplars = {
        sample.labels["le"]: sample.exemplar
        for sample in families["lag"].samples
        if sample.name == "lag_bucket"
    }
    assert exemplars["1.0"] is None
    assert exemplars["+Inf"] is None
    assert exemplars["2.0"] is not None
    assert (exemplars["2.0"].labels, exemplars["2.0"].value) == (expected, 1.5)


def test_exemplars_keep_filtered_attributes_as_long_as_they_fit(make_bot: Callable[..., Bot]) -> None:
    views = [View(instrument_name="*", attribute_keys={"kept"})]
    bot = make_bot(exemplar_filter=AlwaysOnExemplarFilter(), views=views)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("candle"):
        bot.meter.create_counter("short").add(1, {"order.id": "42"})
        bot.meter.create_counter("long").add(1, {"order.id": "4" * 200})
    bot.meter.create_counter("outside").add(1)
    families = bot.families()
    assert families["short"].samples[0].exemplar is not None
    assert families["short"].samples[0].exemplar.labels["order_id"] == "42"
    assert families["long"].samples[0].exemplar is not None
    assert set(families["long"].samples[0].exemplar.labels) == {"trace_id", "span_id"}
    assert families["outside"].samples[0].exemplar is None


def test_the_text_format_has_no_exemplars_and_is_what_a_plain_client_gets(
    make_bot: Callable[..., Bot],
) -> None:
    bot = make_bot(exemplar_filter=AlwaysOnExemplarFilter())
    with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("candle"):
        bot.meter.create_counter("orders").add(1)
    for accept in (None, "", "text/html", "application/openmetrics-text;version=abc"):
        exposition = bot.reader.exposition(accept)
        assert exposition.content_type.startswith("text/plain; version=0.0.4")
        assert b"trace_id" not in exposition.body
    accepted = bot.reader.exposition(OPENMETRICS)
    assert accepted.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert accepted.body.endswith(b"# EOF\n")


def test_target_info_follows_the_resource(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot(resource=Resource({"service.name": "bot", "host.cpus": 2}))
    bot.meter.create_counter("hits").add(1)
    assert bot.samples()["target_info", labels(service_name="bot", host_cpus="2")] == 1
    bot.provider._update_resource(Resource({"service.instance.id": "child"}))
    assert (
        bot.samples()["target_info", labels(service_name="bot", host_cpus="2", service_instance_id="child")]
        == 1
    )
    without = make_bot(target_info=False)
    without.meter.create_counter("hits").add(1)
    assert "target" not in without.text()


def test_concurrent_scrapes_are_each_whole(make_bot: Callable[..., Bot]) -> None:
    """Upstream was seen to answer one with nothing and another with everything thrice."""
    bot = make_bot()
    counter = bot.meter.create_counter("hits")
    for number in range(200):
        counter.add(number, {"number": number})
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.extend(bot.reader.exposition(None).body for _ in range(5)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 30
    assert len(set(bodies)) == 1
    assert bodies[0].count(b"\nhits_total{") == 200


def test_a_scrape_waits_for_another_no_longer_than_its_timeout(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot()
    entered, release = threading.Event(), threading.Event()

    def slow(_: Any) -> list[Observation]:
        entered.set()
        release.wait(10)
        return [Observation(1)]

    bot.meter.create_observable_gauge("slow", [slow])
    first = threading.Thread(target=bot.reader.exposition, args=(None,))
    first.start()
    assert entered.wait(10)
    with pytest.raises(TimeoutError, match=r"other scrapes took longer than 0\.05 s"):
        bot.reader.exposition(None, timeout=0.05)
    release.set()
    first.join()
    assert "slow 1.0" in bot.text()


def test_a_collection_that_takes_too_long_is_a_timeout_and_the_next_scrape_works(
    make_bot: Callable[..., Bot],
) -> None:
    bot = make_bot()
    pause = threading.Event()
    slow_once = [0.05]

    def slow(_: Any) -> list[Observation]:
        if slow_once:
            pause.wait(slow_once.pop())
        return [Observation(1)]

    bot.meter.create_observable_gauge("slow", [slow])
    bot.meter.create_observable_gauge(
        "next", [lambda _: []]
    )  # the SDK looks at the clock between two instruments
    with pytest.raises(TimeoutError, match="collecting metrics took longer"):
        bot.reader.exposition(None, timeout=0.01)
    assert "slow 1.0" in bot.text()


def test_after_shutdown_which_may_be_repeated_scrapes_are_empty(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot()
    bot.meter.create_counter("hits").add(1)
    bot.provider.shutdown()
    bot.reader.shutdown()
    assert bot.text() == ""
    assert bot.openmetrics() == "# EOF\n"


def test_flushing_takes_nothing_from_the_next_scrape(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot(exemplar_filter=TraceBasedExemplarFilter())
    with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("candle"):
        bot.meter.create_counter("hits").add(1)
    bot.provider.force_flush()
    assert bot.families()["hits"].samples[0].exemplar is not None


def test_each_reader_has_its_own_registry(make_bot: Callable[..., Bot]) -> None:
    first, second = make_bot(), make_bot()
    first.meter.create_counter("first.hits").add(1)
    second.meter.create_counter("second.hits").add(1)
    assert b"first_hits_total 1.0" in generate_latest(first.reader.registry)
    assert b"first_hits" not in generate_latest(second.reader.registry)
    assert b"first_hits" not in generate_latest(REGISTRY)


def test_a_reader_without_a_provider_has_nothing_to_say() -> None:
    assert PrometheusReader().exposition(None).body == b""
