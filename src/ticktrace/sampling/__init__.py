"""Head samplers: one that steers to a budget, OTel's standard ones by name, and a barrier around foreign ones."""

from __future__ import annotations

from ticktrace.sampling.adaptive import AdaptiveSampler
from ticktrace.sampling.argument import adaptive_sampler_from_argument
from ticktrace.sampling.key import KeyFunction
from ticktrace.sampling.known import build_sampler, known_samplers
from ticktrace.sampling.safe import SafeSampler
from ticktrace.sampling.statistics import SamplerStatistics
from ticktrace.sampling.tuning import Policy, Tuning

__all__ = [
    "AdaptiveSampler",
    "KeyFunction",
    "Policy",
    "SafeSampler",
    "SamplerStatistics",
    "Tuning",
    "adaptive_sampler_from_argument",
    "build_sampler",
    "known_samplers",
]
