"""Reading customer lists as tills, web shops and spreadsheets write them."""

import gzip
import itertools
import json
import tracemalloc
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.importing.import_refused import ImportRefused
from contacts.importing.reading import FileReader, Layout, detect_layout_or_refuse
from tests.support.workbook import write_workbook

DATA = Path(__file__).parent.parent / "data" / "imports"
LARGEST = 100_000_000
TABLE = "Phone,First name\n+306900000001,Anna\n+306900000002,Mark\n"


def layout_of(path, largest_bytes=LARGEST, **options):
    return detect_layout_or_refuse(path, largest_bytes=largest_bytes, **options)


def read(path, **options):
    layout = layout_of(path, **options)
    return layout, list(FileReader(path, layout))


@pytest.fixture
def written(tmp_path):
    """Writes a file of these bytes or this text."""

    def write(content):
        path = tmp_path / "customers"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def refusal(written):
    """The sentence with which these bytes, this text or this file is refused."""

    def refused(content, **options):
        path = content if isinstance(content, Path) else written(content)
        with pytest.raises(ImportRefused) as caught:
            for _ in FileReader(path, layout_of(path, **options)):
                pass
        return str(caught.value)

    return refused


@pytest.mark.parametrize(
    ("name", "encoding", "delimiter", "first", "last"),
    [
        ("shopify_customers.csv", "utf-8", ",", "'700000000001", "Ελένη"),
        ("woocommerce_customers.csv", "utf-8", ",", "11", "Leon"),
        ("square_customers.csv", "utf-8", ",", "", "Leon"),
        ("lightspeed_customers.csv", "utf-8", ";", "5001", "2023-01-09 13:00:59"),
        ("mailchimp_audience.csv", "utf-8", ",", "anna@example.com", "Leon"),
        ("klaviyo_profiles.csv", "utf-8", ",", "anna@example.com", "01DDDDDDDDDDDDDDDDDDDDDDDD"),
        ("brevo_contacts.csv", "utf-8", ";", "1", ""),
        ("hubspot_contacts.csv", "utf-8", ",", "101", "Leon"),
        ("excel_german.csv", "cp1252", ";", "1001", "Zoë"),
        ("greek_windows.csv", "cp1253", ";", "1", "Άγγελος"),
        ("greek_iso.csv", "iso8859_7", ";", "1", "Άγγελος"),
        ("excel_unicode.txt", "utf-16", "\t", "Άννα Παππά", "+306900000004"),
        ("sep_line.csv", "utf-8-sig", ";", "Άννα Παππά", "6900000004"),
        ("no_header.csv", "utf-8", ",", "1000001", "+306900000004"),
    ],
)
def test_an_export_is_read_as_it_was_written(name, encoding, delimiter, first, last):
    layout, records = read(DATA / name)
    assert (layout.encoding, layout.delimiter) == (encoding, delimiter)
    assert (records[0][1][0], records[-1][1][1]) == (first, last)
    assert {len(cells) for _, cells in records} == {len(layout.headings)}
    assert len(records) == (5 if name.startswith("shopify") else 4)


