"""How files are laid out: rows of headings, quotation marks, encodings, and sheets of workbooks."""

import zipfile

import pytest

from contacts.importing.encodings import detect_legacy_encoding_or_empty, is_mojibake
from contacts.importing.import_refused import ImportRefused
from contacts.importing.mapping import guess_columns_and_questions
from contacts.importing.reading import FileReader, detect_layout_or_refuse
from tests.support.workbook import write_workbook

ROWS = "Anna,6944000501,no\nEva,6944000512,yes\n"
TABLE = f"Name,Mobile,SMS consent\n{ROWS}"
HEADINGS = ("Name", "Mobile", "SMS consent")


@pytest.fixture
def read(tmp_path):
    """Reads bytes, text or a file: its layout and rows."""

    def read(content, **options):
        path = tmp_path / "customers"
        if isinstance(content, str | bytes):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        else:
            path = content
        layout = detect_layout_or_refuse(path, largest_bytes=10_000_000, **options)
        return layout, list(FileReader(path, layout))

    return read


@pytest.fixture
def refusal(read):
    """The sentence with which a file is refused."""

    def refused(content, **options):
        with pytest.raises(ImportRefused) as caught:
            read(content, **options)
        return caught.value.command_line_text()

    return refused


@pytest.mark.parametrize(
    ("above", "count"),
    [
        ("", 0), ("Customer list 2024\n", 1), ("# exported by the till\n", 1),
        ("Store: Kifissia\nExported: 12/11/2024 10:33\n\n", 3), ("Report,Customers\n,\n", 2),
        ("Κατάλογος πελατών\n\n\nΜάιος 2024\n", 4), ("\n" * 25 + "All customers\n", 26),
        ("Filter:,active customers only\nSorted by:,last visit\n", 2), ("sep=,\n", 1),
    ],
)  # fmt: skip
def test_the_headings_are_found_below_what_stands_above_them(read, above, count):
    layout, rows = read(above + TABLE)
    assert (layout.headings, layout.has_header, layout.skip) == (HEADINGS, True, count + 1)
    assert [line for line, _ in rows] == [count + 2, count + 3]
    is_noted = bool(above.strip()) and not above.startswith("sep=")
    assert bool(layout.notes) == is_noted


def test_a_customer_above_the_headings_is_not_left_out(refusal):
    assert "line 1 looks like a customer" in refusal(f"Max,6944000523,no\n{TABLE}")


def test_headings_in_the_middle_are_not_taken_for_the_first(read):
    layout, rows = read(f"{TABLE}{TABLE}Total,2,\n")
    assert layout.skip == 1
    assert len(rows) == 6


@pytest.mark.parametrize("labels", ["Mobile,subscribed", "Home,unsubscribed"])
def test_a_customer_with_words_of_headings_is_no_heading(read, labels):
    layout, rows = read(f"Anna,6944000501,{labels}\nEva,6944000512,{labels}\n")
    assert not layout.has_header
    assert len(rows) == 2


def test_headings_of_an_unknown_language_show_by_contrast(read):
    layout, _ = read("Nimi,Puhelin\nAnna,+358401234567\nEva,+358401234568\n")
    assert layout.headings == ("Nimi", "Puhelin")


def test_a_first_row_that_may_be_either_is_asked_about(read, refusal):
    text = "Anna,,Papa\nEva,6944000512,Lade\nZoe,6944000523,Linden\n"
    assert "--header or --no-header" in refusal(text)
    assert len(read(text, has_header=False)[1]) == 3
    assert len(read(text, has_header=True)[1]) == 2


def test_headings_over_two_rows_are_joined(read, tmp_path):
    rows = [
        (1, ["Name", None, "Contact", None, "SMS consent"]),
        (2, ["First", "Last", "Email", "Mobile"]),
        (3, ["Anna", "Papa", "anna@example.com", "6944000501", "no"]),
    ]
    layout, records = read(write_workbook(tmp_path / "a.xlsx", rows))
    assert layout.headings == (
        "Name First",
        "Name Last",
        "Contact Email",
        "Contact Mobile",
        "SMS consent",
    )
    assert len(records) == 1


