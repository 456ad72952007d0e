"""To whom a store's invoices are made out: setting it, by form and by command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Field
from django.utils.translation import gettext

from astronote.accounts.models import User
from astronote.common import audit
from messaging.billing.models import BillingProfile
from messaging.billing.payments import BillingRefused, lock_store

FIELDS = (
    "legal_name",
    "billing_address",
    "vat_country",
    "vat_number",
    "vat_number_checked",
    "tax_exempt",
    "billing_email",
)


@transaction.atomic
def set_invoice_recipient(
    store: User, values: Mapping[str, Any], *, by: User | AnonymousUser | str
) -> BillingProfile:
    """Set fields of a store's invoice recipient; invoices that were issued stay as they are.

    Args:
        store: the store.
        values: by the names in FIELDS, as texts or as the fields' own types.
        by: the account or program that sets it.

    Raises:
        BillingRefused: if there is no such field, or the store has left.
        ValidationError: if a value does not fit.
    """
    locked = lock_store(store.pk)
    if locked.left_at is not None:
        raise BillingRefused(gettext("%(store)s has left") % {"store": locked})
    if unknown := values.keys() - set(FIELDS):
        raise BillingRefused(
            gettext("%(unknown)s: use one of %(known)s")
            % {"unknown": ", ".join(sorted(unknown)), "known": ", ".join(FIELDS)}
        )
    profile = BillingProfile.objects.filter(owner=locked).first() or BillingProfile(owner=locked)
    for name, value in values.items():
        field = cast("Field[Any, Any]", profile._meta.get_field(name))
        try:
            setattr(profile, name, field.clean(value, profile))
        except ValidationError as problem:
            words = " ".join(problem.messages)
            raise ValidationError(f"{field.verbose_name}: {words}") from None
    profile.full_clean()
    profile.save()
    audit.write_entry("invoice recipient set", profile, by=by, fields=sorted(values))
    return profile
