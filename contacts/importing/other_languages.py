"""Words of consent in languages of Europe and around it, beside the six of headings.

Nobody can read a heading in every language. But a no must not be lost in any of them, so answers,
refusals and states of subscriptions are known in all, and columns that hold them are asked about.
Words are written as `fold_to_alphanumeric` writes them.
"""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """Words of one language, each group separated by blanks.

    `yes` and `no` answer a question, as the locales of the C library have them; `negations` negate
    what stands beside them; `messages` are beginnings of words for messages, advertising, contact,
    consent, and for sending and wanting them; `unsubscribed` are beginnings of words for those who
    left.
    """

    yes: str
    no: str
    negations: str
    messages: str
    unsubscribed: str


LANGUAGES = {
    "nl": Language(
        "ja", "nee", "geen niet nooit zonder", "bericht reclame benader appen bellen",
        "uitgeschreven afgemeld opgezegd",
    ),
    "pl": Language(
        "tak", "nie", "nie bez nigdy zadnych", "wiadomos wysyl kontakt dzwon reklam zgod",
        "wypisan wyrejestrowan odsubskryb rezygnac",
    ),
    "cs": Language(
        "ano", "ne", "ne bez nikdy zadne", "zprav zasil posil kontakt reklam obchodnich souhlas",
        "odhlasen odhlasil odebran",
    ),
    "sk": Language(
        "ano", "nie", "nie bez nikdy ziadne", "sprav zasiel posiel kontakt reklam suhlas",
        "odhlasen odhlasil",
    ),
    "hu": Language(
        "igen", "nem", "ne nem nelkul soha", "uzenet kuld hirlevel reklam megkeres hozzajarul",
        "leiratkoz lemondott",
    ),
    "ro": Language(
        "da", "nu", "nu fara niciodata", "mesaj trimit contacta reclam notificari consimt",
        "dezabon",
    ),
    "bg": Language(
        "да", "не", "не без никога", "съобщ изпращ реклам смс контакт звън съглас",
        "отписан отказал",
    ),
    "hr": Language(
        "da", "ne", "ne bez nikad nemoj nemojte", "poruk slati salj kontakt reklam zvat privol",
        "odjavlj odjavio odjavila",
    ),
    "sl": Language(
        "da", "ne", "ne brez nikoli", "sporocil posilj kontakt oglas klic privol", "odjavlj odjavil"
    ),
    "sr": Language(
        "да", "не", "не без никад немој немојте", "порук слати шаљ контакт реклам звати пристан",
        "одјављ одјавио одјавила",
    ),
    "tr": Language(
        "evet var onay onayli", "hayır hayir yok ret reddedildi", "degil istemiyor istemez",
        "mesaj gonder reklam ileti aranma arama izin kvkk",
        "abonelikten",
    ),
    "ru": Language(
        "да", "нет", "не без нет никогда",
        "сообщ рассыл реклам смс писат присыл отправл звон беспоко соглас", "отписа отказ",
    ),
    "uk": Language(
        "так", "ні", "не без ні ніколи", "повідомл розсил реклам смс писат надсил дзвон турбу згод",
        "відписа відмов",
    ),
    "sv": Language(
        "ja", "nej", "inte ej aldrig utan inga", "utskick meddeland kontakta reklam skicka samtyck",
        "avregistr avprenum avanmal",
    ),
    "da": Language(
        "ja", "nej", "ikke aldrig uden ingen", "besked kontakte reklame sende henvend samtykk",
        "afmeld frameld",
    ),
    "nb": Language(
        "ja", "nei", "ikke aldri uten ingen", "melding kontakte reklame sende henvend samtykk",
        "avmeld",
    ),
    "fi": Language(
        "kylla joo", "ei", "ei ala alkaa ilman", "viesti lahet mainos markkinoin suostumu",
        "peruuttanut",
    ),
    "et": Language("jah", "ei", "ei mitte ilma", "sonum saat reklaam noustu", "loobu"),
    "lv": Language("ja", "ne", "ne bez nekad", "zin sut reklam piekri", "atrakst atteic"),
    "lt": Language("taip", "ne", "ne niekada", "zinut siust siun reklam skambin sutik", "atsisak"),
    "pt": Language(
        "sim", "nao", "nao sem nunca", "mensage envia envie enviem contactar contatar",
        "descadastr desinscrev",
    ),
    "sq": Language("", "", "mos nuk pa", "mesazh dergo kontakto reklam", "crregjistr"),
    "ar": Language("نعم", "لا", "لا بدون عدم", "رسائل ترسل إعلان تسويق", ""),
    "he": Language("כן", "לא", "לא ללא בלי", "הודעות לשלוח פרסום דיוור", "הוסר"),
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
