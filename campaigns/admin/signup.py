"""Tags with their QR codes, how sign-up pages look, and sign-ups in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldBooleanWidget

from astronote.common.admin_lists import LargeTableAdmin, ReadOnlyAdmin
from astronote.common.counts import format_count
from astronote.common.stored_words import label_of
from campaigns.models import (
    NfcScan,
    NfcTag,
    NfcTagType,
    PublicSignupEvent,
    RetailAsset,
    SignupPage,
)
from campaigns.signup import branding, tags
from campaigns.visitors import DEVICE_TYPES


@admin.register(NfcTag)
class NfcTagAdmin(LargeTableAdmin):
    empty_hint = _("A QR code or NFC tag in a shop leads customers to the store's sign-up page.")
    list_display = ["label", "owner", "type", "campaign", "is_active"]
    list_select_related = ["owner", "campaign"]
    list_filter = ["type", "is_active"]
    autocomplete_fields = ["owner", "campaign"]
    fields = ["owner", "label", "type", "campaign", "is_active"]

    def get_fields(self, request: HttpRequest, obj: NfcTag | None = None) -> Any:
        shown = ["address", "qr_code", "use"] if obj else []
        return [*super().get_fields(request, obj), *shown]

    def get_readonly_fields(self, request: HttpRequest, obj: NfcTag | None = None) -> Any:
        shown = ["address", "qr_code", "use"]
        return ["owner", *shown] if obj else shown

    @admin.display(description=_("address"))
    def address(self, tag: NfcTag) -> str:
        return format_html('<a href="{0}">{0}</a>', tags.tag_url(tag))

    @admin.display(description=_("QR code"))
    def qr_code(self, tag: NfcTag) -> str:
        return format_html(
            '<img src="{}" alt="{}" width="200" height="200">'
            ' <a href="{}" download="qr-code.svg">{}</a>',
            tags.qr_code_data_uri(tag),
            gettext("QR code of the address"),
            reverse("admin:campaigns_nfctag_qr", args=[tag.pk]),
            gettext("Download to print (SVG)"),
        )

    @admin.display(description=_("use"))
    def use(self, tag: NfcTag) -> str:
        counts = tags.count_scans(tag)
        said = (
            gettext("opened %(opened)s times, %(done)s signed up")
            if tag.type == NfcTagType.OPT_IN
            else gettext("opened %(opened)s times, %(done)s used an offer")
        )
        return said % {
            "opened": format_count(counts["opened"]),
            "done": format_count(counts["submitted"]),
        }

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.qr_view)
        return [path("<int:pk>/qr.svg", view, name="campaigns_nfctag_qr"), *super().get_urls()]

    def qr_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The QR code of a tag as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        tag = get_object_or_404(NfcTag, pk=pk)
        return HttpResponse(
            tags.qr_code_svg(tag),
            content_type="image/svg+xml",
            headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        )


@admin.register(NfcScan)
class NfcScanAdmin(ReadOnlyAdmin):
    list_display = ["tag", "owner", "status", "created_at"]
    words = {"device_type": label_of(DEVICE_TYPES)}
    list_select_related = ["tag", "owner"]
    list_filter = ["status"]


class SignupPageForm(forms.ModelForm):
    """The settings of a sign-up page, and a logo to be uploaded."""

    logo = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        label=_("Logo"),
        help_text=format_lazy(
            _("{formats}, {size} kB at most; it takes the place of the one before."),
            formats=branding.LOGO_FORMATS,
            size=branding.MAX_LOGO_BYTES // 1000,
        ),
    )
    removes_logo = forms.BooleanField(
        label=_("Remove the logo"), required=False, widget=UnfoldBooleanWidget
    )

    class Meta:
        model = SignupPage
        fields = (
            "owner",
            "display_name",
            "primary_color",
            "headline_en",
            "blurb_en",
            "headline_el",
            "blurb_el",
            "asks_name",
            "asks_birthday",
        )

    def clean_logo(self) -> bytes | None:
        """The file, if it is a picture that can be shown."""
        file = self.cleaned_data.get("logo")
        if not file:
            return None
        data: bytes = file.read(branding.MAX_LOGO_BYTES + 1)
        try:
            branding.check_logo_and_get_type(data)
        except branding.LogoRefused as problem:
            raise forms.ValidationError(str(problem)) from None
        return data


@admin.register(SignupPage)
class SignupPageAdmin(LargeTableAdmin):
    empty_hint = _("A store without one has the standard page, with its name.")
    form = SignupPageForm
    list_display = ["owner", "display_name", "primary_color"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]
    fields = (*SignupPageForm.Meta.fields, "present_logo", "logo", "removes_logo")

    def get_fields(self, request: HttpRequest, obj: SignupPage | None = None) -> Any:
        fields = super().get_fields(request, obj)
        if obj is not None and not self.has_change_permission(request, obj):
            return [name for name in fields if name not in ("logo", "removes_logo")]
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: SignupPage | None = None) -> Any:
        return ["present_logo", "owner"] if obj else ["present_logo"]

    @admin.display(description=_("present logo"))
    def present_logo(self, page: SignupPage) -> str:
        asset = RetailAsset.objects.filter(owner=page.owner_id).first() if page.pk else None
        if asset is None:
            return gettext("none")
        return format_html(
            '<img src="{}" alt="{}" height="60">', branding.data_uri(asset), gettext("present logo")
        )

    def save_model(self, request: HttpRequest, obj: SignupPage, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        logo, removes = form.cleaned_data["logo"], form.cleaned_data["removes_logo"]
        if logo or removes:
            branding.replace_logo(obj.owner, logo, by=request.user)


@admin.register(PublicSignupEvent)
class PublicSignupEventAdmin(ReadOnlyAdmin):
    empty_hint = _("They come from the pages of QR codes and NFC tags.")
    list_display = ["id", "owner", "tag", "outcome", "contact", "created_at"]
    list_select_related = ["owner", "tag", "contact"]
    list_filter = ["outcome"]
