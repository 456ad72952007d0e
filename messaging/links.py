"""Short links in texts: a message's own, made from its tracking ID, and those that many share.

Rules: docs/rules.md#short-links and docs/rules.md#unsubscribe-links. What a visit does is in
`campaigns/clicks.py` and `compliance/unsubscribe.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.utils.crypto import salted_hmac

from astronote.accounts.models import StoreId
from astronote.common.sql import rows
from messaging.addresses import (
    TAG,
    add_http_if_no_scheme,
    find_web_addresses_except_bare_hosts,
    to_ascii_url_keeping_tags,
)
from messaging.batch_writing import TRACKING_LENGTH
from messaging.codes import alphanumeric_code, leading_code_or_empty
from messaging.models import ShortLink

CODE_LENGTH = 8  # differs from TRACKING_LENGTH, so that codes and tracking IDs differ
SAMPLE_CODE = "x" * CODE_LENGTH
SIGNATURE_LENGTH = 8

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


def signed_unsubscribe_url(tracking_id: str) -> str:
    """The address of the page on which the recipient of a message opts out."""
    signed = tracking_id + _unsubscribe_signature(tracking_id, settings.SECRET_KEY)
    return f"{settings.PUBLIC_WEB_BASE_URL}/u/{signed}"


def tracking_id_if_signature_valid(token: str) -> str | None:
    """The tracking ID in the token of an unsubscribe page; None if its signature is wrong.

    Args:
        token: the end of the address, perhaps with the punctuation that followed it.
    """
    token = leading_code_or_empty(token)
    tracking_id, signature = token[:TRACKING_LENGTH], token[TRACKING_LENGTH:]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if hmac.compare_digest(
            _unsubscribe_signature(tracking_id, secret).encode(), signature.encode()
        ):
            return tracking_id
    return None


def _unsubscribe_signature(tracking_id: str, secret: str) -> str:
    """Sign a tracking ID, so that an offer link, which people forward, does not lead to an opt-out.

    Eight characters suffice: the URL must be short, and the tracking ID itself cannot be guessed.
    """
    digest = hmac.digest(_signing_key(secret), tracking_id.encode(), "sha256")
    return alphanumeric_code(digest)[:SIGNATURE_LENGTH]


@cache
def _signing_key(secret: str) -> bytes:
    return salted_hmac("messaging.links", "unsubscribe", secret, algorithm="sha256").digest()


def has_tracking_id_length(code: str) -> bool:
    """Whether the code in a short link is a tracking ID."""
    return len(code) == TRACKING_LENGTH


def create_links_and_shorten_long_urls(texts: Mapping[Key, OwnedText]) -> dict[Key, str]:
    """Write the addresses in texts as shared short links, or as valid URLs where that is shorter.

    Creates missing links, by one statement for all texts. An address with a tag gets no short link.

    Returns:
        The texts by the same keys.
    """
    short_urls = _get_or_create_short_urls(
        {
            _Link(text.owner_id, text.campaign_id, url)
            for text in texts.values()
            for url in _find_urls_longer_than_short_link(text.text)
        }
    )

    def shortened(text: OwnedText) -> str:
        return _to_ascii_and_replace_long_addresses(
            text.text, lambda url: short_urls[_Link(text.owner_id, text.campaign_id, url)]
        )

    return {key: shortened(text) for key, text in texts.items()}


def replace_long_urls_with_sample_links(text: str) -> str:
    """The text with sample links of the same length as short links; creates no links."""
    return _to_ascii_and_replace_long_addresses(text, lambda url: short_url(SAMPLE_CODE))


def _to_ascii_and_replace_long_addresses(text: str, short_url_of: Callable[[str], str]) -> str:
    """The text with its addresses as valid URLs, and those worth it as what `short_url_of` says."""
    pieces, end = [], 0
    for address in find_web_addresses_except_bare_hosts(text):
        written = _to_ascii_url_keeping_missing_scheme(address.written)
        pieces += [
            text[end : address.start],
            short_url_of(add_http_if_no_scheme(written))
            if _is_longer_than_short_link_and_without_tag(written)
            else written,
        ]
        end = address.end
    return "".join([*pieces, text[end:]])


def _find_urls_longer_than_short_link(text: str) -> set[str]:
    addresses = {
        _to_ascii_url_keeping_missing_scheme(address.written)
        for address in find_web_addresses_except_bare_hosts(text)
    }
    return {
        add_http_if_no_scheme(address)
        for address in addresses
        if _is_longer_than_short_link_and_without_tag(address)
    }


def _to_ascii_url_keeping_missing_scheme(address: str) -> str:
    """The address as a valid URL, without a scheme if it was written without one."""
    url = to_ascii_url_keeping_tags(add_http_if_no_scheme(address))
    return url if add_http_if_no_scheme(address) == address else url.removeprefix("http://")


def _is_longer_than_short_link_and_without_tag(address: str) -> bool:
    """Whether a short link is shorter, and leads to the same for all recipients."""
    return len(address) > len(short_url(SAMPLE_CODE)) and not TAG.search(address)


def _get_or_create_short_urls(links: set[_Link]) -> dict[_Link, str]:
    """The short URLs of links; creates those that do not exist."""
    if not links:
        return {}
    new_rows = [
        (
            link.owner_id,
            _random_link_code(),
            "message",
            link.url,
            hashlib.sha256(link.url.encode()).hexdigest(),
            link.campaign_id,
        )
        for link in sorted(links, key=str)  # one order of locks in all transactions
    ]
    columns = [list(column) for column in zip(*new_rows, strict=True)]
    return {_Link(*link): short_url(code) for *link, code in rows(CREATE_LINKS, columns)}


# A link that is there is only read: its row stays free for those who count visits.
CREATE_LINKS = f"""
    WITH wanted AS (
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::bigint[]) AS w (owner_id, short_code, kind, target_url, long_url_hash, campaign_id)
    ), known AS (
        SELECT l.owner_id, l.campaign_id, l.target_url, l.short_code
        FROM wanted AS w JOIN {ShortLink._meta.db_table} AS l
            USING (owner_id, kind, long_url_hash, target_url)
        WHERE l.campaign_id IS NOT DISTINCT FROM w.campaign_id
    ), created AS (
        INSERT INTO {ShortLink._meta.db_table}
            (owner_id, short_code, kind, target_url, long_url_hash, campaign_id, click_count)
        SELECT w.*, 0 FROM wanted AS w WHERE NOT EXISTS (
            SELECT FROM known AS k WHERE k.owner_id = w.owner_id AND k.target_url = w.target_url
                AND k.campaign_id IS NOT DISTINCT FROM w.campaign_id
        )
        ON CONFLICT (owner_id, kind, long_url_hash, campaign_id)
            DO UPDATE SET target_url = EXCLUDED.target_url
        RETURNING owner_id, campaign_id, target_url, short_code
    )
    SELECT * FROM known UNION ALL SELECT * FROM created
"""


def _random_link_code() -> str:
    return alphanumeric_code(secrets.token_bytes(4 * CODE_LENGTH))[:CODE_LENGTH]
