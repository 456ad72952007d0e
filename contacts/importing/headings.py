"""What the heading of a column means: its words, and what they say together (rules.md#import).

A heading is split into words; each word stands for concepts; rules over the concepts give the
meaning. So `Person - Phone - Mobile`, `mobilePhoneNumber` and `Handy-Nr.` need no entry of their
own. Words are those of English, Greek, German, French, Spanish and Italian.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from contacts.importing.cells import fold_to_alphanumeric
from contacts.importing.code_legends import meaning_by_code, without_legend
from contacts.importing.heading_words import (
    CONCEPTS,
    CONCEPTS_BY_WORD,
    canonical_heading_words,
)


class Meaning(StrEnum):
    """What a column holds by its heading."""

    PHONE = "phone"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    FULL_NAME = "full_name"
    NAME = "name"  # "Name", "Nom", "Nombre": the full name, or the half that has no other column
    PERSON = "person"  # "Customer", "Recipient": the cells decide
    EMAIL = "email"
    GENDER = "gender"
    TITLE = "title"  # "Title", "Anrede": a gender if the cells are forms of address
    BIRTHDAY = "birthday"
    COUNTRY = "country"
    AREA_CODE = "area_code"  # of phone numbers that stand in another column
    SMS = "sms"  # "SMS", "Text": a phone number or an answer, by the cells
    CONSENT = "consent"
    OPT_OUT = "opt_out"
    CONSENT_TIME = "consent_time"
    CONSENT_EXPIRY = "consent_expiry"  # until when a consent is valid
    CONSENT_DETAIL = "consent_detail"  # the source, the reason, the form … of a consent
    OPT_OUT_DETAIL = "opt_out_detail"
    UNCLEAR_CONSENT = "unclear_consent"
    STATUS = "status"  # "Status", "Active": a consent if the cells say subscribed or unsubscribed
    ENDED = "ended"  # "Archived", "Deleted at": who is so may be meant to get no messages
    NUMBER = "number"  # "Number" alone: the cells decide
    OTHER = "other"  # a known thing that no contact has
    REJECTION = "rejection"  # our own column in files of rejected rows
    UNKNOWN = ""


# The heading of the column that says why a row was rejected, in our own files.
REJECTION_HEADING = "rejected because"

# A column of one of these is used for consent, or set aside because another one says more.
MEANINGS_OF_CONSENT = frozenset(
    {
        Meaning.CONSENT,
        Meaning.OPT_OUT,
        Meaning.CONSENT_TIME,
        Meaning.CONSENT_EXPIRY,
        Meaning.CONSENT_DETAIL,
        Meaning.OPT_OUT_DETAIL,
    }
)


class Channel(StrEnum):
    """What a consent is about."""

    SMS = "sms"
    ANY = "any"  # marketing in general
    PRIVACY = "privacy"  # processing of data: who has not agreed to it gets no marketing either
    OTHER = "other"  # e-mail, calls, letters: its no counts, its yes says nothing about SMS


class Whose(StrEnum):
    """Who a column may be about."""

    CUSTOMER = "customer"
    RECEIVER = "receiver"  # of a delivery
    DEPENDANT = "dependant"  # a pet or a child


class Heading(NamedTuple):
    """The meaning of a heading; of several columns of one meaning, the lowest rank is preferred.

    `whose` is the person that it may be about, if that is another than the customer.
    """

    meaning: Meaning
    rank: int = 0
    channel: Channel = Channel.ANY
    is_sure: bool = True  # every word is known
    whose: Whose = Whose.CUSTOMER


# How a date is written, as a heading says it in brackets: `(day/month/year)`, `(TT.MM.JJJJ)`.
_PARTS_OF_DATES = (
    "day month year dd mm yyyy yy d m y tag monat jahr tt jjjj jj jour mois annee an aaaa aa dia "
    "mes ano giorno mese anno gg ημερα μερα μηνασ ετοσ χρονοσ"
)
_DATE_PARTS = frozenset(_PARTS_OF_DATES.split())
_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")


def _without_date_format(heading: str) -> str:
    def keep_unless_format(match: re.Match[str]) -> str:
        words = canonical_heading_words(match[1])
        return " " if words and _DATE_PARTS.issuperset(words) else match[0]

    return _IN_BRACKETS.sub(keep_unless_format, heading)


@lru_cache(maxsize=10_000)
def read_heading(text: str) -> Heading:
    """The meaning of a heading.

    Args:
        text: the heading as it stands in the file.
    """
    if text == REJECTION_HEADING:
        return Heading(Meaning.REJECTION)
    words = canonical_heading_words(
        _TYPE_PREFIX.sub("", without_legend(_without_date_format(text)))
    )
    without_answers = _without_yes_no_pair(words)
    asks = without_answers != words or _legend_answers_or_names_ways_of_contact(text)
    words = without_answers
    concepts, unknown = _concepts_and_number_of_unknown_words(words)
    if not words:
        return Heading(Meaning.UNCLEAR_CONSENT if asks else Meaning.UNKNOWN)
    consent = _read_consent_heading(words, concepts, is_sure=not unknown)
    if consent:
        return consent
    meaning = _meaning_of_non_consent_heading(words, concepts)
    if meaning == Meaning.FULL_NAME and _names_last_name_twice_or_both_parts(text):
        meaning = Meaning.NAME
    if asks and (
        answers := _consent_heading_if_it_offers_answers(text, meaning, is_sure=not unknown)
    ):
        return answers
    rank = (
        _phone_heading_rank_lowest_is_best(words, concepts)
        if meaning == Meaning.PHONE
        else _heading_rank_lowest_is_best(words, concepts)
    )
    whose = Whose.CUSTOMER
    if "dependant" in concepts:
        whose = Whose.DEPENDANT
    elif "shipping" in concepts:
        whose = Whose.RECEIVER
    if unknown and meaning == Meaning.BIRTHDAY:
        return Heading(meaning, rank + 100, is_sure=False, whose=whose)  # `Pony birthday` is asked
    if unknown and meaning in _NEEDS_KNOWN_WORDS:
        return Heading(Meaning.OTHER, is_sure=False, whose=whose)  # such as `Pony name`
    if meaning != Meaning.UNKNOWN and unknown:
        rank += 100
    return Heading(meaning, rank, is_sure=not unknown, whose=whose)


def _names_last_name_twice_or_both_parts(text: str) -> bool:
    """Whether a heading is `Nachname/Nom`: one part of the name in two languages, or both parts."""
    parts = text.split("/")
    return len(parts) > 1 and set(map(_meaning_of_part, parts)) == {Meaning.LAST_NAME, Meaning.NAME}


def _meaning_of_part(text: str) -> Meaning:
    words = canonical_heading_words(text)
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    return _meaning_of_non_consent_heading(words, concepts)


def _concepts_and_number_of_unknown_words(words: Sequence[str]) -> tuple[set[str], int]:
    concepts: set[str] = set()
    unknown = 0
    for word in words:
        known = CONCEPTS_BY_WORD.get(word, set())
        concepts |= known
        unknown += not known and not word.isdigit()
    if "post" in concepts and any(word.startswith(_NEWS_BEGINNINGS) for word in words):
        concepts.add("newsletter")  # `Lettre d'informations`, `Lettera informativa`
        unknown -= sum(
            word.startswith(_NEWS_BEGINNINGS) and word not in CONCEPTS_BY_WORD for word in words
        )
    return concepts, unknown


# Some programs write the type of a value before its name: `cVorname`, `dGeburtstag`, `nAlter`.
_TYPE_PREFIX = re.compile(r"^[bcdfknt](?=[A-Z][a-z])")
_NEWS_BEGINNINGS = ("info", "news", "noti", "notiz", "nouvelle")


def heading_is_unknown_or_names_notes(text: str) -> bool:
    """Whether a column holds notes of people, or nobody knows what it holds.

    Args:
        text: the heading as it stands in the file.
    """
    return read_heading(text).meaning == Meaning.UNKNOWN or heading_names_notes(text)


def heading_names_notes(text: str) -> bool:
    """Whether a heading says that a column holds notes, comments or remarks.

    Args:
        text: the heading as it stands in the file.
    """
    return any("note" in CONCEPTS_BY_WORD.get(word, ()) for word in canonical_heading_words(text))


def heading_is_of_other_channel_or_purpose(text: str) -> bool:
    """Whether a heading names something else than messages by SMS or marketing at large.

    That is a way of contact that is not SMS, such as `Post` or `Calls`, or what a consent may be
    for beside messages, such as pictures.

    Args:
        text: the heading as it stands in the file.
    """
    words = canonical_heading_words(text)
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    if "purpose" in concepts and not concepts & _OF_MESSAGES_OR_DATA:
        return all(word in CONCEPTS_BY_WORD or word.isdigit() for word in words)
    return (
        read_heading(text).is_sure
        and not concepts.isdisjoint(_OTHER_CHANNELS)
        and concepts.isdisjoint(_NOT_OF_CHANNEL_ALONE)
    )


def heading_names_messages_or_marketing(text: str) -> bool:
    """Whether a heading names SMS, messages or marketing, and no other channel.

    Args:
        text: the heading as it stands in the file.
    """
    words = canonical_heading_words(text)
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    return "sms" in concepts or (
        not concepts.isdisjoint({"topic", "advertising"}) and concepts.isdisjoint(_OTHER_CHANNELS)
    )


def heading_may_deny(text: str) -> bool:
    """Whether a heading ends with `no`, for a number or to deny what it names: `SMS NO`.

    Args:
        text: the heading as it stands in the file.
    """
    words = _without_yes_no_pair(canonical_heading_words(text))
    return len(words) > 1 and words[-1] == "no"


def heading_names_any_messages(text: str) -> bool:
    """Whether a heading names SMS, a newsletter, advertising or marketing.

    Args:
        text: the heading as it stands in the file.
    """
    words = canonical_heading_words(text)
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    return not concepts.isdisjoint({"sms", "newsletter", "topic", "advertising"})


_OTHER_CHANNELS = frozenset({"whatsapp", "email", "newsletter", "call", "post"})
_NOT_OF_CHANNEL_ALONE = frozenset(
    {"sms", "mobile", "optout", "not", "detail", "label", "contact", "note", "status"}
)


def heading_is_of_second_surname(text: str) -> bool:
    """Whether a column holds the second of two family names: `Apellido materno`, `2º apellido`.

    Args:
        text: the heading as it stands in the file.
    """
    words = canonical_heading_words(text)
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    return read_heading(text).meaning == Meaning.LAST_NAME and (
        "maternal" in concepts or not (_SECOND_WORDS | {"2"}).isdisjoint(words)
    )


def heading_names_only_an_approval(text: str) -> bool:
    """Whether a heading is one word such as `Inscription`, which may be of anything.

    Args:
        text: the heading as it stands in the file.
    """
    words = canonical_heading_words(text)
    return len(words) == 1 and words[0] in _ANY_APPROVAL


def heading_names_only_place_of_phone(text: str) -> bool:
    """Whether a heading says where a phone stands, and no more: `Fixe`, `Privat`, `Σταθερό`.

    Args:
        text: the heading as it stands in the file.
    """
    words = [word for word in canonical_heading_words(text) if not word.isdigit()]
    concepts = [CONCEPTS_BY_WORD.get(word, set()) for word in words]
    return any(known & _PLACES_OF_PHONES for known in concepts) and all(
        known & (_PLACES_OF_PHONES | {"number", "glue", "secondary"}) for known in concepts
    )


_PLACES_OF_PHONES = frozenset({"landline", "home", "work"})


def heading_names_calling_code(text: str) -> bool:
    """Whether a heading names what is dialled before a number, of a country or an area: `Vorwahl`.

    Args:
        text: the heading as it stands in the file.
    """
    concepts = {c for w in canonical_heading_words(text) for c in CONCEPTS_BY_WORD.get(w, ())}
    return "calling" in concepts and "country" not in concepts


def label_positions_by_phone_position(
    headings: Sequence[str], phone_positions: Sequence[int]
) -> dict[int, int]:
    """The columns that say of what kind the number of a phone column is, by that column.

    `Phone 1 - Type`, or `Phone 1 - Label`, belongs to `Phone 1 - Value`.

    Args:
        headings: those of all columns.
        phone_positions: of the columns with phone numbers.
    """
    labels = {
        words: position
        for position, heading in enumerate(headings)
        if position not in phone_positions
        and (words := _sorted_words_without_concept(heading, "label"))
        != _sorted_words_without_concept(heading)
    }
    return {
        position: labels[words]
        for position in phone_positions
        if (words := _sorted_words_without_concept(headings[position], "value")) in labels
    }


def _sorted_words_without_concept(heading: str, concept: str = "") -> tuple[str, ...]:
    words = canonical_heading_words(heading)
    return tuple(sorted(w for w in words if concept not in CONCEPTS_BY_WORD.get(w, ())))


def rank_of_phone_label_lowest_is_best(text: str) -> int:
    """How little a number's label speaks for a mobile of the customer; a fax is the last.

    Args:
        text: the label, such as `Mobile` or `* Work Fax`.
    """
    words = canonical_heading_words(text)
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    unwanted = 1000 if concepts & {"fax", "other_person", "company"} else 0
    return unwanted + _phone_heading_rank_lowest_is_best(words, concepts)


_SECOND_WORDS = frozenset(["2nd", "second", "segundo", "secondo", "deuxieme", "zweiter", "zweites"])


def heading_without_legend(text: str) -> str:
    """A heading without the codes that it explains in brackets, as its file may have it.

    Args:
        text: the heading, such as `SMS (1 = yes, 2 = no)`.
    """
    return _IN_BRACKETS.sub(
        lambda match: "" if meaning_by_code(match[1]) else match[0], text
    ).strip()


_ANSWER_PAIRS = (
    "yes no, ναι οχι, ja nein, oui non, si no, y n, j n, o n, s n, ν ο, ν χ, true false, "
    "wahr falsch"
)
_YES_AND_NO = frozenset(frozenset(pair.split()) for pair in _ANSWER_PAIRS.split(", "))
_ANSWERS_OF_PAIRS = frozenset().union(*_YES_AND_NO)


def is_answer_of_pair(text: str) -> bool:
    """Whether a text is one of two answers, such as `Ja` and `Nein`.

    Args:
        text: a heading below a question.
    """
    return fold_to_alphanumeric(text) in _ANSWERS_OF_PAIRS


_OR = frozenset(["or", "η", "oder", "ou", "o"])


def _without_yes_no_pair(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without the answers that a heading offers: `SMS (yes/no)`, `ναι ή όχι`."""
    for at in range(len(words) - 1):
        for length in (3, 2):
            part = words[at : at + length]
            pair = frozenset((part[0], part[-1]))
            if pair in _YES_AND_NO and (length == 2 or (len(part) == 3 and part[1] in _OR)):
                return words[:at] + words[at + length :]
    return words


