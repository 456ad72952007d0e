"""How answers, codes, tags and notes of many languages are read, and what is asked about.

For each kind there are answers that the lists of words do not hold as they stand here: they are
read by their parts.
"""

import pytest

from contacts.importing.consent_cells import Consent
from contacts.importing.mapping import (
    guess_columns_and_questions,
    without_guessed_other_consent_if_consent_is_new,
)
from contacts.importing.validating import build_row_validator

PHONES = [f"+3069440002{number:02}" for number in range(24)]
YES, NONE, NO = Consent.AGREES, Consent.WITHHELD, Consent.OPTED_OUT


def consents(heading, cells, *, region="GR", **chosen):
    """What is stored for each cell, as one word each, and the question that is asked."""
    headings = ["Mobile", heading]
    rows = [list(row) for row in zip(PHONES, cells, strict=False)]
    guess = guess_columns_and_questions(
        headings, rows, region, {field: [1] for field in chosen} or None
    )
    question = guess.question.command_line_text() if guess.question else ""
    validate = build_row_validator(headings, guess.fields, "dmy", region, sample=rows)
    return [validate(row).consent for row in rows], question


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("WAAR", "ONWAAR"), ("PRAWDA", "FAŁSZ"), ("DOĞRU", "YANLIŞ"), ("SANT", "FALSKT"),
        ("SAND", "FALSK"), ("TOSI", "EPÄTOSI"), ("PRAVDA", "NEPRAVDA"), ("IGAZ", "HAMIS"),
        ("ADEVĂRAT", "FALS"), ("VERDADEIRO", "FALSO"), ("ИСТИНА", "ЛОЖЬ"), ("ΑΛΗΘΕΣ", "ΨΕΥΔΕΣ"),
        ("Toegestaan", "Geweigerd"), ("Givet", "Afvist"), ("Gitt", "Trukket"),
        ("Wyrażona", "Wycofana"), ("Udělen", "Odvolán"), ("Verildi", "İptal edildi"),
        ("Megadva", "Visszavonva"), ("Дадено", "Оттеглено"), ("✓", "Χ"), ("ΟΚ", "Χ"),
    ],
)  # fmt: skip
def test_yes_and_no_are_read_in_many_languages(yes, no):
    assert consents("SMS", [yes, no, yes], sms_consent=True)[0] == [YES, NO, YES]


@pytest.mark.parametrize(
    "yes",
    [
        "Yes of course", "Absolutely", "Yes, sign me up", "Happy to receive", "Ja, sehr gerne",
        "Selbstverständlich", "Ja, ich möchte", "Bien sûr", "D'accord", "Oui, je veux bien",
        "Volentieri", "Sì, voglio", "Va bene", "De acuerdo", "Sí, quiero", "Por supuesto",
        "Ναι, θέλω", "Βεβαίως", "Δέχομαι", "Ja graag", "Akkoord", "Ja tack", "Tak, proszę",
    ],
)  # fmt: skip
def test_polite_yes_is_a_yes(yes):
    assert consents("SMS", [yes, "no"], sms_consent=True)[0] == [YES, NO]


@pytest.mark.parametrize(
    "answer",
    [
        "Ja, aber nur per Mail", "Yes but email only", "Oui, par mail", "Ja, nur Termine", "Yes?",
        "Sì, solo email", "gerne per Mail", "claro que no", "natürlich nicht", "absolutely not",
        "Please don't", "φυσικά όχι",
    ],
)  # fmt: skip
def test_polite_words_beside_something_else_are_no_yes(answer):
    assert consents("SMS", ["yes", answer], sms_consent=True)[0][1] in (NONE, NO)


@pytest.mark.parametrize(
    ("yes", "no", "answer"),
    [
        ("yes", "no", "hasn't decided"), ("yes", "no", "never asked"), ("yes", "no", "no reply"),
        ("ja", "nein", "weiß noch nicht"), ("ja", "nein", "wurde nicht gefragt"),
        ("ja", "nein", "nicht erreicht"), ("oui", "non", "n'a pas répondu"),
        ("oui", "non", "ne se prononce pas"), ("sì", "no", "non lo so"),
        ("sì", "no", "non ha risposto"), ("sí", "no", "no ha contestado"),
        ("sí", "no", "no consta"),
        ("ναι", "όχι", "δεν ρωτήσαμε"), ("ναι", "όχι", "δεν γνωρίζω"), ("tak", "nie", "nie wiem"),
        ("igen", "nem", "nem válaszolt"), ("da", "nu", "nu știe"), ("sim", "não", "não sabe"),
        ("ja", "nee", "weet niet"), ("ja", "nej", "vet inte"),
    ],
)  # fmt: skip
def test_who_has_not_answered_has_neither_agreed_nor_opted_out(yes, no, answer):
    assert consents("SMS", [yes, no, answer], sms_consent=True)[0] == [YES, NO, NONE]


