"""Short links in texts: a message's own, made from its tracking id, and those that many share."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from messaging.batching import TRACKING_LENGTH
from messaging.models import ShortLink

CODE_LENGTH = 8  # unlike a tracking id's, which tells the two apart
_LETTERS = string.ascii_letters + string.digits
_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_NOT_ITS_END = ".,;:!?)]'\"»"

Key = TypeVar("Key", bound=Hashable)


class Wording(NamedTuple):
    """A text before its placeholders are filled, and the store and campaign it belongs to."""

    owner_id: int
    campaign_id: int | None
    text: str


def address(code: str) -> str:
    """The short link of a code."""
    return f"{settings.PUBLIC_WEB_BASE_URL}/s/{code}"


def unsubscribe_address(tracking_id: str) -> str:
    """The page on which who got the message opts out."""
    signed = tracking_id + _signature(tracking_id, settings.SECRET_KEY)
    return f"{settings.PUBLIC_WEB_BASE_URL}/u/{signed}"


def tracking_id_of(token: str) -> str | None:
    """The tracking id in the address of an unsubscribe page; None if it was altered."""
    tracking_id, signature = token[:TRACKING_LENGTH], token[TRACKING_LENGTH:]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if hmac.compare_digest(_signature(tracking_id, secret).encode(), signature.encode()):
            return tracking_id
    return None


def _signature(tracking_id: str, secret: str) -> str:
    """48 bits: the address has to fit an SMS, and its id alone is beyond guessing.

    Signed, so that the link to an offer, which people forward, opts nobody out.
    """
    digest = hmac.digest(_signing_key(secret), tracking_id.encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:6]).decode()


@cache
def _signing_key(secret: str) -> bytes:
    return salted_hmac("messaging.links", "unsubscribe", secret, algorithm="sha256").digest()


def is_tracking_id(code: str) -> bool:
    """Whether the code of a link is a message's own."""
    return len(code) == TRACKING_LENGTH


def may_be_target(url: str) -> bool:
    """Whether a link may lead there: an http or https address of some host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def shorten(wordings: Mapping[Key, Wording]) -> dict[Key, str]:
    """The texts with their addresses replaced by shared short links where that is shorter.

    One statement, however many the texts. An address with a placeholder in it stays.
    """
    wanted = {
        (of.owner_id, of.campaign_id, url)
        for of in wordings.values()
        for url in _long_urls(of.text)
    }
    links = _links(wanted)
    return {
        key: _replaced(of.text, lambda url, of=of: links[of.owner_id, of.campaign_id, url])
        for key, of in wordings.items()
    }


def as_if_shortened(text: str) -> str:
    """The text as long as `shorten` makes it, with links that lead nowhere; writes nothing."""
    return _replaced(text, lambda _: address("x" * CODE_LENGTH))


def _replaced(text: str, link_of: Callable[[str], str]) -> str:
    for url in sorted(_long_urls(text), key=len, reverse=True):
        text = text.replace(url, link_of(url))
    return text


def _long_urls(text: str) -> set[str]:
    longest = len(address("x" * CODE_LENGTH))
    found = {match.rstrip(_NOT_ITS_END) for match in _URL.findall(text) if "{" not in match}
    return {url for url in found if len(url) > longest and may_be_target(url)}


def _links(wanted: set[tuple[int, int | None, str]]) -> dict[tuple[int, int | None, str], str]:
    """The short link of each (store, campaign, address), made where there is none yet."""
    if not wanted:
        return {}
    rows = [
        (
            owner_id,
            _new_code(),
            "message",
            url,
            hashlib.sha256(url.encode()).hexdigest(),
            campaign_id,
        )
        for owner_id, campaign_id, url in sorted(wanted, key=str)
    ]
    with connection.cursor() as cursor:
        cursor.execute(MAKE, [list(column) for column in zip(*rows, strict=True)])
        return {(owner, campaign, url): address(code) for owner, campaign, url, code in cursor}


MAKE = f"""
    INSERT INTO {ShortLink._meta.db_table} AS l
        (owner_id, short_code, kind, target_url, long_url_hash, campaign_id, click_count)
    SELECT *, 0 FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::bigint[])
    ON CONFLICT (owner_id, kind, long_url_hash, campaign_id)
        DO UPDATE SET target_url = EXCLUDED.target_url
    RETURNING owner_id, campaign_id, target_url, short_code
"""


def _new_code() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(CODE_LENGTH))
