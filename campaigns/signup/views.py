"""The public page of a tag, `/j/CODE`: signing up, or using an offer."""

from __future__ import annotations

import contextlib
import secrets
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core import signing
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from astronote.common.languages import (
    Language,
    language_of_store_or_country,
    preferred_language_or_default,
)
from astronote.common.locks import LockIsHeld, transaction_with_short_lock_timeout
from astronote.common.visitor import address_of_visitor, address_or_ipv6_network_of_visitor
from campaigns import visitors
from campaigns.signup import forms, redeeming, signing_up
from campaigns.signup.branding import Branding, branding_in_language
from campaigns.signup.models import NfcScan, NfcTag, NfcTagType, RetailAsset
from campaigns.signup.page_texts import PAGE_TEXTS, PageTexts
from campaigns.signup.redeeming import RedemptionResult
from campaigns.signup.signing_up import Visitor
from campaigns.views import show_no_such_link
from contacts.consent import MAX_USER_AGENT_LENGTH
from contacts.opt_in_wording import own_or_standard_opt_in_question_of, without_confirm_link_tag
from messaging.codes import leading_code_or_empty

LOGO_SECONDS = 3600
SCAN_SALT = "campaigns.signup.scan"
MAX_SCANS_PER_ADDRESS_AND_HOUR = 120
FORM_TYPE = "application/x-www-form-urlencoded"
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self' 'nonce-{nonce}'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
LOGO_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cache-Control": f"public, max-age={LOGO_SECONDS}",
}


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def tag_page(request: HttpRequest, code: str) -> HttpResponse:
    """The page of a tag. It needs no script and no cookie; the sign in the form stands for one."""
    tag = _find_tag_in_use(code)
    if tag is None:
        return show_no_such_link(request)
    page = _Page(request, tag)
    is_redemption = tag.type == NfcTagType.REDEMPTION
    if request.method == "POST":
        if not page.is_short_form():
            return page.show_form(None, notice="send_again", status=400)
        return page.redeem() if is_redemption else page.take_signup()
    if "done" in request.GET and not is_redemption:
        return page.show_thanks()
    return page.show_form(_record_scan(page))


@require_safe
def logo(request: HttpRequest, code: str) -> HttpResponse:
    """The logo of the store of a tag."""
    tag = _find_tag_in_use(code)
    asset = RetailAsset.objects.filter(owner=tag.owner_id).first() if tag else None
    if asset is None:
        return HttpResponse(status=404)
    return HttpResponse(bytes(asset.data), content_type=asset.mime_type, headers=LOGO_HEADERS)


def _find_tag_in_use(code: str) -> NfcTag | None:
    tags = NfcTag.objects.filter(public_id=leading_code_or_empty(code), is_active=True)
    return tags.filter(owner__left_at=None).select_related("owner").first()


def _record_scan(page: _Page) -> int | None:
    """Count that a person opened the page; return the scan's number, None if it is not counted."""
    request, user_agent = page.request, page.visitor.user_agent
    device = visitors.device_type_of_user_agent(user_agent)
    if request.method != "GET" or device == "robot" or visitors.is_prefetch(request):
        return None
    recent = NfcScan.objects.annotate(network=RawSQL(signing_up.NETWORK_OF_VISITOR, ())).filter(
        created_at__gt=Now() - timedelta(hours=1), tag=page.tag, network=page.visitor.network
    )
    if len(recent.values_list("pk")[:MAX_SCANS_PER_ADDRESS_AND_HOUR]) == (
        MAX_SCANS_PER_ADDRESS_AND_HOUR
    ):
        return None
    scan = NfcScan.objects.create(
        tag=page.tag,
        owner_id=page.tag.owner_id,
        ip_address=page.visitor.ip_address,
        user_agent=user_agent[:MAX_USER_AGENT_LENGTH],
        device_type=device,
    )
    return scan.pk


