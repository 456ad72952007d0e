"""Cells that refuse messages in so many words, whatever stands above them."""

from __future__ import annotations

import re
from itertools import pairwise

from contacts.importing.cells import KnownCells, fold_to_alphanumeric
from contacts.importing.consent_words import ENDED, REFUSED
from contacts.importing.heading_words import (
    CONCEPTS_BY_WORD,
    compound_parts_or_empty,
    fold_case_and_accents,
)
from contacts.importing.headings import Meaning, read_heading
from contacts.importing.other_languages import (
    MESSAGE_BEGINNINGS,
    NEGATIONS,
    UNSUBSCRIBED_BEGINNINGS,
    negates_without_blanks,
    refuses_messages_without_blanks,
)

MAX_KNOWN_WORDS = 50_000
MIN_PART_LENGTH = 4  # of a compound
MAX_CELL_LENGTH = 10_000  # the rest of a longer text is not looked at
MAX_COMPOUND_LENGTH = 40  # longer ones take long to divide

_SPLIT = re.compile(r"[^\W_]+")
_STOP = re.compile(r"\bSTOP\b")
_CLAUSES = re.compile(r"[.!?;,|\n。！？；，、]+")
_CLEAR_NO = frozenset(
    [
        "optout",
        "optedout",
        "unsubscribed",
        "unsubscribe",
        "unsub",
        "notsubscribed",
        "nonsubscribed",
        "neversubscribed",
        "donotcontact",
        "donottext",
        "donotsms",
        "abgemeldet",
        "werbesperre",
        "werbewiderspruch",
        "abbestellt",
        "desabonne",
        "desabonnee",
        "desinscrit",
        "desinscrite",
        "desuscrito",
        "disiscritto",
        "disiscritta",
        "απεγγραφη",
        "διεγραμμενοσ",
        "διεγραμμενη",
        "dnc",
        "blacklisted",
    ]
)


