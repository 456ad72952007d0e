"""What the contacts app registers with the ground floor: jobs, repairs, personal data, links."""

from __future__ import annotations

from collections.abc import Iterator

from astronote.operations import registry
from astronote.operations.registry import (
    FOR_RETENTION_DAYS,
    UNTIL_CONTACT_RETENTION,
    HealthCheck,
    NoPersonalData,
    OperatorModels,
    PersonalData,
    RecurringJob,
    RecurringJobs,
    Repair,
    SidebarLink,
)
from contacts.importing.lifecycle import enqueue_stopped_imports
from contacts.phone_hash_rotation import unset_key_problem


def _recurring_jobs() -> Iterator[RecurringJob]:
    yield RecurringJob(
        "import_files", "contact_import", "contacts.tasks.delete_import_files", interval=3600
    )


registry.recurring_jobs.register(RecurringJobs("contacts", _recurring_jobs))
registry.health_checks.register(HealthCheck("suppressions", unset_key_problem))
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
        "contacts.Suppression",
        ("phone_hash",),
        "keeping opt-outs of erased contacts; keyed hashes",
        "without limit",
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
            "restricted_reason",
        ),
    ),
    NoPersonalData("contacts.ConsentEvent", ("source", "meta")),
    NoPersonalData("contacts.Suppression", ("reason", "key_id")),
    NoPersonalData("contacts.List", ("name", "description")),
    NoPersonalData(
        "contacts.ContactImport",
        ("file_name", "file_sha256", "layout", "mapping", "consent_source", "error"),
    ),
    NoPersonalData("contacts.RejectedRow", ("column", "reason")),
)


registry.sidebar_links.register(
    SidebarLink.to_list("", "Contacts", "person", "contacts.contact", 20),
    SidebarLink.to_list("", "Imports", "upload_file", "contacts.contactimport", 30),
    SidebarLink.to_list(
        "Privacy and proof", "Consent events", "how_to_reg", "contacts.consentevent", 300
    ),
    SidebarLink.to_list("Privacy and proof", "Suppressions", "block", "contacts.suppression", 310),
    SidebarLink.to_list("More", "Lists", "list", "contacts.list", 410),
)
