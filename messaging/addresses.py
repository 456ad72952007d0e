"""Web addresses in texts: finding them as phones do, and writing them as valid URLs.

Short links in their place are in `links.py`. Rules: docs/rules.md#short-links.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import idna
from linkify_it import LinkifyIt

# `{{first_name}}` and what else stands in two braces; `text.py` reads what it says.
TAG = re.compile(r"\{\{([^{}]*)\}\}")
_FINDER = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": False, "fuzzy_ip": False})
_NOT_AT_THE_END = ".,;:!?'\"*"
# What RFC 3986 allows in a part of a URL besides letters, digits and "-._~".
_ALLOWED_IN_PATH = "/:@!$&'()*+,;=%"
_ALLOWED_AFTER_PATH = _ALLOWED_IN_PATH + "?"
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_NEVER_IN_URL = re.compile(r"[\s\x00-\x1f\x7f]")
_SCHEME = re.compile("https?://", re.IGNORECASE)
_AFTER_HOST = re.compile("[/?#]")
_WWW = re.compile(r"www\.", re.IGNORECASE)
# What begins like an address, but with signs missing, doubled, exchanged or apart.
_LIKE_BEGINNING = re.compile(
    r"(?<![\w/.@=&?-])(?:"
    r"(?:hh?(?:t+p+|p+t+|tpt)|ttp)s?(?:\s?[:;.]?\s?[/\\]{1,3}|:)\s?(?=\w)"
    r"|(?:w{2}|w{4,5})\.(?=\w)|w{3}(?:\s?[,;:]\s?|\s)(?=[\w-]+\.\w)"
    r")\S{1,40}",
    re.IGNORECASE,
)
_WELL_BEGUN = re.compile(r"https?://\w(?!ttps?://|ww\.https?)", re.IGNORECASE)
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
    """
    if not _AFTER_HOST.search(text) and not _WWW.search(text):
        return []
    masked = TAG.sub(lambda tag: "x" * len(tag[0]), text)
    masked = "".join(c if c.isascii() or _is_word_character_or_dash(c) else " " for c in masked)
    found = []
    for match in _FINDER.match(masked) or []:
        end = match.index + len(match.raw.rstrip(_NOT_AT_THE_END))
        while unicodedata.category(masked[end - 1]) == "Pd" and masked[end - 1] != "-":
            end -= 1
        written = text[match.index : end]
        if not match.schema and not _AFTER_HOST.search(written) and not _WWW.match(written):
            continue
        if not _SCHEME.match(written) and _OTHER_SCHEME.match(written):
            continue
        if is_http_url_with_host(add_http_if_no_scheme(written)):
            found.append(Address(match.index, end, written))
    return found


def find_broken_address_or_empty(text: str) -> str:
    """The first address in a text that is mistyped at its beginning, so that no phone opens it.

    Such are `https:/shop.gr`, `https//shop.gr`, `htps://shop.gr`, `https:// shop.gr`,
    `http://https://shop.gr` and `ww.shop.gr`.
    """
    for match in _LIKE_BEGINNING.finditer(text):
        if not _WELL_BEGUN.match(match[0]):
            return match[0].rstrip(_NOT_AT_THE_END)
    return ""


def add_http_if_no_scheme(written: str) -> str:
    """The address that a phone opens for an address as people write it: `http://` is added."""
    return written if _SCHEME.match(written) else f"http://{written}"


def _is_word_character_or_dash(character: str) -> bool:
    """Whether a character that is not of ASCII may be in an address: it is part of a word."""
    is_dash = unicodedata.category(character) == "Pd"
    return is_dash or character.isalnum() or ("a" + character).isidentifier()


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
