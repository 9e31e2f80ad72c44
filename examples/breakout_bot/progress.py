"""Progress: a live bar on a terminal (rich where it is installed), a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from breakout_bot.bot import Bot

__all__ = ["show_progress"]


async def show_progress(bot: Bot) -> None:
    """Show how far the replay is, until it has finished or this task is cancelled."""
    if not sys.stdout.isatty():
        await _lines(bot)
        return
    try:
        await _rich(bot)
    except ImportError:
        await _plain(bot)


async def _lines(bot: Bot) -> None:
    total, shown = len(bot.market.candles), 0
    while not bot.finished:
        quarter = bot.bars_done * 4 // total
        if quarter > shown:
            shown = quarter
            print(f"  {bot.bars_done:,} of {total:,} candles · {_figures(bot)}", flush=True)
        await asyncio.sleep(0.2)


async def _plain(bot: Bot) -> None:
    total = len(bot.market.candles)
    try:
        while not bot.finished:
            print(f"\r\x1b[K  {bot.bars_done:,} of {total:,} candles · {_figures(bot)}", end="", flush=True)
            await asyncio.sleep(0.1)
    finally:
        print("\r\x1b[K", end="")


async def _rich(bot: Bot) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415  rich is optional

    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"))
    with Progress(*columns, transient=True, auto_refresh=False) as progress:
        task = progress.add_task("candles", total=len(bot.market.candles), figures="")
        while not bot.finished:
            progress.update(task, completed=bot.bars_done, figures=_figures(bot))
            progress.refresh()
            await asyncio.sleep(0.1)


def _figures(bot: Bot) -> str:
    ledger = bot.ledger
    return f"{ledger.orders} orders · {len(ledger.trades)} trades · P&L {ledger.realized + ledger.unrealized:+.2f}"