def _consent_heading_if_it_offers_answers(
    text: str, meaning: Meaning, *, is_sure: bool
) -> Heading | None:
    """What a heading with answers is, `E-Mail (ja/nein)`; none if its cells decide."""
    if meaning == Meaning.EMAIL:
        return Heading(Meaning.CONSENT, 0, Channel.OTHER, is_sure=is_sure)
    if not _legend_answers_or_names_ways_of_contact(text):
        return None
    # The cells are codes, which nobody would take for answers without the heading.
    if meaning == Meaning.SMS:
        return Heading(Meaning.CONSENT, 0, Channel.SMS, is_sure=is_sure)
    return Heading(Meaning.UNCLEAR_CONSENT)


def _legend_has_yes_and_no(text: str) -> bool:
    """Whether a heading explains codes that stand for yes and no: `Mailing (1 = ja, 2 = nein)`."""
    meant = set(map(fold_to_alphanumeric, meaning_by_code(text).values()))
    return any(pair <= meant for pair in _YES_AND_NO)


def _legend_answers_or_names_ways_of_contact(text: str) -> bool:
    """Whether codes stand for answers, or one of several for SMS.

    So do those of `(1 = ja, 2 = nein)`, `(S=SMS, M=Mail)` and `Rot = keine Werbung`.
    """
    meanings = list(meaning_by_code(text).values())
    meant = list(map(canonical_heading_words, meanings))
    names_sms = any("sms" in CONCEPTS_BY_WORD.get(word, ()) for words in meant for word in words)
    return (
        _legend_has_yes_and_no(text)
        or (len(meant) > 1 and names_sms)
        or any(
            read_heading(each).meaning in (Meaning.CONSENT, Meaning.OPT_OUT) for each in meanings
        )
    )


