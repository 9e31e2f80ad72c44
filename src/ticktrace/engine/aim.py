"""Pointing what was handed out at another engine, all of it, whatever one of them does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from ticktrace.engine.barrier import report

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["aim"]

P_contra = TypeVar("P_contra", contravariant=True)


class _Aimed(Protocol[P_contra]):
    def point_at(self, source: P_contra, /) -> None: ...


def aim(each: Iterable[_Aimed[P_contra]], source: P_contra, nowhere: P_contra) -> None:
    """Point each at `source`; one that cannot be must not keep the others from it, and is pointed `nowhere`."""
    for one in each:
        try:
            one.point_at(source)
        except Exception as error:  # noqa: BLE001  made from a library's arguments, which may be anything
            report("switch", error)
            one.point_at(nowhere)
