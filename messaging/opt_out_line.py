"""The last line of marketing texts, by which a customer opts out (rules.md#opt-out-line)."""

from __future__ import annotations

from django.conf import settings

from astronote.accounts.models import User
from astronote.common.languages import Language, language_of, language_of_country

# All characters are in GSM-7, so that the line does not shorten the parts of a text. Of Greek it
# has only capitals, and only those that do not look like Latin ones: A, H, I and P are Latin here.
OPT_OUT_LINES = {
    Language.ENGLISH: "Opt out: {{unsubscribe_link}}",
    Language.GREEK: "ΔIAΓPAΦH: {{unsubscribe_link}}",
    Language.GERMAN: "Abmelden: {{unsubscribe_link}}",
    Language.FRENCH: "Désinscription : {{unsubscribe_link}}",
    Language.SPANISH: "Darse de baja: {{unsubscribe_link}}",
    Language.ITALIAN: "Disiscrizione: {{unsubscribe_link}}",
}


def opt_out_line(store: User | None) -> str:
    """A store's own opt-out line, else that of its language.

    Args:
        store: None where a text has no store yet.
    """
    if store is None:
        return OPT_OUT_LINES[language_of_country(settings.DEFAULT_PHONE_REGION)]
    return store.opt_out_line or OPT_OUT_LINES[language_of(store)]
