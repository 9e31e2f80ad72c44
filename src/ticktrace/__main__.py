"""The command `ticktrace`, also as `python -m ticktrace`."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = frozenset({"click", "rich", "shellingham", "typer"})


def main() -> None:
    """Run the command line; says what to install, and exits with 2, when the extra `cli` is missing."""
    try:
        import rich  # noqa: F401, PLC0415 - typer needs it for its help, and asks for it only then

        from ticktrace.cli import app  # noqa: PLC0415 - typer and rich are optional
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write("The ticktrace command needs an optional dependency: pip install 'ticktrace[cli]'\n")
        sys.exit(2)
    app()


if __name__ == "__main__":
    main()
