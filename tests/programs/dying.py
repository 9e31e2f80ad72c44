"""A bot that dies: of an exception in its main thread, after one in another thread, or inside the event loop."""

import asyncio
import sys
import threading

from ticktrace import setup_telemetry

telemetry = setup_telemetry("dying-bot")


def feed() -> None:
    raise ConnectionError("the feed is gone")


async def main() -> None:
    telemetry.catch_unhandled(asyncio=True)
    asyncio.get_running_loop().call_soon(feed)
    await asyncio.sleep(0.01)


telemetry.catch_unhandled()
match sys.argv[1]:
    case "main":
        feed()
    case "thread":
        thread = threading.Thread(target=feed)
        thread.start()
        thread.join()
    case "asyncio":
        asyncio.run(main())