_NEEDS_KNOWN_WORDS = frozenset(
    {Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME, Meaning.NAME}
)


def _meaning_of_non_consent_heading(words: Sequence[str], concepts: set[str]) -> Meaning:  # noqa: C901 - a table
    """The meaning of a heading that does not speak of consent; the first rule that fits."""
    strange = concepts & {"company", "other_person", "dependant", "fax"}
    if _names_area_code(words, concepts):
        return Meaning.OTHER if strange or concepts & {"date", "name"} else Meaning.AREA_CODE
    if concepts & {"phone", "mobile", "whatsapp"} or concepts >= {"contact", "number"}:
        if concepts & {"country", "calling"} and not concepts & {"area"}:
            return Meaning.COUNTRY
        if (
            strange
            or concepts
            & {"label", "status", "other", "area", "anniversary", "shop", "detail"} - {"detail"}
            or (concepts & {"date", "last"} and "number" not in concepts and "work" not in concepts)
            or (concepts & {"id"} and "number" not in concepts)
        ):
            return Meaning.OTHER
        return Meaning.PHONE
    if "sms" in concepts:
        if "number" in concepts and "no" not in words:
            return Meaning.PHONE
        return (
            Meaning.SMS
            if not concepts & {"other", "date", "id", "label", "detail"}
            else Meaning.OTHER
        )
    if concepts & {"birthday"} or "birth" in concepts:
        others = concepts & {
            "place",
            "country",
            "area",
            "name",
            "other",
            "label",
            "anniversary",
            "id",
            "topic",
        }
        if strange or others - ({"anniversary"} if "anniversaire" in words else set()):
            return Meaning.OTHER
        return Meaning.BIRTHDAY
    if "email" in concepts:
        if strange or concepts & {
            "label",
            "status",
            "other",
            "last",
            "id",
            "detail",
            "date",
        } - _date_concept_unless_clear_date_word(words):
            return Meaning.OTHER
        return Meaning.EMAIL
    if "gender" in concepts:
        return Meaning.OTHER if strange or concepts & {"label"} else Meaning.GENDER
    if "title" in concepts:
        if strange or concepts & {"other", "work", "shop", "id"}:
            return Meaning.OTHER
        return Meaning.TITLE
    if strange or concepts & {"shop", "anniversary"}:
        return Meaning.OTHER
    return _meaning_of_name_or_other_heading(words, concepts)


