"""Web addresses in texts: finding them as phones do, and writing them as valid URLs.

Short links in their place are in `links.py`. Rules: docs/rules.md#short-links.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from mimetypes import guess_type
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import idna
from linkify_it import LinkifyIt
from linkify_it.tlds import TLDS

# `{{first_name}}` and what else stands in two braces; `text.py` reads what it says.
TAG = re.compile(r"\{\{([^{}]*)\}\}")
# All that end the name of a host, as phones know them: shop.store, оферти.бг.
_ENDINGS = [idna.decode(ending) if ending.startswith("XN--") else ending.lower() for ending in TLDS]
_FINDER = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": False, "fuzzy_ip": False}).tlds(
    _ENDINGS, True
)
_KNOWN_ENDINGS = frozenset(_ENDINGS)
# Of those with more than two letters, what is no ordinary word such as red, sale and today.
_LONG_ENDINGS_THAT_ARE_NO_WORDS = frozenset(("com", "net", "org", "info", "biz", "shop"))
_NOT_AT_THE_END = ".,;:!?'\"*`"
_AROUND = "_~"  # emphasis, if it is on both sides
# Signs that nobody sees: soft hyphens, zero width spaces and joiners, marks of direction, selectors
# of variants. Programs leave them in what people copy.
INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
INVISIBLE += "\U000e0000-\U000e01ef"
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
# Between letters of some scripts, such as Persian, joiners are part of a word.
_JOINERS = "\u200c\u200d"
# Letters, digits and signs in another form: bold as programs for pictures have it (𝘀𝗵𝗼𝗽.gr), wide
# (ｓｈｏｐ．ｇｒ), in circles; and hyphens at which no line breaks. Each has a plain one, which is
# meant. Wide punctuation that ends sentences is none of an address.
_PLAIN_BY_OTHER_FORM = {
    code: plain
    for first, last in ("ℂⅉ", "Ⓐⓩ", "！～", "\U0001d400\U0001d7ff")
    for code in range(ord(first), ord(last) + 1)
    if unicodedata.decomposition(chr(code)).startswith(("<font>", "<circle>", "<wide>"))
    and ((plain := unicodedata.normalize("NFKC", chr(code))).isalnum() or plain in "./-_")
} | dict.fromkeys((0x2010, 0x2011), "-")
_IN_OTHER_FORM = re.compile(f"[{''.join(map(chr, _PLAIN_BY_OTHER_FORM))}]")
_REST_OF_HTML_AMPERSAND = re.compile("(?<=&)(?:amp|#38|#x26);", re.IGNORECASE)
# Before an address the end of an emoji stays, and so does the direction of the text around it.
_STAYS_BEFORE = re.compile(
    "[\u200d-\u200f\u061c\u202a-\u202e\u2066-\u2069\ufe0f\U000e0020-\U000e007f]"
)
_STAYS_AFTER = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
# What RFC 3986 allows in a part of a URL besides letters, digits and "-._~".
_ALLOWED_IN_PATH = "/:@!$&'()*+,;=%"
_ALLOWED_AFTER_PATH = _ALLOWED_IN_PATH + "?"
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_NEVER_IN_URL = re.compile(r"[\s\x00-\x1f\x7f]")
_SCHEME = re.compile("https?://", re.IGNORECASE)
_AFTER_HOST = re.compile("[/?#]")
_WITHOUT_SPACE = re.compile(r"\S+")
_LIKE_ADDRESS = re.compile(r"://|\w\.\w")
_WWW = re.compile(r"www\.", re.IGNORECASE)
_AFTER_COLON = re.compile(r"(?<=:)(?=[^\W\d_])")
# What begins like an address, but with signs missing, doubled, exchanged or apart.
_LIKE_BEGINNING = re.compile(
    r"(?<![\w/.@=&?-])(?:"
    r"(?:hh?(?:t+p+|p+t+|tpt)|ttp)s?(?:\s?[:;.]?\s?[/\\]{1,3}|//:|:)\s?(?=[\w.])"
    r"|(?:w{2}|w{4,5})\.(?=\w)|w{3}(?:\s?[,;:]\s?|\s?\.?\s|\s\.|\.{2,})(?=[\w-]+[.,]\w)"
    r"|https?w{3}\."
    r"|([^\W\d_a-z])\1{2}\.(?=[\w-]+\.\w)"  # www. of a keyboard of another script
    r")\S{1,40}",
    re.IGNORECASE,
)
_WELL_BEGUN = re.compile(r"https?://\w(?!ttps?://|ww\.https?)", re.IGNORECASE)
_WITHOUT_HOST = re.compile(r"(?<!\w)https?://(?:www\.?)?(?![^\s])", re.IGNORECASE)
_EMPTY_LABEL = re.compile(r"(?:https?://|(?<![\w.])www\.)[^\s/?#]*\.\.\w[^\s]*", re.IGNORECASE)
# Another sign than a dot before the end of a name, no dot at all, a backslash after the name, and a
# space in the address. What might be a list of words needs the end of a name: sklepik,pl/oferta.
_COMMA_BEFORE_ENDING = re.compile(
    r"(?<![\w@./&=?-])(?:[\w-]+\.)*[\w-]{3,}(?:[,;\\]|\s\.\s?|\.\s)([^\W\d_]{2,})/\w+"
)
_BACKSLASH_AFTER_NAME = re.compile(r"(?:(?<![\w@./-])|(?<=://))(?:[\w-]+\.)+([^\W\d_]{2,})\\+\w+")
_SLASH_OR_WWW = re.compile(r"[/\\]|www", re.IGNORECASE)
_WITHOUT_DOT = re.compile(
    r"https?://(?!localhost\b)(?:www\.)?[\w-]+(?:[,;\\][\w-]+)?(?![\w.:@-]|\{\{)|https?://[\w-]+\.(?!\S)"
    r"|(?<![\w.@])www\.[\w-]+[,;\\][\w-]+(?![\w'’-])",
    re.IGNORECASE,
)
_SPACE_IN_ADDRESS = re.compile(r"(?<![\w.@])(?:https?://|www\.)\S*\w\s/\w\S*", re.IGNORECASE)
_SCHEME_OF_OTHER_LETTERS = re.compile(r"(?<![^\W_])([^\W_]+)://\S*")
_HOST = re.compile(r"(?<![\w@.-])(?:\w[\w-]*\.)+\w[\w-]*")
_HOST_OR_EMAIL = re.compile(r"(?<![\w.-])(?:[\w.%+'’-]+@)?(?:\w[\w-]*\.)+\w[\w-]*")
_ALIKE = ("LATIN", "GREEK", "CYRILLIC")  # scripts with letters that look the same
_WITH_SPACES_BETWEEN_WORDS = frozenset(
    ("GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "ARABIC", "HEBREW")
)
_LETTER_AFTER_LATIN = re.compile(r"(?<=[A-Za-z])[.,;:!?|·'’]*(?=[^\W\d_A-Za-z])")
# As a value or a part of a path, an address within another is right.
# A backslash is nowhere in an address; programs leave it where a line break was.
_SECOND_ADDRESS = re.compile(
    r"[,;|]?(?<=[^/=&?#:])(?=https?://)|[,;|](?=www\.\w|(?:[\w-]+\.)+[a-z]{2,}/\w)|\\",
    re.IGNORECASE,
)
_SENTENCE_AFTER_PATH = re.compile(
    r"[.!;|](?=([A-Z][a-z]+|[A-Z]{3,})\Z)|—|–(?=[^\W\dA-Z_])|(?<=\w{3}),(?=[^\W\d_]{1,2}\Z)"
)
# A suffix of the language (shop.com.tr/firsat'ta), but neither an English genitive (women's) nor
# what follows the short words that French and Italian cut (l'offre, un'idea, dell'anno).
_SUFFIX = re.compile(
    r"(?<=\w\w)(?<!\bqu)(?<!\b[uU]n)(?<!ll)(?<!quest)(?<!sant)(?<!bell)'(?!s\Z)[^\W\d_]{1,5}\Z",
    re.IGNORECASE,
)
_TYPOGRAPHIC_APOSTROPHE = re.compile(r"[’ʼ´](?!s\b)\w+", re.IGNORECASE)
# What one of these finds has this; most texts have none, and finding addresses takes longer.
_MAY_BE_JOINED = re.compile(
    r"\w'\w|[A-Za-z][.,;:!?|·'’]*(?![A-Za-z\d_])\w|[^\s/=&?#:]https?://|[.!;|](?-i:[A-Z])|—|–\w"
    r"|[,;|][\w-]+\.|\\|\w{3},\w",
    re.IGNORECASE,
)
# Phones make an emoji a part of an address that goes on after it: shop.ws/🔥-sale, shop.ws/a🔥/b.
_GOES_ON = re.compile(r"[/?#&=]\w")
_GOES_ON_AFTER_SLASH = re.compile(r"[A-Za-z0-9_-]\w")
_ENDINGS_OF_PAGES = frozenset(("php", "asp", "aspx", "jsp", "jspx", "xhtml", "shtml", "webp"))
_CAPITAL_ENDING = re.compile(r"(?<![\w@./-])(?!www\.)(?:[\w-]+\.)*([\w-]+)\.([A-Z][a-z]+)/\w\S*")
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PLACE_OF_TAG = "\ue000"  # of private use, so no address has it


class Address(NamedTuple):
    """A web address in a text, from `start` up to and without `end`."""

    start: int
    end: int
    written: str


@lru_cache(maxsize=1024)
def find_web_addresses_except_bare_hosts(text: str) -> list[Address]:
    """The web addresses in a text, in their order.

    They begin with `http://`, `https://` or `www.`, or are a host with a path, such as
    `shop.gr/sale`. A host alone needs nothing of us: phones make it a link, and it is short.
    Quotation marks, emoji and the punctuation after an address are not part of it. A tag is.

    `written` is the address as it is meant: without the invisible characters that are in or beside
    it, in plain letters and hyphens (not 𝗯𝗼𝗹𝗱 ones), and with `&` for `&amp;`.
    """
    visible, places = _as_meant(text)
    if not _AFTER_HOST.search(visible) and not _WWW.search(visible):
        return []
    found = []
    for start, end, has_scheme in _find_in_masked(_mask(visible)):
        written = visible[start:end]
        if not has_scheme and not _is_more_than_a_host(written):
            continue
        if not _SCHEME.match(written) and _OTHER_SCHEME.match(written):
            continue
        if is_http_url_with_host(add_http_if_no_scheme(written)):
            begin, stop = places[start], places[end - 1] + 1
            while begin and _INVISIBLE.match(text, begin - 1):
                if _STAYS_BEFORE.match(text, begin - 1):
                    break
                begin -= 1
            while _INVISIBLE.match(text, stop) and not _STAYS_AFTER.match(text, stop):
                stop += 1
            found.append(Address(begin, stop, written))
    return found


def write_addresses_as_meant(text: str) -> str:
    """The text with its web addresses as `find_web_addresses_except_bare_hosts` reads them.

    For texts whose addresses get no short links.
    """
    pieces, end = [], 0
    for address in find_web_addresses_except_bare_hosts(text):
        pieces += [text[end : address.start], address.written]
        end = address.end
    return "".join([*pieces, text[end:]])


def find_hosts_and_email_addresses(text: str) -> list[Address]:
    """What else than web addresses phones make links of: hosts and e-mail addresses.

    The hosts of web addresses are among them.
    """
    return [
        Address(match.start(), match.end(), match[0])
        for match in _HOST_OR_EMAIL.finditer(text)
        if _ends_as_host(match[0])
    ]


def find_broken_address_or_empty(text: str) -> str:
    r"""The first address in a text whose beginning or name is mistyped, so that no phone opens it.

    Such are `https:/shop.gr`, `https//shop.gr`, `htps://shop.gr`, `https:// shop.gr`,
    `http://https://shop.gr`, `ww.shop.gr`, `www..shop.gr`, `https://` and `httpσ://shop.gr`, and
    `shop,gr/sale`, `https://shop`, `shop.gr\sale` and `www.shop.gr /sale`.
    """
    text = _as_meant(text)[0]
    for match in _LIKE_BEGINNING.finditer(text):
        is_www_of_latin = match[1] and match[1].isascii()
        if not _WELL_BEGUN.match(match[0]) and not is_www_of_latin:
            return match[0].rstrip(_NOT_AT_THE_END)
    for match in _SCHEME_OF_OTHER_LETTERS.finditer(text):
        if not match[1].isascii() and not match[1].lower().endswith(("http", "https")):
            return match[0].rstrip(_NOT_AT_THE_END)
    if not _SLASH_OR_WWW.search(text):
        return ""
    for pattern in (_COMMA_BEFORE_ENDING, _BACKSLASH_AFTER_NAME):
        for match in pattern.finditer(text):
            if match[1].islower() and _is_ending_and_no_word(match[1]):
                return match[0]
    for pattern in (_EMPTY_LABEL, _WITHOUT_HOST, _WITHOUT_DOT, _SPACE_IN_ADDRESS):
        if broken := pattern.search(text):
            return broken[0].rstrip(",;!?")
    return ""


def find_host_in_other_form_or_empty(text: str) -> str:
    """The first host or e-mail address, outside of web addresses, in letters that only look right.

    Such are `𝘀𝗵𝗼𝗽.gr` and `my‑shop.gr` with a hyphen at which no line breaks. They stay as they are
    written, and phones make a link of a part of them or of nothing.

    Returns:
        The host as it is meant.
    """
    meant, places = _as_meant(text)
    if meant == text:
        return ""
    addresses = find_web_addresses_except_bare_hosts(text)
    for host in find_hosts_and_email_addresses(meant):
        start, end = places[host.start], places[host.end - 1] + 1
        is_in_address = any(one.start <= start < one.end for one in addresses)
        if not is_in_address and text[start:end] != host.written:
            return host.written
    return ""


def find_address_with_capital_ending_or_empty(text: str) -> str:
    """The first host of small letters with a path whose last label begins with a capital.

    In `bis Samstag.Info/tickets` a sentence begins there, in `laden.Info/angebote` it may not.
    """
    for match in _CAPITAL_ENDING.finditer(text):
        if match[1].islower() and _is_ending_and_no_word(match[2].lower()):
            return match[0].rstrip(_NOT_AT_THE_END)
    return ""


def find_host_of_mixed_scripts_or_empty(text: str) -> str:
    """The first host in a text that has two of Latin, Greek and Cyrillic letters in one label.

    Such are `mariashοes.gr` with a Greek omicron, and `στοshop.gr`, where a space is missing.
    """
    visible, _places = _as_meant(text)
    for match in _HOST.finditer(visible):
        if match[0].isascii():
            continue
        mixed = [label for label in re.split("[.-]", match[0]) if _mixes_scripts(label)]
        if mixed and (
            _ends_as_host(match[0])
            or visible[: match.start()].endswith("://")
            or (visible[match.end() : match.end() + 1] == "/" and not mixed[0].isupper())
        ):
            return match[0]
    return ""


def find_address_joined_to_text_or_empty(text: str) -> str:
    """The first address in a text to which something is joined that can be told from its path.

    A letter of another script after a Latin one, a word that begins a sentence, a long dash,
    another address, or a suffix after an apostrophe.

    Returns:
        The address up to where a space is missing.
    """
    if not _MAY_BE_JOINED.search(text):
        return ""
    for address in find_web_addresses_except_bare_hosts(text):
        written = TAG.sub(lambda tag: "x" * len(tag[0]), address.written)
        path = _AFTER_HOST.search(written, written.find("://") + 3 if "://" in written else 0)
        if not path:
            continue
        at = path.start()
        joined = _SECOND_ADDRESS.search(written, at)
        if not joined:
            joined = next(
                (
                    match
                    for match in _LETTER_AFTER_LATIN.finditer(written, at)
                    if _script(written[match.end()]) in _WITH_SPACES_BETWEEN_WORDS
                    # Places have commas (Athens,Ελλάδα), and texts in a query have punctuation.
                    and not (match[0] == "," and written[match.end()].isupper())
                    and not (match[0] and set("?#") & set(written[: match.end()]))
                ),
                None,
            )
        if not joined and path[0] == "/" and not set("?#") & set(written):
            joined = _SENTENCE_AFTER_PATH.search(written, written.rindex("/"))
            if joined and joined[1] and joined[0] == "." and _is_ending_of_file(joined[1]):
                joined = None
        joined = joined or _SUFFIX.search(written)
        if joined:
            return address.written[: joined.start()].rstrip(_NOT_AT_THE_END)
    return ""


def find_address_with_emoji_inside_or_empty(text: str) -> str:
    """The first address that an emoji divides, such as `shop.ws/🔥sale`, up to the emoji."""
    if text.isascii():
        return ""
    for address in find_web_addresses_except_bare_hosts(text):
        end = address.end
        while end < len(text) and _is_of_emoji(text[end]):
            end += 1
        goes_on = _GOES_ON_AFTER_SLASH if address.written[-1] in "/=" else _GOES_ON
        if end > address.end and goes_on.match(text, end):
            return address.written
    return ""


def _is_of_emoji(character: str) -> bool:
    is_sign = not character.isascii() and unicodedata.category(character) in ("So", "Sk")
    return is_sign or character == "\u200d" or "\ufe00" <= character <= "\ufe0f"


def find_address_cut_at_apostrophe_or_empty(text: str) -> str:
    """The first address with a path that a typographic apostrophe ends, with the word after it.

    The apostrophe may be one of the address (`shop.fr/l’offre`), or that of a suffix of the
    language (`shop.com.tr/firsat’ta`); an English genitive is no fault.
    """
    if not _TYPOGRAPHIC_APOSTROPHE.search(text):
        return ""
    for address in find_web_addresses_except_bare_hosts(text):
        after = _TYPOGRAPHIC_APOSTROPHE.match(text, address.end)
        if after and _AFTER_HOST.search(address.written.partition("://")[2] or address.written):
            return address.written + after[0]
    return ""


def _is_ending_of_file(word: str) -> bool:
    return word.lower() in _ENDINGS_OF_PAGES or bool(guess_type(f"a.{word.lower()}")[0])


def _mixes_scripts(word: str) -> bool:
    scripts = {_script(letter) for letter in word if letter.isalpha()}
    return len(scripts.intersection(_ALIKE)) > 1


def _script(letter: str) -> str:
    """The script of a letter: the first word of its name, such as GREEK."""
    return unicodedata.name(letter, "").partition(" ")[0]


def _is_more_than_a_host(written: str) -> bool:
    """Whether what was found without a scheme is an address: a host with a path, or `www.`.

    Hosts with slashes between them are a list, and a host of small letters does not end in
    `.Info`, as a sentence after a forgotten space does.
    """
    if _WWW.match(written):
        return True
    host, after_host, path = _partition_at(_AFTER_HOST, written)
    if not after_host:
        return False
    before, _, last = host.rpartition(".")
    if last.istitle() and before.rpartition(".")[2].islower():
        return False
    first = _partition_at(_AFTER_HOST, path)[0]
    return after_host != "/" or not (_HOST.fullmatch(first) and _ends_as_host(first))


def _partition_at(pattern: re.Pattern[str], text: str) -> tuple[str, str, str]:
    match = pattern.search(text)
    return (text[: match.start()], match[0], text[match.end() :]) if match else (text, "", "")


def _ends_as_host(host: str) -> bool:
    """Whether the last label of a host is a known top level domain."""
    return host.rpartition(".")[2].lower() in _KNOWN_ENDINGS


def _is_ending_and_no_word(label: str) -> bool:
    """Whether a label in small letters ends hosts, and is not likely to be a word of a sentence."""
    is_no_word = len(label) == 2 or label in _LONG_ENDINGS_THAT_ARE_NO_WORDS
    return is_no_word and _ends_as_host(label)


def clean_address(address: str) -> str:
    """An address as it was meant, see `_as_meant`, without spaces around it."""
    return _as_meant(address)[0].strip()


def _as_meant(text: str) -> tuple[str, Sequence[int]]:
    """The text as it is meant where it has addresses, and where each of its characters was.

    Without invisible characters, in plain letters, and with `&` for the `&amp;` of a web page.
    """
    plain = text if text.isascii() else text.translate(_PLAIN_BY_OTHER_FORM)
    left_out = {
        at
        for rest in _REST_OF_HTML_AMPERSAND.finditer(plain)
        for at in range(rest.start() - 1, rest.end() - 1)
    }
    if not left_out and not _INVISIBLE.search(plain):
        return plain, range(len(plain))
    places = [
        at
        for at, character in enumerate(plain)
        if at not in left_out
        and (
            not _INVISIBLE.match(character)
            or (character in _JOINERS and _is_between_letters_of_other_scripts(plain, at))
        )
    ]
    # The semicolon of `&amp;` is what stands for all of it.
    return "".join("&" if at - 1 in left_out else plain[at] for at in places), places


def _is_between_letters_of_other_scripts(text: str, at: int) -> bool:
    around = text[at - 1 : at] + text[at + 1 : at + 2]
    return len(around) == 2 and all(unicodedata.category(c) in ("Lo", "Mn", "Mc") for c in around)


def _mask(text: str) -> str:
    """The text with what no address has as spaces, and no words but addresses; tags are `x`."""
    masked = TAG.sub(lambda tag: "x" * len(tag[0]), text)
    masked = "".join(c if c.isascii() or _is_word_character_or_dash(c) else " " for c in masked)
    # The library takes its time with each word.
    return _WITHOUT_SPACE.sub(
        lambda word: word[0] if _LIKE_ADDRESS.search(word[0]) else " " * len(word[0]), masked
    )


def _find_in_masked(masked: str) -> Iterator[tuple[int, int, bool]]:
    """Begin, end and whether it has a scheme, of each address or host in a masked text."""
    spans = [(one.index, one.last_index, one.schema) for one in _FINDER.match(masked) or []]

    def is_in_span(at: int) -> bool:
        return any(start <= at < end for start, end, _schema in spans)

    # After some characters the library does not look for an address.
    for match in _SCHEME.finditer(masked):
        at = match.start()
        if not is_in_span(at) and (one := _FINDER.match_at_start(masked[at:])):
            spans.append((at, at + one.last_index, one.schema))
    after_colon = {m.start() for m in _AFTER_COLON.finditer(masked) if not is_in_span(m.start())}
    if after_colon:
        apart = "".join(" " if at + 1 in after_colon else c for at, c in enumerate(masked))
        spans += [
            (one.index, one.last_index, one.schema)
            for one in _FINDER.match(apart) or []
            if one.index in after_colon
        ]
    last_end = 0
    for start, end, schema in sorted(spans):
        if start < last_end or schema not in ("", "http:", "https:"):
            continue
        last_end = end
        if start and masked[end - 1] in _AROUND and masked[start - 1] == masked[end - 1]:
            end -= 1
        while masked[end - 1] in _NOT_AT_THE_END or not (
            masked[end - 1].isascii() or _is_letter_mark_or_number(masked[end - 1])
        ):
            end -= 1
        yield start, end, bool(schema)


def add_http_if_no_scheme(written: str) -> str:
    """The address that a phone opens for an address as people write it: `http://` is added."""
    return written if _SCHEME.match(written) else f"http://{written}"


def _is_word_character_or_dash(character: str) -> bool:
    """Whether a character that is not of ASCII may be in an address: it is part of a word."""
    is_dash = unicodedata.category(character) == "Pd"
    is_between_letters = character in _JOINERS or ("a" + character).isidentifier()
    return is_dash or is_between_letters or _is_letter_mark_or_number(character)


def _is_letter_mark_or_number(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in ("Mn", "Mc")


def is_http_url_with_host(text: str) -> bool:
    """Whether a link may lead to this address: http or https, with a host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def to_ascii_url_keeping_tags(address: str) -> str:
    """The address as browsers ask for it: the host as IDNA, other signs percent-encoded.

    What is percent-encoded already stays, and so do tags.

    Args:
        address: a web address as people write it.
    """
    tags = [tag[0] for tag in TAG.finditer(address)]
    text = TAG.sub(_PLACE_OF_TAG, address.strip())
    text = _NEVER_IN_URL.sub(lambda sign: quote(sign[0]), unicodedata.normalize("NFC", text))
    parts = urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, port = _partition_port(host)
    user, name = _percent_encode_part(user, _ALLOWED_IN_PATH), _idna_or_percent_encoded_host(name)
    url = f"{parts.scheme}://{user}{at}{name}{colon}{port}"
    url += _percent_encode_part(parts.path, _ALLOWED_IN_PATH)
    if parts.query:
        url += f"?{_percent_encode_part(parts.query, _ALLOWED_AFTER_PATH)}"
    if parts.fragment:
        url += f"#{_percent_encode_part(parts.fragment, _ALLOWED_AFTER_PATH)}"
    pieces = url.split(quote(_PLACE_OF_TAG))
    return pieces[0] + "".join(map("".join, zip(tags, pieces[1:], strict=True)))


def percent_encode_value(value: str) -> str:
    """A value as part of an address, so that no sign of it means something there."""
    return quote(value, safe="")


def _partition_port(host: str) -> tuple[str, str, str]:
    name, colon, port = host.rpartition(":")
    return (name, colon, port) if colon and not port.endswith("]") else (host, "", "")


def _idna_or_percent_encoded_host(name: str) -> str:
    """The host as IDNA; a name that IDNA does not allow is percent-encoded."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        return _percent_encode_part(name, "")


def _percent_encode_part(part: str, allowed: str) -> str:
    """Percent-encode what is not allowed in a part of a URL."""
    return _STRAY_PERCENT.sub("%25", quote(part, safe=allowed))
