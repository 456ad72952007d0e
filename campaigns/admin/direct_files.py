"""The page that sends direct messages from a file: its price and rejected lines first."""

from __future__ import annotations

import base64
import io
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget

from astronote.accounts.eligibility import SendingBlocked
from astronote.common.counts import format_count
from astronote.models import User
from campaigns import direct_files
from campaigns.admin.message_types import limit_to_permitted_message_types
from campaigns.service_campaigns import NotPermitted
from contacts.importing.files import unnamed_temporary_file
from contacts.importing.import_refused import ImportRefused
from contacts.models import MessageType

PERMISSION = "campaigns.add_campaign"
MAX_FILE_BYTES = 1_500_000
SECONDS_TO_CONFIRM = 3600
REJECTED_SHOWN = 100
SALT = "direct file"


class DirectFileForm(forms.Form):
    """A file of messages, and of whom and what they are."""

    store = forms.ModelChoiceField(
        User.objects.filter(is_staff=False, left_at=None), label=_("Store")
    )
    message_type = forms.TypedChoiceField(label=_("Type"), choices=MessageType.choices)
    file = forms.FileField(
        label=_("File"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("CSV or .xlsx, with the headings number, text and perhaps key"),
    )
    encoding = forms.CharField(
        label=_("Encoding"),
        required=False,
        max_length=40,
        help_text=_("Such as cp1253; else it is detected."),
    )

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(*args)
        field = self.fields["message_type"]
        assert isinstance(field, forms.TypedChoiceField)
        limit_to_permitted_message_types(field, request)

    def clean_file(self) -> Any:
        """Refuse a file that is too large to be shown before it is sent.

        Raises:
            ValidationError: if it is.
        """
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError(
                gettext("At most 1.5 MB: split the file, or use the command.")
            )
        return file


def direct_file_urls(site: admin.AdminSite) -> list[URLPattern]:
    """The address of the page, below that of the list of campaigns."""
    view = site.admin_view(direct_file_view)
    return [path("messages-from-file/", view, {"site": site}, name="campaigns_direct_file")]


def direct_file_view(request: HttpRequest, site: admin.AdminSite) -> HttpResponse:
    """Plan a file and show what it costs; send it once that was seen.

    Between the two, the browser keeps the file: signed, with its price.
    """
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if request.method == "POST" and "confirmed" in request.POST:
        return _send_and_show_log(request)
    form = DirectFileForm(request, request.POST or None, request.FILES or None)
    context: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        try:
            context = _plan_context(request, **form.cleaned_data)
        except ImportRefused as problem:
            form.add_error("file", str(problem))
    context |= {
        **site.each_context(request),
        "title": gettext("Messages from a file"),
        "form": form,
    }
    return TemplateResponse(request, "campaigns/direct_file.html", context)


def _plan_context(
    request: HttpRequest, *, store: User, message_type: str, file: Any, encoding: str
) -> dict[str, Any]:
    data = file.read()
    with unnamed_temporary_file([data]) as copy:
        plan = direct_files.plan_file(store, copy, message_type, encoding)
    kept = {
        "store": store.pk,
        "type": message_type,
        "encoding": encoding,
        "credits": plan.credits,
        "by": request.user.pk,
        "file": base64.b64encode(data).decode(),
    }
    return {
        "store": store,
        "plan": plan,
        "rejected": plan.rejected[:REJECTED_SHOWN],
        "more_rejected": len(plan.rejected) - REJECTED_SHOWN,
        "kept": signing.dumps(kept, salt=SALT, compress=True),
    }


def _send_and_show_log(request: HttpRequest) -> HttpResponse:
    page = redirect("admin:campaigns_direct_file")
    try:
        kept = signing.loads(request.POST["confirmed"], salt=SALT, max_age=SECONDS_TO_CONFIRM)
    except signing.BadSignature:
        messages.error(request, gettext("The file was shown too long ago: choose it again."))
        return page
    if kept["by"] != request.user.pk:
        raise PermissionDenied
    store = User.objects.get(pk=kept["store"])
    try:
        with unnamed_temporary_file(io.BytesIO(base64.b64decode(kept["file"]))) as copy:
            plan = direct_files.send_file(
                store,
                copy,
                kept["type"],
                by=request.user,
                encoding=kept["encoding"],
                shown_credits=kept["credits"],
            )
    except (ImportRefused, NotPermitted, SendingBlocked, direct_files.PriceChanged) as problem:
        messages.error(request, gettext("Nothing was sent: %(problem)s") % {"problem": problem})
        return page
    count = len(plan.messages)
    said = ngettext("%(count)s message on their way", "%(count)s messages on their way", count)
    messages.success(request, said % {"count": format_count(count)})
    params = urlencode({"store": store.email, "kind": "direct"})
    return redirect(f"{reverse('admin:messaging_log')}?{params}")