def _names_area_code(words: Sequence[str], concepts: set[str]) -> bool:
    """Whether words name area codes: `DDD`, `Area code`, `Código de área`; no `Province code`."""
    return "area_code" in concepts or (
        "area" in words
        and bool(concepts & {"id", "calling"})
        and not concepts & {"country", "place"}
    )


def _date_concept_unless_clear_date_word(words: Sequence[str]) -> set[str]:
    """Whether `date` comes from a small word such as `at` or `on` only."""
    return {"date"} if not set(words) & set(_DATE_WORDS) else set()


_DATE_WORDS = frozenset(CONCEPTS["date"].split()) - {
    "at",
    "on",
    "le",
    "am",
    "since",
    "seit",
    "desde",
    "depuis",
    "dal",
    "απο",
    "when",
    "tag",
}


def _meaning_of_name_or_other_heading(words: Sequence[str], concepts: set[str]) -> Meaning:  # noqa: C901 - a table
    is_first = bool(
        concepts & {"first_name"} or (concepts & {"given", "first"} and "name" in concepts)
    )
    is_last = bool(
        concepts & {"last_name"} or (concepts & {"last", "family"} and "name" in concepts)
    )
    if concepts & {"first_name", "last_name", "name", "full"}:
        if concepts & {
            "other",
            "place",
            "label",
            "country",
            "date",
        } - _date_concept_unless_clear_date_word(words):
            return Meaning.OTHER
        if "id" in concepts or concepts & {"area"}:
            return Meaning.OTHER
        if "other_name" in concepts and not (is_last and not _SECOND_WORDS.isdisjoint(words)):
            return Meaning.OTHER
        if is_last and (is_first or "given" in concepts or _names_first_and_last_name(words)):
            return Meaning.FULL_NAME
        if is_first and _names_first_and_last_name(words):
            return Meaning.FULL_NAME
        if is_first:
            return Meaning.FIRST_NAME
        if is_last:
            return Meaning.LAST_NAME
        if "number" in concepts or {"list", "liste", "lista", "tag"} & set(words):
            return Meaning.OTHER
        if "full" in concepts:
            return Meaning.FULL_NAME
        return Meaning.NAME
    if len(words) == 1 and "first" in concepts:
        return Meaning.FIRST_NAME
    if len(words) == 1 and concepts & {"last", "family"}:
        return Meaning.LAST_NAME
    if "given" in concepts and not concepts - {"given", "glue"}:
        return Meaning.FULL_NAME if "family" in concepts else Meaning.FIRST_NAME
    if concepts & {"country", "calling"}:
        is_part = concepts & {"area"} and "country" not in CONCEPTS_BY_WORD.get(words[0], ())
        if is_part or concepts & {"other", "other_name", "label"}:
            return Meaning.OTHER
        return Meaning.COUNTRY
    if concepts & {"person", "contact"} and not concepts - {"person", "contact", "glue", "billing"}:
        return Meaning.PERSON
    if concepts & {"status", "enable"} and not concepts - _OF_STATUS - {"date"}:
        return Meaning.STATUS
    if "ended" in concepts and all(
        CONCEPTS_BY_WORD.get(word, set()) & (_OF_STATUS | {"ended", "date"}) for word in words
    ):
        return Meaning.ENDED
    if concepts == {"number"} or concepts == {"number", "glue"}:
        return Meaning.NUMBER
    if concepts - {"glue", "detail"} - _date_concept_unless_clear_date_word(words):
        return Meaning.OTHER
    return Meaning.UNKNOWN