# In sentences more words negate than in headings, and they have endings: `keinerlei`.
_NEGATIONS_OF_SENTENCES = (
    "no dont don doesn doesnt didnt won wont oxi ohi ne nothing none neither nor nichts nix nie "
    "niemals nimmer rien "
    "jamais nada nunca ninguna niente nulla mai basta nessuna τιποτα ποτε κανενα καμια "
    "kein keiner keinem keines keinerlei"
)
_NEGATIONS = frozenset(_NEGATIONS_OF_SENTENCES.split()) | {
    word for word, concepts in CONCEPTS_BY_WORD.items() if "not" in concepts
}
# Beginnings of verbs by which people end or forbid something, or complain of it.
_ENDING_VERBS = (
    "remov cease stopp aufhor einstell untersag verbiet verbitt streich losch nehm arret cess "
    "interd retir dejar deje parar prohib borrar elimin smett vieta togli σταματ παψ απαγορ αφαιρ "
    "βγαλ βγει quita gestort generv complain annoy beschwer plaint plaign quej lament παραπον "
    "unwant unerwunsch indesider ανεπιθυμ"
)
# Verbs of those who are troubled: `ενοχλείται από μηνύματα`. What troubles them stands beside it.
_TROUBLING_VERBS = (
    "disturb bother pester harass belastig storen derang importun molest infastid scocc ενοχλ"
)
_TROUBLING_BEGINNINGS = tuple(_TROUBLING_VERBS.split())
_REFUSED = (*REFUSED, "lehn")
_ENDING_BEGINNINGS = (
    *_ENDING_VERBS.split(),
    *_REFUSED,
    *(word for word, known in CONCEPTS_BY_WORD.items() if "optout" in known and len(word) >= 6),
)
_ERASING_VERBS = (
    "losch gelosch delet eras supprim suppres effac borr supres elimin cancell διαγρα διεγρα σβησ "
    "remov forgotten entfern rimoss rimuov"
)
_ERASING_BEGINNINGS = tuple(_ERASING_VERBS.split())
# Who asks for the erasure: `deleted at own request`, `a demandé son effacement`.
_REQUESTING_VERBS = (
    "request ask wish want demand souhait wunsch gebet bitte verlang richiest chiest chied pedid "
    "pidi pide solicit petici ζητ αιτημ αιτηθ θελ επιθυμ"
)
_REQUESTING_BEGINNINGS = tuple(_REQUESTING_VERBS.split())
# What else is asked for and cancelled or removed, in notes of shops and salons.
_GOODS_AND_DATES = (
    "termin appoint booking bestell order appunt prenot rendez rdv rendezvous cita reserv ραντεβ "
    "παραγγ invoice rechnung factur fattur polish nagellack gelnag gelpol lack smalto esmalte "
    "vernis tattoo haar hair stain fleck item article artikel"
)
_GOODS_AND_DATES_BEGINNINGS = tuple(_GOODS_AND_DATES.split())
# `Leave her alone`, `in Ruhe lassen`: a verb of letting and a word of peace.
_LETTING_VERBS = "leav let lass gelass laiss lasci dej αφησ αφηστ"
_LETTING_BEGINNINGS = tuple(_LETTING_VERBS.split())
_WORDS_OF_PEACE = "alone ruhe tranquil pace paz ησυχ"
_PEACE_BEGINNINGS = tuple(_WORDS_OF_PEACE.split())
# A clause of nothing else than one of these and a way of contact that is not SMS says that no other
# is wanted: `nur anrufen`, `prefers phone calls`. `Nur vormittags anrufen` says when.
_PREFERRING_VERBS = (
    "only just prefer rather instead nur ausschliesslich lediglich bevorzug lieber bloss seulement "
    "uniquement exclusivement prefer solo soltanto solamente unicamente esclusivamente prefiere "
    "exclusivamente preferis μονο μοναχα αποκλειστικ προτιμ"
)
_PREFERRING_BEGINNINGS = tuple(_PREFERRING_VERBS.split())
_OTHER_WAYS = (
    "call ring phone telephone telefon telephon anruf anzuruf angeruf appel tel mail email "
    "courriel llam chiam posta correo courrier brief briefpost lettre letter whatsapp "
    "viber τηλεφων κλησ ταχυδρομ mailad emaile"
)
_OTHER_WAYS_BEGINNINGS = tuple(_OTHER_WAYS.split())
_OTHER_WAYS_WHOLE = frozenset(["post", "e"])
_WORDS_BESIDE_PREFERENCE = (
    "please pls contact contacts contacted reach reachable by via with would be to the is her "
    "him them wants me us via per bitte noch mehr kontakt kontaktieren erreichbar wird werden "
    "ist ein sie ihn zu e contacter contact joindre par de le la les etre svp preferiamo "
    "essere contattare contatto da via con per que le lo la llamen por contactar contacto ser "
    "favor με να μεσω για επικοινωνια επικοινωνιασ την τον"
)
_FILLERS_OF_PREFERENCE = frozenset(_WORDS_BESIDE_PREFERENCE.split())
# A clause of nothing else than a negation, of wanting, and of nothing: `non gradisce`.
_WANTING_VERBS = (
    "want wish like mocht will woll wunsch souhait veut desir vuol gradi desea quier θελ επιθυμ"
)
_WANTING_BEGINNINGS = tuple(_WANTING_VERBS.split())
_WORDS_BESIDE_REFUSAL = (
    "more any anything nothing info infos information informations mehr nichts rien plus "
    "niente nulla piu nada mas τιποτα πλεον ne n pas does do did recevoir ricevere recibir "
    "receive erhalten bekommen λαμβανει"
)
_FILLERS_OF_REFUSAL = frozenset(_WORDS_BESIDE_REFUSAL.split())
_WORDS_BESIDE_STOP = "us to please pls said told me the them they"
_FILLERS_OF_STOPPING = frozenset(_WORDS_BESIDE_STOP.split())
_NEGATING_WORDS = (
    _NEGATIONS
    | {word for word, concepts in CONCEPTS_BY_WORD.items() if concepts & {"optout", "privacy"}}
    # `Opt out` may be two words.
    | {word[:end] for word in _CLEAR_NO for end in range(2, len(word) + 1)}
)


