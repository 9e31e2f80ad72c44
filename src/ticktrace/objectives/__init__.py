"""Objectives: what share of which events has to be good, how that stands, and what is wrong with the bot just now."""

from ticktrace.objectives._judging import Judgement
from ticktrace.objectives._keeper import Objectives
from ticktrace.objectives._model import Objective, check_objectives, objectives_of
from ticktrace.objectives._telling import words_of
from ticktrace.objectives._troubles import Troubles
from ticktrace.objectives._watch import Watch, with_totals

__all__ = [
    "Judgement",
    "Objective",
    "Objectives",
    "Troubles",
    "Watch",
    "check_objectives",
    "objectives_of",
    "with_totals",
    "words_of",
]