_OF_STATUS = {"status", "enable", "person", "contact", "glue"}


_PARTS_OF_NAMES = frozenset({"name", "first_name", "last_name"})


def _names_first_and_last_name(words: Sequence[str]) -> bool:
    """Whether the heading names both parts of a name: `Name, Vorname`, `Apellidos y nombre`."""
    parts = [word for word in words if CONCEPTS_BY_WORD.get(word, set()) & _PARTS_OF_NAMES]
    kinds = {frozenset(CONCEPTS_BY_WORD[word] & _PARTS_OF_NAMES) for word in parts}
    if len(kinds) < 2:
        return False  # `Vorname/Prénom` is one part in two languages
    # `Nom de famille` and `Prénom nom`: a plain name beside a first or a last name is the other one
    # unless it belongs to it, as in `first name`.
    return not {"first", "last", "given", "family"} & {
        c for w in words for c in CONCEPTS_BY_WORD.get(w, ())
    }


def _heading_rank_lowest_is_best(words: Sequence[str], concepts: set[str]) -> int:
    rank = 0
    numbers = [int(word) for word in words if word.isdecimal()][:1]
    if numbers and numbers[0] != 1:
        rank += 10
    if concepts & {"shipping", "secondary"}:
        rank += 40
    if "place" in concepts and "email" not in concepts:
        rank += 20
    if "billing" in concepts:
        rank += 5
    if "label" in concepts:
        rank += 50
    return rank