def test_quoted_delimiters_and_line_ends_stay_within_their_cell():
    layout, records = read(DATA / "shopify_customers.csv")
    assert [line for line, _ in records] == [2, 3, 4, 5, 7]
    note = records[3][1][layout.headings.index("Note")]
    assert note == "Called on Monday,\nwants the red one"
    assert records[0][1][6] == "Οδός Ελιάς 5, ισόγειο"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Τηλέφωνο;Όνομα\n6900000001;Νίκος\n", "cp1253"),
        ("Phone;Name\n6900000001;ΝΙΚΟΣ\n6900000002;Bob\n", "cp1253"),
        ("Phone;Name\n6900000001;Άρης\n", "iso8859_7"),
        ("Phone;Name\n6900000001;Größe\n6900000002;Müller\n", "cp1252"),
        ("Téléphone;Prénom\n6900000001;Zoé\n", "cp1252"),
        ("Phone;Name\n6900000001;Anna €uro\n", "cp1252"),
        ("Τηλέφωνο;Όνομα\n6900000001;Νίκος\n", "utf-16-le"),
        ("Τηλέφωνο;Όνομα\n6900000001;Νίκος\n", "utf-16-be"),
        ("Phone;Name\n6900000001;Anna\n", "utf-16-le"),
        ("Phone;Name\n6900000001;Νίκος\n", "utf-8"),
    ],
)
def test_the_encoding_is_found_without_a_mark(written, text, encoding):
    layout, records = read(written(text.encode(encoding)))
    assert layout.encoding == encoding
    assert [*layout.headings, *records[0][1]] == text.splitlines()[0].split(
        ";"
    ) + text.splitlines()[1].split(";")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_heading(written, encoding):
    assert read(written(TABLE.encode(encoding)))[0].headings == ("Phone", "First name")


def test_letters_far_down_the_file_decide_its_encoding(written):
    body = "".join(f"69{n:08};Bob\n" for n in range(60_000))
    path = written(f"Phone;Name\n{body}6900000001;Νίκος\n".encode("cp1253"))
    layout, records = read(path)
    assert (layout.encoding, records[-1]) == ("cp1253", (60_002, ["6900000001", "Νίκος"]))


def test_one_broken_letter_does_not_turn_utf8_into_something_else(written):
    body = "".join(f"69{n:08};Νίκος\n" for n in range(20))
    layout, records = read(written(f"Phone;Name\n{body}".encode() + b"6900000099;Z\xf6\n"))
    assert (layout.encoding, records[-1][1][1]) == ("utf-8", "Z\ufffd")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("Name;Saldo\n6900000001;1,50\n6900000002;22,90\n", ";"),
        ("Phone;Name\n6900000001;Pappa, Anna\n6900000002;Deli, Mark\n", ";"),
        ("6900000001;Pappa, Anna\n6900000002;Deli, Mark\n", ";"),
        ('"Deli; Sons",6900000001,a\n"Linden; Co",6900000002,b\n', ","),
        ("Phone|Tags\n6900000001|a,b\n6900000002|c\n", "|"),
        ("Phone\tNote\n6900000001\tx, y\n", "\t"),
        ("Phone,Name\n6900000001,Anna,,\n6900000002\n6900000003,Leon,x\n", ","),
        ("Phone;Tags;Date\n6900000001;2020-01-01|2020-02-02;x\n6900000002;;y\n", ";"),
    ],
)
def test_the_delimiter_is_the_one_that_makes_a_table(written, text, delimiter):
    assert read(written(text))[0].delimiter == delimiter


def test_a_space_may_stand_between_delimiter_and_quotation_mark(written):
    layout, records = read(written('"Phone", "Name"\n"6900000001", "Pappa, Anna"\n'))
    assert records == [(2, ["6900000001", "Pappa, Anna"])]
    assert layout.headings == ("Phone", "Name")


def test_a_list_of_numbers_alone_needs_no_delimiter(written):
    layout, records = read(written("690 000 0001\n\n690 000 0002\n"))
    assert layout.headings == ("column 1",) and not layout.has_header
    assert records == [(1, ["690 000 0001"]), (3, ["690 000 0002"])]


def test_a_line_that_names_the_delimiter_decides_it(written):
    layout, records = read(written("sep=;\nPhone;a,b\n6900000001;1,2\n"))
    assert (layout.delimiter, layout.skip) == (";", 2)
    assert records == [(3, ["6900000001", "1,2"])]


def test_blank_lines_are_counted_and_not_read(written):
    layout, records = read(written(f"\n , \n\n{TABLE}\n,\n  \n+306900000003,Zoe\n\n"))
    assert layout.headings == ("Phone", "First name")
    assert [line for line, _ in records] == [5, 6, 10]


