from __future__ import annotations

import importlib
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)

from ticktrace.errors import SettingsError
from ticktrace.sampling import (
    AdaptiveSampler,
    SafeSampler,
    Tuning,
    adaptive_sampler_from_argument,
    build_sampler,
    known_samplers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PACKAGE = """
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler

class Raising(Sampler):
    def __init__(self, arg): self.arg = arg
    def should_sample(self, *args, **kwargs): raise RuntimeError("always")
    def get_description(self): raise RuntimeError("always")

def off(arg): return ALWAYS_OFF
def refuses(arg): raise ValueError("no " + arg)
def wrong(arg): return 42
"""
_ENTRY_POINTS = """
[opentelemetry_traces_sampler]
acme_raising = acme_samplers:Raising
Acme_Off = acme_samplers:off
acme_refuses = acme_samplers:refuses
acme_wrong = acme_samplers:wrong
acme_absent = acme_absent:make
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A third party's distribution with samplers, installed for one test."""
    (tmp_path / "acme_samplers.py").write_text(_PACKAGE)
    metadata = tmp_path / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("acme_samplers", None)


@pytest.mark.parametrize(
    ("name", "sampler"),
    [
        ("always_on", ALWAYS_ON),
        ("always_off", ALWAYS_OFF),
        ("parentbased_always_on", DEFAULT_ON),
        (" ParentBased_Always_Off ", DEFAULT_OFF),
    ],
)
def test_standard_names_give_the_sdks_samplers(name: str, sampler: Sampler) -> None:
    assert build_sampler(name, "ignored") is sampler


def test_ratios_are_read_and_default_to_one() -> None:
    ratio = build_sampler("traceidratio", "0.25")
    assert isinstance(ratio, TraceIdRatioBased)
    assert ratio.rate == 0.25
    assert build_sampler("traceidratio").get_description() == "TraceIdRatioBased{1.0}"
    parent_based = build_sampler("parentbased_traceidratio", " 0.5 ")
    assert "root:TraceIdRatioBased{0.5}" in parent_based.get_description()


@pytest.mark.parametrize("arg", ["1.5", "-0.1", "half", "nan"])
def test_a_wrong_ratio_is_an_error_with_its_place(arg: str) -> None:
    with pytest.raises(SettingsError) as raised:
        build_sampler("traceidratio", arg)
    assert raised.value.problems == [f"traces.sampler_arg: must be a ratio from 0 to 1, not {arg!r}"]


def test_ours_is_made_from_its_argument() -> None:
    sampler = build_sampler("ticktrace_adaptive", "target=5")
    assert isinstance(sampler, AdaptiveSampler)
    assert sampler.tuning.target == 5


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError) as raised:
        build_sampler("parentbased_alwayson")
    (problem,) = raised.value.problems
    assert problem.startswith(
        "traces.sampler: unknown sampler 'parentbased_alwayson'; did you mean 'parentbased_always_on'?; known: "
    )
    assert ", ".join(known_samplers()) in problem


def test_the_known_names_are_the_standard_ones_ours_and_third_parties(acme: None) -> None:
    names = known_samplers()
    assert names == sorted(names)
    assert {"always_on", "parentbased_traceidratio", "ticktrace_adaptive", "acme_raising", "Acme_Off"} <= set(
        names
    )


def test_a_third_partys_sampler_works_behind_a_barrier(acme: None) -> None:
    sampler = build_sampler("acme_off")
    assert isinstance(sampler, SafeSampler)
    assert sampler.should_sample(None, 1, "x").decision is Decision.DROP
    assert sampler.failures == 0
    assert sampler.get_description() == "SafeSampler{AlwaysOffSampler}"


def test_a_third_partys_sampler_that_raises_never_reaches_the_application(
    acme: None, caplog: pytest.LogCaptureFixture
) -> None:
    sampler = build_sampler("acme_raising", "x")
    assert isinstance(sampler, SafeSampler)
    tracer = TracerProvider(sampler=sampler).get_tracer("test")
    for _ in range(3):
        with tracer.start_as_current_span("x", attributes={"a": 1}) as span:
            assert span.is_recording()
            assert getattr(span, "attributes", None) == {"a": 1}
    assert sampler.failures == 3
    assert [record.name for record in caplog.records] == ["ticktrace.sampling"]
    assert sampler.get_description() == "SafeSampler{Raising}"
    assert getattr(sampler.sampler, "arg", None) == "x"