def _phone_heading_rank_lowest_is_best(words: Sequence[str], concepts: set[str]) -> int:
    """Mobile before general, before those of a place, before those that receive no SMS."""
    rank = _heading_rank_lowest_is_best(words, concepts)
    if concepts & {"sms"}:
        return rank
    if "mobile" in concepts:
        return rank + 1
    if concepts & {"landline"}:
        return rank + 400
    if concepts & {"work"}:
        return rank + 300
    if concepts & {"home"}:
        return rank + 200
    return rank + (60 if "whatsapp" in concepts else 100)


_BY = frozenset(["by", "via", "per", "par", "por", "μεσω", "με", "mit"])
_MEANS = frozenset({"sms", "email", "post", "call", "phone", "whatsapp"})
# Alone, these may approve an account, an address or a treatment.
_APPROVALS = (
    "approved approve approval authorized authorised authorization bestatigt genehmigt autorise "
    "autorisee autorizado autorizzato permitted allowed inscription abonnement subscription"
)
_ANY_APPROVAL = frozenset(_APPROVALS.split())
_JOINING_WORDS = (
    "joined join registered registration signup added registriert anmeldung anmeldungen alta "
    "εγγραφη εγγραφησ"
)
_JOINING = frozenset(_JOINING_WORDS.split())