@pytest.mark.parametrize("first", ["+306900000001,x", "a,anna@example.com", "a,1990-02-28"])
def test_a_first_row_with_a_value_is_no_header(written, first):
    layout, records = read(written(f"{first}\n6900000002,y\n"))
    assert (layout.has_header, len(records)) == (False, 2)
    assert layout.headings == ("column 1", "column 2")


def test_what_the_person_says_of_the_header_holds(written):
    path = written("6900000001,x\n6900000002,y\n")
    assert layout_of(path, has_header=True).headings == ("6900000001", "x")
    path = written("a,b\nc,d\n")
    assert layout_of(path, has_header=False).headings == ("column 1", "column 2")


def test_each_column_has_a_name_of_its_own(written):
    layout, records = read(written("Phone,,Phone,Phone (2),Phone,\n1,2,3,4,5,6\n"))
    assert layout.headings == (
        "Phone",
        "column 2",
        "Phone (2)",
        "Phone (2) (2)",
        "Phone (3)",
        "column 6",
    )
    assert records == [(2, list("123456"))]


def test_ragged_rows_are_given_as_they_are(written):
    assert [cells for _, cells in read(written(TABLE + "x\n1,2,3\n"))[1]][2:] == [
        ["x"],
        ["1", "2", "3"],
    ]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_of_every_system_count_as_one_line(written, end):
    _, records = read(written(TABLE.replace("\n", end)))
    assert records == [(2, ["+306900000001", "Anna"]), (3, ["+306900000002", "Mark"])]


def test_zero_bytes_are_dropped(written):
    layout, records = read(written(TABLE.replace("Anna", "An\0na").replace("Phone", "\0Phone")))
    assert (layout.headings[0], records[0][1][1]) == ("Phone", "Anna")


def test_a_quotation_mark_never_closed_is_refused_with_its_line(refusal):
    assert "line 3: a quotation mark is opened and never closed" in refusal(
        TABLE.replace("+306900000002", '"+306900000002')
    )


def test_a_quotation_mark_never_closed_in_a_long_file_is_refused_before_its_end(written):
    body = "".join(f"+30690{n:07},Anna\n" for n in range(100_000))
    path = written(f'Phone,Name\n{body}+306900000001,"Anna\n{body}')
    read_rows = iter(FileReader(path, layout_of(path)))
    assert next(itertools.islice(read_rows, 99_999, None)) == (100_001, ["+306900099999", "Anna"])
    with pytest.raises(ImportRefused, match="line 100002: a quotation mark is opened"):
        next(read_rows)


def test_a_quotation_mark_within_a_cell_is_kept(written):
    records = read(written(TABLE.replace("Anna", 'An"na').replace("Mark", '"Mark" Deli')))[1]
    assert [cells[1] for _, cells in records] == ['An"na', "Mark Deli"]


def test_a_closed_cell_may_end_the_file(written):
    assert read(written('Phone,Note\n1,"a\nb"'))[1] == [(2, ["1", "a\nb"])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "no rows"),
        ("Phone,Name\n", "headings and no rows"),
        ("sep=;\n", "no rows"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "(.xls)"),
        (b"%PDF-1.7\n1 0 obj\n", "a PDF document, not a table: save the list as CSV or .xlsx"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "an image"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "an image"),
        ("\ufeff <html><table>", "a web page"),
        ("BEGIN:VCARD\nVERSION:3.0\n", "business cards"),
        (bytes(range(1, 256)) * 4, "a file of another kind"),
        (b"x" * 3_000_000, "a line of more than"),
        ("Phone\n" + "x" * 200_000 + "\n", "line 2: a cell has more than 131,072 characters"),
        (gzip.compress(TABLE.encode() * 9000, mtime=0)[:-9], "damaged or incomplete"),
        (gzip.compress(b"PK\3\4" + bytes(50), mtime=0), "inside the compressed file"),
        (
            gzip.compress(gzip.compress(TABLE.encode(), mtime=0), mtime=0),
            "inside the compressed file",
        ),
        (b"PK\3\4" + bytes(50), "damaged or incomplete"),
    ],
)
def test_what_is_no_list_is_refused_with_advice(refusal, content, said):
    assert said in refusal(content)


