"""The text of an SMS: tags such as `{{first_name}}`, and the parts it is sent and charged in.

What a campaign adds to a text is in `campaigns/message_text.py`; short links are in `links.py`.
"""

from __future__ import annotations

import difflib
import html
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import gettext

from contacts.importing.headings import Meaning, read_heading
from contacts.importing.names import clean_name_or_empty
from messaging.addresses import (
    INVISIBLE,
    TAG,
    find_address_cut_at_apostrophe_or_empty,
    find_address_joined_to_text_or_empty,
    find_address_with_capital_ending_or_empty,
    find_address_with_emoji_inside_or_empty,
    find_broken_address_or_empty,
    find_host_in_other_form_or_empty,
    find_host_of_mixed_scripts_or_empty,
    find_web_addresses_except_bare_hosts,
    percent_encode_value,
)
from messaging.placeholders import find_placeholder_or_empty

MAX_PARTS = 10  # some phones fail to reassemble longer texts
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "^{}\\[~]|€\f"  # two units each
_GSM = re.compile(f"[{re.escape(GSM_BASIC + GSM_EXTENSION)}]*")
_GSM_EXTENSION = re.compile(f"[{re.escape(GSM_EXTENSION)}]")
_SURROGATE_PAIR = re.compile("[\U00010000-\U0010ffff]")

