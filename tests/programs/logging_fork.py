"""A bot that logs to a file, forks while it does, and logs in the child, too."""

from __future__ import annotations

import logging
import os
import sys
import threading

from ticktrace import setup_telemetry

telemetry = setup_telemetry("forking-bot", mode="paper", logs={"app_file": sys.argv[1]})
log = logging.getLogger("bot")


def say(who: str, count: int) -> None:
    with telemetry.tracer_provider.get_tracer("bot").start_as_current_span(who):
        for number in range(count):
            log.warning("%s %d", who, number)


threads = [threading.Thread(target=say, args=(f"thread{number}", 200)) for number in range(4)]
for thread in threads:
    thread.start()
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        say(f"child{child}", 100)
        os._exit(0 if telemetry.shutdown(10) else 1)
    children.append(pid)
for thread in threads:
    thread.join()
say("parent", 100)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
telemetry.shutdown(10)
sys.exit(any(codes))