def test_a_heading_that_begins_like_an_archive_is_none(written):
    assert read(written("PK,Phone\n1,6900000001\n"))[0].headings == ("PK", "Phone")


def test_a_compressed_file_is_read_like_another(written, tmp_path):
    layout, records = read(written(gzip.compress(TABLE.encode(), mtime=0)))
    assert layout.compressed
    assert records == read(written(TABLE))[1]


def test_a_compressed_file_that_unpacks_to_too_much_is_refused(refusal):
    bomb = gzip.compress(b"Phone,Name\n" + b"6900000001,x\n" * 2_000_000, 9, mtime=0)
    assert "more than 200 times its size" in refusal(bomb)
    long = "".join(f"{n},x\n" for n in range(300_000)).encode()
    assert "more than 1 MB" in refusal(gzip.compress(long, mtime=0), largest_bytes=1_000_000)
    assert "more than 1 MB" in refusal(long, largest_bytes=1_000_000)


def test_a_file_that_grew_after_it_was_judged_is_refused_while_read(written):
    path = written(gzip.compress(TABLE.encode(), mtime=0))
    layout = layout_of(path)
    path.write_bytes(gzip.compress(TABLE.encode() + b"6900000001,x\n" * 2_000_000, 9, mtime=0))
    with pytest.raises(ImportRefused, match="200 times"):
        for _ in FileReader(path, layout):
            pass


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.slow
def test_the_share_grows_to_the_whole_of_the_file(written, compressed):
    text = "Phone,Name\n" + "".join(
        f"+30690{n * 7919 % 10**7:07},Anna{n}\n" for n in range(200_000)
    )
    path = written(gzip.compress(text.encode(), mtime=0) if compressed else text)
    reader = FileReader(path, layout_of(path))
    shares = [reader.share_read for _ in reader]
    assert shares == sorted(shares) and len(set(shares)) > 3
    assert 0 < shares[0] < 0.6 and shares[-1] == reader.share_read == 1


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [False, True])
def test_memory_does_not_grow_with_the_file(written, compressed):
    note = "x" * 100
    text = "Phone,Note\n" + "".join(f"+30690{n:07},{note}{n}\n" for n in range(80_000))
    path = written(gzip.compress(text.encode(), mtime=0) if compressed else text)
    size = len(text)
    del text
    tracemalloc.start()
    count = sum(1 for _ in FileReader(path, layout_of(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 80_000
    assert peak < 6_000_000 < size


def test_a_stored_layout_reads_the_same_rows(written):
    for path in sorted(DATA.iterdir()):
        layout = layout_of(path)
        stored = Layout.from_json(json.loads(json.dumps(layout.as_json_dict())))
        assert stored == layout == layout_of(path)
        assert list(FileReader(path, stored)) == list(FileReader(path, layout))


def test_a_workbook_is_read_from_its_first_filled_sheet(tmp_path):
    path = write_workbook(
        tmp_path / "a.xlsx",
        [],
        [
            (3, [None, "Phone", "Birthday", "VIP", "Spent"]),
            (4, [None, 306900000001.0, date(1990, 2, 28), True, 1250.5]),
            (6, [None, "+306900000002", None, False, 1e21]),
            (7, [None, "0690 000 0003", date(1984, 11, 5), None, 1e-7]),
        ],
        [(1, ["other"])],
    )
    layout, records = read(path)
    assert (layout.kind, layout.skip) == ("xlsx", 3)
    assert layout.headings == ("Phone", "Birthday", "VIP", "Spent")
    assert records == [
        (4, ["306900000001", "1990-02-28", "TRUE", "1250.5"]),
        (6, ["+306900000002", "", "FALSE", "1000000000000000000000"]),
        (7, ["0690 000 0003", "1984-11-05", "", "0.0000001"]),
    ]


def test_a_workbook_without_headings_and_with_line_ends_in_cells(tmp_path):
    path = write_workbook(
        tmp_path / "a.xlsx", [(1, [306900000001, 'a "b"\nc,d']), (2, [306900000002, "Ζωή"])]
    )
    layout, records = read(path)
    assert not layout.has_header
    assert records == [(1, ["306900000001", 'a "b"\nc,d']), (2, ["306900000002", "Ζωή"])]


def test_the_share_of_a_workbook_grows_to_the_whole(tmp_path):
    path = write_workbook(
        tmp_path / "a.xlsx", [(1, ["Phone"]), *((n, [f"+3069{n:08}"]) for n in range(2, 51))]
    )
    reader = FileReader(path, layout_of(path))
    shares = [reader.share_read for _ in reader]
    assert shares == [n / 50 for n in range(2, 51)]


def test_an_empty_cell_stands_for_an_error_of_the_sheet(tmp_path):
    path = write_workbook(
        tmp_path / "a.xlsx", [(1, ["Phone", "Name"]), (2, ["+306900000001", "#N/A"])]
    )
    assert read(path)[1] == [(2, ["+306900000001", ""])]


def test_a_workbook_too_large_for_memory_is_refused(refusal, tmp_path):
    corners = [(1, ["Phone", "Name"]), (1_048_576, [None] * 16_383 + ["x"])]
    assert "too much memory" in refusal(write_workbook(tmp_path / "a.xlsx", corners))
    too_long = [(1, ["Phone"]), (1_048_577, ["x"])]
    assert "more than 1,048,576 rows" in refusal(write_workbook(tmp_path / "b.xlsx", too_long))


@pytest.mark.slow
def test_a_workbook_whose_parts_unpack_to_too_much_is_refused(refusal, tmp_path):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", " " * 50_000_000)
    assert "more than 200 times its size" in refusal(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", " " * (LARGEST + 1))
    assert "more than 100 MB" in refusal(path)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("customers.csv", "an archive (.zip), not a list: unpack it"),
        ("content.xml", "an OpenDocument file"),
        ("xl/workbook.bin", "a binary workbook (.xlsb)"),
        ("xl/workbook.xml", "the workbook is damaged"),
    ],
)
def test_an_archive_that_is_no_workbook_is_refused(refusal, tmp_path, part, said):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(part, TABLE)
    assert said in refusal(path)


TEXTS = st.text('",;\t|\r\n\0\ufeff aé1Ω+@.-/', max_size=200)
FILES = st.one_of(
    st.binary(max_size=300),
    st.builds(str.encode, TEXTS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])),
    st.builds(lambda text: text.encode("cp1253", "replace"), TEXTS),
    st.builds(
        bytes.__add__,
        st.sampled_from(
            [b"sep=;\n", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"PK\3\4", b"\x1f\x8b\x08"]
        ),
        st.binary(max_size=100),
    ),
    st.builds(gzip.compress, st.binary(max_size=300)),
    st.builds(lambda text: gzip.compress(text.encode(), mtime=0)[:-1], TEXTS),
)


@pytest.mark.slow
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(FILES, st.sampled_from([None, True, False]))
def test_any_bytes_are_read_in_order_or_refused(tmp_path, content, has_header):
    path = tmp_path / "any"
    path.write_bytes(content)
    before = 0
    try:
        layout = layout_of(path, has_header=has_header)
        before = layout.skip
        for line, cells in FileReader(path, layout):
            assert line > before
            assert any(cells) and not any("\0" in cell for cell in cells)
            before = line
    except ImportRefused as refused:
        assert str(refused)
