"""What the contacts app registers with the ground floor: jobs, repairs, personal data, links."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.operations import registry
from astronote.operations.personal_data import (
    AS_LONG_AS_ITS_ROW,
    BY_TEXT,
    FIGURES,
    FOR_RETENTION_DAYS,
    STATES_OF_WORK,
    UNTIL_CONTACT_RETENTION,
    FoundBy,
    LegalGround,
    NoPersonalData,
    OnErasure,
    PersonalData,
    PersonKey,
    found_by_contact_id,
)
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
from contacts.phones import phone_hashes_with_each_key
from contacts.search import search_contacts_by_beginnings

CONTACTS_FOUND = 8


def _recurring_jobs() -> Iterator[RecurringJob]:
    yield RecurringJob(
        "import_files",
        "contact_import",
        "contacts.tasks.delete_expired_import_files",
        interval=3600,
    )


def _phone_hash_of_person_q(person: PersonKey) -> Q:
    """The rows with a hash of a person's number at the stores that are asked about."""
    return Q(
        phone_hash__in=phone_hashes_with_each_key(person.phone)
    ) & person.stores_asked_and_not_held_q("owner")


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

BY_STORE = _("the store: its imports and its forms; the person's own replies and clicks")
BY_OPERATOR = _("the store or an operator, who typed it")
HASH_KEY = _("which key the hash was made with")
UNTIL_RETENTION_AND_ADDRESSES = _(
    "until the contact's retention; addresses and browsers PII_RETENTION_DAYS"
)
registry.personal_data.register(
    PersonalData(
        "contacts.Contact",
        (
            "phone",
            "email",
            "first_name",
            "last_name",
            "gender",
            "birthday",
            "custom_values",
            "created_at",
            "updated_at",
            "anonymised_at",
            "erase_on",
            "awaits_welcome",
        ),
        _("sending the messages that a customer agreed to, by name and on birthdays"),
        UNTIL_CONTACT_RETENTION,
        categories=_(
            "number, e-mail address, name, gender, birthday, and what a store keeps besides"
        ),
        legal_ground=LegalGround.CONSENT_OR_CUSTOMER_CONTRACT,
        source=BY_STORE,
        found_by=found_by_contact_id("pk"),
        on_erasure=OnErasure.DELETE,
    ),
    PersonalData(
        "contacts.Contact",
        (
            "is_subscribed",
            "service_allowed",
            "unsubscribed_at",
            "gdpr_consent_at",
            "gdpr_consent_source",
            "gdpr_consent_version",
            "sms_consent_status",
            "sms_consent_at",
            "sms_consent_source",
            "consent_evidence",
            "restricted_at",
            "restricted_reason",
        ),
        _("heeding and proving consent, opt-outs and a restriction"),
        UNTIL_RETENTION_AND_ADDRESSES,
        categories=_("state, time, source and evidence of consent; reason of a restriction"),
        legal_ground=LegalGround.LEGAL_DUTY,
        source=BY_STORE,
        found_by=found_by_contact_id("pk"),
        on_erasure=OnErasure.DELETE,
    ),
    PersonalData(
        "contacts.Contact",
        ("legal_hold",),
        _(
            "keeping all that a store holds of a contact although it is due or asked to be erased;"
            " an erasure then restricts the contact"
        ),
        _("until an operator lifts the hold; who set it, and when, is in the admin's history"),
        categories=_("whether there is a legal hold"),
        legal_ground=LegalGround.LEGAL_CLAIMS,
        source=_("an operator, on behalf of the store"),
        found_by=found_by_contact_id("pk"),
        on_erasure=OnErasure.DELETE,
    ),
    PersonalData(
        "contacts.ConsentEvent",
        (
            "contact",
            "type",
            "source",
            "decided_at",
            "actor",
            "wording",
            "version",
            "meta",
            "created_at",
        ),
        _("proof of each change of consent"),
        UNTIL_RETENTION_AND_ADDRESSES,
        categories=_("kind, time, source, wording and evidence of a change of consent"),
        legal_ground=LegalGround.LEGAL_DUTY,
        source=BY_STORE,
        found_by=found_by_contact_id("contact"),
        on_erasure=OnErasure.DELETE,
    ),
    PersonalData(
        "contacts.OptInRequest",
        (
            "contact",
            "wording",
            "version",
            "expires_at",
            "attempts",
            "answered_at",
            "closed_at",
            "meta",
            "created_at",
        ),
        _("asking for consent, and proof of what was asked and answered"),
        UNTIL_RETENTION_AND_ADDRESSES,
        categories=_("wording, times and reason of a question, and whether it was answered"),
        legal_ground=LegalGround.LEGAL_DUTY,
        source=BY_STORE,
        found_by=found_by_contact_id("contact"),
        on_erasure=OnErasure.DELETE,
        store="contact__owner",
    ),
    PersonalData(
        "contacts.ListMembership",
        ("contact", "created_at"),
        _("choosing whom a campaign goes to"),
        UNTIL_CONTACT_RETENTION,
        categories=_("which lists a customer is on"),
        legal_ground=LegalGround.CONSENT_OR_CUSTOMER_CONTRACT,
        source=_("the store"),
        found_by=found_by_contact_id("contact"),
        on_erasure=OnErasure.DELETE,
        store="list__owner",
        shown_with=("list__name", "list__description"),
    ),
    PersonalData(
        "contacts.CustomerEvent",
        (
            "contact",
            "external_ref",
            "event_type",
            "status",
            "start_at",
            "end_at",
            "meta",
            "created_at",
            "updated_at",
        ),
        _("reminding customers of appointments and stays, and writing to them after purchases"),
        UNTIL_CONTACT_RETENTION,
        categories=_("kind, time, state and reference of an appointment, stay, purchase or visit"),
        legal_ground=LegalGround.CUSTOMER_CONTRACT,
        source=_("the store's own system"),
        found_by=found_by_contact_id("contact"),
        on_erasure=OnErasure.DELETE,
    ),
    PersonalData(
        "contacts.Suppression",
        ("phone_hash", "created_at"),
        _("respecting opt-outs and objections of contacts that were erased"),
        _("without limit"),
        categories=_("keyed hash of the number, and time of the opt-out"),
        legal_ground=LegalGround.LEGAL_DUTY,
        source=_("the person's opt-out or objection; lists that the store brought"),
        found_by=FoundBy(_("by the keyed hash of the number"), _phone_hash_of_person_q),
        on_erasure=OnErasure.KEEP,
    ),
    PersonalData(
        "contacts.Suppression",
        ("reason",),
        _("proof of opt-outs and objections of contacts that were erased"),
        _("without limit"),
        categories=_("source of the opt-out; the name of a list, which may name a person"),
        legal_ground=LegalGround.LEGAL_DUTY,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
        kept_after_store=_("proof of opt-outs, with the keyed hash"),
    ),
    PersonalData(
        "contacts.List",
        ("name", "description"),
        _("naming lists of contacts"),
        AS_LONG_AS_ITS_ROW,
        categories=_("free text, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "contacts.CustomField",
        ("label",),
        _("naming custom fields of contacts"),
        AS_LONG_AS_ITS_ROW,
        categories=_("free text, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "contacts.ContactImport",
        (
            "file_name",
            "layout",
            "mapping",
            "consent_source",
            "consent_wording",
            "consent_version",
            "error",
        ),
        _("reading an uploaded customer list, and reading the next one alike"),
        _("AUDIT_RETENTION_DAYS; source and wording of consent: as proof of it, without limit"),
        categories=_("file name, headings, notes; they may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the uploaded file"),
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "contacts.MarketingHold",
        ("phone_hash", "reply_id", "created_at"),
        _("holding marketing back while a person decides whether a reply is an opt-out"),
        _("until the decision"),
        categories=_("keyed hash of the number, and time of the reply"),
        legal_ground=LegalGround.LEGAL_DUTY,
        source=_("the person's reply"),
        found_by=FoundBy(_("by the keyed hash of the number"), _phone_hash_of_person_q),
        on_erasure=OnErasure.KEEP,
    ),
    PersonalData(
        "contacts.ImportFileChunk",
        ("data",),
        _("reading an uploaded customer list"),
        "IMPORT_FILE_RETENTION_HOURS",
        categories=_("all that the store's list says of its customers"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the uploaded file"),
        found_by=FoundBy(_("by reading the file as the import does")),
        on_erasure=OnErasure.MASK,
        store="contact_import__owner",
    ),
    PersonalData(
        "contacts.RejectedRow",
        ("line", "column", "value", "reason", "row"),
        _("rejected rows, for the store to correct"),
        FOR_RETENTION_DAYS,
        categories=_("all that a row of the store's list says of a customer"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the uploaded file"),
        found_by=FoundBy(_("by number, e-mail address or full name in its cells"), is_record=True),
        on_erasure=OnErasure.DELETE,
        store="contact_import__owner",
    ),
)
registry.no_personal_data.register(
    NoPersonalData("contacts.Suppression", ("key_id",), HASH_KEY),
    NoPersonalData("contacts.MarketingHold", ("key_id",), HASH_KEY),
    NoPersonalData(
        "contacts.OptInRequest",
        ("purpose", "tracking_id"),
        _("which kind of request it is, and a random code; deleted with the contact"),
    ),
    NoPersonalData(
        "contacts.CustomField", ("key", "type", "created_at"), _("what a store calls its fields")
    ),
    NoPersonalData("contacts.List", ("created_at", "updated_at"), STATES_OF_WORK),
    NoPersonalData("contacts.ImportFileChunk", ("number",), _("the place of a piece in its file")),
    NoPersonalData(
        "contacts.ContactImport",
        (
            "file_sha256",
            "status",
            "date_order",
            "consent_at",
            "started_at",
            "finished_at",
            "created_at",
            "attempts",
            "update_existing",
            "welcome",
        ),
        _("settings, states and times of an import"),
    ),
    NoPersonalData(
        "contacts.ContactImport",
        (
            "file_size",
            "processed",
            "created",
            "updated",
            "unchanged",
            "duplicate",
            "rejected",
            "kept_incomplete",
            "share_read",
        ),
        FIGURES,
    ),
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
