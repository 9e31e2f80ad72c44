"""Record every instrument of the catalog, the bot's over a few seconds, and serve them until stdin is closed."""

from __future__ import annotations

import asyncio
import logging
import sys

from support.catalog_programs import BOT, PROGRAMS, SETTINGS, breakout_bot
from ticktrace import setup_telemetry


async def main(port: int, seconds: float) -> None:
    logging.disable(logging.CRITICAL)  # of errors there are many, on purpose
    with setup_telemetry(
        "catalog",
        engine="deferred",
        exporters={"metrics": ["prometheus"]},
        prometheus={"port": port, "serve": "always"},
        **SETTINGS,
    ) as telemetry:
        for name, program in PROGRAMS.items():
            if name != BOT:
                await program(telemetry)
        await breakout_bot(telemetry, seconds)
        print("done", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
