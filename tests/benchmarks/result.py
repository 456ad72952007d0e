"""One figure of a benchmark, beside the bare minimum and the way most people would write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any


def counted(call: Callable[[], Any]) -> tuple[Any, int]:
    """What the call returns, and how many SQL statements it took, BEGIN and COMMIT included."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        returned = call()
    return returned, len(captured)


@dataclass
class Result:
    """`ours`, `bare` and `naive` are in `unit`; what was not measured is None.

    `statements` are SQL's for a thousand rows or messages, BEGIN and COMMIT included; `peak_mb` is
    the largest size of the process that did the work; `plan`, PostgreSQL's of the query that
    matters, is in the file of the report only.
    """

    scenario: str
    what: str
    size: int
    unit: str
    ours: float | None = None
    bare: float | None = None
    naive: float | None = None
    statements: float | None = None
    peak_mb: float | None = None
    also: dict[str, Any] = field(default_factory=dict)
    plan: str = ""

    def count_cpu(self, before: dict[str, float], after: dict[str, float]) -> None:
        """Add to `also` the processor time, in µs a row or message, by process."""
        for name, seconds in after.items():
            self.also[f"{name} µs"] = round((seconds - before.get(name, 0)) / self.size * 1e6, 1)

    @property
    def to_bare(self) -> float | None:
        return self.ours / self.bare if self.ours and self.bare else None

    @property
    def to_naive(self) -> float | None:
        return self.ours / self.naive if self.ours and self.naive else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ours_to_bare": self.to_bare, "ours_to_naive": self.to_naive}

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Result:
        return cls(**{each.name: row[each.name] for each in fields(cls)})

    def cells(self) -> list[str]:
        """The row of the report's table."""

        def rate(value: float | None) -> str:
            return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

        def ratio(value: float | None) -> str:
            return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"

        return [
            self.scenario, f"{self.what} ({self.unit})", f"{self.size:,}", rate(self.ours),
            rate(self.bare), ratio(self.to_bare), rate(self.naive), ratio(self.to_naive),
            rate(self.statements), rate(self.peak_mb),
            ", ".join(f"{name} {value}" for name, value in self.also.items()),
        ]  # fmt: skip
