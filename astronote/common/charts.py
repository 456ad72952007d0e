"""Bar charts as inline SVG: no script, no other host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT, GAP, WIDEST = 720, 180, 0.15, 60


class Bar(NamedTuple):
    """One bar, in the chart's own units, with its tooltip."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


class Chart(NamedTuple):
    """What the template draws."""

    title: str
    names: list[str]
    bars: list[Bar]
    first: str
    last: str
    highest: int
    width: int = WIDTH
    height: int = HEIGHT


def bar_chart(
    title: str, series_names: Sequence[str], labelled_values: Sequence[tuple[str, Sequence[int]]]
) -> Chart | None:
    """A chart of several series side by side; None if there is nothing to show.

    Args:
        title: what the chart shows.
        series_names: names of the series.
        labelled_values: for each place on the axis its label and the value of each series.
    """
    highest = max((value for _, values in labelled_values for value in values), default=0)
    if not highest:
        return None
    step = min(WIDTH / len(labelled_values), WIDEST)
    each = step * (1 - GAP) / len(series_names)
    drawn = [
        Bar(
            round(place * step + number * each, 2),
            round(HEIGHT * (1 - value / highest), 2),
            round(each, 2),
            round(HEIGHT * value / highest, 2),
            number,
            f"{label}: {value:,} {series_names[number]}",
        )
        for place, (label, values) in enumerate(labelled_values)
        for number, value in enumerate(values)
        if value
    ]
    return Chart(
        title, list(series_names), drawn, labelled_values[0][0], labelled_values[-1][0], highest
    )
