"""Generate the recording rules that offer the seeds' bare metric names, monitoring/prometheus/rules/aliases.yml."""

from __future__ import annotations

import sys

import yaml

from _generated import write_or_check
from ticktrace.catalog import CATALOG, recording_rules

_HEAD = """\
# Generated from the catalog by tools/alias_rules.py; do not edit.
#
# Dashboards and alerts written for the bare names (signals_generated_total, engine_cycle_time, ...) go on working when
# Prometheus loads this file. New ones should use the names in docs/reference/instruments.md.
"""


def render() -> str:
    """The rules file, one group of rules for each group of the catalog that has aliases."""
    groups = []
    for name in dict.fromkeys(row.group for row in CATALOG.values()):
        rules = recording_rules({key: row for key, row in CATALOG.items() if row.group == name})
        entries = [
            {"record": rule.record, "expr": rule.expr}
            | ({"labels": dict(rule.labels)} if rule.labels else {})
            for rule in rules
        ]
        if entries:
            groups.append({"name": f"ticktrace aliases: {name}", "rules": entries})
    return _HEAD + yaml.safe_dump({"groups": groups}, sort_keys=False, width=10_000, allow_unicode=True)


if __name__ == "__main__":
    sys.exit(write_or_check(render(), "monitoring/prometheus/rules/aliases.yml"))
