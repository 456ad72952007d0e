"""What the contacts app registers with the ground floor: jobs, repairs, search, links."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.operations import registry
from astronote.operations.registry import (
    FirstStep,
    Found,
    HealthCheck,
    OperatorModels,
    RecurringJob,
    RecurringJobs,
    Repair,
    SearchSource,
    SidebarLink,
    UploadPath,
)
from contacts.importing.lifecycle import enqueue_open_imports_if_queue_empty
from contacts.models import Contact
from contacts.phone_hash_rotation import problem_if_hash_key_is_missing
from contacts.search import search_contacts_by_beginnings

CONTACTS_FOUND = 8


def _recurring_jobs() -> Iterator[RecurringJob]:
    yield RecurringJob(
        "import_files",
        "contact_import",
        "contacts.tasks.delete_expired_import_files",
        interval=3600,
    )


registry.upload_paths.register(
    UploadPath("custom fields", "/admin/contacts/customfield/fill/"),
    UploadPath("customer lists", "/admin/contacts/contactimport/add/"),
    UploadPath("suppressions", "/admin/contacts/suppression/import/"),
)
registry.first_steps.register(
    FirstStep(
        _("Import the store's customers"),
        _("A CSV file or a workbook, as it is: nothing is written before you have seen a preview."),
        Contact.objects.exists,
        lambda: reverse("admin:contacts_contactimport_add"),
        "contacts.add_contactimport",
        50,
    ),
    FirstStep(
        _("Have somebody who agreed to marketing"),
        _(
            "Only customers with a recorded consent get marketing: import them with a column that"
            " says so, or say in the import's form where their consent comes from."
        ),
        Contact.objects.filter(is_subscribed=True).exists,
        lambda: reverse("admin:contacts_contactimport_add"),
        "contacts.add_contactimport",
        60,
    ),
)
registry.recurring_jobs.register(RecurringJobs("contacts", _recurring_jobs))
registry.health_checks.register(HealthCheck("suppressions", problem_if_hash_key_is_missing))
registry.repairs.register(
    Repair("imports_enqueued", enqueue_open_imports_if_queue_empty, _("imports enqueued"))
)
registry.operator_models.register(
    OperatorModels(
        "contacts",
        ("contact", "contactimport", "customerevent", "customfield", "list", "suppression"),
    )
)


def _find_newest_contacts_for_search(text: str) -> list[Found]:
    found = search_contacts_by_beginnings(Contact.objects.select_related("owner"), text).order_by(
        "-pk"
    )
    return [
        Found(
            f"{contact.first_name} {contact.last_name} {contact.phone or ''}".strip(),
            gettext("customer of %(store)s") % {"store": contact.owner},
            reverse("admin:contacts_contact_change", args=[contact.pk]),
        )
        for contact in found[:CONTACTS_FOUND]
    ]


registry.search_sources.register(
    SearchSource("contacts", "person", "contacts.view_contact", _find_newest_contacts_for_search)
)
registry.sidebar_links.register(
    SidebarLink.to_admin_changelist("", _("Contacts"), "person", "contacts.contact", 20),
    SidebarLink.to_admin_changelist("", _("Imports"), "upload_file", "contacts.contactimport", 30),
    SidebarLink.to_admin_changelist(
        _("Privacy and proof"), _("Consent events"), "how_to_reg", "contacts.consentevent", 300
    ),
    SidebarLink.to_admin_changelist(
        _("Privacy and proof"),
        _("Opt-in requests"),
        "mark_email_read",
        "contacts.optinrequest",
        305,
    ),
    SidebarLink.to_admin_changelist(
        _("Privacy and proof"), _("Suppressions"), "block", "contacts.suppression", 310
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Customer events"), "event", "contacts.customerevent", 405
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Custom fields"), "label", "contacts.customfield", 408
    ),
    SidebarLink.to_admin_changelist(_("More"), _("Lists"), "list", "contacts.list", 410),
)
