"""What telemetry costs, measured side by side on the machine at hand. `make bench` runs it."""
