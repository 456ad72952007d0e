"""What the contacts app registers with the ground floor: jobs, repairs, personal data, links."""

from __future__ import annotations

from collections.abc import Iterator

from astronote.operations import registry
from astronote.operations.registry import (
    FOR_RETENTION_DAYS,
    UNTIL_CONTACT_RETENTION,
    NoPersonalData,
    OperatorModels,
    PersonalData,
    RecurringJob,
    RecurringJobs,
    Repair,
    SidebarLink,
)
from contacts.importing.lifecycle import enqueue_stopped_imports


def _recurring_jobs() -> Iterator[RecurringJob]:
    yield RecurringJob(
        "import_files", "contact_import", "contacts.tasks.delete_import_files", interval=3600
    )


registry.recurring_jobs.register(RecurringJobs("contacts", _recurring_jobs))
registry.repairs.register(Repair("imports_enqueued", enqueue_stopped_imports))
registry.operator_models.register(
    OperatorModels("contacts", ("contact", "contactimport", "list", "suppression"))
)

registry.personal_data.register(
    PersonalData(
        "contacts.Contact",
        ("phone", "email", "first_name", "last_name", "gender", "birthday"),
        "sending the messages that a customer agreed to, by name and on birthdays",
        UNTIL_CONTACT_RETENTION,
    ),
    PersonalData(
        "contacts.Contact",
        ("consent_evidence",),
        "proof of consent",
        f"{UNTIL_CONTACT_RETENTION}; addresses and browsers {FOR_RETENTION_DAYS}",
    ),
    PersonalData(
        "contacts.ConsentEvent",
        ("meta",),
        "proof of each change of consent",
        f"{UNTIL_CONTACT_RETENTION}; addresses and browsers {FOR_RETENTION_DAYS}",
    ),
    PersonalData(
        "contacts.Suppression",
        ("phone_hash",),
        "keeping opt-outs of erased contacts; keyed hashes",
        "without limit",
    ),
    PersonalData(
        "contacts.MarketingHold",
        ("phone_hash",),
        "holding marketing back until a reply is decided; keyed hashes",
        "until the decision",
    ),
    PersonalData(
        "contacts.ImportFileChunk",
        ("data",),
        "reading an uploaded customer list",
        "IMPORT_FILE_RETENTION_HOURS",
    ),
    PersonalData(
        "contacts.RejectedRow",
        ("value", "row"),
        "rejected rows, for the store to correct",
        FOR_RETENTION_DAYS,
    ),
)
registry.no_personal_data.register(
    NoPersonalData(
        "contacts.Contact",
        (
            "gdpr_consent_source",
            "gdpr_consent_version",
            "sms_consent_status",
            "sms_consent_source",
            "erase_on",
        ),
    ),
    NoPersonalData("contacts.ConsentEvent", ("source", "actor", "wording", "version")),
    NoPersonalData("contacts.OptInRequest", ("wording", "version", "tracking_id", "meta")),
    NoPersonalData("contacts.Suppression", ("reason",)),
    NoPersonalData("contacts.List", ("name", "description")),
    NoPersonalData(
        "contacts.ContactImport",
        (
            "file_name",
            "file_sha256",
            "layout",
            "mapping",
            "consent_source",
            "consent_wording",
            "consent_version",
            "error",
        ),
    ),
    NoPersonalData("contacts.RejectedRow", ("column", "reason")),
)


registry.sidebar_links.register(
    SidebarLink.to_list("", "Contacts", "person", "contacts.contact", 20),
    SidebarLink.to_list("", "Imports", "upload_file", "contacts.contactimport", 30),
    SidebarLink.to_list(
        "Privacy and proof", "Consent events", "how_to_reg", "contacts.consentevent", 300
    ),
    SidebarLink.to_list(
        "Privacy and proof", "Opt-in requests", "mark_email_read", "contacts.optinrequest", 305
    ),
    SidebarLink.to_list("Privacy and proof", "Suppressions", "block", "contacts.suppression", 310),
    SidebarLink.to_list("More", "Lists", "list", "contacts.list", 410),
)
