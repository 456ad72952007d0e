"""How a store's public pages look: name, color with readable text on it, and the logo."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.counts import format_count
from astronote.common.languages import Language
from campaigns.signup.models import RetailAsset, SignupPage
from campaigns.signup.page_texts import PageTexts

MAX_LOGO_BYTES = 200_000
MAX_LOGO_SIDE = 2000  # pixels: a small file may hold a picture that no phone can show
LOGO_FORMATS = _("PNG or JPEG")
PNG_HEAD, JPEG_HEAD = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# JPEG markers that hold the size: all starts of a frame, but those of tables between them.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class LogoRefused(ValueError):
    """A file cannot be a logo; the message says why."""


class Branding(NamedTuple):
    """What a public page shows of a store in one language."""

    shop: str
    color: str
    on_color: str
    headline: str
    blurb: str
    logo_id: int | None
    asks_name: bool
    asks_birthday: bool


def signup_page_of_store_or_standard(store: User) -> SignupPage:
    """The store's settings of the page, or the standard ones, which are not saved."""
    return SignupPage.objects.filter(owner=store).first() or SignupPage(owner=store)


def branding_in_language(store: User, language: Language, texts: PageTexts) -> Branding:
    """What a public page of a store shows."""
    page = signup_page_of_store_or_standard(store)
    is_greek = language == Language.GREEK
    logo = RetailAsset.objects.filter(owner=store).values_list("pk", flat=True).first()
    return Branding(
        page.display_name or store.company or store.sender_name or settings.MITTO_SENDER,
        page.primary_color,
        readable_color_on(page.primary_color),
        (page.headline_el if is_greek else page.headline_en) or texts.headline,
        (page.blurb_el if is_greek else page.blurb_en) or texts.blurb,
        logo,
        page.asks_name,
        page.asks_birthday,
    )


def readable_color_on(color: str) -> str:
    """Black or white, whichever is read better on a color (WCAG 2.2, contrast ratio).

    One of the two always has at least 4.5 to 1.
    """
    luminance = _relative_luminance(color)
    return "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#ffffff"


def _relative_luminance(color: str) -> float:
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def change_signup_page(
    store: User, changes: dict[str, str | bool], *, by: User | AnonymousUser | str
) -> None:
    """Change settings of a store's sign-up page, with an audit entry.

    Args:
        store: the store.
        changes: new values by the name of the field.
        by: the operator or program that changes them.

    Raises:
        ValidationError: if a value cannot be used.
    """
    with transaction.atomic():
        page = signup_page_of_store_or_standard(store)
        for name, value in changes.items():
            setattr(page, name, value)
        page.full_clean()
        page.save()
        audit.write_entry("changed", page, by=by, fields=sorted(changes))


def replace_logo(store: User, data: bytes | None, *, by: User | AnonymousUser | str) -> None:
    """Give a store another logo, or none, with an audit entry.

    Args:
        store: the store.
        data: the file; None to remove the logo.
        by: the operator or program that does it.

    Raises:
        LogoRefused: if the file is no picture that can be shown.
    """
    mime_type = check_logo_and_get_type(data) if data is not None else ""
    with transaction.atomic():
        RetailAsset.objects.filter(owner=store).delete()
        if data is not None:
            RetailAsset.objects.create(
                owner=store, mime_type=mime_type, byte_size=len(data), data=data
            )
        action = "logo removed" if data is None else "logo changed"
        audit.write_entry(action, by=by, owner_id=store.pk)


def check_logo_and_get_type(data: bytes) -> str:
    """The MIME type of a picture, by its content alone.

    Raises:
        LogoRefused: if it is of another format, too large, or cut off.
    """
    if len(data) > MAX_LOGO_BYTES:
        raise LogoRefused(
            gettext("The file is larger than %(limit)s kB.") % {"limit": MAX_LOGO_BYTES // 1000}
        )
    try:
        if data.startswith(PNG_HEAD):
            mime_type, size = "image/png", _png_size(data)
        elif data.startswith(JPEG_HEAD):
            mime_type, size = "image/jpeg", _jpeg_size(data)
        else:
            raise LogoRefused(
                gettext("The file is no %(formats)s picture.") % {"formats": LOGO_FORMATS}
            )
    except (struct.error, StopIteration):
        raise LogoRefused(gettext("The picture is damaged.")) from None
    if not all(0 < side <= MAX_LOGO_SIDE for side in size):
        raise LogoRefused(
            gettext("The picture is wider or higher than %(limit)s pixels.")
            % {"limit": format_count(MAX_LOGO_SIDE)}
        )
    return mime_type


def _png_size(data: bytes) -> tuple[int, int]:
    """Width and height, from the first chunk."""
    kind, width, height = struct.unpack_from(">4sII", data, len(PNG_HEAD) + 4)
    if kind != b"IHDR" or not data.rstrip(b"\0").endswith(b"IEND\xaeB`\x82"):
        raise LogoRefused(gettext("The picture is damaged."))
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height, from the first frame."""
    return next(_jpeg_frame_sizes(data))


def _jpeg_frame_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    at = 2
    while data[at : at + 1] == b"\xff":
        marker, length = struct.unpack_from(">BH", data, at + 1)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            yield width, height
        at += 2 + length


def data_uri(logo: RetailAsset) -> str:
    """A logo as the address of an image."""
    return f"data:{logo.mime_type};base64,{b64encode(bytes(logo.data)).decode()}"
