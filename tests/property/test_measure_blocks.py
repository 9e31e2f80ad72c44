"""However tasks begin one another and their blocks interleave, each block of shared `Measure` objects gets its own time."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ticktrace.measuring import Measure


@dataclass
class Noted:
    """Stands where a site does, and notes nanoseconds."""

    values: list[int] = field(default_factory=list)

    def write(self, seconds: float) -> None:
        self.values.append(round(seconds * 1e9))


@dataclass
class Task:
    """A task: its context, and the blocks that it has open, innermost last, with the time each began."""

    context: contextvars.Context
    blocks: list[tuple[int, int]] = field(default_factory=list)


# What each step does: which task acts, what it does, with which object, and how long the step takes.
_STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["enter", "enter", "exit", "exit", "exit", "spawn"]),
        st.sampled_from([0, 0, 0, 1]),
        st.integers(1, 1_000),
    ),
    min_size=30,
    max_size=90,
)


@given(_STEPS)
def test_each_block_gets_its_own_time(steps: list[tuple[int, str, int, int]]) -> None:
    sites = Noted(), Noted()
    measures: list[Any] = [Measure(site) for site in sites]  # type: ignore[arg-type]
    expected: tuple[list[int], list[int]] = ([], [])
    tasks = [Task(contextvars.Context())]
    now = 1

    def clock() -> int:
        return now

    def leave(task: Task) -> None:
        which, began = task.blocks.pop()
        task.context.run(measures[which].__exit__, None, None, None, clock)
        expected[which].append(now - began)

    for who, action, which, elapsed in steps:
        now += elapsed
        task = tasks[who % len(tasks)]
        if action == "enter":
            task.context.run(measures[which].__enter__, clock)
            task.blocks.append((which, now))
        elif action == "exit" and task.blocks:
            leave(task)
        elif action == "spawn":
            tasks.append(Task(task.context.copy()))
    for task in tasks:
        while task.blocks:
            leave(task)
    assert [site.values for site in sites] == list(expected)
    assert [(block._others, block._started) for block in measures] == [(0, 0)] * 2
