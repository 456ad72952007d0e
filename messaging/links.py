"""Short links in texts: a message's own, made from its tracking ID, and those that many share.

Rules: docs/rules.md#short-links and docs/rules.md#unsubscribe-links. What a visit does is in
`campaigns/clicks.py` and `compliance/unsubscribe.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Hashable, Mapping
from functools import cache
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.crypto import salted_hmac

from astronote.accounts.models import StoreId
from astronote.common.sql import rows
from messaging.batch_writing import TRACKING_LENGTH
from messaging.models import ShortLink

CODE_LENGTH = 8  # differs from TRACKING_LENGTH, so that codes and tracking IDs differ
_CODE_CHARACTERS = string.ascii_letters + string.digits
SAMPLE_CODE = "x" * CODE_LENGTH
_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_TRAILING_PUNCTUATION = ".,;:!?)]'\"»"

Key = TypeVar("Key", bound=Hashable)


class OwnedText(NamedTuple):
    """A text with its tags, and the store and campaign that it belongs to."""

    owner_id: StoreId
    campaign_id: int | None
    text: str


class _Link(NamedTuple):
    """A URL that needs a short link; each campaign has its own, for its visits."""

    owner_id: StoreId
    campaign_id: int | None
    url: str


def short_url(code: str) -> str:
    """The short link with a code or tracking ID."""
    return f"{settings.PUBLIC_WEB_BASE_URL}/s/{code}"


def unsubscribe_url(tracking_id: str) -> str:
    """The address of the page on which the recipient of a message opts out."""
    signed = tracking_id + _signature(tracking_id, settings.SECRET_KEY)
    return f"{settings.PUBLIC_WEB_BASE_URL}/u/{signed}"


def tracking_id_if_signature_valid(token: str) -> str | None:
    """The tracking ID in the token of an unsubscribe page; None if its signature is wrong."""
    tracking_id, signature = token[:TRACKING_LENGTH], token[TRACKING_LENGTH:]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if hmac.compare_digest(_signature(tracking_id, secret).encode(), signature.encode()):
            return tracking_id
    return None


def _signature(tracking_id: str, secret: str) -> str:
    """Sign a tracking ID, so that an offer link, which people forward, does not lead to an opt-out.

    48 bits suffice: the URL must be short, and the tracking ID itself cannot be guessed.
    """
    digest = hmac.digest(_signing_key(secret), tracking_id.encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:6]).decode()


@cache
def _signing_key(secret: str) -> bytes:
    return salted_hmac("messaging.links", "unsubscribe", secret, algorithm="sha256").digest()


def has_tracking_id_length(code: str) -> bool:
    """Whether the code in a short link is a tracking ID."""
    return len(code) == TRACKING_LENGTH


def is_valid_target(url: str) -> bool:
    """Whether a link may lead to this URL: http or https, with a host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def shorten_urls(texts: Mapping[Key, OwnedText]) -> dict[Key, str]:
    """Replace URLs in texts by shared short links where that is shorter; creates missing links.

    Takes one statement for all texts. A URL that contains a tag is not replaced.

    Returns:
        The texts by the same keys.
    """
    short_urls = _get_or_create_short_urls(
        {
            _Link(text.owner_id, text.campaign_id, url)
            for text in texts.values()
            for url in _find_urls_worth_shortening(text.text)
        }
    )
    return {
        key: _replace_urls(
            text.text,
            {
                url: short_urls[_Link(text.owner_id, text.campaign_id, url)]
                for url in _find_urls_worth_shortening(text.text)
            },
        )
        for key, text in texts.items()
    }


def with_sample_links(text: str) -> str:
    """The text with sample links of the same length as short links; creates no links."""
    return _replace_urls(
        text, dict.fromkeys(_find_urls_worth_shortening(text), short_url(SAMPLE_CODE))
    )


def _replace_urls(text: str, short_urls: Mapping[str, str]) -> str:
    # The longest first: one URL may begin with another.
    for url in sorted(short_urls, key=len, reverse=True):
        text = text.replace(url, short_urls[url])
    return text


def _find_urls_worth_shortening(text: str) -> set[str]:
    max_length = len(short_url(SAMPLE_CODE))
    urls = {match.rstrip(_TRAILING_PUNCTUATION) for match in _URL.findall(text) if "{" not in match}
    return {url for url in urls if len(url) > max_length and is_valid_target(url)}


def _get_or_create_short_urls(links: set[_Link]) -> dict[_Link, str]:
    """The short URLs of links; creates those that do not exist."""
    if not links:
        return {}
    new_rows = [
        (
            link.owner_id,
            _new_code(),
            "message",
            link.url,
            hashlib.sha256(link.url.encode()).hexdigest(),
            link.campaign_id,
        )
        for link in sorted(links, key=str)  # one order of locks in all transactions
    ]
    columns = [list(column) for column in zip(*new_rows, strict=True)]
    return {_Link(*link): short_url(code) for *link, code in rows(CREATE_LINKS, columns)}


CREATE_LINKS = f"""
    INSERT INTO {ShortLink._meta.db_table} AS l
        (owner_id, short_code, kind, target_url, long_url_hash, campaign_id, click_count)
    SELECT *, 0 FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::bigint[])
    ON CONFLICT (owner_id, kind, long_url_hash, campaign_id)
        DO UPDATE SET target_url = EXCLUDED.target_url
    RETURNING owner_id, campaign_id, target_url, short_code
"""


def _new_code() -> str:
    return "".join(secrets.choice(_CODE_CHARACTERS) for _ in range(CODE_LENGTH))
