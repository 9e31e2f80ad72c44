"""A real Prometheus, started on a free port, asked through its HTTP API, stopped by its process id."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Self

from support.backends import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Prometheus", "free_port"]

_CONFIG = """\
global:
  scrape_interval: {interval}
  scrape_timeout: {interval}
  evaluation_interval: 1s
rule_files: {rules}
scrape_configs:
  - job_name: bot
    static_configs:
      - targets: {targets}
"""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Prometheus:
    """Scrapes `targets` (``host:port``) every `interval` from the start of the block to its end.

    The rules in `rules` are evaluated every second.

    The test that uses it is skipped where Prometheus is not installed.
    """

    def __init__(
        self,
        directory: Path,
        targets: Sequence[str],
        *,
        interval: str = "500ms",
        rules: Sequence[Path] = (),
    ) -> None:
        self._program = require("prometheus")
        self._directory = directory
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self._config = directory / "prometheus.yml"
        self._config.write_text(
            _CONFIG.format(
                interval=interval,
                targets=json.dumps(list(targets)),
                rules=json.dumps(list(map(str, rules))),
            ),
            encoding="utf-8",
        )
        self._log = directory / "prometheus.log"

    @property
    def address(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self._port}"

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Evaluate an expression now: labels and value of each series of the answer."""
        body = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(body)["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in answer]

    def number(self, expression: str) -> float:
        """The only value of an expression; 0 where there is no series, as a counter that never moved has none."""
        series = self.query(expression)
        assert len(series) <= 1, series
        return series[0][1] if series else 0.0

    def table(self, expression: str, *labels: str) -> dict[Any, float]:
        """The values of an expression by one label, or by a tuple of several."""
        return {
            series[labels[0]] if len(labels) == 1 else tuple(series[label] for label in labels): value
            for series, value in self.query(expression)
        }

    def wait_for_a_whole_scrape(self, after: float, timeout: float = 30.0) -> None:
        """Wait until a scrape that began after a moment (Unix seconds) has succeeded."""
        self._wait(lambda: self.number("timestamp(up) and up == 1") > after, "no scrape succeeded", timeout)

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._directory / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--enable-feature=exemplar-storage,native-histograms",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait(lambda: self._get("/-/ready") != "", "it did not become ready", 30.0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=5) as response:  # noqa: S310  our own loopback address
            text: str = response.read().decode()
            return text

    def _wait(self, happened: Any, otherwise: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                if happened():
                    return
            except (OSError, urllib.error.URLError):
                pass
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(
                    f"Prometheus: {otherwise}\n{self._log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.05)
