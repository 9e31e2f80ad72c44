"""Instruments of the application's own: declared in code, in settings or later; bounded; on either engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import custom_instrument as example
from support.captured import Captured
from ticktrace import semconv, setup_telemetry
from ticktrace.catalog import InstrumentSpec, Kind
from ticktrace.engine import internal_errors
from ticktrace.errors import AlreadyConfiguredError, CatalogError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ticktrace import Telemetry

OVERFLOW = "ticktrace.series.overflow"
HEDGE = InstrumentSpec(
    "acme.hedge.ratio", Kind.GAUGE, "1", "Hedged.", attributes=("trading.symbol", "acme.desk"), max_series=5
)
QUOTES = InstrumentSpec(
    "acme.quote.duration", Kind.HISTOGRAM, "s", "Quoting.", attributes=("acme.desk",), buckets=(0.1, 0.5)
)
ROLLED = InstrumentSpec("acme.rolled", Kind.COUNTER, "{contract}", "Rolled.", attributes=("acme.desk",))
QUEUE = InstrumentSpec("acme.queue", Kind.UP_DOWN_COUNTER, "{item}", "Waiting.")
EDGE = InstrumentSpec("acme.edge", Kind.HISTOGRAM, "{bps}", "Edge.", buckets=(-1.0, 0.0, 1.0))
ROWS = (HEDGE, QUOTES, ROLLED, QUEUE, EDGE)

FILE = """\
metrics:
  instruments:
    acme.hedge.ratio: {kind: gauge, description: Hedged., attributes: [trading.symbol, acme.desk], max_series: 5}
    acme.quote.duration: {kind: histogram, unit: s, description: Quoting., attributes: [acme.desk], buckets: [0.1, 0.5]}
    acme.rolled: {kind: counter, unit: "{contract}", description: Rolled., attributes: [acme.desk]}
    acme.queue: {kind: up_down_counter, unit: "{item}", description: Waiting.}
    acme.edge: {kind: histogram, unit: "{bps}", description: Edge., buckets: [-1, 0, 1]}