_OPT_OUT_ENDINGS = tuple(
    word for word, concepts in CONCEPTS_BY_WORD.items() if "optout" in concepts and len(word) >= 4
)
# A message reaches a stranger, or the family of somebody who has died.
_WRONG_WORDS = (
    "wrong falsch falsche errone mauvais faux equivocado erroneo incorrecto sbagliato errato λαθοσ"
)
_DECEASED_WORDS = (
    "deceased verstorben decede decedee fallecido fallecida fallecio deceduto deceduta απεβιωσε "
    "αποβιωσασ gestorben morto morta muerto muerta πεθανε πεθανει"
)
_WRONG, _DECEASED = frozenset(_WRONG_WORDS.split()), frozenset(_DECEASED_WORDS.split())
_LEAVING_VERBS = "unsub desinscri desabonn abbestell desuscri disiscri απεγγραφ"
_UNSUBSCRIBED_BEGINNINGS = (*_LEAVING_VERBS.split(), *UNSUBSCRIBED_BEGINNINGS)
# By their first letters, because it is asked of each word of a file.
_TELLING_BEGINNINGS: dict[str, tuple[str, ...]] = {}
for _beginning in (
    *_UNSUBSCRIBED_BEGINNINGS,
    *_ENDING_BEGINNINGS,
    *_ERASING_BEGINNINGS,
    *_TROUBLING_BEGINNINGS,
    *_LETTING_BEGINNINGS,
    *(verb for verb in _REFUSED if len(verb) >= 3),
):
    _others = _TELLING_BEGINNINGS.get(_beginning[:3], ())
    _TELLING_BEGINNINGS[_beginning[:3]] = (*_others, _beginning)
_TELLING_WORDS = {"passed", "off", "plus"} | _NEGATING_WORDS | NEGATIONS | _WRONG | _DECEASED


def _may_be_part_of_refusal(word: str) -> bool:
    """Whether a cell with this word may say no; most words of addresses and notes do not."""
    if word.isascii() and not any(map(str.isalpha, word)):
        return False
    if negates_without_blanks(fold_to_alphanumeric(word)):
        return True
    words = _split_with_compounds(fold_case_and_accents(word.replace("_", " ")))
    return not _TELLING_WORDS.isdisjoint(words) or any(
        word.startswith(_TELLING_BEGINNINGS.get(word[:3], ())) or _is_negated_message_word(word)
        for word in words
    )


_MAY_BE_PART_OF_REFUSAL = KnownCells(_may_be_part_of_refusal, MAX_KNOWN_WORDS)


def _split_with_compounds(folded: str) -> list[str]:
    """The words of a text; `werbeverbot` is two, and so is `nosms`."""
    return [word for written in _SPLIT.findall(folded) for word in _PARTS_OF_WORD[written]]


def _parts_of_word(written: str) -> tuple[str, ...]:
    word = written.removeprefix("ξανα")  # again: `να μην ξαναστείλετε`
    is_compound = len(word) <= MAX_COMPOUND_LENGTH and word.endswith(_OPT_OUT_ENDINGS)
    return (
        _refusal_and_object_or_empty(word)
        or (is_compound and compound_parts_or_empty(word))
        or (word,)
    )


_PARTS_OF_WORD = KnownCells(_parts_of_word, MAX_KNOWN_WORDS)


# A refusal that is written together with what is refused: `NOSMS`, `PASDESMS`, `SMSOFF`.
_REFUSALS_BEFORE = (
    "donot dont not non no keine kein nicht pasde plusde pas sans sin nomas senza niente ohne "
    "stop stopp block sperr optout unsub end μη μην οχι oxi ohi χωρισ zero geen bez nie"
)
_REFUSALS_BEFORE_OBJECT = tuple(_REFUSALS_BEFORE.split())
_REFUSALS_BEHIND = "optout unsub stopp stop off nein οχι no non"
_REFUSALS_BEHIND_OBJECT = tuple(_REFUSALS_BEHIND.split())
_OBJECTS_OF_REFUSALS = frozenset(
    word
    for word, concepts in CONCEPTS_BY_WORD.items()
    if concepts & {"sms", "newsletter", "contact", "advertising", "call"} and len(word) >= 3
) | {"send", "message", "messages", "msg", "list", "liste", "lista"}


_REFUSALS_WITH_LIST = frozenset(["stop", "stopp", "black", "block", "sperr", "optout", "unsub"])


def _as_one_word(refusal: str) -> str:
    return "stop" if refusal in _REFUSALS_WITH_LIST else "no"


