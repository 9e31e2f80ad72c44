"""Planted secrets reach no output: everything that leaves the process is read again and searched for them."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import Link, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import SpanContext

from support.otlp_server import otlp_server
from ticktrace.scrubbing import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.metrics import CallbackOptions

    from support.otlp_server import OtlpServer
    from ticktrace import Telemetry

KNOWN = "Zk9mQ2vT7pL4xW8r"  # in the environment, as BINANCE_API_KEY
KEY = "q8Jw3nVb6Yt1"  # known by its names only
BEARER = "mF9B5f41JqM"
ACCOUNT = "U7654321"
PASSWORD = "hunter22"  # noqa: S105  planted
SECRETS = (KNOWN, KEY, BEARER, ACCOUNT, PASSWORD)

URL = f"https://me:{PASSWORD}@api.example.com/v3/order?symbol=BTCUSDT&apiKey={KEY}&signature={KEY}"
TEXTS = (
    f"the venue said: {KNOWN}",
    f'{{"api_key": "{KEY}", "price": 42}}',
    f"Authorization: Bearer {BEARER}",
    f"no permission for account {ACCOUNT}",
    URL,
)
EVERYTHING = " | ".join(TEXTS)


class VenueError(Exception):
    pass


def connect() -> None:
    raise ConnectionError(f"cannot reach {URL}")


def raise_chained() -> None:
    try:
        try:
            connect()
        except ConnectionError as error:
            raise PermissionError(f"Bearer {BEARER} was refused") from error
    except PermissionError as error:
        raise VenueError(f"account {ACCOUNT}: {KNOWN}, api_secret='{KEY}'") from error


def trade(telemetry: Telemetry) -> None:
    trading = telemetry.trading
    btc = trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with pytest.raises(VenueError), btc.candle(close_time=1_700_000_040):
        raise_chained()
    for number, text in enumerate(TEXTS):
        with btc.candle(close_time=1_700_000_100 + 60 * number) as candle:
            with candle.signal(text) as signal:  # as a strategy's name, which is a label, too
                signal.check(text, value=1, threshold=2)
                signal.emit("long", confidence=0.8, price=1)
            signal.reject("risk_denied", text)
            trading.risk.check(text, passed=False, value=2, limit=1)
            with signal.order(side="buy", quantity=1, expected_price=1, client_id=f"c{number}") as order:
                order.submitting()
                order.rejected("other", text)
            decide(telemetry, text)
        decide(telemetry, text)
    provider = trading.provider("binance", server="api.example.com")
    with pytest.raises(VenueError):
        provider.call("fetch_balance", raise_chained)
    for text in TEXTS:
        telemetry.error(text, component="feed", api_key=KEY, note=text)
        telemetry.counter("trading.errors", **{"trading.component": text, "error.type": text}).add(1)
    try:
        raise_chained()
    except VenueError as error:
        telemetry.error(error, component="execution", severity="critical")


def decide(telemetry: Telemetry, text: str) -> None:
    diagnostics = telemetry.diagnostics
    payload = {
        "api_key": KEY,
        "nested": [{"account_id": ACCOUNT}],
        "said": text,
        text: 1,
        "raw": text.encode(),
    }
    diagnostics.record("router", "routing", text, payload, text, passed=False, strategy=text, name=text)
    diagnostics.record_filter(text, text, text, 1, 2, extra=payload)
    diagnostics.record_filter("filter", "BTC/USDT", "api_key", KEY, 2)  # type: ignore[arg-type]  # a mistake
    diagnostics.record_signal_condition(text, text, text, 1, 2, extra={"error": VenueError(text)})
    with telemetry.trading.scanner(text).scan() as scan:
        scan.check(text, value=1, threshold=2, symbol=text)
        scan.filtered(text)
        scan.candidates([text])


def use_the_apis(telemetry: Telemetry) -> None:
    tracer = telemetry.tracer_provider.get_tracer("acme")
    elsewhere = SpanContext(5, 7, is_remote=True, trace_flags=TraceFlags(1))
    link = Link(elsewhere, {"url": URL, "api_key": KEY})
    with tracer.start_as_current_span(f"GET {URL}", links=[link]) as span:
        span.set_attribute("account_id", ACCOUNT)
        span.set_attribute("http.request.header.authorization", [f"Bearer {BEARER}"])
        span.set_attribute("argv", ["--api-key", KEY, "--fast"])
        for number, text in enumerate(TEXTS):
            span.set_attribute(f"text.{number}", text)
            span.add_event(f"said {text}", {"text": text, "token": KEY})
        try:
            raise_chained()
        except VenueError as error:
            span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, EVERYTHING))
    meter = telemetry.meter_provider.get_meter("acme")

    def observe(_: CallbackOptions) -> list[Any]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415

        return [Observation(number, {"said": text, "account": ACCOUNT}) for number, text in enumerate(TEXTS)]

    meter.create_observable_gauge("acme.observed", [observe])
    counter, histogram = meter.create_counter("acme.calls"), meter.create_histogram("acme.times")
    for text in TEXTS:
        counter.add(1, {"said": text, "account_id": ACCOUNT})
        histogram.record(0.1, {"said": text})
    counter.add(2, {"said": f"Bearer {BEARER}1", "account_id": ACCOUNT})
    counter.add(3, {"said": f"Bearer {BEARER}2", "account_id": ACCOUNT})


def log_everywhere() -> None:
    bot = logging.getLogger("bot")
    for text in TEXTS:
        bot.warning(text)
        bot.warning(
            "it said %s to %r", text, {"api_key": KEY, "account_id": ACCOUNT}, extra={"token": KEY, "n": text}
        )
    try:
        raise_chained()
    except VenueError:
        bot.exception("failed with Bearer %s", BEARER)
    own = logging.getLogger("ticktrace")
    own.warning("ticktrace: exporter failed at %s: %s", URL, EVERYTHING)
    try:
        raise_chained()
    except VenueError as error:
        own.error("ticktrace: contained", exc_info=error)
    metrics = logging.getLogger("ticktrace.metrics")
    for text in TEXTS:
        metrics.debug("%s=%s %s", "engine_cycle", 1, text)


def plant(telemetry: Telemetry) -> None:
    trade(telemetry)
    use_the_apis(telemetry)
    log_everywhere()
    thread = threading.Thread(target=trade, args=(telemetry,))
    thread.start()
    thread.join()

    async def task() -> None:
        await asyncio.gather(asyncio.to_thread(log_everywhere), asyncio.sleep(0))
        use_the_apis(telemetry)

    asyncio.run(task())


SETTINGS: dict[str, Any] = {
    "logs": {
        "capture": True,
        "level": "DEBUG",
        "app_file": "logs/app.log",
        "metrics_file": "logs/metrics.log",
        "queue": {"max_queue_size": 8192},
    },
    "resource": {"attributes": {"acme.note": f"token={KEY}", "account_id": ACCOUNT}},
    "traces": {"queue": {"max_queue_size": 8192}},
    "json_file": {"directory": "telemetry"},
    "exporters": {
        signal: ["memory", "otlp", "otlp_json_file", "console", *more]
        for signal, more in {"traces": [], "metrics": ["prometheus"], "logs": []}.items()
    },
    "prometheus": {"serve": "never"},
}


def outputs(
    telemetry: Telemetry, server: OtlpServer, console: str, own: str, directory: Path
) -> dict[str, str]:
    """Everything that left the process, as text. The telemetry has been shut down."""
    memory = telemetry.memory
    found = {
        "memory spans": "".join(span.to_json() for span in memory.spans),
        "memory logs": "".join(record.to_json() for record in memory.logs),
        "memory metrics": memory.metrics.to_json() if memory.metrics else "",
        "console": console,
        "ticktrace's own log": own,
    }
    for signal in ("traces", "metrics", "logs"):
        found[f"otlp {signal}"] = "".join(
            str(each.message) for each in server.requests if each.signal == signal
        )
    for path in (*(directory / "telemetry").iterdir(), *(directory / "logs").glob("*.log")):
        found[path.name] = path.read_text()
    (journal,) = (directory / "logs" / "diag").iterdir()
    found["journal"] = journal.name + journal.read_text()
    return found


@pytest.fixture
def quiet_root() -> Any:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(before)


def run(
    start: Callable[..., Telemetry],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    directory: Path,
    **settings: Any,
) -> dict[str, str]:
    with otlp_server("http") as server:
        telemetry = start(
            **{**SETTINGS, **settings}, otlp={"endpoint": server.endpoint, "protocol": "http/protobuf"}
        )
        plant(telemetry)
        page = telemetry.exposition()
        exposed = "" if page is None else page.body.decode()
        page = telemetry.exposition("application/openmetrics-text; version=1.0.0")
        exposed += "" if page is None else page.body.decode()
        assert telemetry.shutdown(10)
        format_record = logging.Formatter("%(name)s %(message)s").format
        own = "\n".join(
            format_record(record) for record in caplog.records if record.name.split(".")[0] == "ticktrace"
        )
        found = outputs(telemetry, server, capsys.readouterr().out, own, directory)
    return {**found, "prometheus": exposed}


@pytest.mark.usefixtures("quiet_root")
def test_planted_secrets_reach_no_output(
    start: Callable[..., Telemetry],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("BINANCE_API_KEY", KNOWN)
    found = run(start, capsys, caplog, tmp_path)
    assert len(found) == 15, sorted(found)
    leaks = {
        f"{secret} in {name}: …{text[max(0, at - 200) : at + 60]}…"
        for name, text in found.items()
        for secret in SECRETS
        if (at := text.find(secret)) >= 0
    }
    assert not leaks
    assert [name for name, text in found.items() if REDACTED not in text] == []
    # What is no secret came through, so the outputs are what they are taken for.
    assert "no permission for account" in found["memory spans"]
    assert "symbol=BTCUSDT" in found["app.log"]
    assert "no permission for account" in found["journal"]
    assert "engine_cycle=1" in found["metrics.log"]
    assert "acme_calls_total" in found["prometheus"]


@pytest.mark.usefixtures("quiet_root")
def test_without_scrubbing_they_do(
    start: Callable[..., Telemetry],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """So the other test looks into the right places."""
    found = run(start, capsys, caplog, tmp_path, diagnostics={"scrub": {"enabled": False}})
    missing = {(name, secret) for name, text in found.items() for secret in SECRETS if secret not in text}
    assert not missing
    assert not [name for name, text in found.items() if REDACTED in text]