def _read_consent_heading(  # noqa: C901 - a table of rules
    words: Sequence[str], concepts: set[str], *, is_sure: bool
) -> Heading | None:
    """What a heading says of consent; None if it does not speak of it."""
    if "via" in words and concepts & _MEANS:
        concepts = concepts - {"place"}  # the street in Italian
    negative = "optout" in concepts or _has_negation_of_consent(words)
    positive = "optin" in concepts or bool(
        concepts & {"enable"} and concepts & {"sms", "topic", "newsletter"}
    )
    if "contact" in concepts and set(words) & _BY and concepts & _MEANS:
        positive = True  # `Contact by SMS`
    if not (positive or negative) and "privacy" in concepts and not concepts & {"id", "other"}:
        # `DSGVO am` has dates of consent.
        meaning = Meaning.CONSENT_TIME if "date" in concepts else Meaning.UNCLEAR_CONSENT
        return Heading(meaning, channel=Channel.PRIVACY)
    if concepts & {"profiling", "purpose"}:
        if concepts & _OF_MESSAGES_OR_DATA:
            is_sure = False  # `Consenso marketing e profilazione` is of both
        elif "profiling" in concepts and (positive or negative):
            # Neither its yes nor its no is one to messages.
            return Heading(Meaning.OTHER, is_sure=is_sure)
        elif is_sure and (positive or negative):
            return Heading(Meaning.OTHER, is_sure=False)  # asked about if it is the only consent
    if positive and len(words) == 1 and words[0] in _ANY_APPROVAL:
        return Heading(Meaning.UNCLEAR_CONSENT)
    if "sms" in concepts and not (positive or negative) and not _JOINING.isdisjoint(words):
        return Heading(Meaning.UNCLEAR_CONSENT, channel=Channel.SMS)  # `Alta SMS`
    topical = bool(concepts & {"topic", "newsletter"}) or {"sms", "service"} <= concepts
    if "sms" in concepts and "status" in concepts:
        topical = True
    if "email" in concepts and "status" in concepts and not concepts & {"other", "label"}:
        topical = True
    if not (negative or positive or topical):
        return None
    if len(words) > 1 and words[-1] == "no" and concepts & {"topic", "newsletter", "optin"}:
        # `Publi NO` beside `Publi SI`; or the number of a newsletter.
        return Heading(Meaning.UNCLEAR_CONSENT, channel=_channel_of_consent(concepts))
    is_of_appointments = {"sms", "service"} <= concepts  # `Termin-Erinnerung per SMS`
    others = {"id", "place", "name", "number", "date", "last", "label"}
    if not (negative or positive) and concepts & (
        others if is_of_appointments else others | {"other"}
    ):
        return Heading(Meaning.OTHER, is_sure=is_sure)
    if concepts & {"company", "other_person", "dependant"} and not (negative or positive):
        return Heading(Meaning.OTHER)
    channel = _channel_of_consent(concepts)
    if (
        "number" in concepts
        and "optout" not in concepts
        and not negative
        and concepts & {"phone", "mobile", "sms"}
    ):
        return None  # `SMS opt-in number` is a phone number
    if "other" in concepts and set(words) & set(_EVENT_WORDS):
        return Heading(Meaning.OTHER)
    is_sure = is_sure and ("other" not in concepts or is_of_appointments)
    is_sure = is_sure and not concepts & _OF_OTHER_PERSONS_OR_FACTS  # `Guardian consent`
    if negative and "other" in concepts and not concepts & _OBJECTS_OF_OPT_OUTS:
        return Heading(Meaning.UNCLEAR_CONSENT)  # `Declined appointments`
    has_time = bool(set(words) & set(_DATE_WORDS | {"at", "on", "since", "seit", "desde"}))
    # `by SMS` names the channel, `by whom` the person.
    detail = _WORDS_OF_DETAIL & set(words) and not (
        set(words) & {"by", "via"} and channel != Channel.ANY
    )
    if (
        negative
        and positive
        and "optout" in concepts
        and ("optin" in words or "subscribed" in words)
    ):
        return Heading(Meaning.UNCLEAR_CONSENT, channel=channel)
    if "optout" in concepts and any(
        "not" in CONCEPTS_BY_WORD.get(word, ()) or word == "no" for word in words
    ):
        return Heading(Meaning.UNCLEAR_CONSENT, channel=channel)  # `not unsubscribed`
    if "expiry" in concepts:
        meaning = Meaning.UNCLEAR_CONSENT if negative else Meaning.CONSENT_EXPIRY
    elif negative:
        meaning = Meaning.OPT_OUT_DETAIL if detail and not has_time else Meaning.OPT_OUT
    elif has_time:
        meaning = Meaning.CONSENT_TIME
    elif detail or concepts & {"id", "label"}:
        meaning = Meaning.CONSENT_DETAIL
    else:
        meaning = Meaning.CONSENT
    return Heading(meaning, 0, channel, is_sure)


