"""What a store's page in the admin shows beside its fields, and topping its wallet up."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse

from astronote.models import User
from campaigns import automations
from campaigns.models import Automation
from contacts import audit
from messaging import credits
from messaging.guards import owner_caps_in_words
from messaging.models import CreditTransaction
from messaging.standing import Blocked, check_store

TOP_UP = "messaging.add_credittransaction"
MOST_CREDITS = 100_000_000
SHOWN = 10


def beside_the_fields(request: HttpRequest, store: User) -> dict[str, Any]:
    """Wallet, ledger, whether it may send, automations and limits of a store."""
    sender, blocked = "", ""
    try:
        sender = check_store(store)
    except Blocked as reason:
        blocked = str(reason)
    own = Automation.objects.filter(owner=store).order_by("type")
    return {
        "wallet": credits.wallet_of(store.pk),
        "ledger": CreditTransaction.objects.filter(owner=store).order_by("-pk")[:SHOWN],
        "sender": sender,
        "sender_answers": sender.startswith("+"),
        "blocked": blocked,
        "automations": [(automation, automations.sample(automation)) for automation in own],
        "limits": list(_limits()),
        "retention_days": min(
            store.retention_days or settings.PII_RETENTION_DAYS, settings.PII_RETENTION_DAYS
        ),
        "may_top_up": request.user.has_perm(TOP_UP),
        "may_switch": request.user.has_perm("campaigns.change_automation"),
    }


def _limits() -> Iterator[str]:
    yield from owner_caps_in_words()
    if settings.QUIET_HOURS_ENABLED:
        start, end = settings.QUIET_HOURS_START, settings.QUIET_HOURS_END
        yield f"Quiet hours from {start:%H:%M} to {end:%H:%M}, by the store's clock."


def top_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Add credits to a store's wallet; asks first, and the same page sent twice adds them once."""
    if not request.user.has_perm(TOP_UP):
        raise PermissionDenied
    store = get_object_or_404(User, pk=pk, is_staff=False)
    given = request.POST if request.method == "POST" else request.GET
    amount = given.get("credits", "")
    if not (amount.isascii() and amount.isdecimal() and 0 < int(amount[:12]) <= MOST_CREDITS):
        messages.error(request, f"Give a number of credits from 1 to {MOST_CREDITS:,}.")
    elif request.method == "POST":
        key = f"top-up:{given.get('key', '')[:60] or uuid.uuid4()}"
        wallet = credits.top_up(pk, int(amount), reason="top-up in the admin", key=key)
        audit.record("top up", store, by=request.user, owner_id=pk, credits=int(amount))
        messages.success(request, f"{store} has {wallet.available:,} credits free")
    else:
        context = {
            **admin.site.each_context(request),
            "title": f"Top up {store}?",
            "store": store,
            "credits": int(amount),
            "wallet": credits.wallet_of(pk),
            "key": uuid.uuid4(),
        }
        return TemplateResponse(request, "astronote/top_up.html", context)
    return redirect("admin:astronote_user_change", pk)
