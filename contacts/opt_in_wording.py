"""What an opt-in request asks, by the store's own wording or the standard one."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings

from astronote.accounts.models import User

CONFIRM_LINK_TAG = "{{confirm_link}}"
STANDARD_QUESTION = "{shop}: may we send you offers by SMS? You can stop them at any time."
STANDARD_VERSION = "standard"


class Question(NamedTuple):
    """What a person is asked, and the name of this version of it."""

    wording: str
    version: str


def question_of(store: User) -> Question:
    """What the store's opt-in requests ask."""
    if store.opt_in_wording:
        return Question(store.opt_in_wording, store.opt_in_version)
    shop = store.company or store.sender_name or settings.MITTO_SENDER
    return Question(STANDARD_QUESTION.format(shop=shop), STANDARD_VERSION)


def without_link(wording: str) -> str:
    """The wording as a page shows it and an event keeps it."""
    return " ".join(wording.replace(CONFIRM_LINK_TAG, "").split())
