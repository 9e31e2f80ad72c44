"""What the API answers, against what was recorded, on either engine."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, FastAPI

from support.waiting import until
from ticktrace import measure, semconv
from ticktrace.scrubbing.keys import SecretKeys
from ticktrace.web import instrument_every_fastapi, uninstrument_fastapi
from ticktrace.web.api import API_VERSION, _models
from ticktrace.web.api._numbers import attributes_of
from unit.web.api.served import client_of
from unit.web.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

    Start = Callable[..., Telemetry]

API = "/api/metrics"
CANDLES = "trading.candle.processing.duration"
EXPORTERS = {"metrics": ["prometheus"]}


@pytest.fixture
def bot(start: Start) -> Telemetry:
    """A bot that has traded a little."""
    telemetry = start(
        exporters=EXPORTERS,
        prometheus={"serve": "never"},
        api={"loopback": "admin"},
        slo={"objectives": {"candles": {"instrument": CANDLES, "threshold": "50ms", "target": 0.9}}},
    )
    market = telemetry.trading.market(symbol="BTC/USDT", venue="kraken", timeframe="1m")
    with market.candle(close_time=time.time()) as candle:
        with candle.signal("momentum") as signal:
            signal.check("trend", 2.0, 1.0)
            signal.emit("long", confidence=0.8, price=100.0)
            with signal.order(side="buy", quantity=1.0, expected_price=100.0, client_id="client-77") as order:
                order.submitting()
                order.acknowledged("order-4711")
                order.filled(price=100.1, quantity=1.0)
        with candle.signal("momentum") as signal:
            signal.reject("cooldown")
    telemetry.diagnostics.record("risk", "check", reason="too_late")
    telemetry.diagnostics.increment_reason("too_late", 3)
    return telemetry


def get(telemetry: Telemetry, path: str, status: int = 200) -> Any:
    response = client_of(telemetry).get(API + path)
    assert response.status_code == status, response.text
    return response.json()


def test_the_summary_counts_what_was_done(bot: Telemetry) -> None:
    bot.gauge("trading.engine.positions.open", venue="kraken").set(1)
    bot.gauge("trading.engine.positions.open", venue="binance").set(2)
    found = get(bot, "/summary")
    assert found["service"] == "test-bot"
    trading, engine = found["trading"], found["engine"]
    assert (trading["signals_generated"], trading["signals_rejected"]) == (1, 1)
    assert (trading["orders_submitted"], trading["order_fills"], trading["trades_executed"]) == (1, 1, 1)
    assert engine["positions_open"] == 3
    assert engine["heartbeat_age"] is None
    assert engine["candle_processing_duration"]["count"] == 1
    assert found["scanner"]["scan_duration"]["mean"] is None


def test_the_engines_state_and_heartbeat_are_told(bot: Telemetry) -> None:
    bot.gauge("trading.engine.heartbeat.timestamp").set(time.time() - 5)
    bot.gauge("trading.engine.state", state="running").set(1)
    bot.gauge("trading.engine.state", state="idle").set(0)
    found = get(bot, "/summary")["engine"]
    assert found["state"] == "running"
    assert 5 <= found["heartbeat_age"] < 60


def test_the_last_values_of_a_histogram(bot: Telemetry) -> None:
    bot.statistics.clear()
    durations = bot.histogram(CANDLES, symbol="ETH/USDT")
    for value in range(1, 101):
        durations.record(value / 1_000)
    found = get(bot, f"/metric/{CANDLES}?last_n=10")
    assert [point["value"] for point in found["points"]] == [value / 1_000 for value in range(91, 101)]
    assert [point["time"] for point in found["points"]] == sorted(point["time"] for point in found["points"])
    statistics = found["statistics"]
    assert (statistics["count"], statistics["min"], statistics["max"]) == (10, 0.091, 0.1)
    assert statistics["latest"] == 0.1
    assert statistics["percentiles"]["50"] == 0.095
    assert found["complete"]
    assert found["unit"] == "s"
    every = get(bot, f"/metric/{CANDLES}?window=600")
    assert every["statistics"]["count"] == len(every["points"]) == 100
    assert {row["attributes"].get("trading.symbol"): row["value"] for row in every["series"]} == {
        "BTC/USDT": 1,
        "ETH/USDT": 100,
    }


@pytest.mark.parametrize(
    "name", ["trading.candles.processed", "trading_candles_processed_total", "TRADING.candles.processed"]
)
def test_a_counter_by_any_of_its_names(bot: Telemetry, name: str) -> None:
    found = get(bot, f"/metric/{name}")
    assert found["name"] == "trading.candles.processed"
    assert [row["value"] for row in found["series"]] == [1]
    assert found["points"] == []


def test_measured_code_by_its_name(bot: Telemetry) -> None:
    with measure("load/book of orders"):
        pass
    assert get(bot, "/metric/load/book of orders")["statistics"]["count"] == 1
    assert "trading.candles" in get(bot, "/metric/trading.candle.processed", 404)["detail"]


@pytest.mark.parametrize(
    "query",
    ["last_n=0", "last_n=1001", "last_n=x", "window=0", "window=nan", "window=inf", "window=-1", "other=1"],
)
def test_a_wrong_parameter_is_named(bot: Telemetry, query: str) -> None:
    name = query.partition("=")[0]
    detail = get(bot, f"/metric/{CANDLES}?{query}", 422)["detail"]
    assert detail.startswith(name if name != "other" else "a parameter")


def test_all_of_them_page_by_page(bot: Telemetry) -> None:
    whole = get(bot, "/all?per_page=200")
    names = [row["name"] for row in whole["items"]]
    assert names == sorted(names)
    assert {CANDLES, "trading.candles.processed", "trading.orders.submitted"} <= set(names)
    assert whole["total"] == len(names)
    paged: list[str] = []
    for page in range(1, get(bot, "/all?per_page=3")["pages"] + 1):
        paged += [row["name"] for row in get(bot, f"/all?per_page=3&page={page}")["items"]]
    ours = [name for name in names if name.startswith("trading.")]  # telemetry's own come and are more
    assert [name for name in paged if name.startswith("trading.")] == ours
    assert get(bot, "/all?page=10000")["items"] == []


def test_the_process_and_how_trading_goes(bot: Telemetry) -> None:
    bot.gauge("trading.win_rate", symbol="BTC/USDT").set(0.6)
    bot.gauge("trading.pnl.realized", symbol="BTC/USDT").set(-12.5)
    bot.gauge("trading.win_rate", symbol="ETH/USDT").set(float("nan"))
    found = get(bot, "/performance")
    assert found["memory_used_mb"] > 10
    assert found["active_threads"] >= 1
    rows = {row["attributes"].get("trading.symbol"): row for row in found["trading"]}
    assert rows["BTC/USDT"]["win_rate"] == 0.6
    assert rows["BTC/USDT"]["pnl_realized"] == -12.5
    system = get(bot, "/system?minutes=1")
    assert system["figures"]["memory_bytes"]["latest"] > 1e7
    assert system["limits"]["cpu_percent"] == 90


def test_objectives_resources_and_decisions(bot: Telemetry) -> None:
    slo = get(bot, "/slo")
    assert (slo["violated"], slo["objectives"][0]["name"], slo["objectives"][0]["total"]) == (0, "candles", 1)
    assert get(bot, "/resources")["trends"]["threads"]["limit"] == 80
    decisions = get(bot, "/diagnostics/summary")
    assert {"reason": "too_late", "count": 4} in decisions["reasons"]
    assert decisions["events"] == 1


def test_clearing_forgets_values_and_leaves_what_is_exported(bot: Telemetry) -> None:
    client = client_of(bot)
    before = client.get(f"{API}/metric/{CANDLES}").json()
    assert before["statistics"]["count"] == 1
    assert client.post(f"{API}/clear").json()["instruments"] >= 1
    after = client.get(f"{API}/metric/{CANDLES}").json()
    assert after["statistics"]["count"] == 0
    assert after["series"] == before["series"]
    assert "trading_candles_processed_total" in client.get(API).text


def test_a_silent_engine_is_critical_and_not_ready(start: Start) -> None:
    limits = {"heartbeat_warning": "30s", "heartbeat_critical": "60s"}
    telemetry = start(exporters=EXPORTERS, prometheus={"serve": "never"}, api={"health": limits})
    heartbeat = telemetry.gauge("trading.engine.heartbeat.timestamp")
    for age, status, code, ready in (
        (1, "healthy", 200, 200),
        (40, "warning", 200, 200),
        (90, "critical", 503, 503),
    ):
        heartbeat.set(time.time() - age)
        found = get(telemetry, "/health", code)
        reasons = [reason["status"] for reason in found["reasons"] if reason["check"] == "heartbeat"]
        assert reasons == ([] if status == "healthy" else [status])
        assert status in {"healthy", found["status"]}
        get(telemetry, "/ready", ready)
        get(telemetry, "/live")


def test_a_limit_that_is_exceeded_is_critical_and_does_not_make_unready(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKTRACE_RESOURCES_LIMITS_MEMORY_BYTES", "1000")
    telemetry = start(exporters=EXPORTERS, prometheus={"serve": "never"}, resources={"interval": "100ms"})
    client = client_of(telemetry)
    client.get(f"{API}/health")
    monitor = telemetry.watch_resources()
    assert until(lambda: any(reason.status == "critical" for reason in monitor.health().reasons))
    response = client.get(f"{API}/health")
    assert (response.status_code, response.json()["status"]) == (503, "critical")
    worst = response.json()["reasons"][0]
    assert (worst["check"], worst["status"], worst["limit"]) == ("memory_bytes", "critical", 1000)
    assert get(telemetry, "/resources")["status"] == "critical"
    get(telemetry, "/ready")


def test_a_bot_that_records_nothing_is_suspicious(start: Start) -> None:
    telemetry = start(exporters={"metrics": ["none"]}, api={"health": {"require_heartbeat": True}})
    telemetry.statistics.clear()
    found = get(telemetry, "/health", 503)
    assert found["reasons"][0]["check"] == "heartbeat"
    assert get(telemetry, "", 404)["detail"] == "no prometheus exporter is configured"


def test_an_engine_in_an_error_state_is_not_ready(bot: Telemetry) -> None:
    bot.gauge("trading.engine.state", state="emergency").set(1)
    assert get(bot, "/ready", 503)["reasons"] == ["the engine is in the state emergency"]


def test_telemetry_that_is_off_says_so(bot: Telemetry) -> None:
    client = client_of(bot)
    bot.shutdown(1.0)
    assert client.get(f"{API}/live").status_code == 200
    assert client.get(f"{API}/ready").json() == {"ready": False, "reasons": ["telemetry is off"]}
    assert client.get(f"{API}/health").json()["status"] == "critical"
    assert client.get(f"{API}/summary").status_code == 200


def test_no_answer_has_a_secret_or_an_id(bot: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = "AKIAIOSFODNN7EXAMPLE"
    bot.diagnostics.increment_reason(f"api_key={planted}")
    bot.counter("trading.errors", component=f"Bearer {planted}").add(1)
    bot.statistics.keep("trading.errors", {"account_id": "DU998877", "trading.order.id": "order-4711"}, 1.0)
    client = client_of(bot)
    paths = ["", "/summary", "/performance", "/system", "/all?per_page=200", "/health", "/slo", "/resources"]
    paths += ["/diagnostics/summary", f"/metric/{CANDLES}", "/metric/trading.errors", "/openapi.json"]
    for path in paths:
        text = client.get(API + path).text
        for secret in (planted, "order-4711", "client-77", "DU998877"):
            assert secret not in text, path


def test_ids_are_no_attributes_of_an_answer() -> None:
    given = {
        semconv.ORDER_ID: "1",
        "orderId": "2",
        "client_order_id": "3",
        semconv.SYMBOL: "BTC/USDT",
        "desk": 4,
    }
    assert attributes_of(given) == {semconv.SYMBOL: "BTC/USDT", "desk": "4"}


def test_no_field_is_named_as_a_secret_is() -> None:
    """Else scrubbing would take its value away."""
    secret = SecretKeys()
    for name in _models.__all__:
        for field in getattr(_models, name).model_fields:
            assert not secret(field), field


def test_every_answer_is_as_the_openapi_has_it(bot: Telemetry) -> None:
    validator_for = pytest.importorskip("jsonschema_rs").validator_for  # comes with schemathesis
    client = client_of(bot)
    document = client.get(f"{API}/openapi.json").json()
    assert document["info"]["version"] == API_VERSION
    assert set(document["components"]["securitySchemes"]) == {"bearer", "api_key"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answer = client.request(method, path.replace("{name}", CANDLES))
            content = operation["responses"][str(answer.status_code)]["content"]
            if "application/json" in content:
                schema = {**content["application/json"]["schema"], "components": document["components"]}
                assert validator_for(schema).is_valid(answer.json()), (path, answer.text)


def test_the_applications_own_openapi_does_not_have_it(bot: Telemetry) -> None:
    app = FastAPI()
    client_of(bot, app=app)
    assert app.openapi()["paths"] == {}
    assert "/api/metrics" not in json.dumps(app.openapi())


@pytest.mark.parametrize("after", [False, True])
def test_routes_of_the_application_below_the_path_stay(
    bot: Telemetry, after: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    router = APIRouter(prefix=API)

    @router.get("/summary")
    async def summary() -> str:
        return "mine"

    if not after:
        app.include_router(router)
    client = client_of(bot, app=app)
    if after:
        app.include_router(router)
    assert client.get(f"{API}/summary").json() == "mine"
    assert client.get(f"{API}/live").status_code == 404
    assert "has routes of its own" in caplog.text


def test_the_metrics_page_may_have_the_same_path(bot: Telemetry) -> None:
    app = FastAPI()
    bot.instrument_fastapi(app, metrics_path=API, shutdown=False)
    away = TestClient(app, client=("10.0.0.5", 1))
    assert away.get(API).status_code == 200
    assert away.get(f"{API}/live").status_code == 403
    here = TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1))
    assert here.get(f"{API}/live").status_code == 200


def test_another_path_or_none(bot: Telemetry) -> None:
    app = FastAPI()
    bot.instrument_fastapi(app, api_path="/ops/telemetry", shutdown=False)
    client = TestClient(app, base_url="http://localhost", client=("::1", 1))
    assert client.get("/ops/telemetry/live").status_code == 200
    assert "/ops/telemetry/summary" in client.get("/ops/telemetry/openapi.json").json()["paths"]
    assert client.get(f"{API}/live").status_code == 404
    app = FastAPI()
    client = client_of(bot, app=app)
    uninstrument_fastapi(app)
    assert client.get(f"{API}/live").status_code == 404


def test_it_is_not_itself_an_application_to_instrument(bot: Telemetry) -> None:
    made: list[FastAPI] = []

    def created(app: FastAPI) -> None:
        made.append(app)
        bot.instrument_fastapi(app, shutdown=False)

    undo = instrument_every_fastapi(created)
    try:
        app = FastAPI()
    finally:
        undo()
    assert made == [app]
    client = TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1))
    assert client.get(f"{API}/live").status_code == 200


def test_a_setting_turns_it_off(start: Start) -> None:
    telemetry = start(exporters=EXPORTERS, prometheus={"serve": "never"}, api={"enabled": False})
    assert client_of(telemetry).get(f"{API}/live").status_code == 404


def test_asking_makes_no_spans_and_no_http_metrics(start: Start) -> None:
    telemetry = start()
    client = client_of(telemetry)
    for path in ("", "/summary", "/metric/x"):
        client.get(API + path)
    telemetry.flush()
    assert not telemetry.memory.spans
    assert not telemetry.totals().get("http.server.request.duration")
