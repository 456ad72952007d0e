"""Who follows a link: people count, programs and pages loaded ahead do not."""

import json
import time
from pathlib import Path

import pytest

from campaigns.visitors import device_type_of_user_agent
from messaging.models import ShortLink
from tests.support.factories import make_store

FOLDER = Path(__file__).parents[1] / "data" / "links"
CASES = json.loads((FOLDER / "user_agents.json").read_text())
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
PHONE = f"Mozilla/5.0 (Linux; Android 14; SM-A546B) {CHROME}"
PEOPLE = [
    f"Mozilla/5.0 (Linux; Android 12; CUBOT NOTE 20) {CHROME}",
    f"Mozilla/5.0 (Linux; Android 9; Scanner TC20) {CHROME}",
    f"Mozilla/5.0 (Linux; Android 10; SPIDER X1) {CHROME}",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Edg/126.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) Mobile/15E148 Instagram 300.0",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0)",
    "Opera/9.80 (Android; Opera Mini/36.2/119.132; U; id) Presto/2.12.423 Version/12.16",
    "Nokia6300/2.0 (05.00) Profile/MIDP-2.0 Configuration/CLDC-1.1",
]
PROGRAMS = [
    f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} HeadlessChrome/120.0",
    f"Mozilla/5.0 (Windows NT 10.0) {CHROME} Proofpoint",
    f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Netcraft",
    f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) {CHROME} (compatible; Googlebot/2.1)",
    f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} NewPreviewer (+https://chat.example/about)",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0; Pro)",
    "Go-http-client/1.1",
    "WhatsApp/2.23.20.0 A",
    "TelegramBot (like TwitterBot)",
    "NewMailGateway/3.1",
]


@pytest.mark.parametrize("case", CASES, ids=[case["agent"] for case in CASES])
def test_known_visitors_are_people_or_programs(case):
    assert (device_type_of_user_agent(case["agent"]) == "robot") == (case["who"] == "robot")


@pytest.mark.parametrize("agent", PEOPLE)
def test_phones_and_browsers_of_any_name_are_people(agent):
    assert device_type_of_user_agent(agent) != "robot"


@pytest.mark.parametrize("agent", PROGRAMS)
def test_previews_scanners_and_libraries_are_programs(agent):
    assert device_type_of_user_agent(agent) == "robot"


@pytest.mark.parametrize("file", ["people", "programs"])
def test_two_hundred_real_browsers_of_apps_and_programs_are_told_apart(file):
    agents = (FOLDER / f"{file}.txt").read_text().splitlines()
    robots = [agent for agent in agents if device_type_of_user_agent(agent) == "robot"]
    assert robots == (agents if file == "programs" else [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "headers", "clicks"),
    [("get", {}, 1), ("head", {}, 0), ("get", {"Sec-Purpose": "prefetch;prerender"}, 0),
     ("get", {"Purpose": "prefetch"}, 0), ("get", {"X-Moz": "prefetch"}, 0),
     ("get", {"X-Purpose": "preview"}, 0), ("get", {"Sec-Fetch-Dest": "document"}, 1)],
)  # fmt: skip
def test_a_page_loaded_ahead_is_no_visit(method, headers, clicks, client):
    link = ShortLink.objects.create(
        owner=make_store(), short_code="abcdefgh", target_url="https://a.gr/", long_url_hash="x"
    )
    answer = getattr(client, method)("/s/abcdefgh", headers={"User-Agent": PHONE} | headers)
    assert answer.status_code == 302
    link.refresh_from_db()
    assert link.click_count == clicks


def test_a_long_name_of_a_browser_is_read_as_quickly_as_any():
    """Anybody sends one; while it is searched no other request is answered."""
    before = time.process_time()
    for name in (
        "Mozilla/5.0 (Linux;" + "Android" * 20_000,
        "Mozilla/5.0 (" + "compatible " * 20_000,
    ):
        device_type_of_user_agent(f"Mozilla/5.0 {name}")
    assert time.process_time() - before < 1