def _refusal_and_object_or_empty(word: str) -> tuple[str, ...]:
    """The two parts of a refusal that is written as one word; nothing if it is none."""
    if "optout" not in CONCEPTS_BY_WORD.get(word, {"optout"}):
        return ()
    for refusal in _REFUSALS_BEFORE_OBJECT:
        if word.startswith(refusal) and word[len(refusal) :] in _OBJECTS_OF_REFUSALS:
            return _as_one_word(refusal), word[len(refusal) :]
    for refusal in _REFUSALS_BEHIND_OBJECT:
        # `Contactno` is a number.
        if word.endswith(refusal) and "sms" in CONCEPTS_BY_WORD.get(word[: -len(refusal)], ()):
            return _as_one_word(refusal), word[: -len(refusal)]
    return ()


# What somebody may say no to, beside SMS, newsletters, advertising and contact.
_UNWANTED_WORDS = (
    "send sending market message messages messaging senden schicken schreiben anschreiben envoyer "
    "ecrire enviar escribir inviare mandare scrivere messaggi messaggio mensajes mensaje "
    "nachrichten nachricht στελνετε στειλετε στελνουμε στειλουμε στελνω μηνυματα ενοχλησετε "
    "ενοχλειτε consent einwilligung zustimmung consentement consentimiento consenso συγκαταθεση "
    "συναινεση"
)
_UNWANTED = frozenset(_UNWANTED_WORDS.split())
# Verbs have many forms: `στέλνεις`, `sollicitée`, `anzuschreiben`.
_UNWANTED_STEMS = (
    "messag msg disturb bother solicit hear texted texting nachricht zusend anschreib anzuschreib "
    "angeschrieb schreib schick belastig kontaktier angesproch ansprech bekomm beworb "
    "kurznachricht market promot publicit pubblicit prospect demarch envoy envoi sollicit "
    "derang relanc contact envia envie mensaj molest "
    "escrib invia invii messagg scriv contatt mandar mandat στελν στειλ μηνυμ επικοινων ενοχλ "
    "διαφημ προωθ ενημερ"
)
_UNWANTED_BEGINNINGS = (*_UNWANTED_STEMS.split(), *MESSAGE_BEGINNINGS)
# Negations that are part of the verb, before it (Czech, Lithuanian) or within it (Turkish).
_NEGATED_MESSAGE_WORD = re.compile(
    rf"(?:ne|не)(?:{'|'.join(MESSAGE_BEGINNINGS)})|(?:gonder|yolla|ara|at)m[ae](?:y|sin|$)"
)
_UNWANTED_CONCEPTS = frozenset({"sms", "newsletter", "contact", "advertising", "topic", "optin"})
_MARKETING_CONCEPTS = frozenset({"sms", "newsletter", "advertising", "privacy"})
_PARTS_FOR_MESSAGES = (
    *_UNWANTED_BEGINNINGS,
    *(
        word
        for word, concepts in CONCEPTS_BY_WORD.items()
        if len(word) >= MIN_PART_LENGTH and concepts & (_UNWANTED_CONCEPTS - {"optin"})
    ),
)
_CONSENT_WORDS = (
    "consent einwilligung zustimmung consentement consentimiento consenso συγκαταθεση συναινεση "
    "verteiler"
)
_CONSENTS = frozenset(_CONSENT_WORDS.split())
# What somebody may ask to be taken from: `remove from list`.
_LIST_WORDS = "list lists liste listen lista listas verteiler database datenbank λιστα"
_LISTS = frozenset(_LIST_WORDS.split())
# What somebody may ask to erase, or may say that it is not his. `No` alone is no number.
_DATA_WORDS = "data daten base fichier file datei kartei αρχειο στοιχεια"
_DATA = frozenset(_DATA_WORDS.split())
_NUMBERS = frozenset(
    word
    for word, concepts in CONCEPTS_BY_WORD.items()
    if concepts & {"number", "phone", "mobile"} and len(word) >= 4
) | {"νουμερο"}
MAX_WORDS_OF_CLAUSE = 12
# `Plus de SMS` is no more of them to most, and who means the opposite loses little.
_NO_MORE = frozenset([("plus", "de"), ("plus", "d"), ("plus", "aucun"), ("plus", "aucune")])
MAX_WORDS_OF_NO_MORE = 5


