"""The OTel context inside a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace.engine import SPAN_KEY, InnerContext
from ticktrace.trading._keys import STAGE_KEY

if TYPE_CHECKING:
    from ticktrace.trading._stage import Stage

__all__ = ["StageContext"]


class StageContext(InnerContext):
    """What was current before the stage, and the stage and its span.

    Attributes:
        stage: whose block it is.
    """

    __slots__ = ("stage",)

    stage: Stage

    @property
    def span(self) -> Any:
        """The stage's, which is made when it is asked for."""
        return self.stage.span

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key: the stage's span, the stage, or what the context before has."""
        if key == SPAN_KEY:
            return self.stage.span
        if key == STAGE_KEY and self.stage.found_by_decorators:
            return self.stage
        return self.outer.get(key, default)

    def whole(self) -> dict[str, Any]:
        """All of it."""
        whole = super().whole()
        if self.stage.found_by_decorators:
            whole[STAGE_KEY] = self.stage
        return whole
