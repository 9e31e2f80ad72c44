"""Finding rows and attributes by any of the names that people know them by.

An instrument has a name in OpenTelemetry, one in Prometheus, and perhaps aliases from other systems; an attribute has a
key, a label in Prometheus, and a bare word in those systems. All of them lead here to the one row or key.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.catalog._prometheus import label_name
from ticktrace.catalog._recording import SEED_LABELS
from ticktrace.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ticktrace.catalog._spec import InstrumentSpec

__all__ = ["InstrumentNames", "attribute_key"]

_MOST_NEAR = 4
_ALIKE = 0.6
_PREFIX = "trading."


class InstrumentNames:
    """The rows of a catalog by every name they have.

    ``trading.signals.generated`` is also found as ``signals.generated``, ``trading_signals_generated_total`` and
    ``signals_generated_total``. Case does not count, as it does not to OpenTelemetry.
    """

    def __init__(self, catalog: Mapping[str, InstrumentSpec]) -> None:
        self._rows: dict[str, InstrumentSpec] = {}
        self.add(catalog.values())

    def add(self, rows: Iterable[InstrumentSpec]) -> None:
        """Let these rows be found as well; a name that is known already stays with its row, but for a row of that name."""
        rows = list(rows)
        for row in rows:
            known = self._rows.get(row.name.lower())
            if known is not None and known.name == row.name:  # declared anew, perhaps otherwise
                self._rows = {name: other for name, other in self._rows.items() if other is not known}
        for row in rows:
            for name in (row.name.lower(), row.prometheus_name, *row.aliases):
                self._rows.setdefault(name, row)
        for row in rows:  # what is shortened never hides a whole name
            if row.name.startswith(_PREFIX):
                self._rows.setdefault(row.name.removeprefix(_PREFIX).lower(), row)
                self._rows.setdefault(row.prometheus_name.removeprefix("trading_"), row)

    def get(self, name: str) -> InstrumentSpec | None:
        """The row of that name, None when there is none."""
        return self._rows.get(name.strip().lower())

    def find(self, name: str) -> InstrumentSpec:
        """The row of that name.

        Raises:
            CatalogError: there is none; the message lists names that look like it.
        """
        row = self.get(name)
        if row is None:
            raise CatalogError(f"no instrument is called {name!r}{self.hint(name)}")
        return row

    def near(self, name: str) -> list[str]:
        """Names that look like this one, the most alike first, each of another row."""
        import difflib  # noqa: PLC0415  only a wrong name needs it, and importing it takes a millisecond

        rows: dict[str, str] = {}
        for close in difflib.get_close_matches(name.strip().lower(), self._rows, n=12, cutoff=_ALIKE):
            rows.setdefault(self._rows[close].name, close)
        return list(rows.values())[:_MOST_NEAR]

    def hint(self, name: str) -> str:
        """The end of a sentence about an unknown name: ``; near: a (trading.a), b``, or what to do without any."""
        near = self.near(name)
        if not near:
            return "; the reference of instruments lists all names"
        said = (
            close if close == self._rows[close].name else f"{close} ({self._rows[close].name})"
            for close in near
        )
        return f"; near: {', '.join(said)}"


def attribute_key(row: InstrumentSpec, word: str) -> str | None:
    """The key among a row's attributes that `word` means, or None.

    Args:
        row: the instrument.
        word: the key itself (``trading.strategy.name``), its label in Prometheus (``trading_strategy_name``), or what
            other systems call it (``strategy``, ``strategy_name``).
    """
    return _keys(row.attributes).get(word)


@lru_cache(maxsize=512)
def _keys(attributes: tuple[str, ...]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for words in (_whole, _of_other_systems, _shortened):
        for key in attributes:
            for word in words(key):
                found.setdefault(word, key)
    return found


def _whole(key: str) -> tuple[str, ...]:
    return key, label_name(key)


def _of_other_systems(key: str) -> tuple[str, ...]:
    label = "error_type" if key == semconv.ERROR_TYPE else SEED_LABELS.get(key)
    return () if label is None else (label,)


def _shortened(key: str) -> tuple[str, ...]:
    """``strategy_name`` and ``strategy`` of ``trading.strategy.name``; where two want a word, the row's first has it."""
    parts = key.split(".")[1:] or [key]
    bare = parts[:-1] if parts[-1] == "name" and len(parts) > 1 else parts[-1:]
    return "_".join(parts), bare[-1]
