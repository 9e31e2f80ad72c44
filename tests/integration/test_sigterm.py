from __future__ import annotations

import signal

import pytest

from support.otlp_server import otlp_server
from support.programs import start_program


@pytest.mark.parametrize("state", ["usual", "threadless"])
def test_a_plain_bot_that_asked_for_it_loses_nothing_on_sigterm(state: str) -> None:
    with (
        otlp_server("http") as server,
        start_program(
            "sigterm.py",
            state,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == -signal.SIGTERM  # it still dies of the signal, as its supervisor expects
        assert len(server.spans()) == 9
