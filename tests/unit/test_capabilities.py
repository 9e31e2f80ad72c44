"""The page on capabilities keeps its word: its names are found in the code, its tests and the places it links to exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ticktrace import compat, semconv, setup_telemetry, trading
from ticktrace.catalog import CATALOG
from ticktrace.compat import EventID
from ticktrace.exporters import known_exporters
from ticktrace.sampling import known_samplers
from ticktrace.settings import LEAVES
from ticktrace.settings.seeds import SEED_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "capabilities.md"

_ROW = re.compile(r"^\| (.+?) (?<!\\)\| (.+?) (?<!\\)\| (.+?) \|$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)]+)\)")
_LATER = re.compile(r"\*not yet\*: [^(`]+ \(issue (\d+)\)")
_TO_COME = {"6", "7", "8", "9"}

# Set and read by variables of their own, before any setting.
_SEED_VARIABLES = {"METRICS_ENABLED", "PROMETHEUS_ENABLED"}
_WORDS = {
    "COMMIT": "what db.operation.name says of the end of a transaction",
    "ROLLBACK": "the same",
    "near_miss": "a value of trading.filter.result",
    "target_info": "Prometheus' series with the resource",
    "timestamp": "a key of what the metrics logger returns",
    "unknown_token": "a reason in ticktrace.dropped",
    "full": "the same",
}


class Row(NamedTuple):
    capability: str
    where: str
    proof: str

    @property
    def names(self) -> list[str]:
        return _CODE.findall(self.where)


def rows_of(text: str) -> list[Row]:
    rows = [Row(*found.groups()) for found in _ROW.finditer(text)]
    return [row for row in rows if row.capability not in {"Capability", "---"}]


TEXT = PAGE.read_text(encoding="utf-8")
ROWS = rows_of(TEXT)


@cache
def named_tests(path: Path) -> frozenset[str]:
    """The names of a module's tests, those of classes with the class before them."""

    def names(body: list[ast.stmt], above: str = "") -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield above + node.name
            elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                yield from names(node.body, f"{above}{node.name}::")

    return frozenset(names(ast.parse(path.read_text(encoding="utf-8")).body))


def is_test(node: str) -> bool:
    path, _, name = node.partition("::")
    file = ROOT / path
    return path.startswith("tests/") and file.is_file() and name in named_tests(file)


