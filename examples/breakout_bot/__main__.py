"""Run the bot: `python -m breakout_bot`, or `make demo`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from breakout_bot.app import create_app
from breakout_bot.bot import Bot
from breakout_bot.market import CandleFileError, read_candles, synthetic_market
from breakout_bot.options import Options, parse_options
from breakout_bot.progress import show_progress
from breakout_bot.report import BareRun, summary
from breakout_bot.risk import Limits
from ticktrace import SettingsError, Telemetry, setup_telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breakout_bot.market import Market

HOST = "127.0.0.1"


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the bot decides when it is over."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> int:
    """Parse, run, and return the exit status."""
    options = parse_options()
    # Errors are counted, and logged where OTEL_LOGS_EXPORTER says. This terminal is for the summary.
    errors = logging.getLogger("ticktrace.errors")
    errors.addHandler(logging.NullHandler())
    errors.propagate = False
    try:
        market = (
            read_candles(options.candles) if options.candles else synthetic_market(options.bars, options.seed)
        )
        telemetry = setup_telemetry("breakout-bot", mode="paper")
    except (CandleFileError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    with telemetry:
        return asyncio.run(
            _run_bare(market, options, telemetry) if options.bare else _run(market, options, telemetry)
        )


async def _run(market: Market, options: Options, telemetry: Telemetry) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    bot = Bot(
        market,
        telemetry,
        speed=options.speed,
        seed=options.seed,
        limits=Limits(day_trades=options.day_trades),
        store=options.store,
    )
    with _listen(options.port) as listener:
        server = Server(uvicorn.Config(create_app(bot, telemetry), log_level="warning", access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            _say_where_to_look(market, telemetry, listener.getsockname()[1])
            await _until_done_or_stopped(bot, telemetry, options, stopping)
            if not stopping.is_set() and (options.keep_serving or sys.stdout.isatty()):
                print("\nStill serving; Ctrl-C ends it.", flush=True)
                await stopping.wait()
        finally:
            server.should_exit = True
            await serving
    return 0


async def _until_done_or_stopped(
    bot: Bot, telemetry: Telemetry, options: Options, stopping: asyncio.Event
) -> None:
    began = time.perf_counter()
    running = asyncio.create_task(bot.run())
    showing = asyncio.create_task(show_progress(bot))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
    seconds = time.perf_counter() - began
    if running.done():
        await running  # raises what the bot raised
    else:
        running.cancel()
        await asyncio.wait((running,))
        print(f"\nStopped after {bot.bars_done:,} of {len(bot.market.candles):,} candles.")
    await showing
    bare = None
    if options.measure_cost and not stopping.is_set():
        measuring = asyncio.create_task(_measure_bare_run(options))
        await asyncio.wait((measuring, stopped), return_when=asyncio.FIRST_COMPLETED)
        measuring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            bare = await measuring
    stopped.cancel()
    print("\n" + summary(bot.market, bot.ledger, bot.latencies, seconds, bare), flush=True)
    if options.ledger is not None:
        bot.ledger.write(options.ledger)
    _say_what_to_ask(telemetry, bot.market.symbol)


async def _run_bare(market: Market, options: Options, telemetry: Telemetry) -> int:
    """Run without server and summary, and print what the report compares."""
    bot = Bot(market, telemetry, seed=options.seed, limits=Limits(day_trades=options.day_trades))
    await bot.run()
    print(json.dumps(asdict(BareRun(bot.latencies.candle, bot.ledger.as_dict()))))
    return 0


async def _measure_bare_run(options: Options) -> BareRun | None:
    """The same candles in a second process whose telemetry is switched off as any user would do it."""
    arguments = ["--bare", "--seed", str(options.seed), "--bars", str(options.bars)]
    if options.day_trades is not None:
        arguments += ["--day-trades", str(options.day_trades)]
    if options.candles is not None:
        arguments += ["--candles", str(options.candles)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "breakout_bot",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ
        | {
            "OTEL_SDK_DISABLED": "true",
            "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[1]), *sys.path)),
        },
    )
    try:
        printed, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return BareRun(**json.loads(printed)) if process.returncode == 0 else None


def _listen(port: int) -> socket.socket:
    """A listening socket on `port`, or on a free one if that is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        print(f"Port {port} cannot be had ({error.strerror}); taking a free one.")
        listener.bind((HOST, 0))
    return listener


def _say_where_to_look(market: Market, telemetry: Telemetry, port: int) -> None:
    address = f"http://{HOST}:{port}"
    exporters = telemetry.settings.exporters
    metrics = f"{address}/metrics" if "prometheus" in exporters.metrics and telemetry.enabled else "off"
    print(
        f"breakout bot · {market.symbol} {market.timeframe} · {len(market.candles):,} candles\n"
        f"  metrics  {metrics}\n"
        f"  control  {address}/docs   (GET /state /positions /trades /ledger, POST /start /stop)\n"
        f"  traces   {', '.join(exporters.traces)}   (OTEL_TRACES_EXPORTER=console|otlp|… sends them)",
        flush=True,
    )


def _say_what_to_ask(telemetry: Telemetry, symbol: str) -> None:
    """Where the decisions were written down, and what answers from them."""
    journal = telemetry.diagnostics.snapshot()["output_path"]
    if journal is not None:
        command = Path(sys.executable).with_name("ticktrace")
        shown = os.path.relpath(command) if command.is_relative_to(Path.cwd()) else command
        print(
            f"\nWhy no trade?  {shown} report {journal}\n               {shown} explain {symbol} last-rejected {journal}"
        )


if __name__ == "__main__":
    sys.exit(main())
