"""Whether the bot is well, and whether it can do its work; its resources, objectives and decisions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ticktrace.web.api._models import (
    ActionDone,
    DiagnosticsSummary,
    Health,
    HealthReason,
    Objective,
    Objectives,
    Ready,
    ReasonCount,
    Resources,
    ResourceTrend,
)
from ticktrace.web.api._numbers import finite
from ticktrace.web.api._overview import engine_states, first_figures, heartbeat_age

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ticktrace.engine import SeriesTotal
    from ticktrace.runtime import ResourceMonitor
    from ticktrace.web.api._handle import ApiHandle

__all__ = ["Wellness"]

_ORDER: Final = {"critical": 0, "warning": 1, "healthy": 2}
_MOST: Final = 100


class Wellness:
    """Makes the answers about how the bot is. Every method blocks.

    Args:
        telemetry: what is asked.
    """

    def __init__(self, telemetry: ApiHandle) -> None:
        self._telemetry = telemetry
        self._settings = telemetry.settings.api.health

    def health(self) -> Health:
        """The worst of what is wrong, and all of it."""
        reasons = [*self._of_telemetry()]
        if self._telemetry.enabled:
            totals = self._telemetry.totals()
            reasons += self._of_engine(totals)
            reasons += self._of_objectives()
            if not totals and not self._telemetry.statistics.instruments():
                text = "no metric has been recorded"
                reasons.append(HealthReason(status="warning", check="metrics", text=text))
            monitor = self._telemetry.watch_resources()
            first_figures(monitor)
            reasons += _of_resources(monitor)
        reasons.sort(key=lambda reason: _ORDER[reason.status])
        status = reasons[0].status if reasons else "healthy"
        return Health(status=status, reasons=reasons, timestamp=time.time())

    def ready(self) -> Ready:
        """Whether telemetry runs and the engine lives; CPU and memory do not make a bot unready, as a restart of it costs."""
        if not self._telemetry.enabled:
            return Ready(ready=False, reasons=["telemetry is off"])
        found = [
            reason.text for reason in self._of_engine(self._telemetry.totals()) if reason.status == "critical"
        ]
        return Ready(ready=not found, reasons=found)

    def resources(self) -> Resources:
        """What the resource monitor makes of it."""
        monitor = self._telemetry.watch_resources()
        first_figures(monitor)
        trends = {name: monitor.trend(name) for name in monitor.limits}
        return Resources(
            status=monitor.health().status,
            reasons=list(_of_resources(monitor)),
            trends={
                name: ResourceTrend(
                    slope_per_second=trend.slope,
                    r2=trend.r2,
                    limit=trend.limit,
                    seconds_to_limit=trend.time_to_limit,
                )
                for name, trend in trends.items()
            },
            actions=[
                ActionDone(
                    time=record.unix,
                    action=record.action,
                    limit=record.limit,
                    threshold=record.threshold,
                    value=record.value,
                    outcome=record.outcome,
                    seconds=record.seconds,
                    gained=record.gained,
                )
                for record in reversed(monitor.records[-_MOST:])
            ],
        )

    def objectives(self) -> Objectives:
        """How each objective stands now."""
        judged = self._telemetry.objectives.status().values()
        rows = [
            Objective(
                name=one.name,
                promise=one.promise,
                target=one.target,
                window=one.window,
                covered=one.covered,
                good=one.good,
                total=one.total,
                compliance=finite(one.compliance),
                budget_remaining=finite(one.budget_remaining),
                burn_rates=dict(one.burn),
                conditions=list(one.conditions),
                violated=one.violated,
                since=one.since,
            )
            for one in judged
        ]
        return Objectives(violated=sum(row.violated for row in rows), objectives=rows)

    def diagnostics(self) -> DiagnosticsSummary:
        """Decisions and their reasons; not where the journal is."""
        found = self._telemetry.diagnostics.snapshot()
        reasons = list(found["reasons"].items())[:_MOST]
        return DiagnosticsSummary(
            enabled=found["enabled"],
            session=found["session_id"],
            events=found["events"],
            reasons=[ReasonCount(reason=reason, count=count) for reason, count in reasons],
            dropped={str(reason): int(count) for reason, count in found["dropped"].items()},
        )

    def _of_telemetry(self) -> Iterator[HealthReason]:
        if not self._telemetry.enabled:
            yield HealthReason(status="critical", check="telemetry", text="telemetry is off")
        for loss in self._telemetry.losses():
            yield HealthReason(status="warning", check="telemetry", text=f"telemetry was lost: {loss}")

    def _of_engine(self, totals: Mapping[str, list[SeriesTotal]]) -> Iterator[HealthReason]:
        wrong = {state.casefold() for state in self._telemetry.settings.notifications.error_states}
        for state in engine_states(totals):
            if state.casefold() in wrong:
                text = f"the engine is in the state {state}"
                yield HealthReason(status="critical", check="engine_state", text=text)
        age = heartbeat_age(totals)
        settings = self._settings
        if age is None:
            if settings.require_heartbeat:
                text = "the engine has had no heartbeat"
                yield HealthReason(status="critical", check="heartbeat", text=text)
            return
        text = f"the engine's last heartbeat was {age:.0f} s ago"
        if age >= settings.heartbeat_critical:
            limit = settings.heartbeat_critical
            yield HealthReason(status="critical", check="heartbeat", value=age, limit=limit, text=text)
        elif age >= settings.heartbeat_warning:
            limit = settings.heartbeat_warning
            yield HealthReason(status="warning", check="heartbeat", value=age, limit=limit, text=text)

    def _of_objectives(self) -> Iterator[HealthReason]:
        for one in self._telemetry.objectives.status().values():
            if one.violated:
                yield HealthReason(
                    status="warning",
                    check=f"objective {one.name}",
                    value=finite(one.compliance),
                    limit=one.target,
                    text=f"the objective {one.name} is violated: {', '.join(one.conditions)}",
                )


def _of_resources(monitor: ResourceMonitor) -> Iterator[HealthReason]:
    for reason in monitor.health().reasons:
        yield HealthReason(
            status=reason.status,
            check=reason.figure,
            value=finite(reason.value),
            limit=reason.limit,
            text=reason.text,
        )
