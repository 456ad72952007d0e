"""Where an operator tops up a store's wallet in the admin: a page, and a new store's form.

The webhooks' view is in `webhooks.py`.
"""

from __future__ import annotations

import uuid

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.forms import IntegerField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from astronote.accounts.models import User
from astronote.common.counts import format_count
from messaging import credits
from messaging.panels import TOP_UP_PERMISSION

BY_HAND = "top-up in the admin"


def first_credits_field() -> IntegerField:
    """The field of a new store's form for its first credits."""
    return IntegerField(
        label=gettext("First credits"),
        required=False,
        min_value=1,
        max_value=credits.MAX_TOP_UP,
        help_text=gettext("One credit pays one SMS part. They can be added later, too."),
        widget=UnfoldAdminIntegerFieldWidget,
    )


def top_up_new_store(store: User, amount: int, operator: User) -> None:
    """Add a new store's first credits, and write an audit entry."""
    credits.top_up_and_audit_once(
        store, amount, reason=BY_HAND, key=f"first:{store.pk}", by=operator
    )


def show_confirmation_or_top_up_wallet(request: HttpRequest, pk: int) -> HttpResponse:
    """Add credits to a store's wallet after a confirmation, and write an audit entry.

    The confirmation page has a key: submitted twice, it adds the credits once.

    Raises:
        PermissionDenied: if the operator may not top up.
    """
    operator = request.user
    if not (isinstance(operator, User) and operator.has_perm(TOP_UP_PERMISSION)):
        raise PermissionDenied
    store = get_object_or_404(User, pk=pk, is_staff=False)
    params = request.POST if request.method == "POST" else request.GET
    amount = params.get("credits", "")
    reference = " ".join(params.get("reference", "").split())[:100]
    if not (amount.isascii() and amount.isdecimal() and 0 < int(amount[:12]) <= credits.MAX_TOP_UP):
        messages.error(
            request,
            gettext("Enter a number of credits from 1 to %(limit)s.")
            % {"limit": format_count(credits.MAX_TOP_UP)},
        )
    elif request.method == "POST":
        key = f"top-up:{params.get('key', '')[:60] or uuid.uuid4()}"
        reason = f"top-up: {reference}" if reference else BY_HAND
        try:
            wallet = credits.top_up_and_audit_once(
                store, int(amount), reason=reason, key=key, by=operator
            )
        except ValueError as error:
            messages.error(request, str(error))
            return redirect("admin:astronote_user_change", pk)
        said = ngettext(
            "%(store)s has %(count)s credit available",
            "%(store)s has %(count)s credits available",
            wallet.available,
        ) % {"store": store, "count": format_count(wallet.available)}
        messages.success(request, said)
    else:
        context = {
            **admin.site.each_context(request),
            "title": gettext("Top up %(store)s?") % {"store": store},
            "store": store,
            "credits": int(amount),
            "reference": reference,
            "wallet": credits.get_or_create_wallet(pk),
            "key": uuid.uuid4(),
        }
        return TemplateResponse(request, "messaging/top_up.html", context)
    return redirect("admin:astronote_user_change", pk)