def test_a_group_above_the_headings_says_whose_they_are(read):
    text = "Customer,,Emergency contact,\nName,Phone,Name,Phone\nAnna,6944000501,Eva,6944000512\n"
    assert read(text)[0].headings == (
        "Customer Name",
        "Customer Phone",
        "Emergency contact Name",
        "Emergency contact Phone",
    )


def test_rows_with_more_cells_than_headings_are_refused_if_most_are(read, refusal):
    assert len(read("Mobile,Name\n6944000501,Anna\n6944000512,Papa, Eva\n")[0].headings) == 2
    text = "Mobile,Name\n6944000501,Lade, Anna\n6944000512,Papa, Eva\n"
    assert "line 2: the rows have more cells than the headings" in refusal(text)
    assert len(read("Mobile,Name\n6944000501,Anna,,\n6944000512,Eva,,\n")[1]) == 2


@pytest.mark.parametrize(
    "text",
    [
        'Name,Mobile\n"Anna,6944000501\nEva,6944000512\nMax "M" Muster,6944000523\n',
        'Mobile,Name,Note\n1,Anna,"said 5\n6944000512,Eva,y\n6944000523,Max,"vip"\n3,Zoe,w\n',
    ],
)
def test_a_quotation_mark_that_joins_rows_is_refused_with_its_line(refusal, text):
    assert "line 2: a quotation mark joins several rows" in refusal(text)


def test_a_cell_may_have_several_lines(read):
    text = 'Name,Mobile,Address\nAnna,6944000501,"Olive Road 5, Athens\nsecond floor, left"\n'
    assert len(read(text)[1]) == 1


def test_a_backslash_before_a_quotation_mark_keeps_it_within_its_cell(read):
    _, rows = read('"Mobile","Name"\n"6944000501","Papa \\"A, B\\" x"\n')
    assert rows == [(2, ["6944000501", 'Papa "A, B" x'])]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('[{"name": "Anna"}]', "JSON"), ('{"name": "Anna"}\n', "JSON"), ('[\n "694"\n]', "JSON"),
        ("INSERT INTO `c` VALUES\n(1,'6944000501');\n", "database"),
        ("-- dump\nCREATE TABLE c (id int);\n", "database"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR\n", "calendar"), ("begin:vcard\n", "business cards"),
        ("<html><table>", "web page"), ("dn: cn=Anna\ncn: Anna\n", "directory"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_text_that_is_no_table_is_refused(refusal, text, kind, encoding):
    assert kind in refusal(text.encode(encoding))


def test_lines_that_are_one_cell_each_are_refused(refusal):
    assert "each line is one cell" in refusal(
        '"Name,Mobile"\n"Anna,6944000501"\n"Eva,6944000512"\n'
    )


NAMES = {
    "de": ("Jürgen Groß\nKäthe Müller\nÖzge Schäfer", "cp1252 cp850 mac_roman"),
    "fr": ("Zoë Lefèvre\nHélène Durand\nFrançois Côté", "cp1252 cp850 mac_roman"),
    "es": ("José Peña\nMaría Núñez\nLucía García", "cp1252 cp850 mac_roman"),
    "pt": ("João Conceição\nInês Simões", "cp1252"),
    "el": ("Ελένη Σταύρου\nΆγγελος Ρήγας\nΝΙΚΟΣ", "cp1253 iso8859_7 cp737 mac_greek"),
    "pl": ("Łukasz Żółć\nKatarzyna Wiśniewska\nMichał Dąbrowski", "cp1250 iso8859_2"),
    "cs": ("Jiří Dvořák\nZdeněk Černý\nRůžena Kučerová", "cp1250 iso8859_2"),
    "hu": ("Győző Kovács\nErzsébet Szűcs\nÁrpád Tóth", "cp1250"),
    "tr": ("Gülşen Yıldız\nİbrahim Çağlar", "cp1254 iso8859_9"),
    "lt": ("Žydrūnas Šimkus\nRūta Kazlauskaitė", "cp1257"),
    "ru": ("Мария Иванова\nПётр Щукин", "cp1251 koi8_r cp866 iso8859_5 mac_cyrillic"),
}
WRITTEN = [
    (names, encoding) for names, encodings in NAMES.values() for encoding in encodings.split()
]


@pytest.mark.parametrize(("names", "encoding"), WRITTEN)
def test_names_are_read_as_they_were_written(names, encoding):
    found = detect_legacy_encoding_or_empty(names.encode(encoding))
    assert found
    assert names.encode(encoding).decode(found) == names


@pytest.mark.parametrize(("names", "encoding"), WRITTEN)
def test_one_name_is_read_as_it_was_written_or_not_at_all(names, encoding):
    for name in names.split():
        found = detect_legacy_encoding_or_empty(name.encode(encoding))
        assert not found or name.encode(encoding).decode(found) == name


def test_the_country_of_the_store_decides_between_readings(read, refusal):
    text = f"{TABLE}Muñoz,6944000523,yes\n".encode("cp1252")
    assert "--encoding" in refusal(text)
    assert read(text, region="ES")[1][-1][1][0] == "Muñoz"
    assert read(text, encoding="cp1252")[1][-1][1][0] == "Muñoz"
    assert detect_legacy_encoding_or_empty("민수,김".encode("euc_kr")) == ""
    assert detect_legacy_encoding_or_empty("민수,김".encode("euc_kr"), "KR") == "euc_kr"


def test_three_names_are_enough_to_prefer_an_encoding_in_use_today():
    names = "André\nChloé\nZoë".encode("cp1252")
    assert detect_legacy_encoding_or_empty(names) == "cp1252"
    assert detect_legacy_encoding_or_empty(names[:11]) == ""


def test_an_encoding_that_does_not_exist_is_refused(refusal):
    assert "there is no encoding foo" in refusal(TABLE, encoding="foo")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
def test_every_form_of_unicode_is_read(read, encoding):
    text = f"{TABLE}Ελένη,6944000523,yes\n"
    assert read(text.encode(encoding))[1][-1][1][0] == "Ελένη"


def test_letters_that_were_damaged_before_are_refused(refusal):
    damaged = "José Müller Zoë".encode().decode("cp1252")
    assert is_mojibake(damaged)
    assert not is_mojibake("José Müller São Ângela")
    assert "damaged before" in refusal(f"{TABLE}{damaged},6944000523,yes\n")


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("cp1253", "cp1252"),
        ("utf-8", "cp737"),
        ("cp737", "latin-1"),
    ],
)
def test_greek_that_was_read_in_another_alphabet_is_refused(refusal, written, read_as):
    damaged = "Γιώργος Παπαδόπουλος".encode(written).decode(read_as)
    assert "damaged before" in refusal(f"{TABLE}{damaged},6944000523,yes\n")


