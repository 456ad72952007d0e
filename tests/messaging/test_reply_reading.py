"""What a customer's answer asks for: every wording that a person would understand, and no other."""

import json
import random
import tomllib
from pathlib import Path

import pytest

from messaging.reply_reading import LANGUAGE_FOLDER, LONGEST_TEXT, read_consent_request_of_reply

CASES = Path(__file__).parent.parent / "data" / "cases" / "inbound"


def request_in(text):
    return read_consent_request_of_reply(text).request or "none"


def cases():
    for path in sorted(CASES.glob("*.json")):
        by_meaning = {}
        for case in json.loads(path.read_text()):
            key = (case.get("language", "any"), case["means"])
            by_meaning.setdefault(key, []).append(case["text"])
        for (language, means), texts in by_meaning.items():
            yield pytest.param(means, texts, id=f"{path.stem}-{language}-{means}")


@pytest.mark.slow
@pytest.mark.parametrize(("means", "texts"), list(cases()))
def test_what_customers_answer_is_understood(means, texts):
    read = {text: request_in(text) for text in texts}
    assert {text: found for text, found in read.items() if found not in means.split(" or ")} == {}


def examples():
    for path in sorted(LANGUAGE_FOLDER.glob("*.toml")):
        for means, texts in tomllib.loads(path.read_text()).get("examples", {}).items():
            for text in texts:
                yield pytest.param(means, text, id=f"{path.stem}-{means}-{text[:30]}")


@pytest.mark.parametrize(("means", "text"), list(examples()))
def test_the_examples_in_the_language_files_are_true(means, text):
    assert request_in(text) == means


def test_every_language_has_examples_of_each_answer():
    for path in LANGUAGE_FOLDER.glob("*.toml"):
        if path.stem != "shared":
            data = tomllib.loads(path.read_text())
            assert set(data["examples"]) == {"stop", "start", "none", "review"}, path.stem


WRITTEN = [
    "STOP", "stop", "Stop.", "  stop  ", "STOP!!!", "“STOP”", "(stop)", "#stop", "stop2",
    "S T O P", "S.T.O.P.", "s-t-o-p", "s_t_o_p", "s*t*o*p", "st op", "stoooop", "sttop", "stpo",
    "ＳＴＯＰ", "𝗦𝗧𝗢𝗣", "Sto\u0301p", "st\u00adop", "s\u200btop", "SТОР", "ЅТОР", "ΣTOΠ",
    "STOP🛑", "STOP\ud83d", "\ud83d\ude00STOP", "\ud83dstop\ud83d", "Re: STOP", "Fwd: re: stop",
    "STOP\nMaria Papadopoulou", "stop\r\n\r\nSent from my iPhone", "Stop, Grüße Hans",
    "STOP\n12345", "ST0P", "\ufeffSTOP", "> Sale!\n> Reply STOP to opt out\n\nstop",
    "Î£Î¤ÎŸÎ\xa0", "ÓÔÏÐ",
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_a_stop_is_heard_however_it_is_written(text):
    assert request_in(text) == "stop"


REASONS = ["wrong number", "I never signed up", "this is a business phone", "she died", "we moved"]


@pytest.mark.parametrize("between", [" - ", ". ", ", ", "\n", " — ", "! ", ": ", " (", " 🙁 "])
def test_a_reason_after_a_stop_changes_nothing(between):
    assert {reason: request_in(f"STOP{between}{reason}") for reason in REASONS} == dict.fromkeys(
        REASONS, "stop"
    )


@pytest.mark.parametrize(
    "text",
    ["Stop by the shop tomorrow?", "Do you stop at 8?", "non-stop", "bus stop", "the next stop",
     "Why did you stop the blue shoes?", "When does the sale end?", "a stop sign", "Top", "Shop",
     "", " ", "1", "👍", "…", "https://example.com/stop"],
)  # fmt: skip
def test_a_sentence_that_merely_has_the_word_is_no_stop(text):
    assert request_in(text) == "none"


@pytest.mark.parametrize(
    ("text", "proposed"),
    [("wrong number", "stop"), ("STOP the music", "stop"), ("Stop. What a great deal", ""),
     ("Don't stop the offers. STOP", ""), ("🛑", "stop"), ("atop", "stop"),
     ("stop or start", "stop"), ("START. STOP.", "stop"), ("STOP. Are you open on Sunday?", "")],
)  # fmt: skip
def test_what_is_not_sure_is_for_a_person_with_a_proposal(text, proposed):
    assert read_consent_request_of_reply(text) == ("review", proposed)


def test_a_message_that_is_sent_back_is_no_request_of_its_own():
    ours = "Spring sale until Sunday!\nOpt out: https://shop.example.com/u/abcdef123456"
    assert request_in(f"Thanks!\n{ours}") == "review"
    assert request_in(f"Is it valid online?\n“{ours}”") == "none"
    assert request_in(f"“{ours}”\nstop") == "stop"


def test_a_stop_at_the_end_of_a_long_text_is_read():
    assert request_in("I bought a jacket. " * 200 + "STOP texting me") == "stop"


@pytest.mark.slow
def test_no_text_breaks_the_reading_or_takes_long():
    draw = random.Random(7)
    letters = "stop STOP no μη ςσ\n.,?;'\"“>😀\ud83d\0-—/()ßİıﬁſ0159@:*…\u200b\u0301²٣"
    words = ["stop", "don't", "sms", "μη", "στείλετε", "no", "quiero", "keine", "mehr", "2", "NAME"]
    for _ in range(5000):
        parts = draw.choice((list(letters), words))
        text = draw.choice(("", " ")).join(draw.choices(parts, k=draw.randrange(60)))
        assert request_in(text) in ("stop", "start", "review", "none")
    for text in ("stop ", "a@", "“", "no me ", "s.", "http://"):
        assert request_in(text * LONGEST_TEXT) in ("stop", "review", "none")
