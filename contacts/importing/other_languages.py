"""Words of consent in languages of Europe and beyond, beside the six of headings.

Nobody can read a heading in every language. But a no must not be lost in any of them, so answers,
refusals and states of subscriptions are known in all, and columns that hold them are asked about.
Words are written as `fold_to_alphanumeric` writes them, but for syllables and signs that it takes
apart. In languages without blanks between words, beginnings are looked for anywhere in a text.
"""

from __future__ import annotations

from typing import NamedTuple

from contacts.importing.cells import fold_to_alphanumeric


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
    "zh_Hans": Language(
        "是 是的 同意 接受 愿意 可 可以 要 已订阅 已同意 已授权",
        "否 不 不是 不同意 不接受 不愿意 不可 不可以 不要 不需要 拒绝 拒收 未同意 已退订 已拒绝",
        "不 勿 别 拒 停 退订 取消 禁 未",
        "短信 消息 信息 广告 营销 推广 通知 联系 电话 接收 发送 同意 订阅 授权",
        "退订 取消订阅 已退订",
    ),
    "zh_Hant": Language(
        "是 是的 同意 接受 願意 可 可以 要 已訂閱 已同意 已授權",
        "否 不 不是 不同意 不接受 不願意 不可 不可以 不要 不需要 拒絕 拒收 未同意 已退訂 已拒絕",
        "不 勿 別 拒 停 退訂 取消 禁 未",
        "簡訊 短訊 訊息 廣告 行銷 推廣 通知 聯絡 電話 接收 發送 同意 訂閱 授權",
        "退訂 取消訂閱 已退訂",
    ),
    "ja": Language(
        "はい 希望 希望する 希望します 可 同意 同意する 許可 許諾 承諾 受け取る 必要 配信中",
        "いいえ 希望しない 希望しません 不可 不要 不同意 同意しない 拒否 受け取らない 否 不許可 "
        "配信停止 配信拒否 停止",
        "不 ない なし しません せず 拒 停止 断り お断り 禁止 否 解除",
        "メール メルマガ メッセージ ショート 配信 広告 宣伝 販促 連絡 電話 送信 送付 案内 受信 "
        "同意",
        "配信停止 退会 解除",
    ),
    "ko": Language(
        "예 네 동의 동의함 동의합니다 수신 수신함 수신동의 허용 허용함 승인",
        "아니오 아니요 아니 미동의 비동의 동의안함 동의하지않음 부동의 거부 수신거부 거절 미수신 "
        "수신안함 차단 불허",
        "안 않 마세요 말 금지 거부 거절 미동의 차단 싫 원치 불가",
        "문자 메시지 메세지 광고 마케팅 홍보 연락 전화 수신 발송 동의 알림",
        "수신거부 해지 탈퇴",
    ),
    "th": Language(
        "ใช่ ยินยอม ตกลง รับ ต้องการ อนุญาต",
        "ไม่ ไม่ใช่ ไม่ยินยอม ไม่ตกลง ไม่รับ ไม่ต้องการ ไม่อนุญาต ปฏิเสธ ยกเลิก",
        "ไม่ อย่า ห้าม งด ยกเลิก ปฏิเสธ",
        "ข้อความ ข่าวสาร โฆษณา ติดต่อ โทร ส่ง ยินยอม",
        "ยกเลิกการรับ",
    ),
    "vi": Language(
        "",
        "khong",
        "khong dung chua",
        "tinnhan quangcao",
        "huydangky",
    ),
    "id": Language(
        "ya iya setuju bersedia mau boleh",
        "tidak tidakmau tidaksetuju tidakbersedia jangan",
        "tidak jangan tanpa belum bukan",
        "pesan kirim iklan hubungi promosi terima persetujuan setuju",
        "berhenti",
    ),
    "ms": Language(
        "ya setuju benar mahu",
        "tidak tidakmahu tidaksetuju palsu",
        "tidak jangan tanpa",
        "mesej hantar iklan hubungi promosi terima persetujuan",
        "berhenti",
    ),
    "mk": Language(
        "да точно",
        "не неточно",
        "не без никогаш",
        "порак испра реклам контакт соглас",
        "одјав",
        "дадено соглас",
        "повлеч одби отповик приговор",
    ),
    "is": Language(
        "ja satt",
        "nei osatt",
        "ekki aldrei",
        "skilabo senda auglys hafasam samþykk",
        "afskra",
        "veitt samþykk",
        "hafnað dregið",
    ),
    "ka": Language("კი დიახ ჭეშმარიტი", "არა მცდარი", "არ არა ნუ", "შეტყობ რეკლამ თანხმო", ""),
    "hy": Language("այո", "ոչ", "մի չի առանց", "հաղորդ գովազդ համաձայն", ""),
    "az": Language("bəli", "xeyr", "deyil", "mesaj reklam gondər razıl", ""),
    "kk": Language("иә ия", "жоқ", "емес", "хабар жарнама келісім", ""),
    "fa": Language("بله بلی", "خیر نه", "نه بدون", "پیام پیامک تبلیغ رضایت", "لغو"),
    "hi": Language("हाँ हां", "नहीं", "नहीं मत", "संदेश विज्ञापन सहमति", ""),
    "sw": Language("ndiyo ndio", "hapana", "usi bila", "ujumbe matangazo ridhaa", ""),
}  # fmt: skip


# In these, a word ends where the reader knows that it does, and one sign is a word.
WITHOUT_BLANKS = ("zh_Hans", "zh_Hant", "ja", "ko", "th")


def _words(groups: list[str]) -> frozenset[str]:
    return frozenset(fold_to_alphanumeric(word) for group in groups for word in group.split())


def _words_without_blanks(name: str) -> tuple[str, ...]:
    return tuple(
        sorted(_words([getattr(LANGUAGES[language], name) for language in WITHOUT_BLANKS]))
    )


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
_NEGATING_PARTS, _MESSAGE_PARTS, _UNSUBSCRIBED_PARTS = (
    _words_without_blanks(name) for name in ("negations", "messages", "unsubscribed")
)


def names_messages_without_blanks(text: str) -> bool:
    """Whether a text in a language without blanks has a word for messages, contact or consent.

    Args:
        text: as `fold_to_alphanumeric` writes it.
    """
    return not text.isascii() and any(part in text for part in _MESSAGE_PARTS)


def negates_without_blanks(text: str) -> bool:
    """Whether a text in a language without blanks negates, forbids or ends something.

    Args:
        text: as `fold_to_alphanumeric` writes it.
    """
    return not text.isascii() and any(
        part in text for part in (*_NEGATING_PARTS, *_UNSUBSCRIBED_PARTS)
    )


def refuses_messages_without_blanks(text: str) -> bool:
    """Whether a text in a language without blanks refuses messages: `문자 보내지 마세요`.

    Args:
        text: one clause, as `fold_to_alphanumeric` writes it.
    """
    if text.isascii():
        return False
    return any(part in text for part in _UNSUBSCRIBED_PARTS) or (
        any(part in text for part in _NEGATING_PARTS)
        and ("sms" in text or any(part in text for part in _MESSAGE_PARTS))
    )
