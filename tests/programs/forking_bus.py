"""A bot with an event bus on threads that forks while its bus is busy; the child goes on with one of its own."""

from __future__ import annotations

import os
import sys
import threading

from ticktrace import setup_telemetry

telemetry = setup_telemetry(
    "forking-bot", exporters={"traces": ["none"], "metrics": ["memory"], "logs": ["none"]}
)
bus = telemetry.trading.threaded_event_bus(capacity=4, workers=2)
monitor = telemetry.trading.engine()
handled: list[tuple[int, int]] = []
bus.subscribe(int, lambda number: handled.append((os.getpid(), number)))
bus.start()
going = True


def feed() -> None:
    while going:
        bus.publish(0)
        monitor.transition("managing")
        monitor.transition("idle")


feeders = [threading.Thread(target=feed, daemon=True) for _ in range(2)]
for feeder in feeders:
    feeder.start()
while len(handled) < 100:
    pass
child = os.fork()
if child == 0:
    handled.clear()
    bus.start()
    taken = [bus.publish(number) for number in range(1, 21)]
    monitor.transition("scanning")
    good = all(taken) and bus.close(10) and sorted(handled) == [(os.getpid(), n) for n in range(1, 21)]
    os._exit(0 if good else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
going = False
for feeder in feeders:
    feeder.join()
good = bus.close(10)
print(code, good)
sys.exit(0 if good and code == 0 else 1)
