"""Visits of offers, conversions and redemptions in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.store_time import format_store_time_or_dash
from astronote.common.stored_words import label_of
from campaigns.models import (
    AutomationRedemption,
    ConversionEvent,
    OfferViewEvent,
    Redemption,
)
from campaigns.signup.redeeming import (
    MAX_CODE_TEXT,
    AnyRedemption,
    RedemptionResult,
    find_offer,
    redeem,
)
from campaigns.visitors import DEVICE_TYPES


@admin.register(OfferViewEvent)
class OfferViewEventAdmin(ReadOnlyAdmin):
    list_display = ["message_number", "owner", "viewed_at"]
    list_select_related = ["owner"]
    words = {"device_type": label_of(DEVICE_TYPES)}

    @admin.display(description=_("campaign message id"), ordering="campaign_message_id")
    def message_number(self, view: OfferViewEvent) -> int:
        return view.campaign_message_id


@admin.register(ConversionEvent)
class ConversionEventAdmin(ReadOnlyAdmin):
    empty_hint = _("A purchase within a week after a campaign's message; jobs find them.")
    list_display = ["id", "owner", "campaign", "value", "occurred_at"]
    list_select_related = ["owner", "campaign"]


class RedeemForm(forms.Form):
    """The code of a message, at a store."""

    store = forms.ModelChoiceField(
        User.objects.filter(is_staff=False, left_at=None), label=_("Store")
    )
    code = forms.CharField(
        max_length=MAX_CODE_TEXT,
        label=_("Link or code"),
        help_text=_("The offer link or opt-out link of the customer's message, or the code in it."),
    )


@admin.register(Redemption, AutomationRedemption)
class RedemptionAdmin(ReadOnlyAdmin):
    empty_hint = _("An offer is used here, by a command, or by the customer at a redemption tag.")
    list_display = ["message_number", "owner", "redeemed_at", "redeemed_by"]
    list_select_related = ["owner", "redeemed_by"]
    list_before_template = "campaigns/redemption_tools.html"

    @admin.display(description=_("message id"), ordering="message_id")
    def message_number(self, redemption: AnyRedemption) -> int:
        return redemption.message_id

    def get_urls(self) -> list[Any]:
        if self.model is not Redemption:
            return list(super().get_urls())
        view = self.admin_site.admin_view(self.redeem_view)
        return [path("redeem/", view, name="campaigns_redemption_redeem"), *super().get_urls()]

    def redeem_view(self, request: HttpRequest) -> HttpResponse:
        """Mark an offer as used by its code."""
        if not request.user.has_perm("campaigns.add_redemption"):
            raise PermissionDenied
        form = RedeemForm(request.POST or None, initial={"store": request.GET.get("store")})
        if request.method == "POST" and form.is_valid():
            store = form.cleaned_data["store"]
            offer = find_offer(store.pk, form.cleaned_data["code"])
            if offer is None:
                form.add_error("code", gettext("No message that the store has sent has this code."))
            else:
                result, redemption = redeem(offer, by=request.user)
                at = format_store_time_or_dash(redemption.redeemed_at, store)
                if result == RedemptionResult.USED_NOW:
                    messages.success(
                        request,
                        gettext("%(name)s: the offer is marked as used.") % {"name": offer.name},
                    )
                    return redirect("admin:campaigns_redemption_redeem")
                form.add_error(
                    "code",
                    gettext("%(name)s: the offer was used already, %(at)s.")
                    % {"name": offer.name, "at": at},
                )
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Mark an offer as used"),
            "opts": self.model._meta,
            "form": form,
        }
        return TemplateResponse(request, "campaigns/redeem.html", context)
