"""What telemetry costs, measured side by side on the machine at hand. `make bench` runs it."""

import sys
from pathlib import Path

# The bot that is measured, and the collector that is exported to, are the examples' and the tests'.
sys.path += [str(Path(__file__).parent.parent / folder) for folder in ("examples", "tests")]