"""


def labels_of(captured: Captured, name: str) -> list[dict[str, Any]]:
    return [dict(point.attributes) for point in captured.points(name)]


def record_all(telemetry: Telemetry) -> None:
    telemetry.gauge("acme.hedge.ratio", symbol="BTC/USDT", desk="fx").set(0.9)
    telemetry.histogram("acme.quote.duration", desk="fx").record(0.3)
    telemetry.counter("acme.rolled", desk="fx").add(2)
    telemetry.counter("acme.rolled", desk="fx").add(1)
    telemetry.up_down_counter("acme.queue").add(-1)
    telemetry.histogram("acme.edge").record(-0.5)


def check_all(captured: Captured) -> None:
    assert captured.value("acme.hedge.ratio", trading__symbol="BTC/USDT", acme__desk="fx") == 0.9
    (quote,) = captured.points("acme.quote.duration")
    assert (tuple(quote.explicit_bounds), tuple(quote.bucket_counts)) == ((0.1, 0.5), (0, 1, 0))
    assert captured.value("acme.rolled", acme__desk="fx") == 3
    assert captured.value("acme.queue") == -1
    (edge,) = captured.points("acme.edge")
    assert (tuple(edge.explicit_bounds), tuple(edge.bucket_counts)) == ((-1, 0, 1), (0, 1, 0, 0))


def test_rows_in_code_are_recorded_by_name(start: Callable[..., Telemetry]) -> None:
    telemetry = start(instruments=ROWS)
    record_all(telemetry)
    check_all(Captured(telemetry))


def test_rows_in_the_settings_file_are_the_same(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    (tmp_path / "ticktrace.yaml").write_text(FILE, encoding="utf-8")
    telemetry = start()
    record_all(telemetry)
    check_all(Captured(telemetry))
    for row in ROWS:
        found = telemetry.catalog[row.name]
        assert (found.kind, found.unit, found.attributes, found.buckets, found.max_series) == (
            row.kind,
            row.unit,
            row.attributes,
            row.buckets,
            row.max_series,
        )


def test_rows_of_code_and_file_join(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    (tmp_path / "ticktrace.yaml").write_text(FILE, encoding="utf-8")
    wider = InstrumentSpec("acme.quote.duration", "histogram", "s", "Quoting.", buckets=(1.0, 2.0))  # type: ignore[arg-type]
    telemetry = start(instruments=[wider, InstrumentSpec("acme.more", Kind.GAUGE, "1", "More.")])
    telemetry.gauge("acme.more").set(1)
    assert {"acme.more", "acme.edge"} <= telemetry.catalog.keys()
    assert telemetry.catalog["acme.quote.duration"].buckets == (1.0, 2.0)  # arguments win over the file


def test_a_declared_row_is_recorded_as_well(start: Callable[..., Telemetry]) -> None:
    telemetry = start()
    telemetry.declare(HEDGE, QUOTES, ROLLED, QUEUE)
    telemetry.declare(HEDGE)  # the same again changes nothing
    telemetry.histogram("acme.quote.duration", desk="fx", nothing="x").record(0.3)
    telemetry.gauge("acme.hedge.ratio", symbol="BTC/USDT").set(0.9)
    captured = Captured(telemetry)
    (quote,) = captured.points("acme.quote.duration")
    assert (tuple(quote.explicit_bounds), tuple(quote.bucket_counts)) == ((0.1, 0.5), (0, 1, 0))
    assert labels_of(captured, "acme.quote.duration") == [{"acme.desk": "fx"}]
    assert captured.value("acme.hedge.ratio") == 0.9


def test_of_rows_that_are_declared_late_all_are_right_or_none_is_added(
    start: Callable[..., Telemetry],
) -> None:
    telemetry = start()
    with pytest.raises(CatalogError) as caught:
        telemetry.declare(
            HEDGE,
            EDGE,
            InstrumentSpec("trading.mine", Kind.GAUGE, "1", "Mine."),
            InstrumentSpec("acme.twin", Kind.GAUGE, "1", "One."),
            InstrumentSpec("acme.twin", Kind.GAUGE, "1", "Another."),
        )
    assert str(caught.value).splitlines() == [
        "instrument 'acme.edge': values below 0 need a view, which there is only for rows declared at set-up",
        (
            "instrument 'trading.mine': names under trading. and ticktrace. are the catalog's;"
            " use a namespace of your own"
        ),
        "instrument 'acme.twin': clashes with the catalog: acme.twin is 'acme.twin' already",
    ]
    assert "acme.hedge.ratio" not in telemetry.catalog


def test_wrong_rows_stop_the_program_at_the_start_all_at_once(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ticktrace.yaml").write_text(
        "metrics:\n  instruments:\n"
        "    acme.h: {kind: histogram, description: x}\n"
        "    acme.b: {kind: histogram, description: x, buckets: netwrk}\n",
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as caught:
        setup_telemetry("bot", engine=engine, instruments=[InstrumentSpec("Acme.X", Kind.GAUGE, "sec", "x")])
    problems = caught.value.problems
    assert [problem.partition(": ")[0] for problem in problems] == [
        *("ticktrace.yaml:3", "ticktrace.yaml:4"),
        *("argument", "argument"),
    ]
    assert 'metrics.instruments["acme.h"]: a histogram needs buckets' in problems[0]
    assert "no set is called 'netwrk'; known: hot path, execution, network" in problems[1]
    assert 'metrics.instruments["Acme.X"]: a name is lower case' in problems[2]
    assert "unit 'sec' is not UCUM; did you mean 's'?" in problems[3]


def test_what_is_given_as_instruments_is_checked(engine: str) -> None:
    with pytest.raises(SettingsError) as caught:
        setup_telemetry("bot", engine=engine, instruments=["acme.x", HEDGE, HEDGE])  # type: ignore[list-item]
    assert caught.value.problems == [
        "argument instruments[0]: must be an InstrumentSpec, not 'acme.x'",
        'argument instruments[2]: "acme.hedge.ratio" is declared twice',
    ]


def test_other_instruments_are_other_settings(start: Callable[..., Telemetry]) -> None:
    telemetry = start(instruments=[HEDGE])
    assert start(instruments=[HEDGE]) is telemetry
    with pytest.raises(AlreadyConfiguredError, match=r"metrics\.instruments\.acme\.hedge\.ratio"):
        start(instruments=[])


@pytest.mark.parametrize("late", [False, True])
def test_beyond_its_limit_an_instrument_has_one_series_for_the_rest(
    start: Callable[..., Telemetry], caplog: pytest.LogCaptureFixture, late: bool
) -> None:
    row = InstrumentSpec("acme.n", Kind.COUNTER, "1", "N.", attributes=("acme.id", "acme.desk"), max_series=5)
    telemetry = start() if late else start(instruments=[row])
    if late:
        telemetry.declare(row)
    kept = telemetry.counter("acme.n", id="99", desk="fx")
    for number in range(20):
        telemetry.counter("acme.n", id=number, desk="fx").add(1)
    kept.add(1)
    beyond = telemetry.counter("acme.n", id="beyond", desk="fx")
    beyond.add(2)
    captured = Captured(telemetry)
    series = {point.attributes["acme.id"]: point.value for point in captured.points("acme.n")}
    assert series == {"99": 1, "0": 1, "1": 1, "2": 1, "other": 19}
    assert {point.attributes["acme.desk"] for point in captured.points("acme.n")} == {"fx", "other"}
    assert captured.value(OVERFLOW, ticktrace__instrument__name="acme.n") == 18
    assert "acme.n has more attribute sets than its limit" in caplog.text


def test_without_a_limit_of_its_own_the_general_one_holds(start: Callable[..., Telemetry]) -> None:
    row = InstrumentSpec("acme.n", Kind.COUNTER, "1", "N.", attributes=("acme.id", "acme.desk"))
    telemetry = start(instruments=[row], metrics={"series_limit": 10})
    for number in range(30):
        telemetry.counter("acme.n", id=number).add(1)
    captured = Captured(telemetry)
    assert len(captured.points("acme.n")) == 10
    assert captured.value("acme.n") == 30


def test_each_label_has_a_limit_of_words_and_symbols_have_theirs(start: Callable[..., Telemetry]) -> None:
    telemetry = start(
        instruments=[
            InstrumentSpec("acme.n", Kind.COUNTER, "1", "N.", attributes=("acme.id",)),
            InstrumentSpec("acme.s", Kind.COUNTER, "1", "S.", attributes=("trading.symbol",)),
        ],
        trading={"symbols": ["BTC/USDT"]},
    )
    for number in range(300):
        telemetry.counter("acme.n", id=number).add(1)
        telemetry.counter("acme.s", symbol=f"S{number}").add(1)
    telemetry.counter("acme.s", symbol="BTC/USDT").add(1)
    captured = Captured(telemetry)
    assert len(captured.points("acme.n")) == 201
    assert labels_of(captured, "acme.s") == [{"trading.symbol": "other"}, {"trading.symbol": "BTC/USDT"}]


def test_the_mode_is_filled_in_where_the_row_has_it(start: Callable[..., Telemetry]) -> None:
    row = InstrumentSpec("acme.n", Kind.COUNTER, "1", "N.", attributes=("trading.engine.mode",))
    telemetry = start(instruments=[row], mode="paper")
    telemetry.counter("acme.n").add(1)
    assert labels_of(Captured(telemetry), "acme.n") == [{"trading.engine.mode": "paper"}]


def test_the_catalogs_own_instruments_are_found_by_any_of_their_names(telemetry: Telemetry) -> None:
    telemetry.counter("signals_generated_total", strategy="m", signal_type="long").add(1)
    telemetry.counter("trading.signals.generated", strategy="m", signal_type="long").add(1)
    captured = Captured(telemetry)
    assert captured.value("trading.signals.generated", trading__strategy__name="m") == 2


def test_labels_are_spelled_by_key_label_or_word(start: Callable[..., Telemetry]) -> None:
    telemetry = start(instruments=[HEDGE])
    for labels in (
        {"trading.symbol": "BTC", "acme.desk": "fx"},
        {"trading_symbol": "BTC", "acme_desk": "fx"},
        {"symbol": "BTC", "desk": "fx"},
        {"desk": "fx", "symbol": "BTC"},
    ):
        telemetry.gauge("acme.hedge.ratio", **labels).set(1)
    assert len(Captured(telemetry).points("acme.hedge.ratio")) == 1


def test_what_there_is_not_records_nothing_and_that_is_said(
    start: Callable[..., Telemetry], caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = start(instruments=[HEDGE])
    telemetry.gauge("acme.hedge.ration").set(1)
    telemetry.counter("acme.hedge.ratio").add(1)
    telemetry.gauge("acme.hedge.ratio", dsk="fx").set(1)
    assert "no instrument is called 'acme.hedge.ration', so it is not recorded; near: acme.hedge.ratio" in (
        caplog.text
    )
    assert "acme.hedge.ratio is a gauge, not a counter, so it is not recorded" in caplog.text
    assert "has no attribute 'dsk', which is left out; it has trading.symbol, acme.desk" in caplog.text
    assert labels_of(Captured(telemetry), "acme.hedge.ratio") == [{}]


@pytest.mark.parametrize(
    "wrong", [None, 7, [], {}, object(), float("nan")], ids=lambda wrong: type(wrong).__name__
)
def test_no_wrong_value_reaches_the_bot(start: Callable[..., Telemetry], wrong: Any) -> None:
    telemetry = start(instruments=[HEDGE])
    before = internal_errors()
    for record in (telemetry.counter, telemetry.gauge, telemetry.histogram, telemetry.up_down_counter):
        record(wrong)
    telemetry.gauge("acme.hedge.ratio", symbol=wrong, desk=wrong).set(1)
    assert internal_errors() == before
    assert len(Captured(telemetry).points("acme.hedge.ratio")) == 1


def test_views_and_thresholds_of_the_settings_are_for_own_rows_too(start: Callable[..., Telemetry]) -> None:
    telemetry = start(
        instruments=ROWS,
        slo={"thresholds": {"acme.quote.duration": "250ms"}},
        metrics={"views": [{"instrument": "acme.rolled", "keep_attributes": []}]},
    )
    record_all(telemetry)
    captured = Captured(telemetry)
    assert tuple(captured.points("acme.quote.duration")[0].explicit_bounds) == (0.1, 0.25, 0.5)
    assert labels_of(captured, "acme.rolled") == [{}]


def test_handles_outlive_telemetry_and_follow_the_next(start: Callable[..., Telemetry]) -> None:
    first = start(instruments=[ROLLED])
    handle = first.counter("acme.rolled", desk="fx")
    first.shutdown()
    handle.add(1)
    first.counter("acme.rolled", desk="fx").add(1)
    off = start(enabled=False, instruments=[ROLLED])
    off.counter("acme.rolled").add(1)
    off.counter("acme.nothing").add(1)
    off.shutdown()
    second = start(instruments=[ROLLED])
    second.counter("acme.rolled", desk="fx").add(1)
    assert Captured(second).value("acme.rolled") == 1


def test_threads_that_ask_at_once_get_one_series_each_label(start: Callable[..., Telemetry]) -> None:
    row = InstrumentSpec("acme.n", Kind.COUNTER, "1", "N.", attributes=("acme.id",), max_series=20)
    telemetry = start(instruments=[row])

    def work() -> None:
        for number in range(40):
            telemetry.counter("acme.n", id=number).add(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    captured = Captured(telemetry)
    assert captured.value("acme.n") == 160
    assert captured.value("acme.n", acme__id=semconv.OTHER) == 4 * 21
    assert len(captured.points("acme.n")) == 20


def test_the_example_records_what_it_declares(start: Callable[..., Telemetry]) -> None:
    telemetry = start(instruments=example.ROWS)
    example.run(telemetry, rounds=3)
    captured = Captured(telemetry)
    assert captured.count("acme.rebalance.duration", acme__desk="futures") == 3
    assert len(captured.points("acme.hedge.ratio")) == 2
    assert captured.points("acme.contracts.rolled")
