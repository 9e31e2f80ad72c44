"""The closing summary: what the bot saw, did, and earned, how long it took, and what watching it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from breakout_bot.latency import percentiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from breakout_bot.latency import Latencies
    from breakout_bot.ledger import Ledger
    from breakout_bot.market import Market

__all__ = ["BareRun", "summary"]


@dataclass(frozen=True, slots=True)
class BareRun:
    """The same candles once more with telemetry off: seconds per candle, and the ledger it ended with."""

    candle: list[float]
    ledger: Mapping[str, Any]


def summary(
    market: Market, ledger: Ledger, latencies: Latencies, seconds: float, bare: BareRun | None
) -> str:
    """The report as text; `seconds` is how long the run took, `bare` is None where the cost was not measured."""
    rate = f"{ledger.candles / seconds:,.0f}/s" if seconds else "-"
    rows = [
        ("market", f"{market.symbol} {market.timeframe} on {market.venue}"),
        (
            "candles",
            f"{ledger.candles:,} in {seconds:.1f} s ({rate}) · gaps {ledger.gaps} · bad ticks {ledger.bad_ticks}",
        ),
        ("filtered", _counts(ledger.filtered)),
    ]
    strategies = sorted({strategy for strategy, _ in ledger.signals})
    for number, strategy in enumerate(strategies or ["none"]):
        counts = {kind: n for (name, kind), n in sorted(ledger.signals.items()) if name == strategy}
        rows.append(("signals" if not number else "", f"{strategy}: {_counts(counts)}" if counts else "-"))
    rows += [
        ("turned down", _counts(ledger.signals_rejected)),
        (
            "orders",
            (
                f"{ledger.orders} submitted · {ledger.orders_acknowledged} acknowledged"
                f" · {ledger.orders_filled} filled in {ledger.fills} fills"
                f" · {ledger.orders_expired} expired · {ledger.orders_open} open"
            ),
        ),
        ("rejects", _counts(ledger.orders_rejected)),
        (
            "trades",
            f"{len(ledger.trades)} closed · {ledger.wins} won · {ledger.losses} lost · {ledger.positions_open} open",
        ),
        ("P&L", f"{ledger.realized:+.2f} realised after fees · {ledger.unrealized:+.2f} open"),
        (
            "account",
            (
                f"{ledger.value:,.2f} · fees {ledger.fees:,.2f}"
                f" · drawdown {ledger.drawdown:.2%}, at worst {ledger.worst_drawdown:.2%}"
            ),
        ),
        ("errors", _counts(ledger.counted("errors"))),
    ]
    width = max(len(title) for title, _ in rows) + 2
    lines = [f"{title:<{width}}{text}" for title, text in rows]
    lines += ["", f"{'latency':<{width}}{'':<26}{'p50':>10}{'p95':>10}{'p99':>10}"]
    lines += [
        f"{'':<{width}}{name:<26}" + "".join(f"{_duration(value):>10}" for value in percentiles(values) or ())
        for name, values in (
            ("candle (real time)", latencies.candle),
            ("entry signal (real time)", latencies.signal),
            ("order → ack (market time)", latencies.ack),
            ("ack → fill (market time)", latencies.fill),
        )
    ]
    lines += ["", *_cost(ledger, latencies, bare, width)]
    return "\n".join(lines)


def _cost(ledger: Ledger, latencies: Latencies, bare: BareRun | None, width: int) -> list[str]:
    title = f"{'telemetry':<{width}}"
    observed, plain = percentiles(latencies.candle), percentiles(bare.candle) if bare else None
    if observed is None or plain is None or bare is None:
        return [f"{title}cost not measured"]
    total = sum(latencies.candle) - sum(bare.candle)
    same = ledger.as_dict() == bare.ledger
    return [
        (
            f"{title}{_duration(max(0.0, observed[0] - plain[0]))} a candle at p50 ({_duration(observed[0])} with,"
            f" {_duration(plain[0])} without), {max(0.0, total):.2f} s in all"
        ),
        f"{'':<{width}}measured in the engine's handler, against a second run with OTEL_SDK_DISABLED=true;",
        f"{'':<{width}}exporting and scraping not included. Both runs decided the same: {'yes' if same else 'NO'}",
    ]


def _counts(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {number:,}" for name, number in sorted(counts.items())) or "-"


def _duration(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"
