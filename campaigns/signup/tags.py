"""Tags of a store: making them, their addresses, and the QR codes of these."""

from __future__ import annotations

import io

import segno
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from astronote.accounts.models import User
from astronote.common import audit
from campaigns.signup.models import NfcScan, NfcScanStatus, NfcTag

# A quarter of the code may be dirty or torn; it hangs in a shop.
ERROR_CORRECTION = "q"


def create_tag(store: User, *, by: User | AnonymousUser | str, **fields: object) -> NfcTag:
    """Make a tag of a store, with an audit entry.

    Args:
        store: the store.
        by: the operator or program that makes it.
        fields: of `NfcTag`: type, label, campaign.

    Raises:
        ValidationError: if a field cannot be used.
    """
    tag = NfcTag(owner=store, **fields)
    tag.full_clean()
    with transaction.atomic():
        tag.save()
        audit.write_entry("added", tag, by=by)
    return tag


def switch_tag(tag: NfcTag, on: bool, *, by: User | AnonymousUser | str) -> None:
    """Switch a tag on or off, with an audit entry."""
    with transaction.atomic():
        tag.is_active = on
        tag.save(update_fields=["is_active"])
        audit.write_entry("switched on" if on else "switched off", tag, by=by)


def tag_url(tag: NfcTag) -> str:
    """The address to print as a QR code, or to write to an NFC tag."""
    return f"{settings.PUBLIC_WEB_BASE_URL}/j/{tag.public_id}"


def qr_code_data_uri(tag: NfcTag) -> str:
    """The QR code of a tag, as the address of an image."""
    return str(_qr_code(tag).svg_data_uri(scale=4, light="white"))


def qr_code_svg(tag: NfcTag) -> bytes:
    """The QR code of a tag as a picture to print in any size."""
    file = io.BytesIO()
    _qr_code(tag).save(file, kind="svg", scale=10, light="white")
    return file.getvalue()


def _qr_code(tag: NfcTag) -> segno.QRCode:
    return segno.make(tag_url(tag), error=ERROR_CORRECTION, micro=False)


def count_scans(tag: NfcTag) -> dict[str, int]:
    """How often the page of a tag was opened, and how often somebody did what it is for."""
    scans = NfcScan.objects.filter(tag=tag)
    return {
        "opened": scans.count(),
        "submitted": scans.filter(status=NfcScanStatus.SUBMITTED).count(),
    }