# By tag without case, accents, spaces and underscores: {{ First Name }} is {{first_name}}
# (docs/rules.md#text-tags).
FIELD_BY_TAG = {
    "firstname": "first_name",
    "lastname": "last_name",
    "email": "email",
    "offerlink": "offer_link",
    "unsubscribelink": "unsubscribe_link",
}
LINK_FIELDS = {"offer_link", "unsubscribe_link"}
CUSTOM_PREFIX = "custom:"
# Which tag somebody means who writes what a customer list has as a heading, in any language.
_FIELD_BY_MEANING = {
    Meaning.FIRST_NAME: "first_name",
    Meaning.NAME: "first_name",
    Meaning.FULL_NAME: "first_name",
    Meaning.PERSON: "first_name",
    Meaning.LAST_NAME: "last_name",
    Meaning.EMAIL: "email",
}
_CERTAIN_FIELDS = (Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME, Meaning.EMAIL)
_INVISIBLE_BETWEEN_BRACES = re.compile(
    rf"(?<=\{{)[{INVISIBLE}]+(?=\{{)|(?<=\}})[{INVISIBLE}]+(?=\}})"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_BRACES = re.compile(r"\{+[^{}\n]*\}*|\}+")
# The tags of other programs, such as *|FNAME|*, %name%, [[name]] and «name».
_TAG_OF_OTHER_PROGRAM = re.compile(
    r"(\*\||%+|\[+|<+|«|#+|\({2,}|_{2,}|＜+|［+|｛+|\$+|\|)"
    r"(?![\s_])(\w[^\[\](){}<>«»|%#*$\n]{0,38}?)(?<![\s_])"
    r"(\|\*|%+|\]+|>+|»|#+|\){2,}|_{2,}|＞+|］+|｝+|\$+|\|)"
)
# A field between the same signs, in turned order after it: ^name^, !!name!!. One of those that
# emphasise is around ordinary words, too.
_FIELD_BETWEEN_SIGNS = re.compile(
    r"([^\w\s(){}\[\]<>«»]{1,4})([^\W\d]\w{1,38})(?=([^\w\s(){}\[\]<>«»]{1,4}))"
)
_EMPHASIS = frozenset("*_~-–—\"'“”„‘’´`/.,:;!?¡¿+=&•·…")
# A default beside the field: [firstname,fallback=there], <name|friend>.
_FIELD_WITH_DEFAULT = re.compile(
    r"[\[<%](\w[\w .]{1,38}?) ?(?:\||[,;:] ?\w+ ?=|:(?=\w+[\]>%]))[^\[\]<>%\n]{1,40}[\]>%]"
)
# What nobody writes but for a tag of another program, whatever stands in it.
_CERTAIN_TAG_OF_OTHER_PROGRAM = re.compile(
    r"\*\|[^|\n]{1,80}\|\*|\$\$[^\W\d]\w*\$\$|@@\w+@@|-=\w+=-"
    r"|<([%?#@])[^<>\n]{1,80}\1>|\[([%?#@])[^\[\]\n]{1,80}\2\]|%%=[^%\n]{1,80}=%%"
    r"|(?<![\w#])#(?!\d)[A-ZÀ-ÞĀ-Ž_]{2,30}#(?![\w#])|(?<![\w%])%(?!\d)[A-ZÀ-ÞĀ-Ž_]{2,30}%(?![\w%])"
)
# A name as programs write it, by itself or after a sign: first_name, Contact.FirstName, $FIRSTNAME.
_VARIABLE_OF_OTHER_PROGRAM = re.compile(
    r"(?<![\w.$@:/])(?P<sign>[$:@%&]?)(?:[A-Za-z]+\.)?"
    r"(?P<name>[A-Za-z]+_[A-Za-z_]+|[A-Za-z][a-z]+[A-Z][A-Za-z]+|(?<=[$:@%&])(?:[A-Z]{3,}|[a-z]{5,}))"
    r"(?!\w|[.@-]\w)"
)
_SIGN_OF_HTML = re.compile(r"&(?:[a-zA-Z]{2,8}\d{0,2}|#\d{2,6}|#x[0-9a-fA-F]{2,5});")
# Defaults in another program's form: {{x|default:"you"}}, {{x|default('you')}}, {{x||you}}.
_NOT_PLAIN_DEFAULT = re.compile(
    r""".*\||[a-z_]+ ?(?:\( ?["'“”„‘’«]|: ?["'“‘])|(["'“”„‘’«]).*["'“”‘’»]\Z"""
)
_FILTER = re.compile(
    r"(?:default|fallback|capitali[sz]e|title|(?:upper|lower)(?:case)?|(?:up|down)case|trim|strip"
    r"|escape|raw|safe)(?: ?[(:].*)?",
    re.IGNORECASE,
)
_WORD_IN_DEFAULT = re.compile(r"""["'“”„‘’«]\s*([^"'“”„‘’«»]+)|\A\|\s*([^"'“”„‘’«»|()]+)""")
# What follows a link becomes part of it: another code, or a path that is lost.
_JOINED_AFTER_LINK = re.compile(r"[A-Za-z0-9/&=%]|[?#]\w|\.[a-z]")
# After these, phones see no link or another one.
_JOINED_BEFORE_LINK = re.compile(r"(?:[\w@]|://|www\.)\Z", re.IGNORECASE)
_SHOWN_LENGTH = 40
_SEPARATORS = re.compile(r"[\s_]+")
_SPACES_AT_END = re.compile(r"[^\S\n]+\Z")
_PUNCTUATION_AFTER = re.compile(r"""[,.;:!?…·)\]"'”’»]|\Z|\n""")
_AT_START_OF_LINE = re.compile(r"(?:\A|\n)[^\S\n]*\Z")
_LEFT_AT_START = re.compile(r"[,.;:!?]*[^\S\n]*")
_SINGLE_SPACED = re.compile(r"\S+(?: \S+)*")
_SPACES = re.compile(r"[^\S\n]+")
# Programs for documents write the last ones where a paragraph goes on in a new line.
_OTHER_LINE_BREAK = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_AROUND_LINE_BREAK = re.compile(r" *\n *")


def sms_encoding(text: str) -> str:
    """The encoding in which the text is sent: `GSM-7`, or `UCS-2` if it has other characters."""
    return "GSM-7" if _GSM.fullmatch(text) else "UCS-2"


def count_parts(text: str) -> int:
    """The number of SMS parts of the text; each costs one credit (docs/rules.md#parts).

    GSM-7: 160 characters in a single part, 153 in each of several. UCS-2: 70, or 67. A character
    of two units is not split between parts.
    """
    if _GSM.fullmatch(text):
        return _count_parts(text, _GSM_EXTENSION, single=160, several=153)
    return _count_parts(text, _SURROGATE_PAIR, single=70, several=67)


def _count_parts(text: str, two_units: re.Pattern[str], *, single: int, several: int) -> int:
    """Count parts: one of `single` units, or more of `several`; `two_units` matches long ones."""
    positions = [match.start() for match in two_units.finditer(text)]
    units = len(text) + len(positions)
    if units <= single:
        return 1
    if not positions:
        return -(-units // several)
    # Where two units would cross the boundary of a part, the part's last unit stays empty.
    used, next_position = 0, 0
    for position in positions:
        used += position - next_position
        if used % several == several - 1:
            used += 1
        used += 2
        next_position = position + 1
    return -(-(used + len(text) - next_position) // several)


class Tag(NamedTuple):
    """A tag of a text.

    `default` stands for an empty value. `in_address` is whether the tag is part of a web address,
    in which values are percent-encoded.
    """

    field: str
    default: str
    in_address: bool


class Template:
    """A text with tags, parsed once and rendered for many contacts.

    Attributes:
        tags: the known tags, in their order.
        fields: names of the fields that the text uses: values of FIELD_BY_TAG, and of custom fields
            their keys after CUSTOM_PREFIX.
        unknown_tags: what else the text has in braces; it is rendered as it is, and no text with
            such is sent (`text_problem_or_empty`).
    """

    __slots__ = ("_format", "_is_plain", "_literals", "fields", "tags", "unknown_tags")

    def __init__(self, text: str, custom_keys: Collection[str] = ()) -> None:
        """Parse a text.

        Args:
            text: the text.
            custom_keys: keys of custom fields whose tags are known, too.
        """
        text = _INVISIBLE_BETWEEN_BRACES.sub("", _compose_without_useless_invisible(text))
        self.tags, self._literals = _split_at_tags(text, custom_keys)
        self.fields = frozenset(tag.field for tag in self.tags)
        self.unknown_tags = [
            braces for literal in self._literals for braces in _BRACES.findall(literal)
        ]
        # Without a default and outside of addresses, a value is filled in as it is.
        self._is_plain = not any(tag.default or tag.in_address for tag in self.tags)
        collapsed = _split_at_tags(_collapse_spaces_within_lines(text), custom_keys).literals
        self._format = "%s".join(literal.replace("%", "%%") for literal in collapsed)

    def render(self, values: Mapping[str, str]) -> str:
        """Fill in the values of the fields. Runs of spaces collapse, line breaks are kept.

        An empty value without a default leaves no space before the punctuation after it.

        Raises:
            KeyError: if `values` lacks one of `fields`.
        """
        if self._is_plain:
            filled = [values[tag.field] for tag in self.tags]
        else:
            filled = [
                _value_or_default_encoded_in_address(tag, values[tag.field]) for tag in self.tags
            ]
        single_spaced = _SINGLE_SPACED.fullmatch
        for value in filled:
            if not single_spaced(value):
                return self._render_closing_gaps_of_empty_values(filled)
        # Such values add no spaces to collapse, and collapsing takes most of the time.
        return self._format % tuple(filled)

    def fields_that_leave_a_gap_if_empty(self) -> list[str]:
        """The fields that leave a gap where they are empty, in their order."""
        return list(
            dict.fromkeys(tag.field for tag in self.tags if not (tag.default or tag.in_address))
        )

    def text_with_default_values(self) -> str:
        """The text with nothing but the defaults in place of tags."""
        defaults = ("" if tag.in_address else tag.default for tag in self.tags)
        return self._format % tuple(defaults)

    def problem_of_text_joined_to_link(self) -> str:
        """What is wrong if a link has characters around it by which it leads elsewhere.

        As the value of a parameter in another address, a link to an offer is right. One by which a
        customer opts out leads there at once.
        """
        for position, tag in enumerate(self.tags):
            before, after = self._literals[position : position + 2]
            is_value = tag.in_address and before.endswith("=") and tag.field == "offer_link"
            if tag.field not in LINK_FIELDS or is_value:
                continue
            is_after_tag = not before and position > 0
            if tag.in_address or is_after_tag or _JOINED_BEFORE_LINK.search(before):
                return gettext(
                    "Put a space before {{%(tag)s}}, and no https:// or www.: it is an address by"
                    " itself."
                ) % {"tag": tag.field}
            is_before_tag = not after and position + 1 < len(self.tags)
            if is_before_tag or _JOINED_AFTER_LINK.match(after):
                return gettext(
                    "Put a space after {{%(tag)s}}: what is joined to it becomes a part of the"
                    " link."
                ) % {"tag": tag.field}
        return ""

    def _render_closing_gaps_of_empty_values(self, filled: list[str]) -> str:
        text = self._literals[0]
        followed = [*map(str.strip, filled[1:]), ""]
        for value, next_value, literal in zip(filled, followed, self._literals[1:], strict=True):
            if not value.strip():
                value = ""
                if _AT_START_OF_LINE.search(text):
                    literal = _LEFT_AT_START.sub("", literal, count=1)
                elif (literal or not next_value) and _PUNCTUATION_AFTER.match(literal):
                    text = _SPACES_AT_END.sub("", text)
            text += value + literal
        return _collapse_spaces_within_lines(text)


def _value_or_default_encoded_in_address(tag: Tag, value: str) -> str:
    value = value.strip() or tag.default
    return percent_encode_value(value) if tag.in_address else value


class _SplitText(NamedTuple):
    """The known tags of a text, and the literals around them."""

    tags: list[Tag]
    literals: list[str]


def _split_at_tags(text: str, custom_keys: Collection[str] = ()) -> _SplitText:
    tags: list[Tag] = []
    literals, end = [], 0
    known = FIELD_BY_TAG
    if custom_keys:
        known = {_fold_tag(key): CUSTOM_PREFIX + key for key in custom_keys} | FIELD_BY_TAG
    for match in TAG.finditer(text):
        name, _, default = match[1].partition("|")
        if field := known.get(_fold_tag(name)):
            in_address = any(
                address.start < match.start() < address.end
                for address in find_web_addresses_except_bare_hosts(text)
            )
            tags.append(Tag(field, _collapse_spaces_within_lines(default), in_address))
            literals.append(text[end : match.start()])
            end = match.end()
    return _SplitText(tags, [*literals, text[end:]])


def _fold_tag(name: str) -> str:
    """The name of a tag without case, accents, spaces, underscores and invisible characters."""
    name = _INVISIBLE.sub("", name)
    decomposed = unicodedata.normalize("NFD", _SEPARATORS.sub("", name.casefold()))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def text_problem_or_empty(
    text: str, other_tags: Collection[str] = (), custom_keys: Collection[str] = ()
) -> str:
    """What is wrong with the tags and addresses in a text, and what is meant; empty if right.

    Args:
        text: a text with tags.
        other_tags: tags that the text may have besides those of a contact, with their braces.
        custom_keys: keys of the store's custom fields.
    """
    for tag in other_tags:
        text = text.replace(tag, "")
    text = _INVISIBLE_BETWEEN_BRACES.sub("", text)
    template = Template(text, custom_keys)
    unknown = template.unknown_tags
    if not unknown:
        return (
            _problem_of_defaults_in_other_syntax(template.tags)
            or _problem_of_other_programs_tags(text)
            or _problem_of_placeholders(text)
            or _problem_of_html(text)
            or template.problem_of_text_joined_to_link()
            or address_problem_or_empty(text)
        )
    name = unknown[0].strip("{}")
    written = unknown[0] if len(unknown[0]) <= _SHOWN_LENGTH else f"{unknown[0][:_SHOWN_LENGTH]}…"
    if field := _nearest_field_or_empty(name.partition("|")[0]):
        return gettext("%(text)s is no tag: write {{%(tag)s}}.") % {
            "text": written,
            "tag": field,
        }
    names = [*FIELD_BY_TAG.values(), *custom_keys]
    known = ", ".join(f"{{{{{field}}}}}" for field in names)
    return gettext("%(text)s is no tag, and braces are for tags only: there are %(known)s.") % {
        "text": written,
        "known": known,
    }


def _problem_of_defaults_in_other_syntax(tags: Iterable[Tag]) -> str:
    """What is wrong with the defaults of tags, if one is no plain text."""
    for tag in tags:
        if _NOT_PLAIN_DEFAULT.match(tag.default) or _FILTER.fullmatch(tag.default):
            word = _WORD_IN_DEFAULT.search(tag.default)
            plain = (word and (word[1] or word[2]).strip()) or "there"
            return gettext("%(default)s is sent as it is written: write {{%(tag)s|%(plain)s}}.") % {
                "default": tag.default,
                "tag": tag.field,
                "plain": plain,
            }
    return ""


def _problem_of_other_programs_tags(text: str) -> str:
    """What is wrong if the text has a field in the marks of another program; they are no tags."""
    for written, field in _fields_in_marks_of_other_programs(text):
        return gettext("%(text)s is no tag: write {{%(tag)s}}.") % {"text": written, "tag": field}
    for match in _CERTAIN_TAG_OF_OTHER_PROGRAM.finditer(text):
        if not _is_in_address(match, text):
            return gettext(
                "%(text)s looks like a tag of another program, and is sent as it is written: write"
                " a tag such as {{first_name}}, or leave out its signs."
            ) % {"text": match[0]}
    return ""


def _fields_in_marks_of_other_programs(text: str) -> Iterator[tuple[str, str]]:
    """What is written as a tag of another program, and our field that is meant."""
    for match in _TAG_OF_OTHER_PROGRAM.finditer(text):
        field = _field_named_or_empty(match[2])
        is_ordinal = match[1] == "[" and re.match(r" \d", text[match.end() :])  # [first] 50 guests
        if field and not is_ordinal and not (match[1][0] == "[" and _is_in_address(match, text)):
            yield match[0], field
    for match in _FIELD_WITH_DEFAULT.finditer(text):
        if (field := _field_named_or_empty(match[1])) and not _is_in_address(match, text):
            yield match[0], field
    for match in _FIELD_BETWEEN_SIGNS.finditer(text):
        signs = _signs_on_both_sides(match[1], match[3])
        is_emphasis = _EMPHASIS.issuperset(signs) and len(set(signs)) == len(signs)
        if not is_emphasis and (field := _field_named_or_empty(match[2])):
            yield f"{signs}{match[2]}{match[3][: len(signs)]}", field
    without_tags = TAG.sub(lambda tag: " " * len(tag[0]), text)
    for match in _VARIABLE_OF_OTHER_PROGRAM.finditer(without_tags):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", match["name"])
        is_of_program = match["sign"] not in ("", "@") and not name.islower()
        is_certain = is_of_program or _is_field_and_no_name_of_a_shop(name)
        if (
            is_certain
            and (field := _field_named_or_empty(name))
            and not _is_in_address(match, text)
        ):
            yield match[0], field


def _is_field_and_no_name_of_a_shop(name: str) -> bool:
    """Whether a name without a sign is a field's; `MyName` and `@vip_members` are not for sure."""
    meaning = read_heading(name.replace("_", " ")).meaning
    is_name = meaning == Meaning.NAME and "_" in name
    return _fold_tag(name) in FIELD_BY_TAG or meaning in _CERTAIN_FIELDS or is_name


def _signs_on_both_sides(before: str, after: str) -> str:
    """The signs at the end of `before` that are, in turned order, at the beginning of `after`."""
    for length in range(min(len(before), len(after)), 0, -1):
        signs = before[-length:]
        if signs[::-1] == after[:length]:
            return signs
    return ""


def _problem_of_placeholders(text: str) -> str:
    """What is wrong if the text has something that was to be replaced."""
    placeholder = find_placeholder_or_empty(text)
    if not placeholder:
        return ""
    if field := _field_named_or_empty(placeholder):
        return gettext("%(text)s is no tag: write {{%(tag)s}}.") % {
            "text": placeholder,
            "tag": field,
        }
    return gettext("%(text)s is sent as it is written: write what is to stand there.") % {
        "text": placeholder
    }


def _problem_of_html(text: str) -> str:
    """What is wrong if the text has a sign as web pages write it; in an address it is read."""
    for match in _SIGN_OF_HTML.finditer(text):
        sign = html.unescape(match[0])
        if sign != match[0] and not _is_in_address(match, text):
            return gettext("%(text)s is sent as it is written: write %(sign)s in its place.") % {
                "text": match[0],
                "sign": sign.strip() or gettext("a space"),
            }
    return ""


def _field_named_or_empty(name: str) -> str:
    """The field that a name means, in any language in which customer lists have it as a heading."""
    name = re.sub(r"[\W_]+", " ", name)
    return (
        FIELD_BY_TAG.get(_fold_tag(name)) or _FIELD_BY_MEANING.get(read_heading(name).meaning) or ""
    )


def _is_in_address(match: re.Match[str], text: str) -> bool:
    return any(
        address.start < match.start() < address.end
        for address in find_web_addresses_except_bare_hosts(text)
    )


def address_problem_or_empty(text: str) -> str:
    """What is wrong with an address by which it leads nowhere, or elsewhere than is meant."""
    if broken := find_broken_address_or_empty(text):
        return gettext(
            "%(address)s leads nowhere: an address begins with https:// and a name such as"
            " shop.gr, and has no space, comma or backslash in it."
        ) % {"address": broken}
    if host := find_host_of_mixed_scripts_or_empty(text):
        return gettext(
            "%(host)s has letters of two alphabets: type it again in one, and put a space before"
            " it."
        ) % {"host": host}
    if host := find_host_in_other_form_or_empty(text):
        return gettext(
            "%(host)s has letters or hyphens of another form than a keyboard writes: type it again."
        ) % {"host": host}
    if address := find_address_with_capital_ending_or_empty(text):
        return gettext(
            "%(address)s may be an address or the end of a sentence: write it in small letters, or"
            " put a space after the full stop."
        ) % {"address": address}
    if address := find_address_cut_at_apostrophe_or_empty(text):
        return gettext(
            "%(address)s: write ' for ’ if it is a part of the address, else put a space before it."
        ) % {"address": address}
    address = find_address_joined_to_text_or_empty(text)
    if address or (address := find_address_with_emoji_inside_or_empty(text)):
        return gettext(
            "Put a space after %(address)s: what is joined to it becomes a part of the link."
        ) % {"address": address}
    return ""


def _nearest_field_or_empty(name: str) -> str:
    """The field that somebody means who writes this name in a tag; empty if it cannot be told."""
    folded = re.sub(r"\W", "", _fold_tag(name))
    for cutoff in (0.8, 0.55):
        if close := difflib.get_close_matches(folded, FIELD_BY_TAG, n=1, cutoff=cutoff):
            return FIELD_BY_TAG[close[0]]
        if field := _FIELD_BY_MEANING.get(read_heading(re.sub(r"[\W_]+", " ", name)).meaning):
            return field
    return ""


@lru_cache(maxsize=100_000)
def clean_value_or_empty_if_placeholder(value: str) -> str:
    """A contact's value as texts use it: composed, and empty if it stands for nothing.

    It is what an import stores of such a cell: on one line, without invisible characters, and
    nothing for `N/A` and `-`. A tag that another program did not fill is nothing, too.
    """
    value = clean_name_or_empty(unicodedata.normalize("NFC", value))
    if not value[:1].isalnum() and (TAG.fullmatch(value) or _TAG_OF_OTHER_PROGRAM.fullmatch(value)):
        return ""
    return value


def tidy(text: str) -> str:
    """A text without tags as it is sent: composed, single-spaced, without what only costs.

    Line breaks stay.
    """
    return _collapse_spaces_within_lines(_compose_without_useless_invisible(text))


def _compose_without_useless_invisible(text: str) -> str:
    """The text composed (NFC), and without invisible characters if it is in GSM but for them.

    Emoji and some scripts need them; elsewhere they only make a text Unicode.
    """
    text = unicodedata.normalize("NFC", text)
    visible = _INVISIBLE.sub("", text)
    return visible if _GSM.fullmatch(_SPACES.sub(" ", visible)) else text


def _collapse_spaces_within_lines(text: str) -> str:
    text = _OTHER_LINE_BREAK.sub("\n", text)
    return _AROUND_LINE_BREAK.sub("\n", _SPACES.sub(" ", text)).strip()