class _Page:
    """One request to the page of a tag: whose it is, its language, and its answers."""

    def __init__(self, request: HttpRequest, tag: NfcTag) -> None:
        self.request, self.tag, self.store = request, tag, tag.owner
        self.language = _language_of_page(request, tag)
        self.texts: PageTexts = PAGE_TEXTS[self.language]
        self.branding: Branding = branding_in_language(self.store, self.language, self.texts)
        self.question = own_or_standard_opt_in_question_of(self.store, self.language)
        self.visitor = Visitor(
            address_of_visitor(request),
            address_or_ipv6_network_of_visitor(request),
            request.headers.get("User-Agent", ""),
        )

    def show_form(
        self,
        scan_id: int | None,
        *,
        typed: dict[str, str] | None = None,
        problems: dict[str, str] | None = None,
        notice: str = "",
        status: int = 200,
    ) -> HttpResponse:
        """The form, with what was typed and what is wrong with it."""
        if self.tag.type == NfcTagType.REDEMPTION:
            sign = signing.dumps(scan_id, salt=SCAN_SALT)
            return self._render("redeem", {"sign": sign, "notice": self._text(notice)}, status)
        context = {
            "typed": typed or {},
            "problems": {field: self._text(name) for field, name in (problems or {}).items()},
            "notice": self._text(notice),
            "sign": forms.sign_form(self.tag, scan_id, self.question),
            "wording": without_confirm_link_tag(self.question.wording),
            "trap": forms.TRAP,
        }
        return self._render("form", context, status)

    def show_thanks(self) -> HttpResponse:
        """The same for every number: nobody learns here whether a store knows one."""
        text = self.texts.thanks_asked if self.store.double_opt_in else self.texts.thanks_subscribed
        return self._render("thanks", {"thanks": text.format(shop=self.branding.shop)})

    def is_short_form(self) -> bool:
        """Whether the body may be read."""
        length = self.request.META.get("CONTENT_LENGTH") or "0"
        is_short = length.isdecimal() and int(length) <= forms.MAX_BODY_BYTES
        charset = (self.request.content_params or {}).get("charset", "utf-8").lower()
        return is_short and self.request.content_type == FORM_TYPE and charset == "utf-8"

    def redeem(self) -> HttpResponse:
        """Mark the offer as used whose code was sent.

        The answer has the time. It has no address of its own, which somebody could open without an
        offer.
        """
        code = self.request.POST.get("code", "")
        offer = redeeming.find_offer(self.tag.owner_id, code, self.tag.campaign_id)
        if offer is None:
            return self.show_form(None, notice="no_offer")
        try:
            with transaction_with_short_lock_timeout():
                result, redemption = redeeming.redeem_at_tag(self.tag, offer, self.visitor)
                if result == RedemptionResult.USED_NOW:
                    self._mark_scan_of_redemption()
        except LockIsHeld:
            return self.show_form(None, notice="busy")
        at = redemption.redeemed_at.astimezone(ZoneInfo(self.store.timezone))
        context = {"text": self._text(result), "offer": offer, "at": f"{at:%d/%m/%Y %H:%M}"}
        return self._render("redeemed", context)

    def _mark_scan_of_redemption(self) -> None:
        with contextlib.suppress(signing.BadSignature):
            sign = self.request.POST.get("sign", "")[:1000]
            signing_up.mark_scan_submitted(self.tag, signing.loads(sign, salt=SCAN_SALT))

    def take_signup(self) -> HttpResponse:
        """Store the sign-up that was sent, or show the form again."""
        request = self.request
        typed = forms.typed_texts(request.POST)
        entry, problems = forms.read_entry(typed, self.store, self.branding, timezone.now())
        sign = forms.read_sign_or_none(request.POST.get("sign", ""), self.tag, self.question)
        scan_id = sign.scan_id if sign else None
        if entry is None:
            return self.show_form(scan_id, typed=typed, problems=problems, notice="correct")
        if sign is None or request.POST.get(forms.TRAP):
            return self.show_form(scan_id, typed=typed, notice="send_again")
        if signing_up.are_there_too_many_signups(self.tag.owner_id, self.visitor):
            return self.show_form(scan_id, typed=typed, notice="too_many", status=429)
        signup = signing_up.store_signup_once_and_enqueue_job(
            self.tag, sign, entry, self.question, self.language, self.visitor
        )
        if signup is None:
            return self.show_form(None, typed=typed, notice="send_again")
        return HttpResponseRedirect(
            f"/j/{self.tag.public_id}?lang={self.language}&done=1", headers=PAGE_HEADERS
        )

    def _text(self, name: str) -> str:
        return getattr(self.texts, name) if name else ""

    def _render(self, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
        nonce = secrets.token_urlsafe(16)
        context |= {
            "texts": self.texts,
            "language": self.language,
            "languages": [(code, text.language) for code, text in PAGE_TEXTS.items()],
            "title": self.texts.title.format(shop=self.branding.shop),
            "brand": self.branding,
            "code": self.tag.public_id,
            "privacy_notice_url": self.store.privacy_notice_url,
            "nonce": nonce,
        }
        response = render(self.request, f"campaigns/signup/{name}.html", context, status=status)
        for header, value in PAGE_HEADERS.items():
            response[header] = value
        response["Content-Security-Policy"] = CONTENT_POLICY.format(nonce=nonce)
        return response


def _language_of_page(request: HttpRequest, tag: NfcTag) -> Language:
    """The one that was chosen on the page, else the visitor's, else the store's, else English."""
    store_language = language_of_store_or_country(tag.owner)
    wanted = (
        request.GET.get("lang"),
        preferred_language_or_default(request, store_language),
        store_language,
    )
    known = (Language(code) for code in wanted if code in PAGE_TEXTS)
    return next(known, Language.ENGLISH)
