"""Write a generated file, or say that the one in the repository is stale."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

__all__ = ["write_or_check"]

_ROOT = Path(__file__).resolve().parent.parent


def write_or_check(text: str, path: str, arguments: list[str] | None = None) -> int:
    """Do what the command line asks for with a generated file.

    Args:
        text: what the file shall hold.
        path: where it belongs, from the root of the repository.
        arguments: the command line; ``--check`` compares instead of writing, ``--output`` names another file.

    Returns:
        The exit status: 1 when the file on disk is not what it should be, else 0.
    """
    parser = argparse.ArgumentParser(description=f"Generate {path} from the catalog.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is stale")
    parser.add_argument("--output", type=Path, default=_ROOT / path, help=f"the file (default: {path})")
    options = parser.parse_args(arguments)
    output: Path = options.output
    if options.check:
        if output.is_file() and output.read_text(encoding="utf-8") == text:
            return 0
        print(f"{path} is stale; run: python tools/{Path(sys.argv[0]).name}", file=sys.stderr)
        return 1
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    print(f"wrote {output}")
    return 0
