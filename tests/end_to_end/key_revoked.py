"""A campaign whose key is revoked in the middle and restored, with pictures of what a person sees.

python -m tests.end_to_end.key_revoked --messages 12000 --pictures FOLDER

`test_refusals.py` does the same with fewer messages and without a browser.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.installation import Installation
from tests.support.waiting import answers, wait_until

COMMANDS = [
    *["rqworker sms"] * 2,
    "rqworker delivery_status_poller",
    "rqworker scheduler",
    "rqworker watchdog",
    "rqscheduler",
]
VARIABLES = {
    "QUEUE_RATE_MAX": "1000",
    "QUEUE_BACKOFF_MS": "2000",
    "LOG_LEVEL": "WARNING",
    "WEB_CONCURRENCY": "1",
}
EMAIL, PASSWORD = "root@example.com", "an-invented-password-7"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=12_000)
    parser.add_argument("--pictures", type=Path, required=True)
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    sandbox = ["--latency-ms", "200"]
    batches = {"SMS_BATCH_SIZE": str(max(1, options.messages // 120))}
    with (
        tempfile.TemporaryDirectory() as folder,
        Installation(commands=COMMANDS, sandbox=sandbox, variables=VARIABLES | batches) as place,
    ):
        return send(place, options.messages, options.pictures, Path(folder))


def send(place: Installation, size: int, pictures: Path, folder: Path) -> int:
    from astronote.models import User
    from campaigns import enqueue
    from campaigns.models import CampaignMessage
    from messaging.models import SendingStop
    from tests.support.browser import Browser
    from tests.support.factories import make_campaign, make_store
    from tests.support.volume import make_big_list

    User.objects.create_superuser(EMAIL, PASSWORD)
    store = make_store(balance=2 * size)
    wait_until(lambda: answers(place.web_port))
    browser = Browser(os.environ["PUBLIC_WEB_BASE_URL"], folder)
    browser.login(EMAIL, PASSWORD)
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_big_list(store, size)).pk)
    page = f"/admin/campaigns/campaign/{campaign.pk}/"

    def take(name: str, path: str) -> None:
        browser.open(path)
        browser.screenshot(pictures / f"{name}.png", (1280, 1000))

    def delivered() -> bool:
        campaign.refresh_from_db()
        return campaign.delivered == size

    wait_until(lambda: place.summary()["accepted"] >= size / 3, 300)
    place.behave(account_status=401)
    wait_until(lambda: SendingStop.objects.filter(probes__gte=2).exists(), 120)
    take("1-home-while-refused", "/admin/")
    take("2-campaign-while-refused", page)
    take("3-page-of-the-stop", "/admin/messaging/sendingstop/account_refused/change/")
    campaign.refresh_from_db()
    print(f"refused: {campaign.status}, queued {campaign.queued}, failed {campaign.failed}")
    place.behave(account_status=0)
    wait_until(delivered, 600)
    take("4-home-after", "/admin/")
    take("5-campaign-after", page)
    browser.close()
    summary = place.summary()
    outcomes = Counter(CampaignMessage.objects.values_list("status", flat=True))
    print(f"after: {campaign.status}, {dict(outcomes)}")
    print(f"accepted {summary['accepted']}, of them twice {summary['duplicates']}")
    held = outcomes == {"delivered": size} and not summary["duplicates"]
    return 0 if held and summary["accepted"] == size else 1


if __name__ == "__main__":
    sys.exit(main())
