"""Views on the real SDK: what a reader collects, and that it is one stream an instrument."""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ExponentialHistogram, Histogram, InMemoryMetricReader, Metric

from ticktrace import semconv
from ticktrace.catalog import BUCKETS, CATALOG, InstrumentSpec, Kind, make_catalog
from ticktrace.errors import SettingsError
from ticktrace.settings import MetricsSettings, SloSettings, ViewSettings
from ticktrace.views import build_views, check_instruments

if TYPE_CHECKING:
    from collections.abc import Mapping

CANDLE = "trading.candle.processing.duration"
DELAY = "trading.candle.delay"
CANDLES = "trading.candles.processed"
REQUEST = "http.server.request.duration"
LABELS = {semconv.VENUE: "binance", semconv.SYMBOL: "BTC/USDT"}


def settings(*views: dict[str, Any]) -> MetricsSettings:
    return MetricsSettings(views=tuple(ViewSettings(**view) for view in views))


class Bench:
    """A meter provider with our views, whose reader is asked what came out."""

    def __init__(
        self,
        *views: dict[str, Any],
        slo: Mapping[str, tuple[float, ...]] | None = None,
        catalog: Mapping[str, InstrumentSpec] = CATALOG,
    ) -> None:
        self.reader = InMemoryMetricReader()
        made = build_views(settings(*views), SloSettings(thresholds=dict(slo or {})), catalog)
        self.provider = MeterProvider([self.reader], views=made)

    def record(
        self,
        name: str,
        kind: Kind = Kind.HISTOGRAM,
        *,
        meter: str = "ticktrace",
        more: Mapping[str, str] | None = None,
    ) -> Bench:
        source = self.provider.get_meter(meter)
        attributes = {**LABELS, **(more or {})}
        match kind:
            case Kind.COUNTER:
                source.create_counter(name).add(1, attributes)
            case Kind.UP_DOWN_COUNTER:
                source.create_up_down_counter(name).add(1, attributes)
            case Kind.GAUGE:
                source.create_gauge(name).set(1, attributes)
            case Kind.HISTOGRAM:
                source.create_histogram(name).record(1, attributes)
        return self

    def streams(self) -> list[Metric]:
        data = self.reader.get_metrics_data()
        self.provider.shutdown()
        if data is None:
            return []
        return [
            metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    def stream(self) -> Metric:
        [metric] = self.streams()
        return metric


def bounds(metric: Metric) -> tuple[float, ...]:
    assert isinstance(metric.data, Histogram)
    return tuple(metric.data.data_points[0].explicit_bounds)


def keys(metric: Metric) -> set[str]:
    return set(metric.data.data_points[0].attributes or ())


def test_a_histogram_has_the_buckets_of_its_row() -> None:
    assert bounds(Bench().record(CANDLE).stream()) == BUCKETS["hot path"]


def test_an_attribute_that_the_row_does_not_allow_is_left_off() -> None:
    assert keys(Bench().record(CANDLES, Kind.COUNTER, more={semconv.ORDER_ID: "1"}).stream()) == set(LABELS)


def test_what_opentelemetry_records_gets_buckets_and_keeps_its_attributes() -> None:
    metric = Bench().record(REQUEST, more={"http.new.attribute": "1"}).stream()
    assert bounds(metric) == BUCKETS["network"]
    assert "http.new.attribute" in keys(metric)


def test_an_instrument_outside_the_catalog_is_left_alone() -> None:
    metric = Bench().record("library.wait", more={"library.key": "1"}).stream()
    assert bounds(metric) not in BUCKETS.values()
    assert "library.key" in keys(metric)


def test_an_instrument_of_another_kind_than_its_row_is_left_alone() -> None:
    """Buckets on a counter would make it a histogram."""
    assert not isinstance(Bench().record(CANDLE, Kind.COUNTER).stream().data, Histogram)


def test_thresholds_of_objectives_become_boundaries() -> None:
    metric = Bench(slo={CANDLE: (0.05, 0.123)}).record(CANDLE).stream()
    assert bounds(metric) == tuple(sorted({*BUCKETS["hot path"], 0.123}))


def test_thresholds_join_the_buckets_of_the_user_too() -> None:
    metric = (
        Bench({"instrument": CANDLE, "buckets": (1.0, 2.0)}, slo={CANDLE: (1.5,)}).record(CANDLE).stream()
    )
    assert bounds(metric) == (1.0, 1.5, 2.0)


def test_buckets_of_the_user_replace_those_of_the_row_in_one_stream() -> None:
    metric = (
        Bench({"instrument": CANDLE, "buckets": (1.0, 2.0)})
        .record(CANDLE, more={semconv.ORDER_ID: "1"})
        .stream()
    )
    assert bounds(metric) == (1.0, 2.0)
    assert keys(metric) == set(LABELS)


def test_a_renamed_instrument_is_one_stream_under_the_new_name_with_the_buckets_of_the_row() -> None:
    metric = (
        Bench({"instrument": CANDLE, "rename": "bar.time", "description": "Mine."}).record(CANDLE).stream()
    )
    assert (metric.name, metric.description) == ("bar.time", "Mine.")
    assert bounds(metric) == BUCKETS["hot path"]


def test_a_dropped_instrument_is_gone() -> None:
    assert Bench({"instrument": CANDLE, "drop": True}).record(CANDLE).streams() == []


def test_an_exponential_histogram_is_one_stream_of_the_size_asked_for() -> None:
    metric = Bench({"instrument": CANDLE, "exponential": True, "max_scale": 3}).record(CANDLE).stream()
    assert isinstance(metric.data, ExponentialHistogram)
    assert metric.data.data_points[0].scale == 3
    assert keys(metric) == set(LABELS)


def test_attributes_to_keep_replace_those_of_the_row() -> None:
    metric = (
        Bench({"instrument": CANDLE, "keep_attributes": (semconv.VENUE, "mine")})
        .record(CANDLE, more={"mine": "1"})
        .stream()
    )
    assert keys(metric) == {semconv.VENUE, "mine"}
    assert bounds(metric) == BUCKETS["hot path"]


def test_the_name_of_an_instrument_may_be_written_in_any_case() -> None:
    assert bounds(Bench({"instrument": CANDLE.upper(), "buckets": (1.0,)}).record(CANDLE).stream()) == (1.0,)


def test_a_wildcard_and_an_exact_view_are_laid_over_one_another() -> None:
    views = (
        {"instrument": CANDLE, "buckets": (1.0,)},
        {"instrument": "trading.*", "keep_attributes": (semconv.VENUE,)},
    )
    metric = Bench(*views).record(CANDLE).stream()
    assert (bounds(metric), keys(metric)) == ((1.0,), {semconv.VENUE})


@pytest.mark.parametrize("reverse", [False, True])
def test_the_more_specific_view_has_the_last_word_whatever_the_order(reverse: bool) -> None:
    views = [
        {"instrument": "*", "drop": True},
        {"instrument": "trading.*", "buckets": (1.0,)},
        {"instrument": "trading.candle.*", "buckets": (2.0,)},
    ]
    bench = Bench(*(reversed(views) if reverse else views))
    bench.record(CANDLE).record("trading.order.fill.duration").record(REQUEST).record("library.wait")
    assert {metric.name: bounds(metric) for metric in bench.streams()} == {
        CANDLE: (2.0,),
        "trading.order.fill.duration": (1.0,),
    }


def test_among_equally_specific_views_the_later_has_the_last_word() -> None:
    views = {"instrument": CANDLE, "buckets": (1.0,)}, {"instrument": CANDLE, "buckets": (2.0,)}
    assert bounds(Bench(*views).record(CANDLE).stream()) == (2.0,)


def test_buckets_for_everything_leave_what_is_no_histogram_alone() -> None:
    bench = Bench({"instrument": "*", "exponential": True, "keep_attributes": (semconv.VENUE,)})
    bench.record(CANDLE).record(CANDLES, Kind.COUNTER).record("library.calls", Kind.COUNTER).record(
        "library.wait"
    )
    streams = {metric.name: metric for metric in bench.streams()}
    assert {name for name, metric in streams.items() if isinstance(metric.data, ExponentialHistogram)} == {
        CANDLE,
        "library.wait",
    }
    assert all(keys(metric) == {semconv.VENUE} for metric in streams.values())


def test_wildcards_that_meet_outside_the_catalog_are_laid_over_one_another() -> None:
    views = (
        {"instrument": "library.*", "keep_attributes": (semconv.VENUE,)},
        {"instrument": "*.wait", "buckets": (1.0,)},
    )
    bench = Bench(*views).record("library.wait").record("library.calls", Kind.COUNTER).record("other.wait")
    streams = {metric.name: metric for metric in bench.streams()}
    assert (bounds(streams["library.wait"]), keys(streams["library.wait"])) == ((1.0,), {semconv.VENUE})
    assert keys(streams["library.calls"]) == {semconv.VENUE}
    assert (bounds(streams["other.wait"]), keys(streams["other.wait"])) == ((1.0,), set(LABELS))


def test_an_exact_view_outside_the_catalog_meets_a_wildcard() -> None:
    views = (
        {"instrument": "library.wait", "rename": "mine.wait"},
        {"instrument": "library.*", "buckets": (1.0,)},
    )
    metric = Bench(*views).record("library.wait").stream()
    assert (metric.name, bounds(metric)) == ("mine.wait", (1.0,))


def test_a_view_for_one_meter_leaves_the_instruments_of_others_as_they_were() -> None:
    view = {"instrument": CANDLE, "meter": "mine", "buckets": (1.0,)}
    assert bounds(Bench(view).record(CANDLE, meter="mine").stream()) == (1.0,)
    assert bounds(Bench(view).record(CANDLE, meter="ticktrace").stream()) == BUCKETS["hot path"]


def test_a_view_for_a_unit_or_a_kind_is_for_no_other() -> None:
    views = (
        {"instrument": "trading.*", "unit": "s", "buckets": (1.0,)},
        {"instrument": "trading.*", "kind": "counter", "drop": True},
    )
    bench = Bench(*views).record(CANDLES, Kind.COUNTER).record(DELAY)
    bench.record("trading.slippage.bps", CATALOG["trading.slippage.bps"].recorded_as)
    streams = {metric.name: bounds(metric) for metric in bench.streams()}
    assert streams == {"trading.slippage.bps": BUCKETS["slippage bps"], DELAY: (1.0,)}


def test_rows_of_an_application_are_shaped_like_ours() -> None:
    mine = InstrumentSpec(
        "acme.hedge.wait", Kind.HISTOGRAM, "s", "Wait.", "acme", (semconv.VENUE,), (1.0, 2.0)
    )
    catalog = make_catalog([*CATALOG.values(), mine])
    metric = Bench(slo={mine.name: (1.5,)}, catalog=catalog).record(mine.name).stream()
    assert (bounds(metric), keys(metric)) == ((1.0, 1.5, 2.0), {semconv.VENUE})


PATTERNS = [
    "*",
    "*.duration",
    "trading.*",
    "trading.candle.*",
    "t*n",
    "library.*",
    "?????ng.*",
    CANDLE,
    CANDLES,
    "library.wait",
]
change = st.sampled_from(
    [
        {"drop": True},
        {"buckets": (1.0, 2.0)},
        {"exponential": True},
        {"keep_attributes": (semconv.VENUE,)},
        {"description": "Mine.", "buckets": (3.0,)},
    ]
)
selector = st.sampled_from(
    [{}, {}, {"meter": "mine"}, {"meter": "ticktrace"}, {"kind": "histogram"}, {"unit": "s"}]
)
view = st.builds(
    lambda pattern, what, only: (
        {"instrument": pattern}
        | what
        | (only if "kind" not in only or "buckets" in what or "exponential" in what else {})
    ),
    st.sampled_from(PATTERNS),
    change,
    selector,
)


@hypothesis_settings(deadline=None)  # the machine may be busy
@given(views=st.lists(view, max_size=4), meter=st.sampled_from(["ticktrace", "mine"]))
def test_no_instrument_ever_has_two_streams(views: list[dict[str, Any]], meter: str) -> None:
    bench = Bench(*views)
    for name in (CANDLE, DELAY, REQUEST, "library.wait", "library.duration"):
        bench.record(name, meter=meter)
    for name in (CANDLES, "library.calls"):
        bench.record(name, Kind.COUNTER, meter=meter)
    names = Tally(metric.name for metric in bench.streams())
    assert set(names.values()) <= {1}


@pytest.mark.parametrize("row", CATALOG.values(), ids=CATALOG)
def test_every_row_is_exported_as_one_stream_with_its_buckets(row: InstrumentSpec) -> None:
    metric = Bench().record(row.name, row.recorded_as).stream()
    assert metric.name == row.name
    if row.buckets is not None:
        assert bounds(metric) == row.buckets


def test_settings_that_name_real_instruments_have_no_problem() -> None:
    metrics = settings(
        {"instrument": "trading.*", "keep_attributes": (semconv.VENUE, "mine")},
        {"instrument": "library.anything", "drop": True},
        {"instrument": "trading.candle.delays", "meter": "mine", "drop": True},
        {"instrument": CANDLE, "rename": DELAY},
        {"instrument": DELAY, "drop": True},
    )
    assert check_instruments(SloSettings(thresholds={CANDLE: (0.05,)}), metrics) == []


def test_wrong_names_are_found_all_at_once_with_what_was_meant() -> None:
    metrics = settings(
        {"instrument": "trading.candel.delay", "drop": True},
        {"instrument": "trading.candel.*", "drop": True},
        {"instrument": CANDLES, "buckets": (1.0,)},
        {"instrument": DELAY, "kind": "counter", "drop": True},
        {"instrument": DELAY, "unit": "ms", "drop": True},
        {"instrument": "trading.*", "keep_attributes": ("trading.simbol", semconv.ORDER_ID)},
        {"instrument": "trading.decision.duration", "rename": DELAY},
        {"instrument": "trading.order.fill.duration", "exponential": True},
        {"instrument": "trading.buffer.*", "drop": True},
    )
    slo = SloSettings(
        thresholds={
            "trading.candel.delay": (1.0,),
            "nonsense": (1.0,),
            CANDLES: (1.0,),
            "trading.order.fill.duration": (0.1,),
            "trading.buffer.update.duration": (0.1,),
        }
    )
    assert check_instruments(slo, metrics) == snapshot(
        [
            'slo.thresholds["trading.candel.delay"]: unknown instrument; did you mean "trading.candle.delay"?',
            'slo.thresholds["nonsense"]: unknown instrument; see docs/reference/instruments.md',
            'slo.thresholds["trading.candles.processed"]: is a counter; thresholds are for histograms',
            'metrics.views[0]: instrument "trading.candel.delay": unknown; did you mean "trading.candle.delay"? Give `meter` if it is your own.',
            'metrics.views[1]: instrument "trading.candel.*": matches nothing in the catalog; give `meter` if it is your own',
            'metrics.views[2]: instrument "trading.candles.processed": is a counter; buckets are for histograms',
            'metrics.views[3]: instrument "trading.candle.delay": is a histogram, so a view with kind counter never applies',
            'metrics.views[4]: instrument "trading.candle.delay": has the unit "s", so a view with unit "ms" never applies',
            'metrics.views[5]: keep_attributes: unknown attribute "trading.simbol"; did you mean "trading.symbol"?',
            'metrics.views[5]: keep_attributes: "trading.order.id" has no bound and stands on spans only',
            'slo.thresholds["trading.buffer.update.duration"]: one of metrics.views drops it',
            'slo.thresholds["trading.order.fill.duration"]: one of metrics.views makes it exponential, without a boundary there',
            'metrics.views: trading.candle.delay, trading.decision.duration would all be exported as "trading.candle.delay"',
        ]
    )


def test_wildcards_that_overlap_in_too_many_ways_are_refused() -> None:
    metrics = settings(*({"instrument": f"*{letter}*", "description": letter} for letter in "abcdefghij"))
    [problem] = check_instruments(SloSettings(), metrics)
    assert problem.startswith('metrics.views: more than 512 ways in which "*a*", "*b*"')
    with pytest.raises(SettingsError, match="more than 512 ways"):
        build_views(metrics, SloSettings())


def test_many_wildcards_that_cannot_meet_are_fine() -> None:
    metrics = settings(*({"instrument": f"library{letter}.*", "drop": True} for letter in "abcdefghijklmnop"))
    assert check_instruments(SloSettings(), metrics) == []