def test_an_answer_that_is_no_sampling_result_counts_as_a_failure() -> None:
    class Lying(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            return None  # type: ignore[return-value]  # the point of the test

        def get_description(self) -> str:
            return "Lying"

    sampler = SafeSampler(Lying(), fallback=ALWAYS_OFF)
    assert sampler.should_sample(None, 1, "x").decision is Decision.DROP
    assert sampler.failures == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("acme_refuses", "could not be made from 'arg': ValueError('no arg')"),
        ("acme_wrong", "made 42, which is not a Sampler"),
        ("acme_absent", "could not be made from 'arg': ModuleNotFoundError"),
    ],
)
def test_a_third_partys_factory_that_fails_is_an_error_at_set_up(acme: None, name: str, reason: str) -> None:
    with pytest.raises(SettingsError) as raised:
        build_sampler(name, "arg")
    (problem,) = raised.value.problems
    assert problem.startswith(f"traces.sampler: {name!r} (acme_")
    assert reason in problem


@pytest.mark.parametrize(
    ("arg", "tuning"),
    [
        (None, Tuning()),
        ("", Tuning()),
        ("50", Tuning(50)),
        ("target=20,floor=0.01", Tuning(20, floor=0.01)),
        (
            " burst = 2 , recovery=30,ceiling=0.5, key=a+b, max_keys=9",
            Tuning(burst_window=2, recovery=30, ceiling=0.5),
        ),
        ("policy=500:0.5;1000:0.1", Tuning(None, policy=((500, 0.5), (1000, 0.1)))),
        ("policy=1000:0.1;500:0.5,ceiling=0.9", Tuning(None, ceiling=0.9, policy=((500, 0.5), (1000, 0.1)))),
        ("target=5,policy=100:0.5", Tuning(5, policy=((100, 0.5),))),
    ],
)
def test_the_argument_sets_the_dials(arg: str | None, tuning: Tuning) -> None:
    assert adaptive_sampler_from_argument(arg).tuning == tuning


@pytest.mark.parametrize(
    ("arg", "problems"),
    [
        (
            "taget=20",
            [
                "unknown option 'taget'; did you mean 'target'?; known: burst, burst_window, ceiling, floor, key, max_keys, policy, recovery, target"
            ],
        ),
        ("target", ["'target' is not option=value; write target=20,floor=0.01 or policy=500:0.5;1000:0.1"]),
        ("target=x,floor=y", ["target: must be a number, not 'x'", "floor: must be a number, not 'y'"]),
        (
            "target=-3,floor=2",
            [
                "target: must be traces a second above 0, not -3.0",
                "floor: must be a probability from 0 to 1, not 2.0",
            ],
        ),
        ("burst=1,burst_window=2", ["burst_window: given twice"]),
        ("policy=500", ["policy: '500' is not rate:probability, such as 500:0.5"]),
        ("policy=", ["policy: needs at least one rate:probability, such as 500:0.5"]),
        (
            "policy=500:1;500:2",
            [
                "policy[1]: rates must ascend, but 500.0 follows 500.0",
                "policy[1]: must be a probability from 0 to 1, not 2.0",
            ],
        ),
        (
            "max_keys=1.5,key=",
            [
                "max_keys: must be a whole number from 1 up, not '1.5'",
                "key: needs an attribute's name, or several joined by '+'",
            ],
        ),
        ("-4", ["target: must be traces a second above 0, not -4.0"]),
        ("target=inf", ["target: must be a number, not 'inf'"]),
    ],
)
def test_every_problem_of_the_argument_is_named(arg: str, problems: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        adaptive_sampler_from_argument(arg)
    assert raised.value.problems == [f"traces.sampler_arg: {problem} (in {arg!r})" for problem in problems]


def test_opentelemetrys_own_configuration_finds_the_sampler() -> None:
    """`OTEL_TRACES_SAMPLER=ticktrace_adaptive` without setup_telemetry(): the SDK loads the entry point."""
    (entry_point,) = entry_points(group="opentelemetry_traces_sampler", name="ticktrace_adaptive")
    assert entry_point.load()("target=7").tuning.target == 7
    (declarative,) = entry_points(group="opentelemetry_sampler", name="ticktrace_adaptive")
    assert declarative.load()().tuning.target == 20
