"""The lines that are fewer: candles, scans, signals, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace.reports.counting import VOID, asked
from ticktrace.reports.event import FillPayload, OrderPayload, ScanPayload, SignalPayload, payload_as

if TYPE_CHECKING:
    from ticktrace.reports.event import Event
    from ticktrace.reports.process import Process
    from ticktrace.reports.tally import Tally
    from ticktrace.reports.timeline import Slice

__all__ = ["other_stage"]


def other_stage(tally: Tally, process: Process, event: Event, now: float, where: Slice) -> None:
    """Count an event that is neither filter nor condition.

    Raises:
        UnreadableLine: its payload is not what its stage has.
    """
    match event.stage:
        case "session":
            pass
        case "candle":
            where.candles += 1
            where.candles_passed += event.passed is not False
        case "scan":
            _scan(tally, process, event, now, where)
        case "signal":
            _signal(process, event, now, where)
        case "risk":
            _risk(tally, process, event, now, where)
        case "order":
            _order(process, event, now, where)
        case "fill":
            where.filled += payload_as(event, FillPayload).complete
        case _ if event.component == "scanner" and event.name is not None and event.passed is not None:
            # A filter of the application's that has a stage of its own.
            cell = tally.cell(event, process, now) if where.inside else None
            process.filtered(event, VOID if cell is None else asked(cell, event, now), now)


def _scan(tally: Tally, process: Process, event: Event, now: float, where: Slice) -> None:
    told = payload_as(event, ScanPayload)
    failed = process.scanned(event.decision)
    blocked = sum(told.filtered.values()) + failed
    candidates, symbols = told.candidates, told.symbols
    if symbols is None:
        symbols = blocked + (candidates or 0)
    if candidates is None:
        candidates = max(symbols - blocked, 0) if event.passed is not False else 0
    if where.inside:
        tally.left_out += told.left_out
    where.scanned += symbols
    where.scanned_passed += symbols if event.passed is not False else min(symbols, candidates + blocked)
    where.candidates += candidates
    for name, count in told.filtered.items():
        if count > 0:
            tally.reasons.given(f"filter:{name}", event.strategy, now, where, count)


def _signal(process: Process, event: Event, now: float, where: Slice) -> None:
    if payload_as(event, SignalPayload).later:
        _late_signal(process, event, now, where)
        return
    failed = process.close(event)
    emitted = event.passed is True
    where.evaluations += 1
    where.conditions_passed += emitted or not failed
    where.emitted += emitted
    if emitted and event.decision is not None:
        process.fate(event.decision, now).emitted = True
    else:
        if len(failed) == 1 and where.inside:
            failed[0].blocked_alone()
        if event.decision is not None:
            process.kept_quiet(event.decision, failed)
    if where.inside:
        process.watch.evaluated(event.strategy, event.symbol, now, emitted=emitted)


def _late_signal(process: Process, event: Event, now: float, where: Slice) -> None:
    """Count a signal of an evaluation that was counted as one that emitted nothing."""
    if event.passed is not True:
        return
    where.emitted += 1
    if event.decision is not None:
        process.fate(event.decision, now).emitted = True
        where.conditions_passed += process.spoke_late(event.decision)
    if where.inside:
        process.watch.emitted(event.strategy, event.symbol, now)


def _risk(tally: Tally, process: Process, event: Event, now: float, where: Slice) -> None:
    if event.name is not None:
        cell = tally.single(event) if where.inside and event.passed is not None else None
        row = VOID if cell is None else asked(cell, event, now)
        if event.passed is False and event.decision is not None:
            process.fate(event.decision, now).risks.append(row)
    elif event.passed is False and event.decision is not None:
        process.fate(event.decision, now).rejected = True


def _order(process: Process, event: Event, now: float, where: Slice) -> None:
    told = payload_as(event, OrderPayload)
    if told.later:
        where.orders_failed += _failed(told.status) if told.status is not None else event.passed is False
        return
    where.orders += 1
    where.orders_failed += event.passed is False
    if event.decision is not None:
        process.fate(event.decision, now).ordered = True


def _failed(status: str) -> bool:
    return any(word in status.lower() for word in ("reject", "fail"))
