"""Charts: a table, which the page draws as bars with the chart library that the theme ships.

The drawing is in `static/astronote/admin.js`. Who does not see it has the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.utils.text import slugify


class ChartRow(NamedTuple):
    """A place on the axis, and the value of each series there."""

    label: str
    values: Sequence[int]


class Chart(NamedTuple):
    """What the template shows."""

    title: str
    names: Sequence[str]
    rows: Sequence[ChartRow]

    @property
    def key(self) -> str:
        """The title as an id of HTML."""
        return slugify(self.title, allow_unicode=True)


def bar_chart_or_none_if_all_zero(
    title: str, series_names: Sequence[str], labelled_values: Sequence[tuple[str, Sequence[int]]]
) -> Chart | None:
    """A chart of several series side by side; None if there is nothing to show.

    Args:
        title: what the chart shows; different from that of each other chart of a page.
        series_names: names of the series.
        labelled_values: for each place on the axis its label and the value of each series.
    """
    if not any(value for _, values in labelled_values for value in values):
        return None
    return Chart(title, series_names, [ChartRow(*row) for row in labelled_values])
