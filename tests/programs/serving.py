"""The small bot, which stays up after its candles until it is told to end."""

from __future__ import annotations

import sys
import threading

from candles import main

main(int(sys.argv[1]))
threading.Event().wait(60)
