"""A real uvicorn in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Uvicorn", "running"]

_INHERITED = ("PATH", "HOME", "VIRTUAL_ENV", "LANG", "COVERAGE_PROCESS_START")


@dataclass
class Uvicorn:
    """The process, and where it listens."""

    process: subprocess.Popen[str]
    port: int = 0
    lines: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        """What it has printed until it listened, and after its end all of it."""
        return "".join(self.lines)

    def get(self, path: str, *, accept: str = "*/*", timeout: float = 20) -> tuple[int, str, str]:
        """Status, body and content type."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310  see above
                return response.status, response.read().decode(), response.headers["content-type"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers["content-type"]

    def terminate(self, timeout: float = 30) -> float:
        """Send SIGTERM and wait for the end; return how long it took, in seconds."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.lines.append(self.process.communicate(timeout=timeout)[0])
        return time.monotonic() - begin


@contextmanager
def running(
    directory: Path,
    source: str,
    *,
    env: Mapping[str, str],
    before: Sequence[str] = (),
    arguments: Sequence[str] = (),
    program: bool = False,
    serves: bool = True,
) -> Iterator[Uvicorn]:
    """Serve ``app`` of a module with this source.

    Args:
        directory: where the module is written, and the working directory.
        source: the module.
        env: added to a minimal environment.
        before: a command that the uvicorn command is an argument of.
        arguments: more for uvicorn.
        program: the module runs uvicorn itself when it is the main program.
        serves: False waits for the end of the process instead of for its port.
    """
    (directory / "served.py").write_text(source)
    bin_directory = os.path.dirname(sys.executable)  # noqa: PTH120  a string for a command line
    uvicorn = os.path.join(bin_directory, "uvicorn")  # noqa: PTH118  see above
    command = [uvicorn, "served:app", "--host", "127.0.0.1", "--port", "0", *arguments]
    if program:
        command = [sys.executable, "served.py"]
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    process = subprocess.Popen(
        [*before, *command],
        cwd=directory,
        env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(directory), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Uvicorn(process)
    try:
        if serves:
            assert process.stdout is not None
            for line in process.stdout:
                server.lines.append(line)
                if "Uvicorn running on http://" in line:
                    server.port = int(line.rpartition("(")[0].strip().rpartition(":")[2])
                    break
            else:
                raise AssertionError(f"uvicorn ended:\n{server.output}")
        else:
            server.lines.append(process.communicate(timeout=40)[0])
        yield server
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        elif process.stdout is not None:
            process.stdout.close()
