"""Names of months in the languages of `other_languages.py`, beside the six of `dates.py`.

The names are those of Django's translations. Reading them takes half a second, so they are read
when a file first has a date with a word that the six languages do not know.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations
from pathlib import Path

import django

from contacts.importing.cells import fold_to_alphanumeric
from contacts.importing.other_languages import LANGUAGES

# As Django's catalogs write them: the full name, and the keys of its abbreviations.
_MONTHS = (
    ("January", "jan", "Jan."), ("February", "feb", "Feb."), ("March", "mar", "March"),
    ("April", "apr", "April"), ("May", "may", "May"), ("June", "jun", "June"),
    ("July", "jul", "July"), ("August", "aug", "Aug."), ("September", "sep", "Sept."),
    ("October", "oct", "Oct."), ("November", "nov", "Nov."), ("December", "dec", "Dec."),
)  # fmt: skip
_CATALOGS = Path(django.__file__).parent / "conf" / "locale"
MIN_ABBREVIATION = 3
# Names are inflected: `toukokuuta` is of `toukokuu`, `sausio` of `sausis`.
MIN_STEM = 4
MAX_ENDING = 2


@cache
def _numbers_by_beginning() -> dict[str, frozenset[int]]:
    """The months that each beginning of a name may mean; a name's own beginning is the whole."""
    whole: dict[str, set[int]] = {}
    beginnings: dict[str, set[int]] = {}
    for language in LANGUAGES:
        with (_CATALOGS / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
            catalog = GNUTranslations(file)
        for number, (name, short, abbreviated) in enumerate(_MONTHS, 1):
            for written in (
                catalog.gettext(name),
                catalog.pgettext("alt. month", name),
                catalog.gettext(short),
                catalog.pgettext("abbrev. month", abbreviated),
            ):
                word = fold_to_alphanumeric(written)
                whole.setdefault(word, set()).add(number)
                for length in range(MIN_ABBREVIATION, len(word)):
                    beginnings.setdefault(word[:length], set()).add(number)
    return {word: frozenset(numbers) for word, numbers in (beginnings | whole).items()}


def months_of_word(word: str) -> frozenset[int]:
    """The months, 1 to 12, that a word may mean; none if it is no name of a month.

    `listopada` is November in Polish and October in Croatian.

    Args:
        word: as `fold_to_alphanumeric` writes it; a name, its beginning or an inflected form.
    """
    numbers = _numbers_by_beginning()
    for stem in (word, *(word[:-length] for length in range(1, MAX_ENDING + 1))):
        if (stem == word or len(stem) >= MIN_STEM) and stem in numbers:
            return numbers[stem]
    return frozenset()
