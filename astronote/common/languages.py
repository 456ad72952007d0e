"""The languages in which customers are addressed, and which one a store or visitor has.

The texts themselves are where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation.trans_real import parse_accept_lang_header

if TYPE_CHECKING:
    from astronote.accounts.models import User


class Language(models.TextChoices):
    """A language of opt-out lines and of customers' pages; each is written from left to right."""

    ENGLISH = "en", _("English")
    GREEK = "el", _("Greek")
    GERMAN = "de", _("German")
    FRENCH = "fr", _("French")
    SPANISH = "es", _("Spanish")
    ITALIAN = "it", _("Italian")


# The countries where most people speak the language (CLDR, likely subtags); elsewhere English.
COUNTRIES = {
    Language.GREEK: "CY GR",
    Language.GERMAN: "AT CH DE LI",
    Language.FRENCH: "BF BJ BL CD CG CI CM DJ FR GA GF GN GP LU MC MF MQ MU NC PF PM RE SC TG WF"
    " YT",
    Language.SPANISH: "AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR SV UY VE",
    Language.ITALIAN: "IT SM VA",
}
LANGUAGE_BY_COUNTRY = {
    country: language for language, countries in COUNTRIES.items() for country in countries.split()
}


def language_of_store_or_country(store: User) -> Language:
    """A store's own language, else that of its country."""
    if store.language:
        return Language(store.language)
    return language_of_country_or_english(store.phone_region or settings.DEFAULT_PHONE_REGION)


def language_of_country_or_english(region: str) -> Language:
    """The language of a two-letter country; English where it is none of ours."""
    return LANGUAGE_BY_COUNTRY.get(region, Language.ENGLISH)


def preferred_language_or_default(request: HttpRequest, default: Language) -> Language:
    """The first of the languages that a visitor prefers and that we have, else the default."""
    accepted = request.headers.get("Accept-Language", "")
    for code, weight in parse_accept_lang_header(accepted):
        primary = code.split("-")[0]
        if code == "*" or not weight:
            break
        if primary in Language.values:
            return Language(primary)
    return default
