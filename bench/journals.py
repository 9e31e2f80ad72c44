"""Journals as a busy bot writes them, of any length."""

from __future__ import annotations

import random
from typing import IO, TYPE_CHECKING, Any

import msgspec

from ticktrace.diagnostics import SCHEMA_VERSION, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["journal", "write_journal"]

_BEGAN = 1_760_000_400
_SYMBOLS = tuple(
    f"{base}/USDT" for base in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LINK", "AVAX", "DOT", "ATOM")
)
_CONDITIONS = (
    ("atr_range", 0.45, ">=", 0.3),
    ("volume", 1.5, ">=", 0.8),
    ("spread", 0.0006, "<=", 0.0005),
    ("trades_per_minute", 12.0, ">=", 9.0),
    ("rsi", 70.0, "<", 55.0),
)
_FILTERS = (("min_volume", 1e6, ">=", 2e6), ("max_gap", 0.02, "<=", 0.01), ("listed_days", 30.0, ">=", 200.0))


def journal(seed: int = 0) -> Iterator[Line]:
    """Lines without end: scans of ten symbols, three strategies with five conditions and one that moves, and what follows."""
    rng = random.Random(seed)
    decision = 0
    candle = _BEGAN
    ts = candle * 10**9
    yield Line(
        ts=ts,
        component="ticktrace",
        stage="session",
        schema=SCHEMA_VERSION,
        payload={"session": "bench", "service": "bench", "pid": 1, "started": "2025-10-09T09:00:00+00:00"},
    )
    while True:
        candle += 60
        ts = candle * 10**9 + rng.randrange(10**8)
        decision += 1
        seen: list[str] = []
        common: dict[str, Any] = {
            "trace_id": f"{rng.getrandbits(128):032x}",
            "span_id": f"{rng.getrandbits(64):016x}",
        }
        for symbol in _SYMBOLS:
            for name, threshold, comparison, typical in _FILTERS:
                line = _check(rng, name, threshold, comparison, typical)
                failed: dict[str, Any] = {} if line["passed"] else {"reason": f"filter:{name}"}
                yield Line(
                    ts=ts,
                    component="scanner",
                    stage="filter",
                    symbol=symbol,
                    decision=decision,
                    **line,
                    **failed,
                    **common,
                )
                if failed:
                    break
            else:
                seen.append(symbol)
        payload = {"symbols": len(_SYMBOLS), "candidates": len(seen), "filtered": {}}
        yield Line(
            ts=ts,
            component="scanner",
            stage="scan",
            name="all",
            decision=decision,
            passed=True,
            candle=candle,
            payload=payload,
        )
        for symbol in seen:
            for strategy in ("momentum", "retest", "range"):
                decision += 1
                where: dict[str, Any] = {
                    "symbol": symbol,
                    "strategy": strategy,
                    "candle": candle,
                    "decision": decision,
                    **common,
                }
                yield from _evaluation(rng, ts, where)
            yield Line(
                ts=ts,
                component="market",
                stage="candle",
                symbol=symbol,
                candle=candle,
                passed=True,
                payload={"venue": "binance", "timeframe": "1m", "ms": 3.25},
                **common,
            )


def _evaluation(rng: random.Random, ts: int, where: dict[str, Any]) -> Iterator[Line]:
    price = rng.uniform(90, 110)
    checks = [_check(rng, *condition) for condition in _CONDITIONS]
    checks.append(_check(rng, "breakout", price, ">", price * 0.999))
    for line in checks:
        if not line["passed"]:
            line["reason"] = f"signal:{where['strategy']}:{line['name']}"
        yield Line(ts=ts, component="strategy", stage="condition", **where, **line)
    emitted = all(line["passed"] for line in checks)
    signal = {"type": "long", "confidence": 0.7, "price": price, "ms": 0.4}
    yield Line(ts=ts, component="strategy", stage="signal", passed=emitted, payload=signal, **where)
    if not emitted:
        return
    exposed = _check(rng, "exposure", 0.3, "<=", 0.2)
    yield Line(
        ts=ts,
        component="risk",
        stage="risk",
        reason=None if exposed["passed"] else "risk:exposure",
        **where,
        **exposed,
    )
    if not exposed["passed"]:
        yield Line(ts=ts, component="risk", stage="risk", passed=False, reason="rejected:exposure", **where)
        return
    order = {
        "side": "buy",
        "type": "limit",
        "quantity": 1.5,
        "expected_price": price,
        "order_id": "A-1",
        "status": "filled",
    }
    yield Line(ts=ts, component="execution", stage="order", passed=True, payload=order, **where)
    fill = {"price": price, "quantity": 1.5, "complete": True, "order_id": "A-1", "side": "buy"}
    yield Line(ts=ts, component="execution", stage="fill", passed=True, payload=fill, **where)


def _check(
    rng: random.Random, name: str, threshold: float, comparison: str, typical: float
) -> dict[str, Any]:
    value = typical * rng.lognormvariate(0, 0.002 if name == "breakout" else 0.6)
    passed = value >= threshold if comparison[0] == ">" else value <= threshold
    near = not passed and abs(value - threshold) <= 0.1 * threshold
    return {
        "name": name,
        "value": value,
        "threshold": threshold,
        "comparison": comparison,
        "passed": passed,
        "near_miss": near,
    }


def write_journal(file: IO[bytes], lines: int, seed: int = 0) -> int:
    """Write so many lines; return the bytes."""
    encode = msgspec.json.Encoder().encode
    written = 0
    for number, line in enumerate(journal(seed)):
        if number == lines:
            break
        written += file.write(encode(line) + b"\n")
    return written
