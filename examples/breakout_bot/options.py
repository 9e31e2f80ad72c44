"""What can be chosen when the bot starts: by arguments, or by environment variables of the same names."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Options", "parse_options"]


@dataclass(frozen=True, slots=True)
class Options:
    """`speed` is market seconds per real second; None is as fast as possible. `day_trades` None counts none."""

    candles: Path | None
    speed: float | None
    seed: int
    bars: int
    port: int
    ledger: Path | None
    store: str
    day_trades: int | None
    keep_serving: bool
    measure_cost: bool
    bare: bool


def parse_options(
    arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None
) -> Options:
    """Read arguments, then environment, then defaults; exits with a message that says what was wrong."""
    environ = os.environ if environ is None else environ

    def default(name: str, otherwise: str) -> str:
        return environ.get(name) or otherwise  # make passes an empty variable for one that was not given

    parser = argparse.ArgumentParser(
        prog="breakout_bot",
        description="Trade breakouts on paper, observed with ticktrace.",
        epilog="CANDLES, SPEED, SEED, BARS and PORT may also come from the environment.",
    )
    parser.add_argument(
        "--candles", type=Path, help="CSV with ts,open,high,low,close,volume; ts in ms (default: synthetic)"
    )
    parser.add_argument("--speed", type=_speed, help="market seconds per real second, or max (default)")
    parser.add_argument(
        "--seed", type=int, help="of the synthetic market and of the paper exchange (default 7)"
    )
    parser.add_argument("--bars", type=_count, help="length of the synthetic market (default 3000)")
    parser.add_argument(
        "--port", type=_port, help="of the control API and /metrics; 0 for any (default 8000)"
    )
    parser.add_argument(
        "--ledger", type=Path, metavar="FILE", help="write the bot's own books as JSON when it has finished"
    )
    parser.add_argument(
        "--store",
        default=":memory:",
        metavar="FILE",
        help="SQLite file for closed trades (default: in memory)",
    )
    parser.add_argument(
        "--day-trades",
        type=_limit,
        metavar="N",
        help="most day trades within five days, for an account that has to count them (FINRA: 3)",
    )
    parser.add_argument(
        "--keep-serving", action="store_true", help="stay up after the run (always so on a terminal)"
    )
    parser.add_argument("--no-cost", action="store_true", help="do not measure what telemetry costs")
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    # Strings from the environment go through the same converters, so a typo there gets the same message.
    parser.set_defaults(
        candles=environ.get("CANDLES") or None,
        speed=default("SPEED", "max"),
        seed=default("SEED", "7"),
        bars=default("BARS", "3000"),
        port=default("PORT", "8000"),
    )
    chosen = parser.parse_args(arguments)
    return Options(
        candles=chosen.candles,
        speed=None if chosen.speed == "max" else chosen.speed,
        seed=chosen.seed,
        bars=chosen.bars,
        port=chosen.port,
        ledger=chosen.ledger,
        store=chosen.store,
        day_trades=chosen.day_trades,
        keep_serving=chosen.keep_serving,
        measure_cost=not chosen.no_cost,
        bare=chosen.bare,
    )


def _speed(text: str) -> float | str:
    if text == "max":
        return text
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither max nor a number above 0")
    return speed


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 1")
    return count


def _limit(text: str) -> int:
    try:
        limit = int(text)
    except ValueError:
        limit = -1
    if limit < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return limit


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return port