def cell_refuses_messages(cell_text: str) -> bool:
    """Whether a cell of any column says that somebody wants no messages: `no SMS`, `unsubscribed`.

    So does one that says that the number is wrong, or that its owner has died.

    Args:
        cell_text: the cell.
    """
    cell_text = cell_text[:MAX_CELL_LENGTH]
    # It is asked of each text of a file, and most words of texts come again and again.
    if not any(map(_MAY_BE_PART_OF_REFUSAL.__getitem__, cell_text.split())):
        return False
    folded = fold_case_and_accents(cell_text.replace("_", " "))
    words = _split_with_compounds(folded)
    joined = {first + second for first, second in pairwise(words)}
    # `Said STOP` is an answer to a message, and `stop by at noon` is none.
    if _CLEAR_NO & ({*words} | joined) or words == ["stop"] or _STOP.search(cell_text):
        return True
    if (
        not _DECEASED.isdisjoint(words)
        or "passedaway" in joined
        or any(
            word.startswith(_UNSUBSCRIBED_BEGINNINGS) or _is_negated_message_word(word)
            for word in words
        )
    ):
        return True
    if not cell_text.isascii() and any(
        map(refuses_messages_without_blanks, map(fold_to_alphanumeric, _CLAUSES.split(cell_text)))
    ):
        return True
    return any(
        _denies_messages_behind(clause) or _clause_refuses_messages_or_asks_erasure(clause)
        for clause in _clauses_of(cell_text)
    )


def cell_refuses_messages_without_naming_opt_out(cell_text: str) -> bool:
    """Whether a cell refuses messages and names no opt-out, which `No opt-out` may deny.

    Args:
        cell_text: the cell, under a heading that asks for consent or for opt-outs.
    """
    words = _split_with_compounds(fold_case_and_accents(cell_text[:MAX_CELL_LENGTH]))
    joined = {first + second for first, second in pairwise(words)}
    names_opt_out = "optout" in _concepts_of([*words, *joined])
    return not names_opt_out and cell_refuses_messages(cell_text)


def cell_refuses_more_than_its_channel(cell_text: str) -> bool:
    """Whether a cell under `Post` or `Calls` refuses contact or messages at large.

    `Opt out` refuses what its heading names, `Do not contact` everything.

    Args:
        cell_text: the cell.
    """
    words = _split_with_compounds(fold_case_and_accents(cell_text[:MAX_CELL_LENGTH]))
    joined = {first + second for first, second in pairwise(words)}
    return cell_refuses_messages(cell_text) and not _AT_LARGE.isdisjoint(
        _concepts_of([*words, *joined])
    )


_AT_LARGE = frozenset({"sms", "contact", "advertising"})


def cell_of_several_words_mentions_messages(cell_text: str) -> bool:
    """Whether a cell of several words speaks of SMS, advertising or consent: `hates texts`.

    Args:
        cell_text: a note.
    """
    cell_text = cell_text[:MAX_CELL_LENGTH]
    # It is asked of each text of a file, too.
    if not any(map(_MAY_MENTION_MESSAGES.__getitem__, cell_text.split())):
        return False
    words = _split_with_compounds(fold_case_and_accents(cell_text))
    return len(words) > 1 and (
        bool(_concepts_of(words) & _MARKETING_CONCEPTS)
        or not _CONSENTS.isdisjoint(words)
        or _any_clause_is_in_doubt(cell_text)
    )


def _any_clause_is_in_doubt(cell_text: str) -> bool:
    return any(
        _clause_refuses_calls(clause) or _clause_may_refuse_messages(clause)
        for clause in _clauses_of(cell_text)
    )


def _may_mention_messages(word: str) -> bool:
    """Whether a cell with this word may speak of messages, consent or calls."""
    words = _split_with_compounds(fold_case_and_accents(word))
    return (
        not _concepts_of(words).isdisjoint(_MARKETING_CONCEPTS | {"call"})
        or not _CONSENTS.isdisjoint(words)
        or any(word.startswith(_BEGINNINGS_OF_DOUBT) for word in words)
        or not _WHOLE_WORDS_OF_DOUBT.isdisjoint(words)
    )


_MAY_MENTION_MESSAGES = KnownCells(_may_mention_messages, MAX_KNOWN_WORDS)

# In a title alone; in a note it may be of goods: `no envío`.
_SENDING_STEMS = "send versand versend envoi envoy envio envia invio invia αποστολ αποστελ"
_SENDING_BEGINNINGS = tuple(_SENDING_STEMS.split())