@pytest.mark.parametrize(
    "answer",
    ["does not agree", "nicht einverstanden", "ne veut pas", "non vuole", "no le interesa",
     "δεν συμφωνεί", "niet akkoord", "vill inte"],
)  # fmt: skip
def test_negated_agreement_is_an_opt_out(answer):
    assert consents("SMS", ["yes", "no", answer], sms_consent=True)[0][2] == NO


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Vía de contacto", ["SMS", "Correo", "Ninguna"]),
        ("Contact via", ["sms", "mail", "niet"]),
        ("Preferred way", ["Text", "Carrier pigeon", "Nothing"]),
        ("Moyen préféré", ["Texto", "Visite", "rien du tout"]),
        ("Canale preferito", ["sms", "di persona", "nessuna preferenza"]),
        ("Τρόπος επικοινωνίας", ["μήνυμα", "πουθενά", "email"]),
        ("Comms pref", ["S", "E", "N"]),
        ("Contact by (P=phone, T=text, E=email)", ["T", "E", "P"]),
    ],
)
def test_ways_of_contact_are_asked_about_though_some_are_unknown(heading, cells):
    assert heading in consents(heading, cells * 4)[1]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Contact by (P=phone, T=text, E=email, X=none)", ["T", "E", "X"]),
        ("Kontaktweg (S=SMS, M=Mail, K=kein)", ["S", "M", "K"]),
        ("Pref: T - text, E - email, N - none", ["T", "E", "N"]),
        ("Επικ. (Μ=μήνυμα, Τ=τηλέφωνο, Κ=κανένα)", ["Μ", "Τ", "Κ"]),
        ("Opt (3: beides, 2: Mail, 9: nichts)", ["3", "2", "9"]),
    ],
)
def test_codes_of_ways_of_contact_are_read_by_their_legend(heading, cells):
    sms, *others = consents(heading, cells, sms_consent=True)[0]
    assert sms == YES
    assert YES not in others


NOTES_OF_REFUSAL = [
    "möchte nicht mehr angeschrieben werden", "nur anrufen", "nur telefonisch erreichbar",
    "auf eigenen Wunsch gelöscht", "möchte in Ruhe gelassen werden", "lehnt Anschreiben ab",
    "a demandé son effacement", "appeler uniquement", "préfère les mails", "laisser tranquille",
    "solo telefonate", "ha chiesto di essere cancellata", "preferisce essere chiamata",
    "solo llamadas", "eliminada a petición propia", "dejar en paz",
    "μόνο τηλέφωνο", "ζήτησε να διαγραφεί", "αφήστε την ήσυχη",
    "calls only", "prefers email", "deleted at own request", "leave her alone", "asked us to stop",
    "NOSMS", "STOPSMS", "blocklist", "keinewerbung", "PASDESMS", "SMSOFF", "noPromo",
]  # fmt: skip


@pytest.mark.parametrize("note", NOTES_OF_REFUSAL)
def test_notes_that_refuse_or_name_another_way_are_asked_about_and_give_no_consent(note):
    cells = ["zahlt bar", "", note, "VIP"] * 2
    assert "--map notes=2" in consents("Notes", cells)[1]
    said, question = consents("Notes", cells, notes=True)
    assert not question
    assert said[2] in (NONE, NO)
    assert said[0] == said[3] == Consent.SILENT


@pytest.mark.parametrize(
    "cells",
    [
        ["zahlt bar", "nur samstags", "ruft vorher an", "bevorzugt Fensterplatz", "nur Farbe"],
        ["paie comptant", "seulement le samedi", "préfère le matin", "appeler avant de livrer"],
        ["solo sabato", "preferisce la mattina", "chiamare prima", "sempre puntuale"],
        ["solo sábados", "prefiere rubio", "llamar antes", "siempre tarde"],
        ["μόνο απόγευμα", "προτιμά πρωί", "καλή πελάτισσα", "παίρνει τηλέφωνο πριν"],
        ["only mornings", "prefers window seat", "call before delivery", "asks for Anna"],
        ["nostalgia", "nova", "textile", "stopover", "notary", "promo2023"],
    ],
)
def test_ordinary_notes_and_tags_are_not_asked_about(cells):
    assert not consents("Notes", cells * 2)[1]


@pytest.mark.parametrize("mark", list("*#+!x"))
@pytest.mark.parametrize("heading", ["ΣΤΟΠ", "Sperre", "No SMS", "Baja"])
def test_one_mark_under_an_opt_out_is_a_no(heading, mark):
    said, question = consents(heading, ["", "", mark, ""] * 2)
    assert not question
    assert said == [Consent.SILENT, Consent.SILENT, NO, Consent.SILENT] * 2


@pytest.mark.parametrize(
    "heading",
    ["Lettre d'informations", "Lettres d'info", "Lettera informativa", "Infobrief", "News by email",
     "Nyhetsbrev", "Boletim informativo", "Ενημερωτικό δελτίο"],
)  # fmt: skip
def test_no_under_any_newsletter_is_not_left_unread(heading):
    said, question = consents(heading, ["1", "0", "1"])
    assert question or said == [Consent.SILENT, NO, Consent.SILENT]


@pytest.mark.parametrize(
    ("heading", "cell"),
    [("Sprzeciw", "sprzeciw 12.03.2024"), ("Bezwaar", "bezwaar"), ("Invändning", "invändning"),
     ("Námitka", "námitka 12.3.2024"), ("İtiraz", "itiraz etti"), ("Indsigelse", "indsigelse")],
)  # fmt: skip
def test_one_objection_beside_blanks_is_read_or_asked_about(heading, cell):
    said, question = consents(heading, ["", cell, "", ""])
    assert heading in question or said[1] == NO


def test_guessed_newsletter_no_longer_refuses_sms_once_a_column_of_sms_is_chosen():
    guessed = {"phone": [0], "other_consent": [2]}
    kept = {"phone": [0], "other_consent": [2], "sms_consent": [3]}
    assert without_guessed_other_consent_if_consent_is_new(kept, guessed) == {
        "phone": [0],
        "sms_consent": [3],
    }
    assert without_guessed_other_consent_if_consent_is_new(kept, kept) == kept
