"""Campaign texts as stores write them, with contacts as they are stored: what customers read."""

import json
import re
from pathlib import Path

import pytest

from campaigns.message_text import CONTACT_FIELDS, build_preview_renderer
from campaigns.models import Campaign
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
FILE = Path(__file__).parents[1] / "data" / "links" / "campaign_texts.json"
CASES = json.loads(FILE.read_text())
LINKS = [(r"/s/x{8}(?!x)", "<short link>"), (r"/s/x{12}", "<offer link>")]


def what_is_sent(store, case):
    campaign = Campaign(
        owner=store,
        message_text=case["text"],
        message_type="service",
        offer_url=case.get("offer_url", ""),
    )
    contact = {field: case.get(field, "") for field in CONTACT_FIELDS}
    try:
        text = build_preview_renderer(campaign)(contact, "x" * 12)
    except ValueError as refused:
        return f"refused: {refused}"
    for path, name in LINKS:
        text = re.sub("https://sms.gr" + path, name, text)
    return text


def test_customers_read_what_the_store_meant_or_the_store_is_told_why_not(settings):
    settings.PUBLIC_WEB_BASE_URL = "https://sms.gr"
    store = make_store()
    wrong = []
    for case in CASES:
        sent = what_is_sent(store, case)
        if "sent" in case:
            right = sent == case["sent"]
        else:
            right = sent.startswith("refused: ") and case["refused"] in sent
        if not right:
            wrong.append((case, sent))
    assert len(CASES) > 150
    assert wrong == []