_OF_OTHER_PERSONS_OR_FACTS = frozenset(
    {"other_person", "dependant", "paternal", "maternal", "birth", "birthday", "gender", "title"}
)
_OF_MESSAGES_OR_DATA = frozenset(
    {
        "sms",
        "topic",
        "newsletter",
        "email",
        "call",
        "post",
        "contact",
        "phone",
        "whatsapp",
        "privacy",
    }
)
_OBJECTS_OF_OPT_OUTS = frozenset(
    {"optin", "topic", "newsletter", "sms", "email", "call", "contact", "person", "phone", "date"}
)
_WORDS_OF_DETAIL = frozenset(
    [
        "source",
        "ip",
        "method",
        "reason",
        "form",
        "url",
        "version",
        "page",
        "by",
        "via",
        "comment",
        "quelle",
        "grund",
        "origine",
        "origen",
        "motivo",
        "motif",
        "raison",
        "λογος",
        "πηγη",
        "useragent",
        "methode",
        "metodo",
    ]
)
_EVENT_WORDS = frozenset(
    ["sent", "delivered", "opened", "clicked", "opens", "clicks", "bounced", "sends", "open"]
)


def _has_negation_of_consent(words: Sequence[str]) -> bool:
    """Whether a word such as `no` stands before what it negates: `no marketing`, not `SMS no`."""
    for at, word in enumerate(words):
        after = {
            concept for later in words[at + 1 :] for concept in CONCEPTS_BY_WORD.get(later, ())
        }
        if word == "no" and after & {
            "optin",
            "topic",
            "newsletter",
            "sms",
            "email",
            "call",
            "post",
        }:
            return True
        if "not" in CONCEPTS_BY_WORD.get(word, ()):
            if after & {"optin", "topic", "newsletter", "sms", "email", "call", "contact"}:
                return True
            before = {concept for w in words[:at] for concept in CONCEPTS_BY_WORD.get(w, ())}
            if before & {"optin", "topic", "newsletter"} or before & {"sms"}:
                return True
    return False


def _channel_of_consent(concepts: set[str]) -> Channel:
    if "service" in concepts and "advertising" not in concepts:
        return Channel.OTHER  # a yes to reminders is none to marketing
    if "sms" in concepts:
        return Channel.SMS
    if concepts & {"email", "newsletter", "post", "call", "whatsapp", "phone"}:
        return Channel.OTHER
    if "privacy" in concepts and "advertising" not in concepts:
        return Channel.PRIVACY
    return Channel.ANY
