"""The process that the bot runs in: garbage collections, the event loop, uptime and disks."""

from ticktrace.runtime._garbage import watch_garbage
from ticktrace.runtime._host import watch_host
from ticktrace.runtime._loop import watch_loop

__all__ = ["watch_garbage", "watch_host", "watch_loop"]
