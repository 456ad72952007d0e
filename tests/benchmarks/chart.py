"""The report as a picture: how much of the bare minimum's speed each figure reaches."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.benchmarks.result import Result

LABEL, BAR, LINE, MOST = 420, 400, 26, 2.0


def svg(results: Sequence[Result]) -> str:
    """Bars of ours / bare, with a line at 1; what has no bare figure is left out."""
    shown = [result for result in results if result.to_bare]
    height = LINE * (len(shown) + 1)
    rows = []
    for place, result in enumerate(shown):
        top = LINE * place
        width = BAR * min(result.to_bare, MOST) / MOST
        label = escape(f"{result.scenario}: {result.what}, {result.size:,}")
        rows.append(
            f'<text x="{LABEL - 8}" y="{top + 17}" text-anchor="end">{label}</text>'
            f'<rect x="{LABEL}" y="{top + 4}" width="{width:.0f}" height="18" fill="#0f766e"/>'
            f'<text x="{LABEL + width + 6:.0f}" y="{top + 17}">{result.to_bare:.2f}</text>'
        )
    one = LABEL + BAR / MOST
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + BAR + 60}" height="{height}"'
        ' font-family="sans-serif" font-size="13">'
        f'<line x1="{one}" x2="{one}" y1="0" y2="{height - LINE}" stroke="#888"/>'
        f'<text x="{one}" y="{height - 8}" text-anchor="middle">as fast as the bare script</text>'
        f"{''.join(rows)}</svg>\n"
    )
