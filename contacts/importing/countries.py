"""The country that a cell names: a code, a name, or what is dialled before its numbers."""

from __future__ import annotations

import functools
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata

from contacts.importing.cells import (
    MAX_CELL_LENGTH,
    fold_to_alphanumeric,
    normalize_digits_blanks_dashes,
    strip_spreadsheet_quoting,
)

LANGUAGES = ("en", "el", "de", "fr", "es", "it")
_CALLING_CODE = re.compile(r"(?:\+|00)?([1-9]\d{0,3})(?:\.0)?")
_ARTICLE = re.compile(
    r"^(?:the|la|le|les|el|los|las|die|der|das|il|gli|η|ο|το|οι|τα)\s+", re.IGNORECASE
)


def two_letter_country_or_empty(text: str) -> str:
    """The two-letter country that a cell names; empty if it names none.

    Of countries that share a calling code it is the main one, whose numbering plan they share.

    Args:
        text: an ISO code, a calling code such as `+44`, `0049` or `1`, or a name in English, Greek,
            German, French, Spanish or Italian.
    """
    return _cached_two_letter_country_or_empty(text) if text else ""


@functools.lru_cache(maxsize=4096)
def _cached_two_letter_country_or_empty(text: str) -> str:
    text = strip_spreadsheet_quoting(normalize_digits_blanks_dashes(text[:MAX_CELL_LENGTH]))
    region = _region_by_code_or_name_or_empty(text)
    if region:
        return region
    # "Germany (DE)", "GR - Greece", "el_GR": what can be read must agree.
    parts = [_region_by_code_or_name_or_empty(part) for part in re.split(r"[()\[\]/,;_:-]", text)]
    if re.fullmatch(r"[a-z]{2,3}[-_][A-Z]{2}", text):
        parts = parts[1:]  # a language and its country
    found = {region for region in parts if region}
    return found.pop() if len(found) == 1 else ""


def _region_by_code_or_name_or_empty(text: str) -> str:
    text = text.strip()
    code = text.upper()
    if code in SUPPORTED_REGIONS:
        return code
    if match := _CALLING_CODE.fullmatch(text.replace(" ", "").replace("-", "")):
        return _region_of_calling_code_or_empty(match[1])
    return _region_by_folded_name().get(fold_to_alphanumeric(text), "")


def _region_of_calling_code_or_empty(digits: str) -> str:
    """The main country of a calling code; of `1684` and others of North America the one meant."""
    if len(digits) == 4 and digits[0] == "1":
        for region in COUNTRY_CODE_TO_REGION_CODE[1]:
            metadata = PhoneMetadata.metadata_for_region(region)
            leading_digits = metadata.leading_digits if metadata else None
            if leading_digits and re.fullmatch(leading_digits, digits[1:]):
                return region
        return ""
    region = COUNTRY_CODE_TO_REGION_CODE.get(int(digits), ("",))[0]
    return region if region in SUPPORTED_REGIONS else ""


def _load_region_names_by_language() -> dict[str, dict[str, str]]:
    """The library's names of regions by language; importing its package takes 100 MB more."""
    path = Path(phonenumbers.__file__).parent / "geodata" / "locale.py"
    spec = spec_from_file_location("phonenumbers.geodata.locale", path)
    assert spec is not None and spec.loader is not None  # the file is part of the library
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LOCALE_DATA


@functools.cache
def _region_by_folded_name() -> dict[str, str]:
    """Regions by their names and usual abbreviations, as `fold_to_alphanumeric` writes them."""
    names: dict[str, str] = {}
    locale_data = _load_region_names_by_language()
    for region, others in OTHER_COUNTRY_NAMES.items():
        names |= {fold_to_alphanumeric(name): region for name in others.split("|")}
    for languages in (LANGUAGES, None):  # the six languages before all others
        for region in sorted(SUPPORTED_REGIONS):
            by_language = locale_data.get(region, {})
            for language in languages or by_language:
                name = by_language.get(language, "")
                if not name.startswith("*"):  # a reference to another language
                    names.setdefault(fold_to_alphanumeric(name), region)
                    names.setdefault(fold_to_alphanumeric(_ARTICLE.sub("", name)), region)
                elif languages:
                    names.setdefault(fold_to_alphanumeric(by_language.get(name[1:], "")), region)
    names.pop("", None)
    return names


# What the library's names lack: usual abbreviations, short and older names in the six languages,
# codes of three letters, and the letters on vehicles, which lists in German use.
OTHER_COUNTRY_NAMES = {
    "AL": "ALB", "AR": "ARG", "AU": "AUS",
    "AT": "A|AUT|Oesterreich",
    "BA": "BIH|Bosnia|Bosnien|Bosnie",
    "BE": "B|BEL", "BG": "BGR|BUL", "BR": "BRA", "CA": "CAN", "CN": "CHN",
    "CH": "CHE|SUI", "CY": "CYP",
    "CZ": "CZE|Czech Republic|Czechia|Tschechien|Tchéquie|Chequia|Cechia|Τσεχία",
    "DE": "D|DEU|GER|BRD|Federal Republic of Germany|Bundesrepublik Deutschland",
    "DK": "DNK|DEN", "EE": "EST", "ES": "E|ESP", "FI": "FIN", "FR": "F|FRA",
    "GB": "UK|GBR|Great Britain|Britain|England|Scotland|Wales|Northern Ireland|Großbritannien|"
    "Grande-Bretagne|Angleterre|Gran Bretaña|Inglaterra|Gran Bretagna|Inghilterra|"
    "Μεγάλη Βρετανία|Αγγλία",
    "GR": "GRC|GRE|EL|Hellas|Ελλάς|Hellenic Republic",
    "HR": "HRV|CRO", "HU": "H|HUN", "IE": "IRL|Eire|Republic of Ireland", "IN": "IND",
    "IT": "I|ITA", "KR": "KOR|South Korea|Südkorea|Corée du Sud|Corea del Sur|Corea del Sud",
    "LI": "LIE", "LT": "LTU", "LU": "L|LUX", "LV": "LVA", "MT": "MLT", "MX": "MEX",
    "MK": "MKD|North Macedonia|Macedonia|Nordmazedonien|Βόρεια Μακεδονία",
    "NL": "NLD|NED|Holland|The Netherlands|Holanda|Olanda|Hollande|Ολλανδία",
    "NO": "N|NOR", "PL": "POL", "PT": "P|PRT|POR", "RO": "ROU|ROM", "RS": "SRB",
    "RU": "RUS|Russia|Russland|Russie|Rusia|Ρωσία|Russian Federation",
    "SE": "S|SWE", "SI": "SVN|SLO", "SK": "SVK|Slovak Republic",
    "TR": "TUR|Türkiye", "UA": "UKR",
    "US": "USA|U.S.|U.S.A.|United States of America|America|Vereinigte Staaten von Amerika|"
    "Stati Uniti d'America|Estados Unidos de América|États-Unis d'Amérique|ΗΠΑ|EE. UU.",
    "ZA": "ZAF|RSA",
}  # fmt: skip
