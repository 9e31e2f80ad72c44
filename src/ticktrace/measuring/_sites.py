"""Places of the application that record: an instrument with labels, aimed at whatever telemetry is in force.

They are made wherever the application likes, also while modules are imported and long before telemetry is set up. Until
then, and after it has been shut down, they do nothing; when telemetry starts, here or in a forked child, they follow.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from weakref import WeakSet

from ticktrace import semconv
from ticktrace.catalog import CATALOG, InstrumentNames, Kind, attribute_key
from ticktrace.engine import report, text_of, warn_once
from ticktrace.measuring._target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.engine import Instruments
    from ticktrace.measuring.statistics import Statistics
    from ticktrace.trading import Recorder

__all__ = [
    "NAMES",
    "Duration",
    "Site",
    "attach",
    "current_target",
    "detach",
    "duration_of",
    "duration_site",
    "is_duration",
    "keys_of",
    "site_of",
]

NAMES: Final = InstrumentNames(CATALOG)
MEASURED: Final = CATALOG["ticktrace.measure.duration"]

_MOST_KEPT: Final = 4_096  # sites kept for good; a site beyond lives as long as somebody holds it
_MOST_ERRORS: Final = 64


def _ignore(_value: float, /) -> None:
    """What a site does while no telemetry runs."""


class Site:
    """An instrument and the labels that the application gave.

    Attributes:
        spec: the instrument's row.
        given: words of the application by attribute key, before any limit.
        write: records a value: `add`, `record` or `set`, as the instrument has it.
    """

    __slots__ = ("__weakref__", "_handle", "given", "spec", "write")

    def __init__(self, spec: InstrumentSpec, given: Mapping[str, Any]) -> None:
        self.spec: InstrumentSpec = spec
        self.given: Mapping[str, Any] = given
        self.write: Callable[[float], None] = _ignore
        self._handle: object = None

    def aim(self, target: Target | None) -> None:
        """Record there from now on, or nowhere.

        Labels are resolved by the first value: a site that is not used must have no series, and no word of the limits.
        """
        self._handle = None
        self.write = _ignore if target is None else self._write_first

    def _write_first(self, value: float) -> None:
        target = _sites.target
        if target is None:
            return
        try:  # two threads may be here at once: they find the same handle
            handle, write = target.bind(self.spec, target.labels(self.given))
        except Exception as error:  # noqa: BLE001  telemetry never raises into the bot
            report(f"measure.{self.spec.name}", error)
            self.write = _ignore
            return
        self._handle, self.write = handle, write
        if _sites.target is not target:  # it was exchanged meanwhile
            self.aim(_sites.target)
            return
        write(value)

    def with_error(self, error: BaseException | None) -> Site:
        """The site to record on where a block has ended with this exception, or with none.

        As with trading's stages only an `Exception` is an error: a cancelled task or a closed generator is none.
        """
        if not isinstance(error, Exception) or semconv.ERROR_TYPE not in self.spec.attributes:
            return self
        return site_of(self.spec, {**self.given, semconv.ERROR_TYPE: type(error).__qualname__})


class Duration(Site):
    """A histogram of seconds, and how to record on it that something failed."""

    __slots__ = ("_failures",)

    def __init__(self, spec: InstrumentSpec, given: Mapping[str, Any]) -> None:
        super().__init__(spec, given)
        self._failures: dict[type[BaseException], Site] = {}

    def failed(self, seconds: float, error: BaseException) -> None:
        """Record a duration that ended in an exception; see `with_error`. Never raises."""
        try:
            kind = type(error)
            site = self._failures.get(kind)
            if site is None:
                site = self.with_error(error)
                if len(self._failures) < _MOST_ERRORS:
                    self._failures[kind] = site
            site.write(seconds)
        except Exception as fault:  # noqa: BLE001  the barrier
            report("measure.failed", fault)


S = TypeVar("S", bound=Site)


class _Sites:
    """All sites of the process, and what they are aimed at."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a signal handler may measure while its thread is in here
        self.target: Target | None = None
        self._kept: dict[Hashable, Site] = {}
        self._all: WeakSet[Site] = WeakSet()

    def get(self, kind: type[S], spec: InstrumentSpec, given: Mapping[str, Any]) -> S:
        key = (kind, spec.name, *given.items())
        site = cast("S | None", self._kept.get(key))
        return self._make(kind, spec, given, key) if site is None else site

    def _make(self, kind: type[S], spec: InstrumentSpec, given: Mapping[str, Any], key: Hashable) -> S:
        with self.lock:
            site = cast("S | None", self._kept.get(key))
            if site is None:
                site = kind(spec, given)
                site.aim(self.target)
                self._all.add(site)
                if len(self._kept) < _MOST_KEPT:
                    self._kept[key] = site
            return site

    def aim(self, target: Target | None) -> None:
        with self.lock:
            self.target = target
            for site in list(self._all):
                site.aim(target)


