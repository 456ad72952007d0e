"""What a visitor typed into a sign-up page, and the sign of the form against programs.

A form carries a sign with the time at which it was shown. It is taken once, not at once and not for
ever: a program that posts without looking, or posts what it saw before, is shown the form again.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.core import signing

from astronote.accounts.models import User
from astronote.common.fields import compose_to_nfc
from campaigns.signup.branding import Branding
from campaigns.signup.models import NfcTag
from contacts.ages import ADULT_AGE, years_before
from contacts.importing.cells import UnusableCell
from contacts.importing.phone_cells import PhoneReader
from contacts.opt_in_wording import Question
from contacts.phones import can_receive_sms, phone_region_of_store_or_default

SALT = "campaigns.signup"
MIN_SECONDS, MAX_SECONDS = 2, 24 * 3600
MAX_BODY_BYTES = 10_000
MAX_FIELD = 200
MAX_NAME = 40
MAX_AGE = 120
NAME_SIGNS = " '\u2019-."
# A field that people do not see. Its name is none that browsers fill in by themselves.
TRAP = "remarks"


class FormSign(NamedTuple):
    """What the sign of a form says.

    Args:
        key: of this form alone; it makes one sign-up at most.
        scan_id: the scan that showed the form, None if it was not counted.
    """

    key: str
    scan_id: int | None


def sign_form(tag: NfcTag, scan_id: int | None, question: Question) -> str:
    """The sign of a form that is shown now."""
    return signing.dumps(
        [tag.pk, time.time(), secrets.token_urlsafe(16), scan_id, _digest(question)], salt=SALT
    )


def read_sign_or_none(text: str, tag: NfcTag, question: Question) -> FormSign | None:
    """What a sign says; None if it is not ours, not this tag's, too new, too old or outdated."""
    try:
        tag_id, shown_at, key, scan_id, asked = signing.loads(text[:1000], salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    is_timely = MIN_SECONDS <= time.time() - shown_at <= MAX_SECONDS
    if tag_id != tag.pk or not is_timely or asked != _digest(question):
        return None
    return FormSign(key, scan_id)


def _digest(question: Question) -> str:
    return hashlib.sha256("\0".join(question).encode()).hexdigest()[:16]


class Entry(NamedTuple):
    """A sign-up as it can be used."""

    phone: str
    first_name: str = ""
    birthday: str = ""

    def as_json(self) -> dict[str, Any]:
        """Without what was not given."""
        return {name: value for name, value in self._asdict().items() if value}


def typed_texts(post: Mapping[str, Any]) -> dict[str, str]:
    """What was typed, to be shown again."""
    return {
        name: str(post.get(name, ""))[:MAX_FIELD].replace("\0", "").strip()
        for name in ("phone", "first_name", "birthday", "agrees")
    }


def read_entry(
    typed: Mapping[str, str], store: User, branding: Branding, now: datetime
) -> tuple[Entry | None, dict[str, str]]:
    """The sign-up that was typed, and the name of the text of each field's problem.

    Args:
        typed: from `typed_texts`.
        store: whose page it is.
        branding: what the page asks.
        now: the time; who may sign up depends on the day at the store.
    """
    problems = {}
    phone = _mobile_or_empty(typed["phone"], store)
    if not phone:
        problems["phone"] = "bad_phone"
    name = compose_to_nfc(" ".join(typed["first_name"].split())) if branding.asks_name else ""
    if name and not _is_name(name):
        problems["first_name"] = "bad_name"
    birthday = typed["birthday"] if branding.asks_birthday else ""
    if birthday and (problem := _birthday_problem(birthday, store, now)):
        problems["birthday"] = problem
    if not typed["agrees"]:
        problems["agrees"] = "agree_first"
    return (None if problems else Entry(phone, name, birthday)), problems


def _mobile_or_empty(text: str, store: User) -> str:
    try:
        phone = (
            PhoneReader(phone_region_of_store_or_default(store)).parse_or_raise_unusable(text).phone
        )
    except UnusableCell:
        return ""
    return phone if store.sends_to_any_number or can_receive_sms(phone) else ""


def _is_name(text: str) -> bool:
    """Whether a text is a name: whatever else a stranger writes would be sent by SMS.

    An address, a number and an emoji are no name.
    """
    has_other_signs = any(
        unicodedata.category(character)[0] not in "LM" and character not in NAME_SIGNS
        for character in text
    )
    words = text.split(".")
    joined_by_dot = any(after[:1].isalpha() for after in words[1:])  # shop.gr is an address
    return (
        len(text) <= MAX_NAME
        and not has_other_signs
        and not joined_by_dot
        and any(map(str.isalpha, text))
    )


def _birthday_problem(text: str, store: User, now: datetime) -> str:
    today = now.astimezone(ZoneInfo(store.timezone)).date()
    try:
        born = date.fromisoformat(text)
    except ValueError:
        return "bad_birthday"
    if not years_before(today, MAX_AGE) <= born <= today or text != born.isoformat():
        return "bad_birthday"
    return "too_young" if born > years_before(today, ADULT_AGE) else ""
