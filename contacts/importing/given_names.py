"""Usual given names, which tell whether a column writes the given or the family name first.

The names are those of Faker's lists. Importing its providers takes a third of a second, so they are
imported when a file first has a column of full names.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from contacts.importing.cells import fold_to_alphanumeric

_LOCALE_NAMES = (
    "en_GB en_US en_IE de_DE de_AT de_CH fr_FR fr_CH fr_BE es_ES es_MX it_IT el_GR nl_NL pt_PT"
)
LOCALES = tuple(_LOCALE_NAMES.split())


@cache
def usual_given_names() -> frozenset[str]:
    """Usual given names of the six languages and of their neighbours, folded, each word alone."""
    providers = [import_module(f"faker.providers.person.{locale}").Provider for locale in LOCALES]
    return frozenset(
        fold_to_alphanumeric(word)
        for provider in providers
        for name in provider.first_names
        for word in name.replace("-", " ").split()
        if len(word.strip(".")) > 1  # an initial is no name
    )


def is_usual_given_name(word: str) -> bool:
    """Whether a word is a usual given name, whatever its case and accents; `Jean-Luc` is one.

    Args:
        word: a word of a name.
    """
    parts = [fold_to_alphanumeric(part) for part in word.split("-")]
    return all(part in usual_given_names() for part in parts)
