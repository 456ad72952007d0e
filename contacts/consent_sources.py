"""The sources of changes of consent as people read them.

Stored is a code, or what somebody wrote who imported contacts or suppressions.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from contacts.consent import OBJECTION, RECORDED_BY_OPERATOR

SOURCES_IN_WORDS = {
    RECORDED_BY_OPERATOR: _("operator"),
    OBJECTION: _("objection"),
    "paper": _("paper"),
    "phone": _("phone"),
    "contact_changed": _("contact changed"),
    "double_opt_in": _("double opt in"),
    "import": _("import"),
    "inbound_start": _("inbound start"),
    "inbound_stop": _("inbound stop"),
    "opt-out": _("opt-out"),  # of which no more is known
    "reply_review": _("reply review"),
    "signup_page": _("signup page"),
    "unsubscribe_page": _("unsubscribe page"),
}


def describe_consent_source(source: str) -> str:
    """The source of a consent event or suppression in words; what somebody wrote stays as it is."""
    return str(SOURCES_IN_WORDS.get(source, source))
