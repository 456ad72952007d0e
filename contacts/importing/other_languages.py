"""Words of consent in languages of Europe and around it, beside the six of headings.

Nobody can read a heading in every language. But a no must not be lost in any of them, so answers,
refusals and states of subscriptions are known in all, and columns that hold them are asked about.
Words are written as `fold_to_alphanumeric` writes them.
"""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """Words of one language, each group separated by blanks.

    `yes` and `no` answer a question, as the locales of the C library have them, with the words of
    spreadsheet programs for true and false; `negations` negate what stands beside them; `messages`
    are beginnings of words for messages, advertising, contact, consent, and for sending and wanting
    them; `unsubscribed` are beginnings of words for those who
    left. `granted` and `refused` are beginnings of words by which people give consent, and by which
    they refuse, object or take it back; `unanswered` are those of knowing, asking and answering,
    which a negation makes an answer of nobody; `polite` may stand beside a yes.
    """

    yes: str
    no: str
    negations: str
    messages: str
    unsubscribed: str
    granted: str = ""
    refused: str = ""
    unanswered: str = ""
    polite: str = ""


LANGUAGES = {
    "nl": Language(
        "ja waar",
        "nee onwaar",
        "geen niet nooit zonder",
        "bericht reclame benader appen bellen",
        "uitgeschreven afgemeld opgezegd",
        "akkoord toegesta gegeven verleend geaccept toestemm instem",
        "geweiger weiger ingetrok bezwaar afgewez afwijz",
        "weet gevraag antwoord beantwoord ingevuld bekend gereageer",
        "graag bedankt dat mag ik wil alstublieft",
    ),
    "pl": Language(
        "tak prawda",
        "nie fałsz falsz",
        "nie bez nigdy zadnych",
        "wiadomos wysyl kontakt dzwon reklam zgod",
        "wypisan wyrejestrowan odsubskryb rezygnac",
        "wyrazon wyraza wyrazi zgadz udzielon zaakcept zgoda",
        "odmow odmaw wycofa cofnie cofni sprzeciw",
        "wiem wie pytan zapytan odpowied odpowiad",
        "prosze dziekuje chetnie sie",
    ),
    "cs": Language(
        "ano pravda",
        "ne nepravda",
        "ne bez nikdy zadne",
        "zprav zasil posil kontakt reklam obchodnich souhlas",
        "odhlasen odhlasil odebran",
        "udelen souhlas",
        "odvola odmit nesouhlas namitk zrusen",
        "vim vi odpoved zeptan dotaz",
        "prosim dekuji rad",
    ),
    "sk": Language(
        "ano pravda",
        "nie nepravda",
        "nie bez nikdy ziadne",
        "sprav zasiel posiel kontakt reklam suhlas",
        "odhlasen odhlasil",
        "udelen suhlas",
        "odvola odmiet nesuhlas namietk zrusen",
        "viem vie odpoved opytan",
        "prosim dakujem rad",
    ),
    "hu": Language(
        "igen igaz",
        "nem hamis",
        "ne nem nelkul soha",
        "uzenet kuld hirlevel reklam megkeres hozzajarul",
        "leiratkoz lemondott",
        "megad hozzajarul elfogad beleegy",
        "visszavon megtagad elutasit tiltakoz",
        "tud valasz kerdez",
        "kerem koszonom szivesen",
    ),
    "ro": Language(
        "da adevarat",
        "nu fals",
        "nu fara niciodata",
        "mesaj trimit contacta reclam notificari consimt",
        "dezabon",
        "acordat accept consimt",
        "retras refuz revoc opoziti opus",
        "stie stiu raspun intreb",
        "multumesc rog sigur",
    ),
    "bg": Language(
        "да истина вярно",
        "не ложь грешно невярно",
        "не без никога",
        "съобщ изпращ реклам смс контакт звън съглас",
        "отписан отказал",
        "даден съгласен съглас",
        "оттегл отказ възраж",
        "знае знам отговор попитан питан",
        "моля благодаря",
    ),
    "hr": Language(
        "da istina",
        "ne laz",
        "ne bez nikad nemoj nemojte",
        "poruk slati salj kontakt reklam zvat privol",
        "odjavlj odjavio odjavila",
        "dano dana suglas pristaj pristao pristala",
        "povuc odbij odbio odbila opozva prigovor",
        "zna znam odgovor pitan",
        "molim hvala rado",
    ),
    "sl": Language(
        "da resnicno",
        "ne neresnicno",
        "ne brez nikoli",
        "sporocil posilj kontakt oglas klic privol",
        "odjavlj odjavil",
        "dano dana soglas",
        "preklic zavrn umak umik ugovor",
        "ve vem odgovor vprasan",
        "prosim hvala",
    ),
    "sr": Language(
        "да тачно истина",
        "не нетачно лаж",
        "не без никад немој немојте",
        "порук слати шаљ контакт реклам звати пристан",
        "одјављ одјавио одјавила",
        "дато дата саглас пристај",
        "повуч одби опозва приговор",
        "зна знам одговор питан",
        "молим хвала",
    ),
    "tr": Language(
        "evet var onay onayli dogru",
        "hayır hayir yok ret reddedildi yanlıs yanlis",
        "degil istemiyor istemez",
        "mesaj gonder reklam ileti aranma arama izin kvkk",
        "abonelikten",
        "verildi verdi onayla kabul",
        "reddet reddedil iptal itiraz geriald",
        "biliniyor bilin cevap sorul",
        "lutfen tesekkur",
    ),
    "ru": Language(
        "да истина",
        "нет ложь",
        "не без нет никогда",
        "сообщ рассыл реклам смс писат присыл отправл звон беспоко соглас",
        "отписа отказ",
        "дано соглас",
        "отозва отказ возраж против",
        "знает знаю ответ спрош",
        "пожалуйста спасибо",
    ),
    "uk": Language(
        "так істина правда",
        "ні хибність неправда",
        "не без ні ніколи",
        "повідомл розсил реклам смс писат надсил дзвон турбу згод",
        "відписа відмов",
        "надано згод",
        "відклик відмов запереч",
        "знає знаю відпов питал",
        "будь ласка дякую",
    ),
    "sv": Language(
        "ja sant",
        "nej falskt",
        "inte ej aldrig utan inga",
        "utskick meddeland kontakta reklam skicka samtyck",
        "avregistr avprenum avanmal",
        "godkan givet givit samtyck",
        "aterkall avvis avbojt nekat nekad invand motsatt",
        "vet svar tillfrag fragad",
        "tack garna vill",
    ),
    "da": Language(
        "ja sand",
        "nej falsk",
        "ikke aldrig uden ingen",
        "besked kontakte reklame sende henvend samtykk",
        "afmeld frameld",
        "givet accepter godkend samtyk",
        "afvis trukket tilbagekald naegtet nægtet indsig",
        "ved svar spurgt",
        "tak gerne vil",
    ),
    "nb": Language(
        "ja sann",
        "nei usann",
        "ikke aldri uten ingen",
        "melding kontakte reklame sende henvend samtykk",
        "avmeld",
        "gitt godta godkjen samtyk",
        "trukket avsla avvis tilbakekal nekt innsig",
        "vet svar spurt",
        "takk gjerne vil",
    ),
    "fi": Language(
        "kylla joo tosi",
        "ei epatosi",
        "ei ala alkaa ilman",
        "viesti lahet mainos markkinoin suostumu",
        "peruuttanut",
        "annettu hyvaksy suostu",
        "peruttu perui kielt kielsi evat vastust",
        "tieda vastan kysy",
        "kiitos",
    ),
    "et": Language(
        "jah toene",
        "ei vaar",
        "ei mitte ilma",
        "sonum saat reklaam noustu",
        "loobu",
        "antud noustu",
        "tagasivo keeldu vastuvai",
        "tea vastan kusi",
        "palun aitah",
    ),
    "lv": Language(
        "ja patiess",
        "ne aplams",
        "ne bez nekad",
        "zin sut reklam piekri",
        "atrakst atteic",
        "dota piekrit piekrist",
        "atsauk atteik iebild",
        "zina atbild",
        "ludzu paldies",
    ),
    "lt": Language(
        "taip tiesa",
        "ne netiesa",
        "ne niekada",
        "zinut siust siun reklam skambin sutik",
        "atsisak",
        "duota sutik sutink",
        "atsauk atsisak nesutik nesutink priestarav",
        "zino atsak klaus",
        "prasau aciu",
    ),
    "pt": Language(
        "sim verdadeiro",
        "nao falso",
        "nao sem nunca",
        "mensage envia envie enviem contactar contatar",
        "descadastr desinscrev",
        "concedid aceit autoriz concord consent",
        "recus revog retirad oposi opos",
        "sabe sei respond resposta respost pergunt",
        "obrigado obrigada por favor quero claro",
    ),
    "sq": Language(
        "",
        "",
        "mos nuk pa",
        "mesazh dergo kontakto reklam",
        "crregjistr",
    ),
    "ar": Language(
        "نعم",
        "لا",
        "لا بدون عدم",
        "رسائل ترسل إعلان تسويق",
        "",
        "موافق",
        "مرفوض رفض",
    ),
    "he": Language(
        "כן",
        "לא",
        "לא ללא בלי",
        "הודעות לשלוח פרסום דיוור",
        "הוסר",
        "הסכמ מאשר",
        "סירב מסרב",
    ),
}  # fmt: skip


def _words(groups: list[str]) -> frozenset[str]:
    return frozenset(word for group in groups for word in group.split())


YES = _words([language.yes for language in LANGUAGES.values()])
NO = _words([language.no for language in LANGUAGES.values()])
NEGATIONS = _words([language.negations for language in LANGUAGES.values()])
MESSAGE_BEGINNINGS = tuple(
    sorted(
        word
        for word in _words([language.messages for language in LANGUAGES.values()])
        if len(word) > 3
    )
)
UNSUBSCRIBED_BEGINNINGS = tuple(
    sorted(_words([language.unsubscribed for language in LANGUAGES.values()]))
)
GRANTED_BEGINNINGS, REFUSED_BEGINNINGS, UNANSWERED_BEGINNINGS = (
    tuple(sorted(_words([getattr(language, group) for language in LANGUAGES.values()])))
    for group in ("granted", "refused", "unanswered")
)
POLITE = _words([language.polite for language in LANGUAGES.values()])