def test_letters_that_were_replaced_are_refused(refusal):
    assert "damaged before" in refusal(f"{TABLE}M\ufffdller,6944000523,yes\n")


@pytest.mark.parametrize("name", ["créée", "Ðorđe Šćepanović", "Łódź", "Æsøy", "Ñuñoa"])
def test_usual_accents_are_no_damage(read, name):
    assert read(f"{TABLE}{name},6944000523,yes\n")[1][-1][1][0] == name


SHEET = [(1, ["Name", "Mobile"]), (2, ["Anna", "6944000501"]), (3, ["Eva", "6944000512"])]
OTHER_SHEET = [(1, ["Mobile", "Name"]), (2, ["6944000523", "Max"])]


def test_sheets_with_the_same_headings_are_all_read(read, tmp_path):
    path = write_workbook(tmp_path / "a.xlsx", SHEET, [(1, ["Pivot"])], SHEET[:2])
    layout, rows = read(path)
    assert len(layout.sheets) == 2
    assert [cells[0] for _, cells in rows] == ["Anna", "Eva", "Anna"]
    assert [line for line, _ in rows] == [2, 3, 5]


def test_of_sheets_with_other_headings_a_person_chooses(read, refusal, tmp_path):
    path = write_workbook(tmp_path / "a.xlsx", SHEET, OTHER_SHEET)
    sentence = refusal(path)
    assert "--sheet" in sentence
    names = sentence.partition("of one: ")[2].partition(":")[0].split(", ")
    assert read(path, sheet=names[1])[1] == [(2, ["6944000523", "Max"])]
    assert "there is no sheet foo" in refusal(path, sheet="foo")


def test_control_characters_of_a_workbook_are_left_out(read, tmp_path):
    path = write_workbook(tmp_path / "a.xlsx", [(1, ["Na_x0000_me", "Mobile"]), *SHEET[1:]])
    layout, _ = read(path)
    assert layout.headings == ("Name", "Mobile")


