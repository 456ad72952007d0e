"""The starter library: texts that a store copies as its own templates, in English and Greek."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from astronote.common import audit
from astronote.common.languages import Language
from astronote.models import User
from messaging.models import MessageTemplate

LANGUAGES = (Language.ENGLISH, Language.GREEK)
_LIBRARY = Path(__file__).with_name("starter_templates.toml")


@cache
def _cached_library_entries() -> list[dict[str, Any]]:
    templates: list[dict[str, Any]] = tomllib.loads(_LIBRARY.read_text("utf-8"))["template"]
    return templates


def build_unsaved_library_templates(language: str) -> list[MessageTemplate]:
    """The templates of the library in one of LANGUAGES, without a store and not saved."""
    return [
        MessageTemplate(category=one["category"], language=language, **one[language])
        for one in _cached_library_entries()
    ]


def copy_library_templates(store: User, language: str, *, by: Any) -> int:
    """Give a store the templates of the library that it does not have; return how many.

    A template of the same name stays as it is.

    Raises:
        ValueError: if the library is not written in this language.
    """
    if language not in LANGUAGES:
        raise ValueError(gettext("the starter library is in English and Greek"))
    with transaction.atomic():
        known = set(MessageTemplate.objects.filter(owner=store).values_list("name", flat=True))
        new = [one for one in build_unsaved_library_templates(language) if one.name not in known]
        for template in new:
            template.owner = store
        MessageTemplate.objects.bulk_create(new, ignore_conflicts=True)
        audit.write_entry("starter templates", store, by=by, owner_id=store.pk, templates=len(new))
    return len(new)
