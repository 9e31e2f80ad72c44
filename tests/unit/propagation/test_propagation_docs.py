from __future__ import annotations

import re
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[3] / "docs" / "propagation.md"
_EXAMPLES = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", _EXAMPLES, ids=range(len(_EXAMPLES)))
def test_each_example_of_the_page_runs(example: str) -> None:
    exec(compile(example, _PAGE.name, "exec"), {"__name__": "example"})  # noqa: S102 - our own page
