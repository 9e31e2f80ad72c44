"""How many different words may become label values: a series for each is what a metrics store pays for."""

from __future__ import annotations

import threading

from ticktrace import semconv
from ticktrace.engine import text_of

__all__ = ["WordLimit", "Words"]

# Strategies, filters, risk rules, venues: words that an application chooses, of which there are few unless it errs.
MOST_WORDS = 200


class WordLimit:
    """Keeps the values of a label bounded: an allow-list, or the first N that are seen; the rest is ``other``."""

    def __init__(self, allowed: tuple[str, ...], most: int) -> None:
        self._allowed = frozenset(allowed)
        self._most = most
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def label(self, word: str) -> str:
        """What stands for `word` on metrics: itself within the limit, else ``other``."""
        word = text_of(word)
        if self._allowed:
            return word if word in self._allowed else semconv.OTHER
        if word in self._seen:
            return word
        with self._lock:
            if word in self._seen:
                return word
            if len(self._seen) >= self._most:
                return semconv.OTHER
            self._seen.add(word)
            return word

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
    """

    def __init__(self, allowed_symbols: tuple[str, ...], most_symbols: int) -> None:
        self.symbols: WordLimit = WordLimit(allowed_symbols, most_symbols)
        self.strategies: WordLimit = WordLimit((), MOST_WORDS)
        self.filters: WordLimit = WordLimit((), MOST_WORDS)
        self.rules: WordLimit = WordLimit((), MOST_WORDS)
        self.venues: WordLimit = WordLimit((), MOST_WORDS)
        self.timeframes: WordLimit = WordLimit((), MOST_WORDS)
        self.scanners: WordLimit = WordLimit((), MOST_WORDS)
        self.errors: WordLimit = WordLimit((), MOST_WORDS)
        self.events: WordLimit = WordLimit((), MOST_WORDS)
        self.handlers: WordLimit = WordLimit((), MOST_WORDS)
        self.queues: WordLimit = WordLimit((), MOST_WORDS)
        self.providers: WordLimit = WordLimit((), MOST_WORDS)
        self.operations: WordLimit = WordLimit((), MOST_WORDS)
        self.caches: WordLimit = WordLimit((), MOST_WORDS)
        self.components: WordLimit = WordLimit((), MOST_WORDS)

    def reset_locks(self) -> None:
        """In a forked child, where a thread that held one does not exist."""
        for limit in vars(self).values():
            limit.reset_lock()
