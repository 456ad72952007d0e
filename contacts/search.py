"""Finding contacts by the beginning of a name, an e-mail address or a number in any form.

Accents, capitals and the forms of a letter make no difference. One index serves all of it.
"""

from __future__ import annotations

import re

import phonenumbers
from django.db import models
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from contacts.lookup import (
    possible_numbers_in_countries_of_stores,
    regions_of_all_stores_and_default,
)
from contacts.models import Contact

MAX_WORDS = 6
MIN_DIGITS = 3
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\+?[\d\s().\-/]+")

# The expression of the index `contact_search`; of a word only its beginning need be given.
MATCHES = (
    "to_tsvector('simple', contacts_fold(contacts_contact.first_name || ' ' ||"
    " contacts_contact.last_name || ' ' || contacts_contact.email || ' ' ||"
    " COALESCE(substr(contacts_contact.phone, 2), ''))) @@ to_tsquery('simple', contacts_fold(%s))"
)


def search_contacts_by_beginnings(contacts: QuerySet[Contact], text: str) -> QuerySet[Contact]:
    """The contacts with every word of the text at the beginning of a name, address or number.

    Args:
        contacts: among which to search.
        text: as somebody types it; all if it is blank.
    """
    text = text.strip()
    if not text:
        return contacts
    digits = re.sub(r"\D", "", text)
    if _NUMBER.fullmatch(text) and len(digits) >= MIN_DIGITS:
        query = " | ".join(
            f"{beginning}:*" for beginning in _beginnings_of_number_without_plus(text, digits)
        )
    else:
        query = " & ".join(f"{word}:*" for word in _WORD.findall(text)[:MAX_WORDS])
    if not query:
        return contacts.none()
    return contacts.filter(RawSQL(MATCHES, [query], models.BooleanField()))


def _beginnings_of_number_without_plus(text: str, digits: str) -> list[str]:
    """How the number that somebody began to write may begin with its calling code, as digits."""
    whole = [number.removeprefix("+") for number in possible_numbers_in_countries_of_stores(text)]
    if text.startswith("+"):
        return whole or [digits]
    if text.startswith("00"):
        return whole or [digits.removeprefix("00")]
    codes = {
        phonenumbers.country_code_for_region(region)
        for region in regions_of_all_stores_and_default()
    }
    dialled = [f"{code}{digits.removeprefix('0')}" for code in sorted(codes)]
    return list(dict.fromkeys([*whole, *dialled, digits]))
