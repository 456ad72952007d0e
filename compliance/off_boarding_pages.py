"""Off-boarding a store in the admin: a panel on its page, a page that asks, the export."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from astronote.accounts.models import User
from compliance import off_boarding

PERMISSION = "astronote.off_board_user"
# What off-boarding counts, as people read it.
CONSEQUENCES = {
    "campaigns cancelled": _("campaigns cancelled"),
    "messages not sent": _("messages not sent"),
    "automations switched off": _("automations switched off"),
    "imports ended": _("imports ended"),
    "contacts erased": _("contacts erased"),
    "contacts kept under a legal hold or restriction": _(
        "contacts kept under a legal hold or restriction"
    ),
    "messages emptied of number and text": _("messages emptied of number and text"),
    "credits left in the wallet, which stays": _("credits left in the wallet, which stays"),
    "ledger entries kept": _("ledger entries kept"),
    "opt-outs kept as hashes": _("opt-outs kept as hashes"),
    "audit entries kept": _("audit entries kept"),
}


class ConfirmationForm(forms.Form):
    """When the data is erased, and the store's address typed again."""

    days = forms.IntegerField(
        label=_("Erase its data after so many days"),
        min_value=0,
        max_value=off_boarding.MAX_DAYS_UNTIL_ERASURE,
        initial=off_boarding.DEFAULT_DAYS_UNTIL_ERASURE,
        help_text=_("0: at once, for good. Until then the store can return."),
    )
    address = forms.CharField(label=_("Type the store's e-mail address"), max_length=254)

    def __init__(self, store: User, data: Any = None) -> None:
        super().__init__(data)
        self.store = store

    def clean_address(self) -> str:
        """Raises ValidationError if it is another address than the store's."""
        address: str = self.cleaned_data["address"].strip().lower()
        if address != self.store.email:
            raise forms.ValidationError(
                gettext("It is not %(email)s.") % {"email": self.store.email}
            )
        return address


def may_off_board_context(request: HttpRequest, store: User) -> dict[str, Any]:
    """Where the store's off-boarding is, and whether the operator may do more."""
    return {"may_off_board": request.user.has_perm(PERMISSION)}


def off_board_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what off-boarding would do; do it once it is confirmed.

    Raises:
        PermissionDenied: if the operator may not off-board stores.
    """
    store = _get_store_or_raise_forbidden_or_404(request, pk)
    form = ConfirmationForm(store, request.POST or None)
    if request.method == "POST" and form.is_valid():
        erase_on = off_boarding.utc_day_of_erasure(form.cleaned_data["days"])
        off_boarding.off_board_store(store, erase_on=erase_on, by=request.user)
        messages.success(
            request,
            gettext("%(store)s has left; its data is erased from %(erase_on)s on")
            % {"store": store, "erase_on": date_format(erase_on)},
        )
        return redirect("admin:astronote_user_change", pk)
    context = {
        **admin.site.each_context(request),
        "title": gettext("Off-board %(store)s?") % {"store": store},
        "store": store,
        "form": form,
        "consequences": {
            CONSEQUENCES[label]: count
            for label, count in off_boarding.count_consequences(store).items()
        },
    }
    return TemplateResponse(request, "compliance/off_board.html", context)


@require_POST
def take_back_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a store that has left return.

    Raises:
        PermissionDenied: if the operator may not off-board stores.
    """
    store = _get_store_or_raise_forbidden_or_404(request, pk)
    try:
        off_boarding.take_back_store_or_raise_cannot_return(store, by=request.user)
        messages.success(
            request,
            gettext("%(store)s has returned; what was cancelled stays cancelled")
            % {"store": store},
        )
    except off_boarding.CannotReturn as error:
        messages.error(
            request,
            gettext("%(store)s cannot return: %(error)s") % {"store": store, "error": error},
        )
    return redirect("admin:astronote_user_change", pk)


@require_POST
def export_store_customers_as_zip_action(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Download all data of a store's customers.

    Raises:
        PermissionDenied: if the operator may not off-board stores.
    """
    store = _get_store_or_raise_forbidden_or_404(request, pk)
    return StreamingHttpResponse(
        off_boarding.audit_and_iter_export_as_zip(store, by=request.user),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="store-{pk}.zip"'},
    )


def _get_store_or_raise_forbidden_or_404(request: HttpRequest, pk: int) -> User:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    return get_object_or_404(User, pk=pk, is_staff=False)
