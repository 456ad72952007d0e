"""Placeholders and SMS parts."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from smsutil import split

from messaging.text import (
    GSM_BASIC,
    GSM_EXTENSION,
    Template,
    clean_value_or_empty_if_placeholder,
    count_parts,
    text_problem_or_empty,
    tidy,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
     ("ж" * 70, 1), ("ж" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2), ("", 1)],
)  # fmt: skip
def test_parts_of_known_texts(text, expected):
    assert count_parts(text) == expected


@given(st.text(GSM_BASIC.replace("\r", "") + GSM_EXTENSION.replace("\f", ""), max_size=700))
def test_parts_agree_with_another_implementation(text):
    assert count_parts(text) == max(1, len(split(text).parts))


def test_placeholders_are_filled_and_line_breaks_kept():
    template = Template("Hi  {{ FirstName }},\nfrom {{shop}} {{last_name}} !")
    contact = {"first_name": "$& Ann", "last_name": "", "email": ""}
    assert (template.fields, template.unknown_tags) == ({"first_name", "last_name"}, ["{{shop}}"])
    assert template.render(contact) == "Hi $& Ann,\nfrom {{shop}} !"


@pytest.mark.parametrize(
    "tag", ["{{first_name}}", "{{ First Name }}", "{{FIRST_NAME}}", "{{firstName}}",
            "{{Fïrst_Námé}}", "{{first name|there}}", "{{ first_name | my friend }}"],
)  # fmt: skip
def test_a_tag_is_written_with_spaces_case_and_accents_as_people_do(tag):
    assert not text_problem_or_empty(f"Hi {tag}!")
    assert Template(f"Hi {tag}!").render({"first_name": "Ann"}) == "Hi Ann!"


@pytest.mark.parametrize(
    ("text", "filled"),
    [("Hi {{first_name|there}}, sale", "Hi there, sale"),
     ("Hi {{first_name | dear  customer }}!", "Hi dear customer!"),
     ("Hi {{first_name}}, sale", "Hi, sale"),
     ("Hi {{first_name}}!", "Hi!"), ("Γεια σου {{first_name}}. Ναι", "Γεια σου. Ναι"),
     ("Dear {{first_name}} {{last_name}}, sale", "Dear, sale"),
     ("{{first_name}}, sale", "sale"), ("{{first_name}} {{last_name}}: sale", "sale"),
     ("Sale\n{{first_name}}, come", "Sale\ncome"), ("Bonjour {{first_name}} !", "Bonjour !"),
     ("Come, {{first_name}}", "Come,"), ("Γεια {{first_name}}… έλα", "Γεια… έλα"),
     ("Γεια {{first_name}}\u0387 έλα", "Γεια· έλα"), ("“Hi {{first_name}}” x", "“Hi” x"),
     ("Hi {{first_name}}{{last_name|Smith}}, x", "Hi Smith, x"),
     ("Hi {{first_name}}{{last_name}}, x", "Hi, x"),
     ("https://a.gr/?n={{first_name}}, hi", "https://a.gr/?n=, hi"),
     ("https://a.gr/?n={{first_name|dear you}}", "https://a.gr/?n=dear%20you")],
)  # fmt: skip
def test_an_empty_value_leaves_no_gap(text, filled):
    assert Template(text).render({"first_name": "", "last_name": " "}) == filled


@pytest.mark.parametrize(
    ("text", "hint"),
    [("Hi {{first-name}}", "{{first-name}} is no tag: write {{first_name}}."),
     ("Hi {first_name}", "{first_name} is no tag: write {{first_name}}."),
     ("Hi {{{first_name}}}", "{ is no tag"), ("Hi {{first_name", "write {{first_name}}"),
     ("Hi {{first_name}", "write {{first_name}}"), ("Hi {{fristname|you}}", "write {{first_name}}"),
     ("Γεια {{όνομα}}", "write {{first_name}}"), ("{{ΕΠΩΝΥΜΟ}}", "write {{last_name}}"),
     ("Hallo {{Vorname}}", "write {{first_name}}"), ("{{prénom}}", "write {{first_name}}"),
     ("{{apellidos}}", "write {{last_name}}"), ("{{e-mail}}", "write {{email}}"),
     ("{{name}}", "write {{first_name}}"), ("{{unsubscribe}}", "write {{unsubscribe_link}}"),
     ("{{offer}}", "write {{offer_link}}"), ("{{shop}}", "there are {{first_name}}, {{last_name}}"),
     ("{{}}", "there are"), ("{10% off}", "{10% off} is no tag, and braces are for tags only"),
     (":-}", "} is no tag"), ("{{first_name}} {% if x %}", "{% if x %} is no tag")],
)  # fmt: skip
def test_anything_else_in_braces_is_a_problem_that_names_the_nearest_tag(text, hint):
    assert hint in text_problem_or_empty(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [("Hi *|FNAME|*", "*|FNAME|* is no tag: write {{first_name}}."),
     ("Hi %first_name%, sale", "write {{first_name}}"), ("Hi [[όνομα]]", "write {{first_name}}"),
     ("Hi <Vorname>", "write {{first_name}}"), ("Hi [First Name]!", "write {{first_name}}"),
     ("Hi ｛｛last_name｝｝", "write {{last_name}}"), ("Hi ##NAME##", "write {{first_name}}"),
     ("Hi «Vorname»", "write {{first_name}}"), ("Hi __first_name__", "write {{first_name}}"),
     ("Hi ((name))", "write {{first_name}}"),
     ("https://shop.gr/?e=*|EMAIL|*", "write {{email}}"),
     ("Hi |FNAME|, x", "write {{first_name}}"), ("Hi $FIRSTNAME, x", "write {{first_name}}"),
     ("Hi $last_name$", "write {{last_name}}"), ("Hi $$prenom$$", "write {{first_name}}"),
     ("Hi :first_name x", "write {{first_name}}"), ("Hi *|FNAME:there|*", "of another program"),
     ("*|DATE:m/d/y|*", "*|DATE:m/d/y|* looks like a tag of another program"),
     ("Hi -=PRENOM=-", "of another program"), ("Hi @@anrede@@", "of another program"),
     ("Sayin #ISIM#", "write {{first_name}}"), ("Sayin %AD%", "of another program"),
     ("[Store Name]: 20% off", "[Store Name] is sent as it is written"),
     ("See [link]", "[link] is sent as it is written"), ("See <URL>", "<URL> is sent"),
     ("Get [X]% off", "[X] is sent"), ("until [date]", "[date] is sent"),
     ("[Insert your offer]", "[Insert your offer] is sent")],
)  # fmt: skip
def test_a_tag_of_another_program_is_a_problem_that_names_ours(text, hint):
    assert hint in text_problem_or_empty(text)


@pytest.mark.parametrize(
    "tag",
    ["@first_name@", "@FirstName", "first_name", "FirstName", "-FIRST_NAME-", "~Contact.FirstName~",
     "!!name!!", "^name^", "**name**", "[firstname,fallback=there]", "<name|friend>",
     "[Name; default=you]", "%name|friend%", "&FIRSTNAME", "FIRST_NAME.", "[FNAME:there]",
     "%firstname", "customer_name"],
)  # fmt: skip
def test_a_field_as_programs_write_it_is_a_problem_in_whatever_signs(tag):
    assert "write {{first_name}}" in text_problem_or_empty(f"Hello {tag}")


@pytest.mark.parametrize(
    "tag", ["<%= name %>", "<?name?>", "<#offer#>", "[%offer | you%]", "%%=v(@x)=%%", "[@offer@]"]
)
def test_what_only_programs_for_templates_write_is_a_problem(tag):
    assert f"{tag} looks like a tag" in text_problem_or_empty(f"Hello {tag}, hi")


@pytest.mark.parametrize(
    "text",
    ["*EMAIL*: a@shop.gr", "-name- ~name~ _name_", "the word ('NAME')", "MyName jewellery",
     "@vip_members", "@VipMembers", "$customer :person", "[Name: Anna] [Color:red]",
     "first_name@shop.gr", "a.gr/first_name https://a.gr/FirstName", "first_name.pdf", "@shop_name",
     "[Black, size=M]", "<20 | 30>", "SALE!!WOW!!", "say 'name', \"name\"", "name...name"],
)  # fmt: skip
def test_what_only_resembles_a_field_of_a_program_is_none(text):
    assert not text_problem_or_empty(f"a {text} b")


@pytest.mark.parametrize(
    "default",
    [
        "default:'φίλε'",
        'default: "φίλε"',
        "default('φίλε')",
        "|φίλε",
        "upper | default: 'φίλε'",
        '"φίλε"',
        "«φίλε»",
    ],
)
def test_a_default_in_the_form_of_another_program_is_a_problem(default):
    assert "write {{first_name|φίλε}}" in text_problem_or_empty(
        f"Hi {{{{ first_name | {default} }}}}"
    )


@pytest.mark.parametrize("address", ["https://", "http://www."])
def test_an_address_without_a_host_is_a_problem(address):
    assert "leads nowhere" in text_problem_or_empty(f"Δείτε {address}")


@pytest.mark.parametrize(
    "host",
    [
        "www.mariashοes.gr",
        "WWW.ΜARIASHOES.GR",
        "shop.gρ",
        "sһop.gr",
        "wwω.shop.gr",
        "στοshop.gr",
        "кαфе.gr",
    ],
)
@pytest.mark.parametrize("text", ["See https://{}/a", "See {}/a", "({}/a)"])
def test_a_host_of_letters_that_look_alike_is_a_problem(host, text):
    assert f"{host} has letters of two alphabets" in text_problem_or_empty(text.format(host))


@pytest.mark.parametrize(
    "text",
    ["καφές.gr", "www.ταβέρνα-shop.gr/a", "https://shop.ελ/μενού", "ΔIAΓPAΦH.AΓ. ΠAPAΣKEYH/XAΛ",
     "τέλος.Sale/αρχή", "https://кофе.рф/a", "info@καφές.gr"],
)  # fmt: skip
def test_other_alphabets_are_no_problem(text):
    assert not text_problem_or_empty(text)


@pytest.mark.parametrize(
    "joined",
    [".Only today", "!Only", "!Php", "|Code BF", ",https://b.example/x", "–today", "—today",
     "Μόνο", "ΤΩΡΑ", ".Μόνο", ",μόνο", "!Μόνο", "·Μόνο", "Только", "...More", "andhttps://b.example/x"],
)  # fmt: skip
def test_what_is_joined_to_an_address_is_a_problem(joined):
    hint = text_problem_or_empty(f"See https://shop.example/sale{joined}")
    assert hint.startswith("Put a space after https://shop.example/sale")


@pytest.mark.parametrize(
    "path",
    ["a.Html", "a.Php", "Photo.Jpg", "a,b", "Black_Friday_(shopping)", "Bose–Einstein", "a|B",
     "place/Athens,Ελλάδα/@37.9,23.7,17z/data=!3m1!4b1", "el/προσφορές", "iphone-θήκη",
     "3ος-όροφος", "?q=παπούτσια", "?text=Hi!Γεια", "nikeシューズ", "web/https://b.example/x",
     "?u=https://b.example"],
)  # fmt: skip
def test_a_path_that_only_looks_joined_is_none(path):
    assert not text_problem_or_empty(f"See https://shop.example/{path} now")


@pytest.mark.parametrize("filter", ["title", "Capitalize", "upper", "default", "default(friend)"])
def test_a_filter_of_another_program_is_no_default(filter):
    problem = text_problem_or_empty(f"Hi {{{{first_name|{filter}}}}}")
    assert f"{filter} is sent as it is written: write {{{{first_name|there}}}}" in problem


@pytest.mark.parametrize("default", ["amigo(a)", "cher(e) client(e)", "entitled", "raw food fan"])
def test_a_default_of_ordinary_words_is_filled_in(default):
    text = f"Hi {{{{first_name|{default}}}}}!"
    assert not text_problem_or_empty(text)
    assert Template(text).render({"first_name": ""}) == f"Hi {default}!"


@pytest.mark.parametrize("break_", ["\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_a_line_break_of_any_program_is_one(break_):
    assert Template(f"One {break_} two").render({}) == "One\ntwo"
    assert tidy(f"One {break_} two") == "One\ntwo"


@pytest.mark.parametrize(
    ("written", "sent"),
    [("ze\u200bro \ufeffco\u00adst", "zero cost"), ("\u202a+30 210\u202c", "+30 210"),
     ("10\u00a0€\u2060", "10 €"), ("e\u200d\u0301", "e\u200d\u0301"), ("❤\ufe0f", "❤\ufe0f"),
     ("1\ufe0f\u20e3", "1\ufe0f\u20e3"), ("👩\u200d🍳", "👩\u200d🍳"),
     ("می\u200cخواهم", "می\u200cخواهم"), ("cafe\u0301", "café"), ("a \t b", "a b")],
)  # fmt: skip
def test_what_nobody_sees_is_sent_only_where_it_does_something(written, sent):
    assert Template(f"Hi {written} ok").render({}) == f"Hi {sent} ok"
    assert tidy(f"Hi {written} ok") == f"Hi {sent} ok"


@pytest.mark.parametrize(
    "tag",
    ["{{\u200bfirst_name}}", "{{first_name\u200b}}", "{\u200b{first_name}}", "{{first\u00adname}}"],
)
def test_an_invisible_character_in_a_tag_does_not_matter(tag):
    assert not text_problem_or_empty(f"Hi {tag}!")
    assert Template(f"Hi {tag}!").render({"first_name": "Ann"}) == "Hi Ann!"


@pytest.mark.parametrize("link", ["{{offer_link}}", "{{ Unsubscribe Link }}"])
@pytest.mark.parametrize("after", ["now", "2", "/sale", "?utm=1", "&a", ".de", "{{first_name}}"])
def test_a_link_that_what_follows_would_lengthen_is_a_problem(link, after):
    assert "Put a space after {{" in text_problem_or_empty(f"See {link}{after}")


@pytest.mark.parametrize("link", ["{{offer_link}}", "{{unsubscribe_link}}"])
@pytest.mark.parametrize(
    "before", ["https://", "HTTP://", "www.", "shop.gr/", "κλικ", "x", "me@", "{{first_name}}"]
)
def test_a_link_that_phones_do_not_see_for_what_is_before_it_is_a_problem(link, before):
    assert f"Put a space before {link}" in text_problem_or_empty(f"See {before}{link}")


@pytest.mark.parametrize(
    "address",
    ["http:/shop.gr/a", "https//shop.gr/a", "htps://shop.gr", "https:// shop.gr/a",
     "http:///shop.gr", "http:\\\\shop.gr", "https;//shop.gr", "https:shop.gr/a", "ttps://shop.gr",
     "www .shop.gr", "www..shop.gr", "httpswww.shop.gr/a", "http//:shop.gr", "https://.shop.gr",
     "https://shop..gr/a", "ηttps://shop.gr", "httpσ://shop.gr/a", "ςςς.shop.gr",
     "http://https://shop.gr", "hhttps://shop.gr", "ww.shop.gr", "wwww.shop.gr", "www,shop.gr",
     "www shop.gr", "http://www.https://shop.gr", "HTTPS : //shop.gr"],
)  # fmt: skip
def test_a_mistyped_address_is_a_problem(address):
    assert f"{address} leads nowhere" in text_problem_or_empty(f"Δείτε {address}, τώρα")


@pytest.mark.parametrize(
    ("text", "named"),
    [("Zobacz sklepik,pl/oferta!", "sklepik,pl/oferta"), ("shop;gr/sale", "shop;gr/sale"),
     ("my-shop.com,tr/a", "my-shop.com,tr/a"), ("https://shop,gr/a", "https://shop,gr"),
     ("https://www.shop,gr", "https://www.shop,gr"), ("www.shop,gr και", "www.shop,gr"),
     (r"shop\gr/a", r"shop\gr/a"), (r"shop.gr\sale", r"shop.gr\sale"),
     (r"https://shop.gr\sale", r"shop.gr\sale"), (r"shop.gr\nΤώρα", r"shop.gr\nΤώρα"),
     ("https://shop/sale", "https://shop"), ("https://shop .gr/sale", "https://shop"),
     ("https://shop. gr", "https://shop."), ("shop .gr/sale", "shop .gr/sale"),
     ("shop. gr/sale", "shop. gr/sale"), ("www. shop.gr", "www. shop.gr"),
     ("www.shop.gr /sale", "www.shop.gr /sale"),
     ("https://shop.gr/a /b", "https://shop.gr/a /b")],
)  # fmt: skip
def test_another_sign_than_a_dot_and_a_space_in_an_address_are_a_problem(text, named):
    assert text_problem_or_empty(text).startswith(f"{named} leads nowhere")


@pytest.mark.parametrize("address", ["sh𝗼p.gr", "my‑shop.gr", "info@𝗺𝘆-shop.gr", "ｓｈｏｐ．ｇｒ"])
def test_a_host_alone_in_letters_that_no_keyboard_writes_is_a_problem(address):
    assert "of another form than a keyboard writes" in text_problem_or_empty(f"See {address}!")


def test_a_capital_after_a_full_stop_without_a_space_is_asked_about():
    hint = text_problem_or_empty("Auch am samstag.Info/tickets, heute")
    assert hint.startswith("samstag.Info/tickets may be an address or the end of a sentence")


@pytest.mark.parametrize("suffix", ["ta", "da", "nin", "a", "DE", "daki"])
@pytest.mark.parametrize("address", ["shop.com.tr/firsat", "https://shop.com.tr/?a=bc"])
def test_a_suffix_after_an_apostrophe_is_a_problem(address, suffix):
    hint = text_problem_or_empty(f"Son gün! {address}'{suffix} kaçırma")
    assert hint.startswith(f"Put a space after {address}:")
    hint = text_problem_or_empty(f"Son gün! {address}’{suffix} kaçırma")
    assert hint.startswith(f"{address}’{suffix}: write ' for ’")


@pytest.mark.parametrize("sign", ["&amp;", "&nbsp;", "&euro;", "&#39;", "&#x27;", "&frac12;"])
def test_a_sign_of_a_web_page_is_a_problem(sign):
    assert f"{sign} is sent as it is written" in text_problem_or_empty(f"Tom {sign} Co")


@pytest.mark.parametrize(
    "placeholder",
    ["[Nom de la boutique]", "[Όνομα Καταστήματος]", "[Το όνομα του καταστήματός σας]",
     "[Name der Firma]", "[nazwa sklepu]", "[mağaza adı]", "[името на магазина]", "[Butikens namn]",
     "[Salon Name]", "[Shopname]", "[Nom de votre salon de thé]", "[lien]", "[дата]", "[kod]",
     "[Tracking Number]", "[numéro de commande]", "[номер на поръчка]", "[bestelnummer]",
     "[winkelnaam]", "[butiksnamn]", "[Rabattcode]", "[medspa url]", "[CouponNo]", "[ExpiryDate]",
     "[CenterPhone]", "[OrgName]", "[order_id]", "[Datum, Uhrzeit]", "[miasto]",
     "[ημερομηνία λήξης]", "[Link zum Shop]", "[indirim kodu]", "[discount code]", "[Brand]",
     "[insérer votre offre]", "[wstaw link]", "[εισάγετε την προσφορά]", "[Ihre Stadt]", "<link>",
     "<shop name>", "(Shop Name)", "(nombre de la tienda)", "[…]", "[...]", "[__]", "[XX]",
     "XX%", "-XX%", "ΧΧ%", "ХХ %", "X%", "%XX", "XX€", "€XX", "XX,XX", "XX zł", "xx euro", "__%",
     "[ ]%", "##%", "-00%", "XX:XX", "XX.XX.XXXX", "__/__", "______", "___"],
)  # fmt: skip
def test_what_was_to_be_replaced_is_a_problem(placeholder):
    hint = text_problem_or_empty(f"Σήμερα {placeholder} εδώ")
    assert f"{placeholder} is sent as it is written" in hint


@pytest.mark.parametrize(
    ("text", "field"),
    [("Hi (First Name)!", "first_name"), ("Γεια (Όνομα)", "first_name"),
     ("Hallo (Nachname)", "last_name"), ("Bonjour [votre prénom]", "first_name"),
     ("Hi <Vorname>", "first_name"), ("Merhaba [Ad Soyad]", "first_name")],
)  # fmt: skip
def test_a_name_in_brackets_names_the_tag(text, field):
    assert f"write {{{{{field}}}}}" in text_problem_or_empty(text)


@pytest.mark.parametrize(
    "blank",
    ["XXX-XXX-XXXX", "(XXX) XXX-XXXX", "xxx-xxx-xxxx", "XX XX XX XX", "+XX XXX XXXXXX",
     "69XXXXXXXX", "21XX XXXXXX",
     "TT.MM.JJJJ", "DD/MM/YYYY", "dd/mm/yy".upper(), "gg-aa-yyyy", "ΗΗ/ΜΜ/ΕΕΕΕ", "HH:MM", "ΩΩ:ΛΛ"],
)  # fmt: skip
def test_a_number_and_a_day_that_are_missing_are_a_problem(blank):
    assert f"{blank} is sent as it is" in text_problem_or_empty(f"Valid until {blank}!")


@pytest.mark.parametrize(
    "text",
    ["XXX-XXX", "XXL-XXXL", "xxx xxx xxx", "4532XXXXXXXX1234", "4532 XXXX XXXX 1234",
     "2XXX", "S24XXX", "sizes DD/EE/FF", "Date of birth: DD/MM/YYYY",
     "Γενέθλια (ΗΗ/ΜΜ/ΕΕΕΕ)", "shop.gr/dd/mm/yyyy", "AA-BB", "10:00"],
)  # fmt: skip
def test_what_only_resembles_a_missing_number_or_day_is_none(text):
    assert not text_problem_or_empty(f"{text} now")


@pytest.mark.parametrize(
    "address", ["https://shop.ws/🔥sale", "shop.ws/a🔥/b", "https://a.ws/?q=❤️red", "a.ws/x🔥?b=1"]
)
def test_an_emoji_within_an_address_is_a_problem(address):
    assert "Put a space after" in text_problem_or_empty(f"Go {address} now")


@pytest.mark.parametrize(
    "text",
    [
        "a.ws/sale🔥Only today",
        "a.ws/🔥",
        "a.ws/a🔥 /b",
        "🔥a.ws/b",
        "a.ws/🔥🔥 sale",
        "a.ws/b👉🏽x",
    ],
)
def test_an_emoji_beside_an_address_is_none(text):
    assert not text_problem_or_empty(f"Go {text}")


def test_the_first_placeholder_is_named():
    assert text_problem_or_empty("-XX% (Shop Name) [link]").startswith("-XX% is sent")
    assert text_problem_or_empty("[link] -XX%").startswith("[link] is sent")


def test_a_link_to_opt_out_is_no_value_in_another_address():
    assert "Put a space before" in text_problem_or_empty("https://a.gr/?to={{unsubscribe_link}}")


@pytest.mark.parametrize("label", ["code", "Code:", "Κωδικός:", "Tel.", "kod =", "Telefon"])
def test_a_row_of_x_after_what_it_stands_for_is_a_problem(label):
    assert "XXXX is sent" in text_problem_or_empty(f"Use {label} XXXX today")


@pytest.mark.parametrize("label", ["Code: ", "Γεια σας ", "Lieber ", "until\n"])
def test_a_blank_that_a_store_was_to_fill_is_a_problem(label):
    assert "____ is sent" in text_problem_or_empty(f"{label}____, bis bald")


@pytest.mark.parametrize(
    "text",
    ["[Online-Shop] [iPhone] [YouTube] [BodyShop] [no] [ΝΕΟ]", "Open (Mon–Fri)", "[SALE] now",
     "[OFFER] [NEWS] [EVENT] [AD] 8pm", "[Maria Shoes] -20%",
     "[ΠΡΟΣΦΟΡΑ] καφές", "(προσφορά) (each) (shop) (online) (mobile): 69", "(price per kg)",
     "(name your price)", "(Maria)", "(Ihr Team)", "[Code 5]", "\n_____\n____ SALE ____\n__SALE__",
     "E-Mail: ____ Birthday: ____", "Love, Maria xxx", "LOVE YOU XXX", "XXL/XXXL, XL XXL",
     "XX edition 10€", "iPhone X 999€", "iPhone X €999", "Series X %50 indirim", "X-Men 3€",
     "10x €5", "2x%50", "3 x € 20", "5€ x 3", "5 € xx", "100% 10.00% 0.00% 10 000 % 00:00",
     "birthday DD/MM/YYYY", "-??% soon", "SAXX%", "Price ..... 5€", "**** 1234", "R&D; Q&A",
     "https://shop.gr/[name]", "https://shop.gr/?d=XX:XX", "a.gr/XX%20b",
     "https://shop.fr/l'offre", "https://shop.fr/qu'il", "https://a.it/un'idea",
     "https://a.it/dell'anno", "https://a.it/quest'anno", "https://a.com/women's",
     "https://a.com/sale’s", "https://a.com.tr'de", "a.com.tr’de", "Laden.Info/angebote",
     "https://laden.Info/a", "www.laden.Info/a", "black,red/blue", "gr,cy/bg",
     "Athens,GR/Cyprus", "[ ] yes [ ] no", "Club 69 XXX party", "[Number One Pizza]", "S,M/L",
     "https://localhost:8000/a", "https://user@shop.gr", "https://shop.gr, https://b.gr. Ναι",
     "www.shop.gr / facebook"],
)  # fmt: skip
def test_what_only_resembles_a_placeholder_or_a_typing_error_is_none(text):
    assert not text_problem_or_empty(f"Α {text} ω")


@pytest.mark.parametrize(
    "text",
    ["{{offer_link}}", "({{offer_link}}).", "{{offer_link}}, τώρα", "{{offer_link}}👉",
     "{{offer_link}}?", "https://a.gr/?u={{offer_link}}&b=1", "https://a.gr/?f[name]=1",
     "50%-70% off [ok] <3 #sale [new] «Sale»", "(1) first (2) __ € <b>X</b>",
     "https://a.gr/%CE%B1%CE%B2", "Hi {{first_name|friend: you}}", "{{first_name|c'est toi}}",
     "HP: laptops", "HP/Dell", "Find the www: it helps", "the www, and", "https://a_b.gr/x",
     "https://web.archive.org/web/https://a.gr", "Click:{{offer_link}}", "WWW.A.GR", "http ή https",
     "[first] 50 customers", "[CODE BF20] Sale [-50%]", "[today only] <3", "[x] yes",
     "[name day] sale",
     "Name: ______ Vorname: ______", "Win $name brand shoes", "SALE |TODAY| ONLY", "big $ALE $AAPL",
     "50%off% all %day%", "#BlueDoor #sale", "ends @midnight :name: x", "<Μαρία>; Δώρο!",
     "a.gr/?u=http:x", "{{offer_link}}.", "Stop: {{unsubscribe_link}}Τέλος", "ή/{{offer_link}}", "https://[::1]/a"],
)  # fmt: skip
def test_what_only_resembles_a_mistake_is_none(text):
    assert not text_problem_or_empty(text)


@pytest.mark.parametrize(
    "nothing",
    [
        "{{first_name}}",
        "*|FNAME|*",
        "%NAME%",
        "[first name]",
        "N/A",
        "-",
        "NULL",
        "n.a.",
        " . ",
        "(null)",
        "keine Angabe",
    ],
)
def test_a_word_for_nothing_is_no_value(nothing):
    assert clean_value_or_empty_if_placeholder(nothing) == ""


@pytest.mark.parametrize("name", ["Null", "Nan", "Ann", "Νίκος", "O'Neil", "J.", "李"])
def test_a_name_is_a_value(name):
    assert clean_value_or_empty_if_placeholder(name) == name


@pytest.mark.parametrize(
    ("stored", "used"),
    [("Maria\nPapa", "Maria Papa"), (" Maria \t Papa ", "Maria Papa"), ("Maria\u200b", "Maria"),
     ("\u200f\u05de\u05e8\u05d9\u05dd\u202c", "\u05de\u05e8\u05d9\u05dd"),
     ("Tom &amp; Co", "Tom & Co"), ("🌸 Maria 👩\u200d👧", "🌸 Maria 👩\u200d👧"),
     ("maria & co", "maria & co"), ("100%", "100%")],
)  # fmt: skip
def test_a_value_is_on_one_line_without_invisible_characters(stored, used):
    assert clean_value_or_empty_if_placeholder(stored) == used


def test_a_text_and_its_values_are_composed():
    apart = unicodedata.normalize("NFD", "Καλή μέρα {{first_name|Ανδρέα}}")
    assert Template(apart).render({"first_name": ""}) == "Καλή μέρα Ανδρέα"
    assert clean_value_or_empty_if_placeholder(unicodedata.normalize("NFD", "Zoé")) == "Zoé"


def test_a_value_is_percent_encoded_in_an_address_and_nowhere_else():
    template = Template("{{last_name}} a.gr/?n={{first_name}} www.a.gr {{first_name}}")
    values = {"first_name": "Ann & Bob", "last_name": "A&B"}
    assert template.render(values) == "A&B a.gr/?n=Ann%20%26%20Bob www.a.gr Ann & Bob"


PIECES = st.lists(
    st.sampled_from(
        [
            "{{first_name}}",
            "{{ lastName }}",
            "{{code}}",
            " ",
            "  ",
            "\n",
            "a",
            "%s",
            "%",
            "{",
            "}}",
            "\t",
            ",",
            "\r\n",
        ]
    )
)
VALUES = st.text(st.sampled_from(" \n\ta%{}\u00a0é"), max_size=5)


@given(PIECES, VALUES, VALUES)
def test_a_filled_text_is_tidy_whatever_the_values(pieces, first, last):
    """The same as filling in and tidying the whole, if no value is empty."""
    first, last = f"x{first}", f"{last}x"
    text = "".join(pieces)
    expected = text.replace("{{first_name}}", "\0").replace("{{ lastName }}", "\1")
    expected = expected.replace("\0", first).replace("\1", last)
    expected = re.sub(r"[^\S\n]+", " ", expected.replace("\r\n", "\n").replace("\r", "\n"))
    expected = re.sub(r" *\n *", "\n", expected).strip()
    assert Template(text).render({"first_name": first, "last_name": last}) == expected


@example(["Hi", "\t", "{{first_name}}", ","])
@example(["Hi", "\u00a0", "{{first_name}}", ","])
@given(PIECES)
def test_no_text_with_empty_values_has_a_space_before_a_comma_that_was_not_written(pieces):
    text = "".join(pieces)
    empty = Template(text).render({"first_name": "", "last_name": ""})
    written = re.sub(r"\{\{(first_name| lastName )\}\}", "\0", text)
    assert " ," not in empty or re.search(r"[^\S\n],", written)