def test_a_formula_without_a_result_is_refused(refusal, tmp_path):
    path = write_workbook(tmp_path / "a.xlsx", SHEET)
    changed = tmp_path / "b.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            if name.startswith("xl/worksheets/"):
                part = part.replace(b"</row>", b'<c r="C1"><f>A1&amp;"x"</f><v/></c></row>', 1)
            target.writestr(name, part)
    assert "formulas whose results are not stored" in refusal(changed)


def test_a_letter_before_another_accented_one_is_no_damage():
    assert not is_mojibake("Odhlášen\n")
    assert is_mojibake("OdhlÃ¡Å¡en\n")


ROWS_OF_CODES = "Anna,6944000501,1\nEva,6944000512,2\nIda,6944000523,0\n"


@pytest.mark.parametrize(
    ("above", "heading"),
    [
        ('"SMS: 1 = oui, 2 = non, 0 = non renseigné"\n', "1 = oui, 2 = non, 0 = non renseigné"),
        ("Codes 1 = yes / 2 = no / 0 = not asked\n", "1 = yes, 2 = no, 0 = not asked"),
        ("0 = offen\n1 = ja\n2 = nein\n", "0 = offen, 1 = ja, 2 = nein"),
        ("Customers,,\n0 = open,1 = yes,2 = no\n", "0 = open, 1 = yes, 2 = no"),
    ],
)
def test_a_legend_above_the_headings_is_written_into_that_of_its_column(read, above, heading):
    layout, rows = read(f"{above}\nName,Mobile,SMS\n{ROWS_OF_CODES}")
    assert layout.headings == ("Name", "Mobile", f"SMS ({heading})")
    assert len(rows) == 3
    again = f"{above}\nName,Mobile,SMS\nAnna,6944000501,1\nName,Mobile,SMS\nEva,6944000512,2\n"
    assert read(again)[0].headings == layout.headings  # printed pages repeat the headings


@pytest.mark.parametrize(
    "above",
    ["1 = yes\n", "1 = yes and 2 = no\n", "A = aktiv, B = gesperrt\n", "Points: 1 = 5, 2 = 10\n"],
)
def test_a_legend_that_explains_no_column_or_more_than_one_changes_no_heading(read, above):
    table = "Name,Mobile,SMS,Level\nAnna,6944000501,1,0\nEva,6944000512,0,1\n"
    assert read(f"{above}\n{table}")[0].headings == ("Name", "Mobile", "SMS", "Level")


@pytest.mark.parametrize("sign", "⓵²❶๑")
def test_a_heading_with_a_number_in_a_circle_is_read(read, sign):
    layout, rows = read(f"Phone {sign},Phone\n6944000501,6944000512\n")
    guess = guess_columns_and_questions(layout.headings, [cells for _, cells in rows], "GR")
    assert guess.fields["phone"]


def test_ordinals_of_spanish_are_no_letters_of_another_encoding():
    for names in (
        "Mª Carmen;López\nJosé;García\n",
        "Lucía;García\nMª Pilar;Calle Mayor 3, 2º B\n",
        "Nicolò;1º piano\nDebora;Città\n",
    ):
        for encoding in ("cp1252", "cp850"):
            for region in ("", "ES", "IT", "GB"):
                found = detect_legacy_encoding_or_empty(names.encode(encoding), region)
                assert not found or names.encode(encoding).decode(found) == names, (names, region)
        assert detect_legacy_encoding_or_empty(names.encode("cp1252"), "ES")


def test_words_of_one_other_language_speak_against_the_country_of_the_store():
    names = "Müller;Jürgen\nYıldız;Şahin\n"
    assert not detect_legacy_encoding_or_empty(names.encode("cp1254"), "DE")
    assert detect_legacy_encoding_or_empty(names.encode("cp1254"), "TR")


def test_lines_of_two_encodings_are_named_and_no_encoding_is_asked_for(refusal):
    text = "Name;Handy\nJürgen Kühn;0170 7788001\n".encode() + "Günter;0170 7788002\n".encode(
        "cp1252"
    )
    assert "others in another encoding" in refusal(text)
