"""What a report on the breakout bot's journal has to say, from the bot's own books."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.prometheus import Prometheus

__all__ = ["funnel_of", "problems_with", "scraped_funnel"]


def funnel_of(books: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Stage, entered and passed, as `Ledger.as_dict` has them."""
    counts, orders = books["counts"], books["orders"]
    believed = books["candles"] - books["bad_ticks"]
    evaluated = sum(counts["evaluations"].values())
    emitted = sum(number for kinds in books["signals"].values() for number in kinds.values())
    turned_down = sum(books["signals_rejected"].values())
    accepted = orders["submitted"] - sum(orders["rejected"].values())
    return [
        ("candles", books["candles"], books["candles"]),
        ("scanned", believed, believed),
        ("filtered", believed, books["candidates"]),
        ("conditions", evaluated, emitted),
        ("signals", emitted, emitted),
        ("risk", emitted, emitted - turned_down),
        ("orders", orders["submitted"], accepted),
        ("fills", accepted, orders["filled"]),
    ]


def problems_with(report: Mapping[str, Any], books: Mapping[str, Any]) -> list[str]:
    """Where a report (as JSON) and the books do not agree."""
    told = [(step["stage"], step["entered"], step["passed"]) for step in report["funnel"]]
    problems = [
        f"{stage}: the books say {entered} → {passed}, the report {found}"
        for (stage, entered, passed), found in zip(funnel_of(books), told, strict=True)
        if (stage, entered, passed) != found
    ]
    reasons = {reason["reason"]: reason["count"] for reason in report["reasons"]}
    expected = {f"filter:{name}": number for name, number in books["filtered"].items()}
    expected |= {f"rejected:{reason}": number for reason, number in books["signals_rejected"].items()}
    expected |= {f"order:{reason}": number for reason, number in books["orders"]["rejected"].items()}
    expected |= {f"risk:{rule}": n for rule, n in books["counts"].get("risk_checks_failed", {}).items()}
    problems += [
        f"{reason}: the books say {number}, the report {reasons.get(reason)}"
        for reason, number in expected.items()
        if reasons.get(reason) != number
    ]
    checked: dict[str, int] = {}
    for threshold in report["thresholds"]:
        checked[threshold["name"]] = checked.get(threshold["name"], 0) + threshold["n"]
    problems += [
        f"{name} was checked {number} times, the report says {checked.get(name)}"
        for name, number in books["counts"]["checks"].items()
        if checked.get(name) != number
    ]
    return problems


def scraped_funnel(prometheus: Prometheus) -> dict[str, float]:
    """The numbers of the funnel that Prometheus counts too."""
    return {
        "candles": prometheus.number("sum(trading_candles_processed_total)"),
        "scanned": prometheus.number("sum(trading_scanner_symbols_scanned_total)"),
        "candidates": prometheus.number("sum(trading_scanner_candidates_found_total)"),
        "evaluations": prometheus.number("sum(trading_strategy_evaluations_total)"),
        "signals": prometheus.number("sum(trading_signals_generated_total)"),
        "rejected": prometheus.number("sum(trading_signals_rejected_total)"),
        "submitted": prometheus.number("sum(trading_orders_submitted_total)"),
        "filled": prometheus.number("sum(trading_trades_executed_total)"),
    }
