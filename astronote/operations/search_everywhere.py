"""The search of the whole admin (Ctrl+K): what the apps registered, asked for what was typed."""

from __future__ import annotations

from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from astronote.operations import registry

MIN_LETTERS = 2


def search(request: HttpRequest, text: str) -> list[SearchResult]:
    """What each source finds, for the theme's command palette."""
    if len(text.strip()) < MIN_LETTERS:
        return []
    return [
        SearchResult(found.title, found.description, found.url, source.icon)
        for source in registry.search_sources
        if request.user.has_perm(source.permission)
        for found in source.search(text)
    ]
