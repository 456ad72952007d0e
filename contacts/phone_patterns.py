"""Regular expressions made of the library's metadata that know a valid phone number at once.

`phonenumbers` takes a number apart step by step and tries a dozen patterns on it. All that it asks
is put here into one expression for each calling code (or, for national forms, each region) and
number of digits. What an expression accepts is certain, and so is what it rejects, except where
the library would first take off or read something in a way not expressed here: then `unsure`
matches, and the library is to be asked.

Each expression is made when the first such number is met.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    PhoneMetadata,
    PhoneNumberDesc,
)

_NOTHING = "(?!)"


class Rules(NamedTuple):
    """How to judge the digits of a number: what `accept` does not match is valid only if `unsure`
    matches and the library says so."""

    plus_code: str
    accept: Callable[[str], re.Match[str] | None]  # its last group is the national number
    unsure: Callable[[str], re.Match[str] | None]


@functools.cache
def international(beginning: str, length: int) -> Rules | None:
    """Rules for digits that begin with a calling code.

    Args:
        beginning: the first three digits.
        length: how many digits there are.

    Returns:
        None if there is no such calling code.
    """
    for end in (1, 2, 3):
        code = beginning[:end]
        if not code.startswith("0") and int(code) in COUNTRY_CODE_TO_REGION_CODE:
            return _after_code(int(code), length)
    return None


@functools.cache
def national(region: str, length: int) -> Rules | None:
    """Rules for digits as they are dialled within a region.

    Returns:
        None if there is no such region.
    """
    if region not in SUPPORTED_REGIONS:
        return None
    metadata = PhoneMetadata.metadata_for_region(region)
    code = metadata.country_code
    dials_abroad = f"(?:{_plain(metadata.international_prefix)})"
    prefix = f"(?:{_plain(metadata.national_prefix_for_parsing)})"
    prefix_of_code = f"(?:{_plain(_metadata_of(code).national_prefix_for_parsing)})"
    general = _general(metadata)
    # The library takes digits that begin with the region's own calling code as national if that
    # is possible, else as an international number without its plus.
    as_national = f"(?:(?!{code})|(?={general}))"
    if _too_long(metadata, length):
        as_national = f"(?!{code})"
    return Rules(
        f"+{code}",
        re.compile(
            f"(?!{dials_abroad})(?:{as_national}(?:{_number(metadata, length)})"
            f"|(?!{general}){code}(?!{prefix}|{prefix_of_code})(?={general})"
            f"({_valid(code, length - len(str(code)))}))"
        ).fullmatch,
        re.compile(f"{dials_abroad}|{code}|{prefix}").match,
    )


@functools.cache
def _after_code(code: int, length: int) -> Rules:
    metadata = _metadata_of(code)
    prefix = _plain(metadata.national_prefix_for_parsing)
    number = _number(metadata, length - len(str(code)))
    return Rules(
        f"+{code}",
        re.compile(f"{code}(?:{number})").fullmatch,
        re.compile(f"{code}(?:{prefix})").match,
    )


def _number(metadata: PhoneMetadata, length: int) -> str:
    """Matches a valid number with or without national prefix, where both are sure.

    A prefix is taken off unless the number is possible only with it, or of no possible length
    without it.
    """
    general = _general(metadata)
    code = metadata.country_code
    without = []
    whole_if = [f"(?!{_plain(metadata.national_prefix_for_parsing)})"]
    for prefix in _literal_prefixes(metadata):
        rest = length - len(prefix)
        if rest in metadata.general_desc.possible_length or _too_long(metadata, rest):
            without.append(f"{prefix}(?={general})({_valid(code, rest)})")
            whole_if.append(f"(?={prefix})(?!{prefix}{general})(?={general})")
        else:
            whole_if.append(f"(?={prefix})")
    return "|".join([*without, f"(?:{'|'.join(whole_if)})({_valid(code, length)})"])


def _valid(code: int, length: int) -> str:
    """Matches a national number that is valid in the region which it belongs to.

    Regions sharing a calling code are asked in turn: one with leading digits decides about all
    numbers that begin so, one without leaves what it does not know to the next.
    """
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    pattern = _NOTHING
    for region in reversed(regions):
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        leading = metadata.leading_digits
        if leading is None or len(regions) == 1:
            pattern = f"{_of_known_type(metadata, length)}|{pattern}"
        else:
            known = _of_known_type(metadata, length)
            pattern = f"(?={leading})(?:{known})|(?!{leading})(?:{pattern})"
    return pattern


def _of_known_type(metadata: PhoneMetadata, length: int) -> str:
    kinds = [
        metadata.fixed_line, metadata.toll_free, metadata.premium_rate, metadata.shared_cost,
        metadata.voip, metadata.personal_number, metadata.pager, metadata.uan, metadata.voicemail,
    ]  # fmt: skip
    # Where both have one pattern, the library goes by the lengths of the fixed line alone.
    if not metadata.same_mobile_and_fixed_line_pattern:
        kinds.insert(0, metadata.mobile)
    patterns = [kind.national_number_pattern for kind in kinds if _may_be(kind, length)]
    if not patterns or not _may_be(metadata.general_desc, length):
        return _NOTHING
    return f"(?={_general(metadata)})(?:{'|'.join(patterns)})"


def _may_be(kind: PhoneNumberDesc | None, length: int) -> bool:
    if kind is None or not kind.national_number_pattern:
        return False
    return not kind.possible_length or length in kind.possible_length


def _too_long(metadata: PhoneMetadata, length: int) -> bool:
    return length > metadata.general_desc.possible_length[-1]


def _general(metadata: PhoneMetadata) -> str:
    return rf"(?:{metadata.general_desc.national_number_pattern})\Z"


def _literal_prefixes(metadata: PhoneMetadata) -> list[str]:
    """The national prefixes of a region, unless they are more than a few plain digits."""
    prefixes = (metadata.national_prefix_for_parsing or "").split("|")
    if metadata.national_prefix_transform_rule or not all(map(str.isdecimal, prefixes)):
        return []
    exclusive = len({prefix[0] for prefix in prefixes}) == len(prefixes)
    return prefixes if exclusive else []


def _plain(pattern: str | None) -> str:
    """The pattern without capturing groups, so that those of a number are the only ones."""
    return re.sub(r"\((?!\?)", "(?:", pattern) if pattern else _NOTHING


def _metadata_of(code: int) -> PhoneMetadata:
    """The metadata by which the library reads international numbers of a calling code."""
    main = COUNTRY_CODE_TO_REGION_CODE[code][0]
    return PhoneMetadata.metadata_for_region_or_calling_code(code, main)
