"""The report as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ticktrace.reports.sections import sections, title
from ticktrace.reports.words import plural

if TYPE_CHECKING:
    from ticktrace.reports.model import Report
    from ticktrace.reports.sections import Table

__all__ = ["as_markdown"]

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~&$])")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def as_markdown(report: Report, top: int) -> str:
    """Return the report with tables of `top` rows at most; words of the journal stay words."""
    lines = [f"# {_escaped(title(report))}"]
    for section in sections(report, top):
        lines += ["", f"## {section.heading}", ""]
        lines += [f"- {_escaped(sentence)}" for sentence in section.said]
        if section.table is not None:
            lines += [*([""] if section.said else []), *_table(section.table)]
            if section.table.left_out:
                lines += ["", f"… and {plural(section.table.left_out, 'more row')}"]
        if section.after:
            lines += ["", *(f"- {_escaped(sentence)}" for sentence in section.after)]
    return "\n".join(lines) + "\n"


def _table(table: Table) -> list[str]:
    heads = table.headings
    return [
        _row([heading for heading, _ in heads]),
        _row(["---:" if right else "---" for _, right in heads]),
        *(_row([_escaped(cell) for cell in row]) for row in table.rows),
    ]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _CONTROL.sub(" ", text))