def word_has_part_for_messages(word: str) -> bool:
    """Whether a word, or a part of it, is one of messages, contact or marketing.

    Args:
        word: of a heading, as `canonical_heading_words` writes it: `kontaktaufnahme`.
    """
    return any(part in word for part in _PARTS_FOR_MESSAGES)


def note_may_refuse_messages(cell_text: str) -> bool:
    """Whether a note has a word of messages, contact or consent, or is a short prohibition.

    Args:
        cell_text: a note that does not refuse messages clearly.
    """
    words = _split_with_compounds(fold_case_and_accents(cell_text[:MAX_CELL_LENGTH]))
    return (
        _mention_messages_or_advertising(words)
        or bool(_concepts_of(words) & _MARKETING_CONCEPTS)
        or _is_short_prohibition(words)
        or _any_clause_is_in_doubt(cell_text)
    )


def short_cell_forbids_something(cell_text: str) -> bool:
    """Whether a cell of a few words is a prohibition: `Do Not Market`, `NON CHIAMARE`.

    A negation stands before an infinitive, or before any word where the language has a negation of
    its own for commands. What is forbidden is not looked at.

    Args:
        cell_text: a short cell, such as a name, a category or a tag.
    """
    words = _split_with_compounds(fold_case_and_accents(cell_text[:MAX_CELL_LENGTH]))
    return _is_short_prohibition(words) or (
        len(words) <= MAX_WORDS_OF_PROHIBITION
        and any(
            before in _NEGATIONS and _INFINITIVE.fullmatch(word) is not None
            for before, word in pairwise(words)
        )
    )


def _is_short_prohibition(words: list[str]) -> bool:
    """Whether a few words hold a negation that only commands have: `do not`, `ne pas`, `μην`."""
    return len(words) <= MAX_WORDS_OF_PROHIBITION and any(
        before in _COMMANDING_NEGATIONS or (before, word) in _COMMANDING_PAIRS
        for before, word in pairwise(words)
    )


def name_refuses_contact(name: str) -> bool:
    """Whether a cell with a name says that its owner wants no contact: `Anna (no SMS)`.

    Args:
        name: the cell.
    """
    if cell_refuses_messages(name):
        return True
    # `No` is a name, too: a prohibition is not written as names are, and stands behind one.
    written = name.split()
    words = [word for word in written if not word.istitle()]
    if len(words) < 2:
        return False
    remark = " ".join(words if len(words) < len(written) else words[1:])
    return short_cell_forbids_something(remark) or any(
        map(_clause_refuses_calls, _clauses_of(remark))
    )


def without_remark_refusing_contact(name: str) -> str:
    """A name without a remark behind it in brackets or after a dash that refuses contact.

    Args:
        name: the cell, such as `Anna Berg (no SMS)`.
    """
    begins = [match.start() for match in _BEGINNING_OF_REMARK.finditer(name[:MAX_CELL_LENGTH])]
    if not begins or not name_refuses_contact(name):
        return name
    without = (name[:start].rstrip() for start in reversed(begins))
    return next((rest for rest in without if rest and not name_refuses_contact(rest)), name)


_BEGINNING_OF_REMARK = re.compile(r"[(\[{,;:]|\s[-–—/*!]")


def phone_remark_refuses_messages(cell_text: str) -> bool:
    """Whether a remark beside a phone number refuses messages: `6944000235 (no SMS)`, `… NEIN`.

    Args:
        cell_text: a cell of a column of phone numbers.
    """
    if _LETTER.search(cell_text) is None:  # as in most cells
        return False
    words = fold_case_and_accents(cell_text[:MAX_CELL_LENGTH]).split()
    remark = [word.strip("()[].,;:!-") for word in words if not any(map(str.isdecimal, word))]
    # Before a number, `No` is its abbreviation.
    is_last = not any(map(str.isdecimal, words[-1]))
    is_plain_no = is_last and len(remark) == 1 and remark[0] in _PLAIN_NO
    return is_plain_no or cell_refuses_messages(cell_text)


_LETTER = re.compile(r"[^\W\d_]")
_PLAIN_NO = frozenset(["no", "nein", "non", "nee", "οχι", "oxi", "ohi"])


