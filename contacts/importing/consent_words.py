"""Beginnings of words by which people agree, refuse and leave, in the six languages of headings.

Verbs of consent have many forms: `erteilt`, `otorgada`, `ανακάλεσε`. So they are known by their
beginnings, and these are the same for a cell, for the heading of a column, and for the title of a
list. Words are written as `fold_to_alphanumeric` writes them; ß stays as it is or is ss.
"""

from __future__ import annotations

from typing import NamedTuple


class ConsentVerbs(NamedTuple):
    """Beginnings of words of one language, each group separated by blanks.

    `granted` give consent; `refused` say no to the question; `withdrawn` take consent back, leave a
    list or bar somebody from it; `ended` end or delete something, which is a no in an answer only;
    `missing` say that there is no consent, or none any more, without a no.
    """

    granted: str
    refused: str
    withdrawn: str
    ended: str
    missing: str


CONSENT_VERBS = {
    "en": ConsentVerbs(
        "agree accept consent grant permit permission allow approv authori confirm signed",
        "refus reject declin denied denial deny disagre disallow disapprov forbid forbad "
        "objection objected",
        "withdr revok revoc rescind retract unsub optout optedout optsout blacklist blocklist "
        "blocked blocking suppress exclud exclusion deregist",
        "cancel delet terminat remov",
        "missing absent lacking expir laps awaiting outstanding unknown unsigned",
    ),
    "de": ConsentVerbs(
        "erteil zugestimm zustimm einverst eingewill bewillig genehmig erlaub bestatig akzept "
        "angenommen unterschrieben unterzeichn zugesagt gestattet",
        "verweiger abgelehn ablehn untersag verbot verbiet verneint",
        "widerruf widersproch widerspruch zuruckgezog zuruckgenomm ruckzug entzog abgemeld abmeld "
        "ausgetrag austrag abbestell gesperr sperr ausgeschloss ausschluss blockier robinson",
        "gekundig kundig gelosch losch gestrich entfernt storn ausgetret",
        "fehl ausstehend abgelauf erlosch unbekannt unbestatig ungultig",
    ),
    "fr": ConsentVerbs(
        "accept accord donne consent autoris approuv obtenu recueill signe confirm",
        "refus rejet declin interdi oppos",
        "retrait revoqu desabon desinscr bloqu",
        "resilie resiliation annul supprim radie radiation",
        "manqu absent expir perime attente",
    ),
    "es": ConsentVerbs(
        "otorgad concedid acept consent autoriz aprobad firmad confirmad permit",
        "rechaz deneg denieg negad negativa prohib opuest oponerse declin",
        "revoc retirad desuscri desapunt bloquead excluid excluir exclusion baja",
        "cancel anulad eliminad borrad",
        "falta ausent pendient caduc expir vencid",
    ),
    "it": ConsentVerbs(
        "conces prestat accett acconsent consens autorizz approvat firmat confermat rilasciat",
        "negat rifiut respint vietat oppost opposizion diniegat",
        "revoc ritirat disiscr bloccat esclus",
        "cancell annullat disdett elimin rimoss",
        "manca assent scadut mancant",
    ),
    "el": ConsentVerbs(
        "αποδεχ αποδεκτ συναιν συγκατατ συμφων επιτρεπ επετρεψ εγκρ ενεκριν επιβεβαι υπογεγραμ "
        "υπεγραψ δεχεται δεχτηκε δεχθηκε δοθηκε εδωσε",
        "αρνει αρνηθ αρνησ αρνου απορρι απαγορ αντιτιθ αντιρρησ",
        "ανακαλ ανακλη αποσυρ απεσυρ διαγραφ διαγραμμ διαγραψ διεγραφ διεγραμμ απεγγ αποχωρ "
        "αποκλει εξαιρ μπλοκ",
        "ακυρω",
        "λειπει ελλειπ ελλιπ εκκρεμ εληξε ληξ αγνωστ απουσι",
    ),
}  # fmt: skip


def _word_beginnings_in_all_languages(group: str) -> tuple[str, ...]:
    return tuple(
        sorted({word for verbs in CONSENT_VERBS.values() for word in getattr(verbs, group).split()})
    )


GRANTED, REFUSED = (
    _word_beginnings_in_all_languages("granted"),
    _word_beginnings_in_all_languages("refused"),
)
WITHDRAWN, ENDED = (
    _word_beginnings_in_all_languages("withdrawn"),
    _word_beginnings_in_all_languages("ended"),
)
MISSING = _word_beginnings_in_all_languages("missing")