_sites = _Sites()


def attach(recorder: Recorder, instruments: Instruments, statistics: Statistics) -> None:
    """Telemetry runs, and `instruments` are attached to it: every site records there from now on."""
    target = Target(recorder, instruments, statistics)
    _sites.lock = threading.RLock()  # in a forked child the old one may be held by a thread that is gone …
    _sites.aim(target)


def detach() -> None:
    """Telemetry is over: every site does nothing from now on."""
    _sites.lock = threading.RLock()  # … or by the very thread whose signal handler shuts down
    _sites.aim(None)


def current_target() -> Target | None:
    """What sites are aimed at; None while no telemetry runs."""
    return _sites.target


def site_of(spec: InstrumentSpec, given: Mapping[str, Any]) -> Site:
    """The site of an instrument and labels; the same one each time, as long as there are not too many.

    Args:
        spec: the instrument's row.
        given: words by attribute key; what cannot be hashed counts as its text.
    """
    return _found(Site, spec, given)


def duration_site(spec: InstrumentSpec, given: Mapping[str, Any]) -> Duration:
    """The site of a histogram of seconds; see `site_of`."""
    return _found(Duration, spec, given)


def _found(kind: type[S], spec: InstrumentSpec, given: Mapping[str, Any]) -> S:
    try:
        return _sites.get(kind, spec, given)
    except TypeError:
        return _sites.get(kind, spec, {key: text_of(word) for key, word in given.items()})


def keys_of(spec: InstrumentSpec, words: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Attributes by their keys; those that the row does not allow are left out, and that is said once.

    Args:
        spec: the instrument's row.
        words: by key, label or bare word; see `ticktrace.catalog.attribute_key`. None means: not known.
        what: who asks, for the warning.
    """
    found = {}
    for word, value in words.items():
        key = attribute_key(spec, word)
        if key is None:
            warn_once(
                f"{what}.{spec.name}.{word!s:.40}",
                "ticktrace: %s: %s has no attribute %r, which is left out; it has %s",
                what,
                spec.name,
                word,
                ", ".join(spec.attributes) or "none",
            )
        elif value is not None:
            found[key] = value
    return found


def duration_of(name: str, attributes: Mapping[str, Any]) -> Duration:
    """The site of a duration. Never raises.

    Args:
        name: a histogram of the catalog in seconds, by any of its names; anything else is the name of a piece of code,
            which ``ticktrace.measure.duration`` carries as an attribute.
        attributes: labels.
    """
    name = text_of(name)
    spec = NAMES.get(name)
    if spec is not None and not is_duration(spec):
        spec = None
    if spec is None and name.startswith(("trading.", "ticktrace.")):
        warn_once(
            f"measure.{name:.40}",
            "ticktrace: measure(%r): the catalog has no duration of that name%s; recorded as a piece of code called so",
            name,
            NAMES.hint(name),
        )
    given = keys_of(spec or MEASURED, attributes, f"measure({name!r:.40})")
    if spec is None:
        given = {semconv.MEASURE_NAME: name, **given}
    return duration_site(spec or MEASURED, given)


def is_duration(spec: InstrumentSpec) -> bool:
    """Whether it is a histogram of seconds."""
    return spec.kind is Kind.HISTOGRAM and spec.unit == "s"


def _after_fork_in_child() -> None:
    _sites.lock = threading.RLock()
    if _sites.target is not None:
        _sites.target.reset_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
