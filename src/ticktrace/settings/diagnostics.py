"""The settings of diagnostics: what decisions leave behind, and what must not be in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from .declare import Group, group, setting
from .values import Bool, Count, Duration, FilePath, Names, Rule, Text, Whole, choice, wrong

__all__ = ["DiagnosticsSettings", "JournalSettings", "ScrubSettings"]

Compression = Literal["none", "gzip"]


def _patterns(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value  # a comma is part of many a pattern
    if not isinstance(given, (list, tuple)) or not all(isinstance(pattern, str) for pattern in given):
        raise TypeError
    for pattern in given:
        try:
            re.compile(pattern)
        except re.error as error:
            raise wrong(f"{pattern!r} is no regular expression: {error}") from None
    return tuple(given)


Patterns = Annotated[
    tuple[str, ...],
    Rule(
        "a regular expression, or a list of them",
        _patterns,
        {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
    ),
]


class JournalSettings(Group):
    """The journal: one line of JSON for each decision, in files of its own."""

    enabled: Bool = setting(default=True, description="Whether the journal is written.")
    directory: FilePath = setting(Path("logs/diag"), "Directory of the files; it is created when needed.")
    session: Text | None = setting(
        None, "Name of the session, part of the files' names. When null: `service.name`."
    )
    rotate_bytes: Whole = setting(67_108_864, "A file that has grown to this size is followed by another.")
    rotate_after: Duration = setting(86_400.0, "A file that is this old is followed by another.")
    keep_files: Whole = setting(
        50, "Most files in the directory; the oldest that nobody writes to are removed."
    )
    keep_for: Duration = setting(1_209_600.0, "Files that were last written this long ago are removed.")
    keep_bytes: Whole = setting(2_147_483_648, "Most bytes of all files together; the oldest are removed.")
    compression: Annotated[Compression, choice(Compression)] = setting(
        "none", "What becomes of a file that is complete."
    )
    buffer_size: Whole = setting(
        65_536, "Most entries that wait to be written; more are dropped and counted."
    )
    line_bytes: Whole = setting(16_384, "Longest line; what does not fit loses its payload.")


class ScrubSettings(Group):
    """Secrets that must not leave the process, in addition to those that are known by their names or their looks."""

    enabled: Bool = setting(
        default=True, description="Whether secrets are replaced in spans, logs, metrics and the journal."
    )
    keys: Names = setting((), "Further words in the names of what is secret, such as `pin`.")
    patterns: Patterns = setting((), "Further regular expressions (Python's) of what is secret.")
    environment: Bool = setting(
        default=True,
        description="Whether the values of environment variables that are named like secrets are taken for secrets.",
    )


class DiagnosticsSettings(Group):
    """Decisions with their reasons, as events of spans, counters and lines of a journal."""

    enabled: Bool = setting(
        default=True,
        description="Whether `diagnostics.record` and its kin record, and the journal is written.",
    )
    journal: JournalSettings = group(JournalSettings(), "The journal.")
    log_events: Bool = setting(
        default=False, description="Whether each line of the journal is also an OTel log event."
    )
    reasons: Count = setting(1_000, "Most different reasons that `snapshot` counts; the rest is `other`.")
    scrub: ScrubSettings = group(ScrubSettings(), "Secrets.")

    @model_validator(mode="after")
    def _events_have_lines(self) -> Self:
        if self.log_events and not self.journal.enabled:
            raise wrong("log_events needs the journal, whose lines they are: set journal.enabled to true")
        return self
