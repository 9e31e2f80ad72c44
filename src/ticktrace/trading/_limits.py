"""How many different words may become label values: a series for each is what a metrics store pays for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.engine import text_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WordLimit", "Words"]

# Strategies, filters, risk rules, venues: words that an application chooses, of which there are few unless it errs.
MOST_WORDS = 200


class WordLimit:
    """Keeps the values of a label bounded: an allow-list, or the first N that are seen; the rest is ``other``.

    Args:
        allowed: the words of the allow-list; any where it is empty.
        most: how many, where there is no list.
        scrub: takes secrets out of a word when it is first seen; without it they stay.
    """

    def __init__(
        self, allowed: tuple[str, ...], most: int, scrub: Callable[[str], str] | None = None
    ) -> None:
        self._allowed = frozenset(allowed)
        self._most = most
        self._scrub = scrub
        self._seen: dict[str, str] = {}
        self._lock = threading.Lock()

    def label(self, word: str) -> str:
        """What stands for `word` on metrics: itself within the limit, else ``other``."""
        word = text_of(word)
        if self._allowed:
            return word if word in self._allowed else semconv.OTHER
        seen = self._seen.get(word)
        if seen is not None:
            return seen
        label = word if self._scrub is None else self._scrub(word)
        with self._lock:
            if word not in self._seen and len(self._seen) >= self._most:
                return semconv.OTHER
            return self._seen.setdefault(word, label)

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()


class Words:
    """The limits of everything that an application names.

    Attributes:
        symbols: by allow-list or number, from the settings.
        strategies, filters, rules, venues, timeframes, scanners, errors: two hundred each.
        events, handlers, queues: of an event bus, two hundred each.
        providers, operations, caches, components: two hundred each.

    Args:
        allowed_symbols: the symbols, where the settings list them.
        most_symbols: how many, where they do not.
        scrub: takes secrets out of a word when it is first seen; without it they stay.
    """

    def __init__(
        self,
        allowed_symbols: tuple[str, ...],
        most_symbols: int,
        scrub: Callable[[str], str] | None = None,
    ) -> None:
        self.symbols: WordLimit = WordLimit(allowed_symbols, most_symbols, scrub)
        self.strategies: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.filters: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.rules: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.venues: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.timeframes: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.scanners: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.errors: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.events: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.handlers: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.queues: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.providers: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.operations: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.caches: WordLimit = WordLimit((), MOST_WORDS, scrub)
        self.components: WordLimit = WordLimit((), MOST_WORDS, scrub)

    def reset_locks(self) -> None:
        """In a forked child, where a thread that held one does not exist."""
        for limit in vars(self).values():
            limit.reset_lock()
