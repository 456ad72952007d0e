"""The presets of automation rules, in English and Greek, which a store gets on demand."""

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
from campaigns.models import AutomationRule, RuleTrigger

LANGUAGES = (Language.ENGLISH, Language.GREEK)
_PRESETS = Path(__file__).with_suffix(".toml")


@cache
def _load_presets_by_key_once() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_PRESETS.read_text("utf-8"))


def build_presets(store: User, language: str) -> list[AutomationRule]:
    """The presets for a store's business profile, switched off and not saved.

    Args:
        store: the store.
        language: of the texts, one of LANGUAGES.
    """
    rules = []
    for key, preset in _load_presets_by_key_once().items():
        if preset.get("profile", store.business_profile) != store.business_profile:
            continue
        rule = AutomationRule(
            owner=store,
            preset_key=key,
            name=preset[language]["name"],
            message_body=preset[language]["text"],
            message_type=preset["message_type"],
            trigger_type=RuleTrigger.INACTIVITY,
            inactivity_days=preset.get("inactivity_days"),
            offset_minutes=preset.get("offset_minutes", 0),
            dedupe_window_minutes=preset["dedupe_window_minutes"],
        )
        if event := preset.get("event"):
            rule.trigger_type = RuleTrigger.EVENT
            rule.event_type, rule.event_status, rule.event_time_field = event.split()
        rules.append(rule)
    return rules


def add_missing_presets(store: User, language: str, *, by: Any) -> int:
    """Give a store the presets of its profile that it does not have; return how many.

    They are switched off. One that it has stays as it is. Writes an audit entry.

    Raises:
        ValueError: if the presets are not written in this language.
    """
    if language not in LANGUAGES:
        raise ValueError(gettext("the presets are in English and Greek"))
    with transaction.atomic():
        known = AutomationRule.objects.filter(owner=store).values_list("preset_key", flat=True)
        new = [rule for rule in build_presets(store, language) if rule.preset_key not in set(known)]
        AutomationRule.objects.bulk_create(new, ignore_conflicts=True)
        audit.write_entry("automation rules added", store, by=by, owner_id=store.pk, rules=len(new))
    return len(new)