def title_names_opt_outs_or_former_people(text: str) -> bool:
    """Whether a title, a sheet's or a file's name says that nobody in it is to get messages.

    Args:
        text: see `title_names_opt_outs` and `title_names_former_people`.
    """
    return title_names_opt_outs(text) or title_names_former_people(text)


def title_names_opt_outs(text: str) -> bool:
    """Whether a title, a sheet's or a file's name says that the people in it want no messages.

    Args:
        text: such as `Abmeldungen 2026` or `unsubscribed_members.csv`.
    """
    words = _split_with_compounds(fold_case_and_accents(text.replace("_", " ")))
    return (
        cell_refuses_messages(text)
        or read_heading(text).meaning == Meaning.OPT_OUT
        or "optout" in _concepts_of([first + second for first, second in pairwise(words)])
        or any(
            first in _NEGATIONS and second.startswith(_SENDING_BEGINNINGS)
            for first, second in pairwise(words)
        )
    )


def title_names_former_people(text: str) -> bool:
    """Whether a title or name speaks of people who have left or were deleted: `Inactive`.

    Nobody knows whether they still agree.

    Args:
        text: such as `Inactive` or `Ehemalige Kunden`.
    """
    words = _split_with_compounds(fold_case_and_accents(text.replace("_", " ")))
    return "ended" in _concepts_of(words) or any(
        word == "ex" or word.startswith(_FORMER_BEGINNINGS) for word in words
    )


_FORMER_WORDS = (
    "former lapsed ehemal excust exkund exclient ancien antigu πρωην voormalig tidligere byval "
    "bivsi entis fost"
)
_FORMER_BEGINNINGS = (*ENDED, *_FORMER_WORDS.split())


# A prohibition stands alone, or behind a name.
MAX_WORDS_OF_PROHIBITION = 6
_COMMANDING_NEGATIONS = frozenset(["dont", "donot", "μην"])
_COMMANDING_PAIRS = frozenset(
    [("do", "not"), ("don", "t"), ("must", "not"), ("ne", "pas"), ("ne", "plus")]
)
# Of German, French, Spanish and Italian verbs: `nicht anrufen`, `no llamar`, `non chiamare`.
_INFINITIVE = re.compile(r"[a-z]{3,}(?:en|er|ir|re|ar)")
_CALLING_VERBS = "anruf anzuruf telefon appele llam chiam καλει καλεσ τηλεφων"
_CALL_BEGINNINGS = tuple(_CALLING_VERBS.split())
# A clause in doubt has one of these: calls, another way of contact, wanting, or to stop.
_BEGINNINGS_OF_DOUBT = (*_CALL_BEGINNINGS, *_OTHER_WAYS_BEGINNINGS, *_WANTING_BEGINNINGS)
_WHOLE_WORDS_OF_DOUBT = frozenset(["post", "stop"])


def _clauses_of(cell_text: str) -> list[list[str]]:
    folded = fold_case_and_accents(cell_text[:MAX_CELL_LENGTH].replace("_", " "))
    return [_split_with_compounds(clause) for clause in _CLAUSES.split(folded)]


def _clause_refuses_calls(words: list[str]) -> bool:
    """Whether a clause refuses calls, which may be a refusal of any contact."""
    return any(
        word in _NEGATIONS
        and any(
            later.startswith(_CALL_BEGINNINGS) or "call" in CONCEPTS_BY_WORD.get(later, ())
            for later in words[at + 1 : at + MAX_WORDS_OF_PROHIBITION]
        )
        for at, word in enumerate(words)
    )


