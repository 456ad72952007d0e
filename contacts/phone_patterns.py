"""Regular expressions, built from the library's metadata, that recognise valid phone numbers.

`phonenumbers` parses a number step by step and tries a dozen patterns on it. This module combines
these patterns into one expression for each calling code (or, for national forms, each region) and
digit count. What an expression accepts is valid. What it does not accept is invalid, unless
`needs_library` matches: then the library would first remove or interpret digits in a way that the
expression does not cover, and the caller must ask the library.

Each expression is built when the first such number is met.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    PhoneMetadata,
    PhoneNumberDesc,
)

T = TypeVar("T")

_NO_MATCH = "(?!)"


class NumberRules(NamedTuple):
    """How to decide about the digits of a number.

    Digits that `accept` does not match are valid only if `needs_library` matches and the library
    accepts them.
    """

    plus_code: str
    accept: Callable[[str], re.Match[str] | None]  # its last group is the national number
    needs_library: Callable[[str], re.Match[str] | None]


class KindRules(NamedTuple):
    """How to tell mobile numbers and landlines of one length, in E.164 without the plus."""

    code_length: int  # digits of the calling code
    max_mobile_length: int  # digits of the country's longest mobile numbers, without the code
    is_mobile: Callable[[str], re.Match[str] | None]
    is_landline: Callable[[str], re.Match[str] | None]


@functools.cache
def international_number_rules(first_digits: str, digit_count: int) -> NumberRules | None:
    """Rules for digits that begin with a calling code.

    Args:
        first_digits: the first three digits.
        digit_count: how many digits there are, with the calling code.

    Returns:
        None if there is no such calling code.
    """
    code = _leading_calling_code(first_digits)
    return _number_rules_of_calling_code(code, digit_count) if code else None


@functools.cache
def unambiguous_mobile_matcher(
    first_digits: str, digit_count: int
) -> Callable[[str], re.Match[str] | None]:
    """Matches digits with a calling code that are a mobile number, and that keep all digits.

    The library removes none of them as a national prefix, so they are valid as they are.

    Args:
        first_digits: the first three digits.
        digit_count: how many digits there are, with the calling code.
    """
    code = _leading_calling_code(first_digits)
    if code is None:
        return re.compile(_NO_MATCH).fullmatch
    prefix = _noncapturing_or_no_match(_main_region_metadata(code).national_prefix_for_parsing)
    mobile, _ = _mobile_and_landline_patterns(code, digit_count - len(str(code)))
    return re.compile(f"{code}(?!{prefix})(?:{mobile})").fullmatch


@functools.cache
def phone_kind_rules(first_digits: str, digit_count: int) -> KindRules:
    """Rules for valid numbers that begin with a calling code.

    A number that may be either, as in North America, counts as mobile.

    Args:
        first_digits: the first three digits.
        digit_count: how many digits there are, with the calling code.

    Raises:
        LookupError: if there is no such calling code.
    """
    for code_length in (1, 2, 3):
        code = first_digits[:code_length]
        if int(code) in COUNTRY_CODE_TO_REGION_CODE:
            break
    else:
        raise LookupError(f"no calling code begins {first_digits}")
    mobile, landline = _mobile_and_landline_patterns(int(code), digit_count - code_length)
    main_mobile = _main_region_metadata(int(code)).mobile
    lengths = main_mobile.possible_length if main_mobile else ()
    return KindRules(
        code_length,
        max(lengths, default=0),
        re.compile(f"{code}(?:{mobile})").fullmatch,
        re.compile(f"{code}(?:{landline})").fullmatch,
    )


@functools.cache
def national_number_rules(region: str, digit_count: int) -> NumberRules | None:
    """Rules for digits as they are dialled within a region.

    Args:
        region: two-letter code of the region.
        digit_count: how many digits there are.

    Returns:
        None if there is no such region.
    """
    if region not in SUPPORTED_REGIONS:
        return None
    metadata = _not_none_or_raise(PhoneMetadata.metadata_for_region(region))
    code = _not_none_or_raise(metadata.country_code)
    dial_out = f"(?:{_noncapturing_or_no_match(metadata.international_prefix)})"
    prefix = f"(?:{_noncapturing_or_no_match(metadata.national_prefix_for_parsing)})"
    main_metadata = _main_region_metadata(code)
    main_prefix = f"(?:{_noncapturing_or_no_match(main_metadata.national_prefix_for_parsing)})"
    general = _general_pattern(metadata)
    # The library reads digits that begin with the region's own calling code as national if that
    # is possible, else as an international number without its plus.
    read_as_national = f"(?:(?!{code})|(?={general}))"
    if _is_longer_than_possible(metadata, digit_count):
        read_as_national = f"(?!{code})"
    return NumberRules(
        f"+{code}",
        re.compile(
            f"(?!{dial_out})(?:{read_as_national}"
            f"(?:{_unambiguous_pattern_with_optional_prefix(metadata, code, digit_count)})"
            f"|(?!{general}){code}(?!{prefix}|{main_prefix})(?={general})"
            f"({_valid_national_number_pattern(code, digit_count - len(str(code)))}))"
        ).fullmatch,
        re.compile(f"{dial_out}|{code}|{prefix}").match,
    )


def _leading_calling_code(first_digits: str) -> int | None:
    """The calling code that digits begin with."""
    for code_length in (1, 2, 3):
        code = first_digits[:code_length]
        if not code.startswith("0") and int(code) in COUNTRY_CODE_TO_REGION_CODE:
            return int(code)
    return None


@functools.cache
def _number_rules_of_calling_code(code: int, digit_count: int) -> NumberRules:
    metadata = _main_region_metadata(code)
    prefix = _noncapturing_or_no_match(metadata.national_prefix_for_parsing)
    number = _unambiguous_pattern_with_optional_prefix(metadata, code, digit_count - len(str(code)))
    return NumberRules(
        f"+{code}",
        re.compile(f"{code}(?:{number})").fullmatch,
        re.compile(f"{code}(?:{prefix})").match,
    )


def _unambiguous_pattern_with_optional_prefix(
    metadata: PhoneMetadata, code: int, digit_count: int
) -> str:
    """Matches a valid number with or without national prefix, where both readings are certain.

    The library removes a prefix unless the number is possible only with it, or has no possible
    length without it.
    """
    general = _general_pattern(metadata)
    after_prefix = []
    unprefixed_if = [f"(?!{_noncapturing_or_no_match(metadata.national_prefix_for_parsing)})"]
    for prefix in _plain_digit_national_prefixes(metadata):
        remaining = digit_count - len(prefix)
        possible_lengths = _not_none_or_raise(metadata.general_desc).possible_length
        if remaining in possible_lengths or _is_longer_than_possible(metadata, remaining):
            after_prefix.append(
                f"{prefix}(?={general})({_valid_national_number_pattern(code, remaining)})"
            )
            unprefixed_if.append(f"(?={prefix})(?!{prefix}{general})(?={general})")
        else:
            unprefixed_if.append(f"(?={prefix})")
    unprefixed = (
        f"(?:{'|'.join(unprefixed_if)})({_valid_national_number_pattern(code, digit_count)})"
    )
    return "|".join([*after_prefix, unprefixed])


def _valid_national_number_pattern(code: int, digit_count: int) -> str:
    """Matches a national number that is valid in the region that it belongs to.

    The library asks regions that share a calling code in turn. A region with leading digits decides
    about all numbers that begin with them. A region without leading digits passes the numbers that
    it does not know on to the next region.
    """
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    pattern = _NO_MATCH
    for region in reversed(regions):
        metadata = _not_none_or_raise(
            PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        )
        leading_digits = metadata.leading_digits
        known = _known_types_pattern(metadata, digit_count)
        if leading_digits is None or len(regions) == 1:
            pattern = f"{known}|{pattern}"
        else:
            pattern = f"(?={leading_digits})(?:{known})|(?!{leading_digits})(?:{pattern})"
    return pattern


def _mobile_and_landline_patterns(code: int, digit_count: int) -> tuple[str, str]:
    """Match valid national numbers that are mobile, and those that are landlines.

    The library asks the types in an order: special services first, then landlines that may also be
    mobile, then mobiles.
    """
    mobile_pattern = landline_pattern = _NO_MATCH
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    for region in reversed(regions):
        metadata = _not_none_or_raise(
            PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        )
        leading_digits = metadata.leading_digits
        known = _known_types_pattern(metadata, digit_count)
        special = _any_type_pattern_or_no_match(
            _types_other_than_fixed_and_mobile(metadata), digit_count
        )
        fixed = _any_type_pattern_or_no_match([metadata.fixed_line], digit_count)
        mobile = _any_type_pattern_or_no_match([metadata.mobile], digit_count)
        if metadata.same_mobile_and_fixed_line_pattern:
            mobile = fixed
        mobile_here = f"(?!(?:{special})\\Z)(?={_general_pattern(metadata)})(?:{mobile})"
        landline_here = f"(?!(?:{special}|{mobile})\\Z)(?={_general_pattern(metadata)})(?:{fixed})"
        if leading_digits is None or len(regions) == 1:
            elsewhere = f"(?!(?:{known})\\Z)"
            mobile_pattern = f"{mobile_here}|{elsewhere}(?:{mobile_pattern})"
            landline_pattern = f"{landline_here}|{elsewhere}(?:{landline_pattern})"
        else:
            here, elsewhere = f"(?={leading_digits})", f"(?!{leading_digits})"
            mobile_pattern = f"{here}(?:{mobile_here})|{elsewhere}(?:{mobile_pattern})"
            landline_pattern = f"{here}(?:{landline_here})|{elsewhere}(?:{landline_pattern})"
    return mobile_pattern, landline_pattern


def _known_types_pattern(metadata: PhoneMetadata, digit_count: int) -> str:
    """Matches national numbers of all types of the region, such as mobile and fixed line."""
    number_types = [metadata.fixed_line, *_types_other_than_fixed_and_mobile(metadata)]
    # Where both have one pattern, the library uses the possible lengths of the fixed line alone.
    if not metadata.same_mobile_and_fixed_line_pattern:
        number_types.insert(0, metadata.mobile)
    known = _any_type_pattern_or_no_match(number_types, digit_count)
    general_desc = _not_none_or_raise(metadata.general_desc)
    if (
        known == _NO_MATCH
        or not general_desc.national_number_pattern
        or not _has_possible_length(general_desc, digit_count)
    ):
        return _NO_MATCH
    return f"(?={_general_pattern(metadata)})(?:{known})"


def _types_other_than_fixed_and_mobile(metadata: PhoneMetadata) -> list[PhoneNumberDesc | None]:
    """The types of numbers that are neither fixed lines nor mobiles."""
    return [
        metadata.toll_free,
        metadata.premium_rate,
        metadata.shared_cost,
        metadata.voip,
        metadata.personal_number,
        metadata.pager,
        metadata.uan,
        metadata.voicemail,
    ]


def _any_type_pattern_or_no_match(
    number_types: Iterable[PhoneNumberDesc | None], digit_count: int
) -> str:
    patterns = [
        number_type.national_number_pattern
        for number_type in number_types
        if number_type is not None
        and number_type.national_number_pattern
        and _has_possible_length(number_type, digit_count)
    ]
    return "|".join(patterns) if patterns else _NO_MATCH


def _has_possible_length(description: PhoneNumberDesc, digit_count: int) -> bool:
    return not description.possible_length or digit_count in description.possible_length


def _is_longer_than_possible(metadata: PhoneMetadata, digit_count: int) -> bool:
    return digit_count > _not_none_or_raise(metadata.general_desc).possible_length[-1]


def _general_pattern(metadata: PhoneMetadata) -> str:
    return rf"(?:{_not_none_or_raise(metadata.general_desc).national_number_pattern})\Z"


def _plain_digit_national_prefixes(metadata: PhoneMetadata) -> list[str]:
    """The national prefixes of a region; none if they are more than a few plain digits."""
    prefixes = (metadata.national_prefix_for_parsing or "").split("|")
    if metadata.national_prefix_transform_rule or not all(map(str.isdecimal, prefixes)):
        return []
    exclusive = len({prefix[0] for prefix in prefixes}) == len(prefixes)
    return prefixes if exclusive else []


def _noncapturing_or_no_match(pattern: str | None) -> str:
    """The pattern without capturing groups, so that only the numbers' own groups capture."""
    return re.sub(r"\((?!\?)", "(?:", pattern) if pattern else _NO_MATCH


def _main_region_metadata(code: int) -> PhoneMetadata:
    """The metadata with which the library reads international numbers of a calling code."""
    main_region = COUNTRY_CODE_TO_REGION_CODE[code][0]
    return _not_none_or_raise(PhoneMetadata.metadata_for_region_or_calling_code(code, main_region))


def _not_none_or_raise(value: T | None) -> T:
    """A value that the library's types make optional and its metadata always has."""
    if value is None:
        raise LookupError("the metadata of phonenumbers is incomplete")
    return value
