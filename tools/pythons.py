"""List the CPython interpreters that the tests can run on: one line each, ``3.12 /path/to/python3.12``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")


def candidates(version: str) -> list[Path]:
    """Where an interpreter of `version` may be: on the path, or among pyenv's."""
    found = []
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        found.append(Path(on_path))
    pyenv = shutil.which("pyenv")
    if pyenv is not None:
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
        found.extend(sorted(Path(root, "versions").glob(f"{version}.*/bin/python"), reverse=True))
    return found


def works(interpreter: Path, version: str) -> bool:
    """Whether it runs and is CPython of that version; a pyenv shim may exist and refuse."""
    program = "import platform, sys; print(platform.python_implementation(), *sys.version_info[:2], sep='.')"
    said = subprocess.run([interpreter, "-c", program], capture_output=True, text=True, check=False).stdout  # noqa: S603
    return said.strip() == f"CPython.{version}"


def main() -> None:
    """Print the first that works for each version."""
    for version in VERSIONS:
        for interpreter in candidates(version):
            if works(interpreter, version):
                print(version, interpreter)
                break


if __name__ == "__main__":
    main()
