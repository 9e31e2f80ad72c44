"""The objectives of a running bot: counted, judged and told, on a thread of their own or when somebody asks."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

from ticktrace import semconv
from ticktrace._version import __version__
from ticktrace.catalog import CATALOG
from ticktrace.engine import attempt, report
from ticktrace.objectives._counting import Tally
from ticktrace.objectives._judging import Judge, Judgement
from ticktrace.objectives._model import objectives_of
from ticktrace.objectives._telling import Teller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opentelemetry.metrics import CallbackOptions

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.engine import Engine, Instruments, SeriesTotal, Totals
    from ticktrace.objectives._model import Objective
    from ticktrace.settings import SloSettings

__all__ = ["Objectives"]

_PATIENCE_SECONDS = 5.0  # as long as somebody who asks waits for who judges just now


class Objectives:
    """What the settings promise (``slo.objectives``), and how it stands; reached as `Telemetry.objectives`. Thread-safe.

    Everything that is recorded counts, none of it twice and none by sample: the counts are those of the instruments, whose
    buckets have a boundary at each threshold. The recording threads pay nothing for it.

    Args:
        slo: the settings.
        catalog: the instruments.
        now: the monotonic clock, in seconds.
        wall: the time of day, in seconds since 1970.
    """

    def __init__(
        self,
        slo: SloSettings,
        catalog: Mapping[str, InstrumentSpec],
        *,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._slo = slo
        self._catalog = catalog
        self._now = now
        self._wall = wall
        self._lock = threading.RLock()
        self._totals: Totals | None = None
        self._teller: Teller | None = None
        self._kept: list[_Kept] = []
        self._objectives: tuple[Objective, ...] = ()

    def attach(self, engine: Engine, instruments: Instruments, totals: Totals) -> None:
        """Judge what an engine records from now on, from nothing; also in a forked child."""
        self._lock = threading.RLock()
        self._objectives = tuple(objectives_of(self._slo, self._catalog))
        start = self._now()
        self._kept = [
            _Kept(Tally(objective), Judge(objective, self._slo, start)) for objective in self._objectives
        ]
        self._totals = totals
        self._teller = Teller(engine, instruments)
        if self._kept:
            self._observe(engine)

    def detach(self) -> None:
        """Judge nothing any more; how the objectives stood last can still be asked."""
        self._totals = None

    def status(self) -> dict[str, Judgement]:
        """How each objective stands now, by its name. Counts and judges anew; not for the hot path. Never raises."""
        self.look()
        return self.last()

    def last(self) -> dict[str, Judgement]:
        """How each objective stood when it was last looked at: every ``slo.interval``, or by `status`."""
        return {one.objective.name: one.last for one in self._kept if one.last is not None}

    def promql(self) -> dict[str, str]:
        """For each objective an expression that says the same in Prometheus."""
        return {objective.name: objective.promql() for objective in self._objectives}

    def look(self) -> bool:
        """Count, judge and tell; False where that could not be done, which is reported."""
        totals, teller = self._totals, self._teller
        if totals is None or teller is None or not self._kept:
            return False
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            return False
        try:
            totals.settle()
            at = self._now()
            read = cache(totals.of)  # several objectives may ask for one instrument
            judged = [self._judge(kept, read, teller, at) for kept in self._kept]  # all of them
            return all(judged)
        except Exception as error:  # noqa: BLE001  the barrier
            report("objectives.look", error)
            return False
        finally:
            self._lock.release()

    def _judge(
        self, kept: _Kept, read: Callable[[str], Sequence[SeriesTotal]], teller: Teller, at: float
    ) -> bool:
        """One objective; what goes wrong with it must not keep the others waiting."""

        def judge() -> None:
            good, total = kept.tally.update(read)
            judgement = kept.judge.judge(at, good, total)
            bad = bool(judgement.conditions)
            if bad and not kept.violated:
                quiet = kept.told_at is None or at - kept.told_at >= self._slo.quiet
                if quiet:
                    kept.violated, kept.told_at, kept.since = True, at, self._wall()
                    teller.violated(judgement)
            elif kept.violated and not bad:
                kept.violated, kept.since = False, None
                teller.recovered(judgement)
            kept.last = replace(judgement, violated=kept.violated, since=kept.since)

        return attempt(f"objectives.{kept.objective.name:.40}", judge)

    def _observe(self, engine: Engine) -> None:
        meter = engine.meter_provider.get_meter("ticktrace", __version__)

        def observe(name: str, ask: Callable[[Judgement], Iterable[Observation]]) -> None:
            spec = CATALOG[name]

            def answer(_: CallbackOptions) -> Iterator[Observation]:
                for judgement in self.last().values():
                    yield from ask(judgement)

            meter.create_observable_gauge(spec.name, [answer], spec.unit, spec.description)

        def of(value: float, judgement: Judgement) -> Iterable[Observation]:
            return [Observation(value, {semconv.SLO_NAME: judgement.name})]

        observe("ticktrace.slo.compliance", lambda one: of(one.compliance, one) if one.total else ())
        observe("ticktrace.slo.target", lambda one: of(one.target, one))
        observe(
            "ticktrace.slo.error_budget.remaining",
            lambda one: of(one.budget_remaining, one) if one.total else (),
        )
        observe("ticktrace.slo.violated", lambda one: of(int(one.violated), one))
        observe(
            "ticktrace.slo.burn_rate",
            lambda one: [
                Observation(rate, {semconv.SLO_NAME: one.name, semconv.SLO_WINDOW: window})
                for window, rate in one.burn.items()
            ],
        )


class _Kept:
    """One objective and what is remembered of it."""

    def __init__(self, tally: Tally, judge: Judge) -> None:
        self.tally: Tally = tally
        self.judge: Judge = judge
        self.objective: Objective = judge.objective
        self.last: Judgement | None = None
        self.violated: bool = False
        self.told_at: float | None = None
        self.since: float | None = None
