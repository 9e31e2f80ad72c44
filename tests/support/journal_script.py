"""Write journals for the tests of reports, line by line, as ticktrace's own writer words them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import msgspec

from ticktrace.diagnostics import SCHEMA_VERSION, Line
from ticktrace.reports.build import build
from ticktrace.reports.journal import Question, count, scope_of
from ticktrace.reports.sources import find, look_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ticktrace.reports.model import Report, ThresholdRow

__all__ = ["BEGAN", "Script", "report_on", "row_of"]

BEGAN = 1_760_000_400
"""The first candle closes a minute later: 2025-10-09T09:00:00Z."""

_COMPARE = {
    ">": lambda value, threshold: value > threshold,
    ">=": lambda value, threshold: value >= threshold,
    "<": lambda value, threshold: value < threshold,
    "<=": lambda value, threshold: value <= threshold,
    "==": lambda value, threshold: value == threshold,
}


class Script:
    """Collects lines; `write` makes a file of them.

    Attributes:
        lines: so far.
        candle: when the current candle closed.
        lag: of the wall clock behind market time, seconds; a backtest's is years.
    """

    def __init__(
        self, pid: int = 1, *, schema: int = SCHEMA_VERSION, session: bool = True, lag: float = 0.1
    ) -> None:
        self.lines: list[Line] = []
        self.candle: float = BEGAN
        self.lag: float = lag
        self.decision: int = 0
        if session:
            payload = {"session": "s", "service": "bot", "pid": pid, "started": "2025-10-09T08:59:59+00:00"}
            self.add("ticktrace", "session", schema=schema, payload=payload)

    @property
    def ts(self) -> int:
        """Wall clock of the next line, ns."""
        return int((self.candle + self.lag) * 1e9) + len(self.lines)

    def add(self, component: str, stage: str, **fields: Any) -> Line:
        """Add a line."""
        line = Line(**{"ts": self.ts, "component": component, "stage": stage, **fields})
        self.lines.append(line)
        return line

    def next(self, symbol: str = "BTC", *, passed: bool = True, minutes: float = 1, **fields: Any) -> None:
        """Add the line of the next candle."""
        self.candle += 60 * minutes
        payload = {"venue": "binance", "timeframe": "1m", "ms": 1.5}
        if not passed:
            fields["reason"] = "error:ValueError"
        self.add(
            "market", "candle", symbol=symbol, candle=self.candle, passed=passed, payload=payload, **fields
        )

    def scan(self, symbols: int, candidates: int, **filtered: int) -> None:
        """Add a scan that tells numbers."""
        self.decision += 1
        self.add(
            "scanner",
            "scan",
            name="all",
            decision=self.decision,
            passed=True,
            candle=self.candle,
            payload={"symbols": symbols, "candidates": candidates, "filtered": filtered},
        )

    def filter(
        self, symbol: str, name: str, value: Any, threshold: Any, comparison: str = ">=", **fields: Any
    ) -> bool:
        """Add a filter of the current decision."""
        passed = bool(_COMPARE[comparison](value, threshold))
        self.add(
            "scanner",
            "filter",
            symbol=symbol,
            name=name,
            value=value,
            threshold=threshold,
            comparison=comparison,
            passed=passed,
            **({} if passed else {"reason": f"filter:{name}"}),
            **fields,
        )
        return passed

    def evaluate(
        self,
        *checks: tuple[str, Any, Any] | tuple[str, Any, Any, str],
        strategy: str = "momentum",
        symbol: str = "BTC",
        emitted: bool | None = None,
        margin: float = 0.1,
        **fields: Any,
    ) -> int:
        """Add conditions, each name, value, threshold and perhaps comparison, and the signal; return the decision."""
        self.decision += 1
        about = {
            "strategy": strategy,
            "symbol": symbol,
            "candle": self.candle,
            "decision": self.decision,
            **fields,
        }
        verdicts = []
        for check in checks:
            name, value, threshold = check[:3]
            comparison = check[3] if len(check) > 3 else ">="
            passed = bool(_COMPARE[comparison](value, threshold))
            verdicts.append(passed)
            near = not passed and abs(value - threshold) <= margin * abs(threshold)
            self.add(
                "strategy",
                "condition",
                name=name,
                value=value,
                threshold=threshold,
                comparison=comparison,
                passed=passed,
                near_miss=near,
                reason=None if passed else f"signal:{strategy}:{name}",
                **about,
            )
        out = all(verdicts) if emitted is None else emitted
        reason = f"signal:{strategy}:no_signal" if not out and all(verdicts) else None
        payload = {"type": "long", "confidence": 0.8, "price": 100.0, "ms": 0.5}
        self.add("strategy", "signal", passed=out, reason=reason, payload=payload, **about)
        return self.decision

    def risk(self, decision: int, rule: str, value: float, threshold: float, comparison: str = "<=") -> None:
        """Add a risk check."""
        passed = bool(_COMPARE[comparison](value, threshold))
        self.add(
            "risk",
            "risk",
            name=rule,
            value=value,
            threshold=threshold,
            comparison=comparison,
            passed=passed,
            reason=None if passed else f"risk:{rule}",
            decision=decision,
            symbol="BTC",
            strategy="momentum",
        )

    def reject(self, decision: int, reason: str) -> None:
        """Add a rejection of a signal."""
        self.add(
            "risk",
            "risk",
            passed=False,
            reason=f"rejected:{reason}",
            payload={"message": "no"},
            decision=decision,
            symbol="BTC",
            strategy="momentum",
        )

    def order(self, decision: int, *, passed: bool = True, later: str | None = None) -> None:
        """Add an order, or, with the status that it has `later`, news of it."""
        payload: dict[str, Any] = {
            "side": "buy",
            "type": "limit",
            "order_id": f"A-{decision}",
            "status": later or "open",
        }
        if later is not None:
            payload["later"] = True
        self.add(
            "execution",
            "order",
            passed=passed,
            reason=None if passed else "order:insufficient_funds",
            payload=payload,
            decision=decision,
            symbol="BTC",
            strategy="momentum",
        )

    def fill(self, decision: int, *, complete: bool = True) -> None:
        """Add a fill."""
        payload = {
            "price": 100.0,
            "quantity": 1.0,
            "complete": complete,
            "order_id": f"A-{decision}",
            "side": "buy",
        }
        self.add(
            "execution",
            "fill",
            passed=True,
            payload=payload,
            decision=decision,
            symbol="BTC",
            strategy="momentum",
        )

    def encoded(self) -> bytes:
        """The file as it would be."""
        return b"".join(msgspec.json.encode(line) + b"\n" for line in self.lines)

    def write(self, path: Path) -> Path:
        """Write the file; packed where its name says so."""
        data = self.encoded()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path


def report_on(paths: Path | Iterable[Path], **question: Any) -> Report:
    """Report on files, as the command does."""
    files = [paths] if not hasattr(paths, "__iter__") else list(paths)
    asked = Question(**question)
    sources = look_at(find([str(path) for path in files]))
    tally = count(sources, scope_of(asked, sources, lambda _: None), lambda _: None)
    return build(tally, asked, len(sources))


def row_of(report: Report, name: str, strategy: str | None = "momentum") -> ThresholdRow:
    """Return the only row of a condition."""
    [row] = [row for row in report.thresholds if row.name == name and row.strategy == strategy]
    return row
