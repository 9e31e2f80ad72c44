"""The report as one HTML file that needs no other."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

from ticktrace.reports.charts import curve_chart, funnel_chart, reasons_chart, timeline_chart
from ticktrace.reports.sections import sections, title
from ticktrace.reports.words import condition_name, figure, plural

if TYPE_CHECKING:
    from ticktrace.reports.model import Report
    from ticktrace.reports.sections import Section, Table

__all__ = ["as_html"]

_CURVES: Final = 12
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\ud800-\udfff]")

_STYLE: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2127; --faint: #667; --line: #d5d9de; --head: #f3f5f7;
  --entered: #c9d3dd; --passed: #2f7d5b; --lost: #b8552e; --curve: #2b62a8; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e4e7eb; --faint: #98a1ab; --line: #333b45;
  --head: #1d232a; --entered: #3b4754; --passed: #4fb387; --lost: #dd7d54; --curve: #6ba3ea; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 72rem; padding: 1.5rem; }
h1 { font-size: 1.6rem; } h2 { border-bottom: 1px solid var(--line); font-size: 1.2rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin-bottom: 0; } p { margin: .3rem 0; } .after { color: var(--faint); font-size: .9rem; }
.wide { overflow-x: auto; } table { width: max-content; border-collapse: collapse; font-size: .9rem; margin: .8rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem; text-align: left; vertical-align: top; }
th { background: var(--head); } .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td { max-width: 24rem; min-width: 5.5rem; overflow-wrap: break-word; } figure { margin: 1rem 0; } svg { display: block; max-width: 56rem; width: 100%; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } .entered { fill: var(--entered); }
.passed { fill: var(--passed); } .lost { fill: var(--lost); } .axis { fill: none; stroke: var(--line); }
.now { stroke: var(--lost); stroke-dasharray: 4 3; } .curve { fill: none; stroke: var(--curve); stroke-width: 2; }
.point { fill: var(--curve); }
"""


def as_html(report: Report, top: int) -> str:
    """Return the page. Whatever the journal holds is text in it, and it asks nobody for anything."""
    name = _escaped(title(report))
    body = [f"<h1>{name}</h1>"]
    for section in sections(report, top):
        body += _section(section, report, top)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _section(section: Section, report: Report, top: int) -> list[str]:
    parts = [f'<section id="{section.key}">', f"<h2>{_escaped(section.heading)}</h2>"]
    parts += [f"<p>{_escaped(sentence)}</p>" for sentence in section.said]
    parts += _figures(section.key, report, top)
    if section.table is not None:
        parts += _table(section.table)
    parts += [f'<p class="after">{_escaped(sentence)}</p>' for sentence in section.after]
    return [*parts, "</section>"]


def _figures(key: str, report: Report, top: int) -> list[str]:
    drawn: list[tuple[str, str]] = []
    if key == "funnel":
        drawn.append(("", funnel_chart(report.funnel)))
    elif key == "reasons":
        drawn.append(("", reasons_chart(report.reasons, top)))
    elif key == "silence":
        drawn.append(("Signals over time", timeline_chart(report.timeline, report.slice_seconds)))
    elif key == "thresholds":
        for row in [row for row in report.thresholds if row.curve][:_CURVES]:
            moved = "" if row.basis == "threshold" else f" by {row.basis}"
            heading = (
                f"{condition_name(row.name, row.strategy)} {row.comparison} {figure(row.threshold)}{moved}"
            )
            drawn.append((heading, curve_chart(row)))
    return [
        "<figure>"
        + (f"<h3>{_escaped(heading)}</h3>" if heading else "")
        + _CONTROL.sub("\N{REPLACEMENT CHARACTER}", chart)
        + "</figure>"
        for heading, chart in drawn
        if chart
    ]


def _table(table: Table) -> list[str]:
    kinds = [' class="number"' if right else "" for _, right in table.headings]
    heads = "".join(
        f"<th{kind}>{_escaped(heading)}</th>"
        for kind, (heading, _) in zip(kinds, table.headings, strict=True)
    )
    parts = [f'<div class="wide"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>']
    for row in table.rows:
        cells = (f"<td{kind}>{_escaped(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        parts.append(f"<tr>{''.join(cells)}</tr>")
    parts.append("</tbody></table></div>")
    if table.left_out:
        parts.append(f'<p class="after">… and {plural(table.left_out, "more row")}</p>')
    return parts


def _escaped(text: str) -> str:
    return escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))