def _clause_refuses_messages_or_asks_erasure(words: list[str]) -> bool:
    """Whether words that belong together refuse messages, or ask for the erasure of data."""
    for at, word in enumerate(words):
        if word in _NEGATIONS and _mention_messages_or_advertising(
            words[at + 1 : at + MAX_WORDS_OF_CLAUSE]
        ):
            return True
        nearby = words[max(0, at - MAX_WORDS_OF_CLAUSE) : at + MAX_WORDS_OF_CLAUSE]
        if tuple(words[at : at + 2]) in _NO_MORE and _mention_messages_or_advertising(
            words[at + 2 : at + MAX_WORDS_OF_NO_MORE]
        ):
            return True
        if word in NEGATIONS and _mention_messages_or_advertising(nearby):
            return True  # in Turkish the negation comes last
        concepts = _concepts_of([word])
        about = _concepts_of(nearby)
        ends = "optout" in concepts or word == "off" or word.startswith(_ENDING_BEGINNINGS)
        if ends and (_mention_messages_or_advertising(nearby) or not _LISTS.isdisjoint(nearby)):
            return True
        if word.startswith(_TROUBLING_BEGINNINGS) and _mention_messages_or_advertising(
            [other for other in nearby if not other.startswith(_TROUBLING_BEGINNINGS)]
        ):
            return True
        is_about_number = not _NUMBERS.isdisjoint(nearby)
        if word in _NEGATIONS and is_about_number:
            return True  # `not his number`, `do not use this phone`
        if word in _WRONG and (is_about_number or "person" in about):
            return True
        if word.startswith(_ERASING_BEGINNINGS) and (
            is_about_number
            or "privacy" in about
            or not _DATA.isdisjoint(nearby)
            or _is_requested_of_person(nearby)
        ):
            return True
        if word.startswith(_LETTING_BEGINNINGS) and any(
            other.startswith(_PEACE_BEGINNINGS) for other in nearby
        ):
            return True
        if "privacy" in concepts and about & {"optout", "ended"}:
            return True
    return False


def _denies_messages_behind(words: list[str]) -> bool:
    """Whether a few words name messages and end with a no: `SMS bitte nicht`, `Werbung: nein`."""
    said = [word for word in words if word not in _POLITE_WORDS]
    if not said or said[-1] not in _NEGATIONS_BEHIND:
        return False
    denied = [word for word in said[:-1] if not word.isdecimal()]
    ways = [_concepts_of([word]) & _WAYS_OF_CONTACT for word in denied]
    last_way = next(filter(None, reversed(ways)), set())  # `SMS yes, e-mail no`
    return len(denied) < MAX_WORDS_OF_PROHIBITION and bool(last_way & _MARKETING_CONCEPTS)


_WAYS_OF_CONTACT = frozenset(
    {"sms", "newsletter", "advertising", "topic", "email", "call", "post", "phone", "whatsapp"}
)
_POLITE_WORDS = frozenset(
    ["bitte", "danke", "mehr", "please", "thanks", "merci", "plus", "grazie", "gracias", "mas"]
)
_NEGATIONS_BEHIND = frozenset(["nicht", "nein", "no", "non", "nee", "niet", "pas", "οχι", "oxi"])


def _is_requested_of_person(words: list[str]) -> bool:
    """Whether somebody asks for it, and it is not about goods or an appointment."""
    return any(word.startswith(_REQUESTING_BEGINNINGS) for word in words) and not any(
        word.startswith(_GOODS_AND_DATES_BEGINNINGS) for word in words
    )


def _clause_may_refuse_messages(words: list[str]) -> bool:
    """Whether a clause says no more than that another way of contact, or none, is wanted.

    So do `nur anrufen`, `prefers phone calls`, `δεν επιθυμεί τίποτα` and `asked us to stop`.
    """
    preferring = {word for word in words if word.startswith(_PREFERRING_BEGINNINGS)}
    ways = {
        word
        for word in words
        if word in _OTHER_WAYS_WHOLE or word.startswith(_OTHER_WAYS_BEGINNINGS)
    }
    if preferring and ways - {"e"}:
        return not set(words) - preferring - ways - _FILLERS_OF_PREFERENCE
    wanting = {word for word in words if word.startswith(_WANTING_BEGINNINGS)}
    negating = set(words) & _NEGATIONS
    if wanting and negating:
        return not set(words) - wanting - negating - _FILLERS_OF_REFUSAL
    requesting = {word for word in words if word.startswith(_REQUESTING_BEGINNINGS)}
    return bool("stop" in words and requesting) and not (
        set(words) - requesting - _FILLERS_OF_STOPPING - {"stop"}
    )


def _mention_messages_or_advertising(words: list[str]) -> bool:
    return (
        bool(_concepts_of(words) & _UNWANTED_CONCEPTS)
        or not _UNWANTED.isdisjoint(words)
        or any(word.startswith(_UNWANTED_BEGINNINGS) for word in words)
    )


def _is_negated_message_word(word: str) -> bool:
    return _NEGATED_MESSAGE_WORD.match(word) is not None


def _concepts_of(words: list[str]) -> set[str]:
    return {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
