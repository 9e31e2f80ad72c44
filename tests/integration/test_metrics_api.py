"""The metrics API on a real uvicorn: keys that change, addresses that are not the host's own, and a fuzzer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from integration.uvicorn_process import running
from ticktrace import setup_telemetry
from ticktrace.errors import SettingsError

if TYPE_CHECKING:
    from integration.uvicorn_process import Uvicorn

API = "/api/metrics"
READ_KEY = "read-3f6c1d9a7b52"
ADMIN_KEY = "admin-8e0b4c2f1a97"
SCRAPE = "scrape-1d2c3b4a5968"
EVERYWHERE = "0.0.0." + "0"

SOURCE = """
import logging, time
from fastapi import FastAPI
from ticktrace import setup_telemetry

logging.basicConfig(level=logging.INFO)
telemetry = setup_telemetry("served")
app = FastAPI()
telemetry.instrument_fastapi(app)
market = telemetry.trading.market(symbol="BTC/USDT", venue="kraken", timeframe="1m")
for _ in range(50):
    with market.candle(close_time=time.time()):
        pass
"""


def environment(engine: str, **more: str) -> dict[str, str]:
    return {"TICKTRACE_ENGINE": engine, "TICKTRACE_PROMETHEUS_SERVE": "never", **more}


def ask(
    server: Uvicorn, path: str, *, host: str = "127.0.0.1", method: str = "GET", **headers: str
) -> tuple[int, Any]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://{host}:{server.port}{path}", headers=fields, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310  on this host
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def other_address() -> str:
    """An address of this host that is not a loopback one: who asks from it looks like another host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this host has loopback addresses only")
        address: str = probe.getsockname()[0]
    return address


def test_keys_open_and_are_rotated_without_a_restart(tmp_path: Path, engine: str) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"read grafana {READ_KEY}\nadmin ops {ADMIN_KEY}\n")
    env = environment(engine, TICKTRACE_API_KEYS_FILE=str(keys), TICKTRACE_API_LOOPBACK="none")
    with running(tmp_path, SOURCE, env=env) as server:
        assert ask(server, f"{API}/summary")[0] == 401
        status, body = ask(server, f"{API}/summary", x_api_key=READ_KEY)
        assert status == 200
        assert json.loads(body)["engine"]["candle_processing_duration"]["count"] == 50
        assert ask(server, f"{API}/clear", method="POST", x_api_key=READ_KEY)[0] == 403
        assert ask(server, f"{API}/clear", method="POST", authorization=f"Bearer {ADMIN_KEY}")[0] == 200
        rotated = READ_KEY[::-1]
        fresh = tmp_path / "keys.new"
        fresh.write_text(f"read grafana {rotated}\n")
        fresh.replace(keys)
        assert ask(server, f"{API}/summary", x_api_key=READ_KEY)[0] == 401
        assert ask(server, f"{API}/summary", x_api_key=ADMIN_KEY)[0] == 401
        status, body = ask(server, f"{API}/metric/trading.candles.processed", x_api_key=rotated)
        assert (status, json.loads(body)["series"][0]["value"]) == (200, 50)
        status, page = ask(server, API, x_api_key=rotated)
        assert status == 200
        assert "trading_candles_processed_total{" in page
        server.terminate()
    assert "POST /api/metrics/clear by ops from 127.0.0.1: 200" in server.output
    assert "POST /api/metrics/clear by grafana from 127.0.0.1: 403" in server.output
    for key in (READ_KEY, ADMIN_KEY, rotated):
        assert key not in server.output


def test_a_public_bind_without_a_key_answers_its_own_host_alone(tmp_path: Path) -> None:
    outside = other_address()
    arguments = ["--host", EVERYWHERE]
    with running(tmp_path, SOURCE, env=environment("sdk"), arguments=arguments) as server:
        assert ask(server, f"{API}/summary")[0] == 200
        assert ask(server, f"{API}/clear", method="POST")[0] == 403
        for path in (API, f"{API}/summary", f"{API}/live", f"{API}/openapi.json", f"{API}/nothing"):
            assert ask(server, path, host=outside)[0] == 403
            assert ask(server, path, host=outside, x_forwarded_for="127.0.0.1")[0] == 403
            assert ask(server, path, host=outside, Host="localhost")[0] == 403
        # What a proxy on this host passes on is not from this host.
        assert ask(server, f"{API}/summary", x_forwarded_for="203.0.113.9")[0] == 403
        server.terminate()


def test_the_endpoint_of_our_own_wants_its_token(tmp_path: Path, engine: str) -> None:
    settings = {"serve": "always", "host": "127.0.0.1", "port": 0, "token": SCRAPE}
    with setup_telemetry(
        "scraped", engine=engine, exporters={"metrics": ["prometheus"]}, prometheus=settings
    ) as bot:
        pipeline = bot._pipeline
        assert pipeline is not None
        assert pipeline.server is not None
        url = pipeline.server.url
        for header, status in ((f"Bearer {SCRAPE}", 200), ("Bearer wrong", 401), (SCRAPE, 401), ("", 401)):
            request = urllib.request.Request(url, headers={"authorization": header})  # noqa: S310  on this host
            try:
                with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310  on this host
                    found = response.status
            except urllib.error.HTTPError as error:
                with error:
                    found = error.code
            assert found == status


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.1", "bot.example.org"])
def test_a_public_endpoint_without_a_token_refuses_to_start(host: str, engine: str) -> None:
    with pytest.raises(SettingsError, match=r"prometheus\.host: .* can be reached from other hosts"):
        setup_telemetry(
            "public",
            engine=engine,
            exporters={"metrics": ["prometheus"]},
            prometheus={"host": host, "port": 0},
        )


@pytest.mark.parametrize(
    "more", [{"token": SCRAPE}, {"public": True}, {"serve": "never"}], ids=["token", "public", "not served"]
)
def test_a_public_endpoint_starts_where_that_was_seen_to(more: dict[str, Any]) -> None:
    prometheus = {"host": EVERYWHERE, "port": 0, **more}
    with setup_telemetry("public", exporters={"metrics": ["prometheus"]}, prometheus=prometheus) as bot:
        assert bot.enabled


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    env = environment(
        "deferred",
        TICKTRACE_API_LOOPBACK="none",
        TICKTRACE_API_ADMIN_KEYS=f"ops={ADMIN_KEY}",
        TICKTRACE_API_REQUESTS_PER_MINUTE="1000000",
        TICKTRACE_API_FAILURES_PER_MINUTE="1000000",
    )
    with running(tmp_path, SOURCE, env=env, arguments=["--no-access-log"]) as server:
        url = f"http://127.0.0.1:{server.port}{API}/openapi.json"
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", url, "--no-color", "-n", "15"]
        done = subprocess.run(
            [*command, "-H", f"X-API-Key: {ADMIN_KEY}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "examples")},
        )
        server.process.kill()
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    assert "No issues found" in done.stdout
