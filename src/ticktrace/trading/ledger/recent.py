"""How many there were within the last hour or day, in bounded memory."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Recent"]


class Recent(Struct):
    """Counts moments within a window that ends now, to the `step`: there are never more than window / step counts.

    Attributes:
        window, step: seconds.
        counts: a step's number (Unix time divided by `step`) and how many fell into it, oldest first.
    """

    window: int
    step: int
    counts: list[list[int]] = []

    def add(self, at: float) -> None:
        """One at that Unix time; one that is late counts with the latest."""
        number = int(at // self.step)
        counts = self.counts
        if counts and number <= counts[-1][0]:
            counts[-1][1] += 1
            return
        counts.append([number, 1])
        oldest = number - self.window // self.step
        gone = 0
        while counts[gone][0] <= oldest:
            gone += 1
        del counts[:gone]

    def snapshot(self) -> Recent:
        """As it stands now."""
        return Recent(self.window, self.step, [*self.counts])

    def count(self, now: float) -> int:
        """How many there were within the window before `now`."""
        start = now - self.window
        return sum(number for step, number in self.counts if step * self.step > start)
