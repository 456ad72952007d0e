"""Reading names of persons: tidying them, and dividing a full name into first and last name."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection, Iterable

from django.utils.translation import gettext

from astronote.common.spreadsheet_csv import unescape_formula
from contacts.importing.cells import fold_to_alphanumeric, looks_like_email
from contacts.importing.given_names import is_usual_given_name
from contacts.importing.heading_words import CONCEPTS

MAX_NAME_LENGTH = 120
MAX_NO_VALUE_LENGTH = 20
# So many times as many names must show one order of given and family name as the other one.
MIN_ORDER_MAJORITY = 2
_SPANISH_SPEAKING = "ES MX AR BO CL CO CR CU DO EC GQ GT HN NI PA PE PR PY SV UY VE"
TWO_SURNAME_REGIONS = frozenset(_SPANISH_SPEAKING.split())
MIN_DIGITS = 5  # of a number that is no part of a name

# What programs and people write into a cell that has no value. `Null`, `Na` and `Nan` are names.
NO_VALUES = (
    "null n/a n.a n/d n.d k.a none (none) (null) (blank) (empty) <null> <none> unknown undefined "
    "#n/a #n/d #nv #null! #value! #ref! #name? #wert! nil na nan \\n unbekannt keine inconnu aucun "
    "desconocido ninguno sconosciuto nessuno αγνωστο άγνωστο άγνωστος κενό κενο tbd"
)
NO_VALUES_OF_TWO_WORDS = (
    "not available",
    "not applicable",
    "no name",
    "keine angabe",
    "sin datos",
    "non disponibile",
)
_MISSING_PARTS = frozenset(["null", "NULL", "(null)", "undefined", "None"])
_NAMES_TOO = frozenset({"Null", "Na", "Nan", "Nil"})
# `Stone, DTM`: capital letters without a vowel are no first name.
_CREDENTIAL = re.compile("[B-DF-HJ-NP-TV-XZ]{3,5}")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
# Joiners within emoji and words stay; everything else that is not visible becomes a space.
_ZERO_WIDTH_JOINERS = "\u200c\u200d"
_INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u2028\u2029]+")
_REMOVED = re.compile(
    r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)

# Small words that begin a last name, in the six languages and in Dutch, Portuguese and Arabic.
PARTICLES = (
    "van von vom der den de del della delle dello degli dei di da dal dalla do dos das du "
    "des la le los las lo ter ten te zu zum zur af av bin ibn al el st saint san santa y e "
    "und"
)
# Forms of address and degrees before a name; none of them is a usual first name.
TITLES_BEFORE = (
    "mr mrs ms miss mister dr prof herr herrn frau fraulein dipling mme mlle madame monsieur "
    "mademoiselle sra srta senor senora senorita sig sigra sigg signor signora signorina dott "
    "dottssa dottoressa dottor dhr mevr mevrouw meneer κος κοσ κα κ δις δισ κυριοσ κυρια δρ "
    "mx rev reverend sir lady fr hr fam familie family famille famiglia dna dona mtro lic maitre "
    "avv rag geom οικ οικογενεια καθ bayan pani herra rouva fru sr sres dra"
)
TITLES_AFTER = "jr sr ii iii iv phd md dds esq msc bsc ba ma mba dipl ing"
FAMILY_NAME_HEADINGS = f"last family familyname {CONCEPTS['last_name']}"
GIVEN_NAME_HEADINGS = f"first given {CONCEPTS['first_name']}"
# They mean the other name, beside one of these headings.
NAME_HEADINGS = "name nom nombre nombres nome ονομα"
# Endings of Greek family names that given names hardly have.
_GREEK_FAMILY_NAME = re.compile(
    r".{2,}(?:πουλοσ|ιδησ|αδησ|.ακησ|.ακη|ελλησ|ιωτησ|αιτησ|ογλου|ατοσ|ακοσ|ουδησ|[^λ]ου)"
)

_NO_VALUES = frozenset([*NO_VALUES.split(), *NO_VALUES_OF_TWO_WORDS])
_PARTICLES, _TITLES_AFTER = frozenset(PARTICLES.split()), frozenset(TITLES_AFTER.split())
_TITLES_BEFORE = frozenset(map(fold_to_alphanumeric, TITLES_BEFORE.split()))
_HEADINGS = [
    frozenset(words.split()) for words in (FAMILY_NAME_HEADINGS, GIVEN_NAME_HEADINGS, NAME_HEADINGS)
]


def is_placeholder_for_no_value(text: str) -> bool:
    """Whether a cell that is not empty says that there is no value, such as `N/A` or `-`."""
    text = text.strip()
    if len(text) > MAX_NO_VALUE_LENGTH or text in _NAMES_TOO:
        return False
    return text.lower().rstrip(".") in _NO_VALUES or all(
        map(_is_blank_punctuation_or_plain_sign, text)
    )


def has_only_particles(text: str) -> bool:
    """Whether a text is the beginning of a last name and no more, such as `van der`."""
    words = text.split()
    return bool(words) and all(fold_to_alphanumeric(word) in _PARTICLES for word in words)


def _is_blank_punctuation_or_plain_sign(character: str) -> bool:
    """Whether it is a sign that says nothing; marks and emoji do."""
    return unicodedata.category(character)[0] in "PZ" or character in "+=<>~^`|$"


def clean_name_or_empty(text: str) -> str:
    """A name on one line, without control characters, cut at MAX_NAME_LENGTH; "" if it is none."""
    text = text.strip()
    if text.isalnum() and len(text) <= MAX_NAME_LENGTH:
        is_name = text.lower() not in _NO_VALUES or text in _NAMES_TOO
        return text if is_name else ""
    if not text.replace(" ", "").isalpha():
        text = _strip_export_artifacts(text)
    elif "  " in text:
        text = " ".join(text.split())
    if len(text) <= MAX_NO_VALUE_LENGTH and is_placeholder_for_no_value(text):
        return ""
    return text if len(text) <= MAX_NAME_LENGTH else _truncate_between_graphemes(text)


def _strip_export_artifacts(text: str) -> str:
    """The text without what spreadsheets, web pages and control characters added to it."""
    unescaped = unescape_formula(text)
    if unescaped != text:
        text = unescaped
    elif text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    elif len(text) > 2 and text[0] == text[-1] == "'":
        text = text[1:-1]
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if not text.isprintable() or "  " in text:
        text = _INVISIBLE.sub(" ", _REMOVED.sub("", text))
        if not text.replace("\u200c", "").replace("\u200d", "").isprintable():
            text = "".join(c if c in _ZERO_WIDTH_JOINERS or c.isprintable() else " " for c in text)
            text = " ".join(text.split())
    return text.strip(" " + _ZERO_WIDTH_JOINERS)


def _truncate_between_graphemes(text: str) -> str:
    """The first characters of a text, without a part of a joined one at the end."""
    end = MAX_NAME_LENGTH
    while end and (
        text[end - 1] in _ZERO_WIDTH_JOINERS
        or text[end] in _ZERO_WIDTH_JOINERS
        or unicodedata.combining(text[end])
        or unicodedata.category(text[end]) in ("Mn", "Me", "Mc", "Sk")
    ):
        end -= 1
    # A text of nothing else is cut in its middle.
    return text[: end or MAX_NAME_LENGTH].rstrip()


def reason_if_number_or_email(text: str) -> str:
    """Why a text is no name but a number or an e-mail address; empty if it may be one."""
    if looks_like_email(text):
        return gettext("this is an e-mail address, not a name")
    is_number = not any(map(str.isalpha, text)) and sum(map(str.isdigit, text)) >= MIN_DIGITS
    return gettext("this is a number, not a name") if is_number else ""


def split_into_first_and_last_name(
    text: str,
    *,
    family_first: bool = False,
    family_in_capitals: bool = False,
    has_two_surnames: bool = False,
    short_titles: Collection[str] = frozenset(),
) -> tuple[str, str]:
    """First and last name of a full name.

    `Last, First` is turned. Small words such as `van der` belong to the last name.

    Args:
        text: the full name.
        family_first: whether the column writes the family name first; see `writes_family_first`.
        family_in_capitals: whether it writes family names in capitals; see
            `writes_family_in_capitals`.
        has_two_surnames: whether names of it have two family names; see `writes_two_surnames`.
        short_titles: letters that are forms of address in it; see `short_titles_of_column`.
    """
    text = clean_name_or_empty(text)
    before, comma, after = text.partition(",")
    before, after = before.strip(), after.strip()
    if comma and before and after:
        titles = fold_to_alphanumeric(after.replace(".", ""))
        if titles not in _TITLES_AFTER and not _CREDENTIAL.fullmatch(after.replace(".", "")):
            given, family = (
                without_titles_before(part.split(), short_titles) for part in (after, before)
            )
            count = len(given)
            while count > 1 and fold_to_alphanumeric(given[count - 1]) in _PARTICLES:
                count -= 1  # `Vries, Anna de`
            return " ".join(given[:count]), " ".join([*given[count:], *family])
        return split_into_first_and_last_name(
            before,
            family_first=family_first,
            family_in_capitals=family_in_capitals,
            has_two_surnames=has_two_surnames,
            short_titles=short_titles,
        )
    # Programs join a first name and no last name to `Anna null`.
    words = [word for word in text.replace(",", " ").split() if word not in _MISSING_PARTS]
    addressed = without_titles_before(words, short_titles)
    if len(addressed) == 1 and len(words) > 1:
        return "", addressed[0]  # `Mrs Hall`
    words = _join_emoji_to_word_beside(addressed)
    if len(words) < 2:
        return " ".join(words), ""
    if family_in_capitals and (parts := _split_into_given_and_family_by_capitals(words)):
        first_words, last_words = parts
        return " ".join(first_words), " ".join(last_words)
    if has_two_surnames and len(units := _units_with_particles(words)) > 2:
        # `María José García López` has two given names.
        given, family = (units[2:], units[:2]) if family_first else (units[:-2], units[-2:])
        return " ".join(given), " ".join(family)
    if family_first:
        start = 1
        while start < len(words) - 1 and fold_to_alphanumeric(words[start - 1]) in _PARTICLES:
            start += 1
        return " ".join(words[start:]), " ".join(words[:start])
    start = len(words) - 1
    while start > 1 and fold_to_alphanumeric(words[start - 1]) in _PARTICLES:
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


_INITIALS = re.compile(r"(?:[^\W\d_]\.-?)+")  # `J.-P.`


def _split_into_given_and_family_by_capitals(
    words: list[str],
) -> tuple[list[str], list[str]] | None:
    """The given and the family names of `LEFÈVRE Camille` or `Camille DE LA TOUR`, else nothing."""
    capitals = [
        len(word) > 1 and word.isupper() and not _INITIALS.fullmatch(word) for word in words
    ]
    count = capitals.count(True)
    if not 0 < count < len(words):
        return None
    if all(capitals[:count]):
        return words[count:], words[:count]
    if all(capitals[-count:]):
        # Particles may be small: `Camille de la TOUR`.
        start = len(words) - count
        while start > 1 and fold_to_alphanumeric(words[start - 1]) in _PARTICLES:
            start -= 1
        return words[:start], words[start:]
    return None


def _units_with_particles(words: list[str]) -> list[str]:
    """The words of a name, each with the small words before it: `de la Cruz` is one."""
    units: list[str] = []
    particles: list[str] = []
    for word in words:
        particles.append(word)
        # A name does not begin with a particle, which `Al` and `San` are else.
        if not units or fold_to_alphanumeric(word) not in _PARTICLES:
            units.append(" ".join(particles))
            particles = []
    return [*units, *particles]


def without_titles_before(
    words: list[str], short_titles: Collection[str] = frozenset()
) -> list[str]:
    """The words of a name without the forms of address before it, such as `Herr Dr.`.

    The last word stays, whatever it is.

    Args:
        words: those of the name.
        short_titles: letters that are forms of address in its column; see `short_titles_of_column`.
    """
    start = 0
    while start < len(words) - 1:
        word = fold_to_alphanumeric(words[start])
        joins_titles = start > 0 and (not word or word in _JOINING_WORDS)  # `Mr & Mrs`
        if word not in _TITLES_BEFORE and word not in short_titles and not joins_titles:
            break
        start += 1
    return words[start:]


_JOINING_WORDS = frozenset(["and", "und", "et", "e", "y", "και"])
# Letters that are forms of address beside others of the same language, and initials else.
_SHORT_TITLES = {
    "m": frozenset(["mme", "mlle", "madame", "monsieur", "mademoiselle"]),
    "d": frozenset(["dna", "dona", "sra", "sr"]),
}


def short_titles_of_column(cells: Iterable[str]) -> frozenset[str]:
    """The single letters that are forms of address in a column: `M.` beside `Mme`.

    Args:
        cells: those of the column.
    """
    beginnings = {fold_to_alphanumeric(cell[:MAX_NAME_LENGTH].split(" ", 1)[0]) for cell in cells}
    return frozenset(letter for letter, others in _SHORT_TITLES.items() if others & beginnings)


def _join_emoji_to_word_beside(words: list[str]) -> list[str]:
    """The words, each with the emoji beside it: a sign alone is no first or last name."""
    joined: list[str] = []
    before = ""
    for word in words:
        if any(map(str.isalnum, word)):
            joined.append(f"{before} {word}".strip())
            before = ""
        elif joined:
            joined[-1] += f" {word}"
        else:
            before = f"{before} {word}".strip()
    return joined or words


def fill_missing_name_part(
    full_name: str,
    first_name: str,
    last_name: str,
    *,
    family_first: bool = False,
    family_in_capitals: bool = False,
    has_two_surnames: bool = False,
    short_titles: Collection[str] = frozenset(),
) -> tuple[str, str]:
    """First and last name of a row that has one of them, or none, beside a full name.

    A full name that holds the known part gives the other part; one that does not is the other part:
    `Schäfer` beside the first name `Jürgen`.
    """
    if not first_name and not last_name:
        return split_into_first_and_last_name(
            full_name,
            family_first=family_first,
            family_in_capitals=family_in_capitals,
            has_two_surnames=has_two_surnames,
            short_titles=short_titles,
        )
    full_name = clean_name_or_empty(full_name).replace(",", " ")
    words = full_name.split()
    known = (first_name or last_name).split()
    folded, folded_known = (
        [fold_to_alphanumeric(word) for word in words],
        [fold_to_alphanumeric(w) for w in known],
    )
    count = len(known)
    if folded[:count] == folded_known:
        words = words[count:]
    elif folded[-count:] == folded_known:
        words = words[:-count]
    other = " ".join(words)
    return (first_name, other) if first_name else (other, last_name)


def writes_family_first(heading: str, cells: Iterable[str]) -> bool:
    """Whether a column of full names writes the family name first.

    Its heading may say so (`Nachname Vorname`), or its names agree: those whose last word alone
    is a usual given name, or whose first word alone has the ending of a Greek family name, are more
    than MIN_ORDER_MAJORITY times as many as the others.
    """
    words = fold_words_of_text_cut_at_name_length(
        re.sub(r"\W+", " ", unicodedata.normalize("NFC", heading))
    )
    places = [
        next((place for place, word in enumerate(words) if word in known), None)
        for known in _HEADINGS
    ]
    family, given, name = places
    if family is not None or given is not None:
        family, given = name if family is None else family, name if given is None else given
        return family is not None and given is not None and family < given
    family_first = family_last = 0
    for cell in cells:
        words = without_titles_before(cell[:MAX_NAME_LENGTH].split())
        if len(words) > 1 and "," not in cell:
            is_first, is_last = (
                _family_name_score_minus_1_if_given_name(word) for word in (words[0], words[-1])
            )
            family_first += is_first > is_last
            family_last += is_last > is_first
    return family_first > MIN_ORDER_MAJORITY * family_last


def _family_name_score_minus_1_if_given_name(word: str) -> int:
    """How much a word looks like a family name: 1 by its Greek ending, -1 if it is a given name."""
    if is_usual_given_name(word):
        return -1
    return int(_GREEK_FAMILY_NAME.fullmatch(fold_to_alphanumeric(word)) is not None)


def writes_family_in_capitals(cells: Iterable[str]) -> bool:
    """Whether capitals tell the family names of a column, as in `LEFÈVRE Camille`.

    They do if most of its full names have words in capitals at one end, and others.
    """
    names = [words for cell in cells if len(words := cell[:MAX_NAME_LENGTH].split()) > 1]
    divided = sum(
        _split_into_given_and_family_by_capitals(without_titles_before(words)) is not None
        for words in names
    )
    return divided * 2 > len(names)


def writes_two_surnames(cells: Iterable[str], region: str) -> bool:
    """Whether names of a column have two family names, as in Spain and in most of Latin America.

    They do in a store of such a country if most of its full names have three parts or more.

    Args:
        cells: those of the column.
        region: two-letter country of the store.
    """
    if region not in TWO_SURNAME_REGIONS:
        return False
    counts = [
        len(_units_with_particles(words))
        for cell in cells
        if len(words := without_titles_before(cell[:MAX_NAME_LENGTH].split())) > 1
    ]
    return sum(count > 2 for count in counts) * 2 > len(counts)


def fold_words_of_text_cut_at_name_length(text: str) -> list[str]:
    """The words of a short text without accents, in lower case."""
    return [fold_to_alphanumeric(word) for word in text[:MAX_NAME_LENGTH].split()]