@cache
def anchors_of(path: Path) -> frozenset[str]:
    """What the headings of a page are linked by, as Python-Markdown makes it of them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(
        re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings
    )


def is_target(link: str) -> bool:
    page, _, anchor = link.partition("#")
    file = PAGE.parent / page if page else PAGE
    return file.is_file() and (not anchor or anchor in anchors_of(file))


def has(root: object, path: str) -> bool:
    """Whether attributes lead all the way; those that a class only promises in its annotations count at the end."""
    for name in path.split("."):
        if not hasattr(root, name):
            return name in getattr(root, "__annotations__", {})
        root = getattr(root, name)
    return True


def is_imported(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return length == len(parts) or has(module, ".".join(parts[length:]))
    return False


def is_setting(name: str) -> bool:
    return any(
        leaf.name == name or name in {leaf.variable, *(each.name for each in leaf.variables)}
        for leaf in LEAVES
    )


def is_word_of_the_vocabulary(name: str) -> bool:
    return any(getattr(semconv, constant) == name for constant in semconv.__all__)


def is_command(name: str) -> bool:
    program, _, command = name.partition(" ")
    if program == "make":
        return (
            re.search(
                rf"^{re.escape(command)}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
            )
            is not None
        )
    from ticktrace.cli.app import app  # noqa: PLC0415  not before it is needed, as in the program itself

    groups = {group.name for group in app.registered_groups}
    commands = {each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands}
    return program == "ticktrace" and command in groups | commands


def is_argument(name: str) -> bool:
    return re.fullmatch(r"[a-z_]+=", name) is not None


@pytest.fixture
def resolves() -> Callable[[str], bool]:
    """Whether a name of the second column means something."""
    handle = setup_telemetry("capabilities", exporters={"metrics": ["memory"]})

    def resolve(name: str) -> bool:
        if name in CATALOG or name in _WORDS or name in _SEED_VARIABLES:
            return True
        if name in {alias for row in CATALOG.values() for alias in row.aliases}:
            return True
        if name.startswith("telemetry."):
            return has(handle, name.removeprefix("telemetry."))
        if name.startswith("ticktrace.") or name == "ticktrace":
            return is_imported(name)
        if name[0].isupper() and "." in name:
            return has(trading, name)
        if "/" in name:
            return (ROOT / name).exists()
        if name in {*known_exporters("metrics"), *known_samplers()}:
            return True
        return is_setting(name) or is_word_of_the_vocabulary(name) or is_argument(name) or is_command(name)

    return resolve


def test_the_page_has_a_table_for_each_document() -> None:
    tables = TEXT.split("\n## ")[1:]
    assert len(tables) == 5
    assert [table.partition("\n")[0] for table in tables if len(rows_of(table)) < 35] == []
    assert len(ROWS) == sum(line.startswith("| ") for line in TEXT.splitlines()) - 2 * len(tables)


def test_each_test_that_is_named_exists() -> None:
    nodes = [node for row in ROWS for node in _CODE.findall(row.proof)]
    assert [node for node in nodes if not is_test(node)] == []


def test_each_row_is_proved_or_says_what_will_bring_it() -> None:
    """What is promised for later is told apart from what is there: whoever brings it finds the row by its issue."""
    assert [row.capability for row in ROWS if "::" not in row.proof and not _LATER.search(row.where)] == []
    issues = {issue for row in ROWS for issue in _LATER.findall(row.where)}
    assert issues <= _TO_COME
    assert TEXT.count("*not yet*:") == sum(len(_LATER.findall(row.where)) for row in ROWS)
    assert [row.proof for row in ROWS if "::" not in row.proof and row.proof != "later"] == []


def test_each_name_in_ticktrace_is_found(resolves: Callable[[str], bool]) -> None:
    assert [name for row in ROWS for name in row.names if not resolves(name)] == []


def test_what_is_there_is_linked_to_its_page() -> None:
    assert [row.capability for row in ROWS if "::" in row.proof and not _LINK.search(row.where)] == []
    assert [link for link in _LINK.findall(TEXT) if not is_target(link)] == []


def test_the_old_names_are_all_there() -> None:
    said = " ".join(row.capability for row in ROWS)
    aliases = [alias for row in CATALOG.values() for alias in row.aliases]
    assert [alias for alias in aliases if f"`{alias}`" not in said] == []
    assert [event for event in EventID.__members__ if f"`{event}`" not in said] == []
    fields = [name for block in SEED_BLOCKS.values() for name in getattr(block, "model_fields", ())]
    assert [name for name in (*SEED_BLOCKS, *fields) if f"`{name}`" not in said] == []


def test_each_of_the_old_styles_has_a_row() -> None:
    names = [name for row in ROWS for name in row.names]
    kept_inside = {"DurationTracker", "Metric"}  # what functions of the style return
    assert [
        style
        for style in set(compat.__all__) - kept_inside
        if not any(name.startswith(f"ticktrace.compat.{style}") for name in names)
    ] == []


@pytest.mark.parametrize(
    "name",
    [
        "ticktrace.compat.track_durations",
        "ticktrace.metrics",
        "telemetry.trading.scaner",
        "Signal.chek",
        "trading.signals.generate",
        "metrics.recent.value",
        "ticktrace dream",
        "monitoring/prometheus/prometheus.yml",
        "anything",
    ],
)
def test_a_name_that_is_none_is_noticed(resolves: Callable[[str], bool], name: str) -> None:
    assert not resolves(name)


@pytest.mark.parametrize(
    "node",
    [
        "tests/unit/test_capabilities.py::test_nothing",
        "tests/unit/test_capability.py::test_a_test_that_is_none_is_noticed",
        "tests/unit/web/test_install.py::test_the_real_page_speaks_both_formats",  # without its class
        "tests/unit/test_capabilities.py",
    ],
)
def test_a_test_that_is_none_is_noticed(node: str) -> None:
    assert not is_test(node)


@pytest.mark.parametrize("link", ["metric.md", "measure.md#how-long", "#metrics"])
def test_a_link_that_leads_nowhere_is_noticed(link: str) -> None:
    assert not is_target(link)
