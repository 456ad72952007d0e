"""Customers at the public pages of a chaos run: they sign up, agree by their link, and use offers.

Each button is pressed twice at one time, and once more if a server was away.
"""

from __future__ import annotations

import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from html import unescape
from typing import Any, NamedTuple

import requests
from django.core import signing

from astronote.accounts.models import User
from campaigns.models import AutomationMessage, CampaignMessage, NfcTag
from campaigns.signup import forms, redeeming
from campaigns.signup.page_texts import PAGE_TEXTS
from compliance import page_texts as consent_pages
from messaging.links import short_url
from tests.chaos.rules import REQUEST_LINK, Evidence

ENGLISH = "en"
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0"


class OpenForm(NamedTuple):
    """A sign-up form on somebody's phone.

    `shown_at` is by `time.monotonic`.
    """

    store: User
    url: str
    data: dict[str, str]
    shown_at: float

    @property
    def key(self) -> str:
        """What tells the form from others: the key of the sign-up that it makes."""
        return signing.loads(self.data["sign"], salt=forms.SALT)[2]


class Visitors:
    """Customers with phones of their own; what they were told goes to the evidence."""

    def __init__(
        self, site: str, stores: list[User], draw: random.Random, evidence: Evidence
    ) -> None:
        self.site, self.stores, self.draw, self.evidence = site, stores, draw, evidence
        self.count = 0
        self.open_forms: list[OpenForm] = []
        self.links: list[tuple[tuple[str, str], str]] = []  # (sender, phone), path
        self.doors = {store.pk: self._make_tag(store, "opt_in") for store in stores}
        self.tills = {store.pk: self._make_tag(store, "redemption") for store in stores}

    def _make_tag(self, store: User, type_: str) -> NfcTag:
        return NfcTag.objects.create(owner=store, label=type_, type=type_)

    def open_form(self) -> None:
        """Look at a store's page with a number: a new one, one that came before, one that left."""
        store = self.draw.choice(self.stores)
        left = [phone for sender, phone in self.evidence.opted_out if sender == store.sender_name]
        before = [phone for owner_id, phone in self.evidence.signed_up.values()]
        kind = self.draw.random()
        if kind < 0.2 and left:
            phone = self.draw.choice(left)
        elif kind < 0.4 and before:
            phone = self.draw.choice(before)
        else:
            self.count += 1
            phone = f"+30693{self.count:07}"
        if (store.pk, phone) in self.evidence.erased:
            return
        if store.double_opt_in:
            self.evidence.without_consent.add((store.sender_name, phone))
        url = f"{self.site}/j/{self.doors[store.pk].public_id}"
        page = self._ask("GET", url, {})
        day = date.today()
        data = {
            "sign": unescape(re.search(r'name="sign" value="([^"]*)"', page.text)[1]),
            "phone": phone,
            "first_name": self.draw.choice(["Nina", "Θάλεια", ""]),
            "birthday": day.replace(year=1990, day=min(day.day, 28)).isoformat(),
            "agrees": "yes",
        }
        self.open_forms.append(OpenForm(store, url, data, time.monotonic()))

    def send_form(self) -> bool:
        """Send the oldest form that a page takes already; tell whether there was one."""
        if not self.open_forms or time.monotonic() - self.open_forms[0].shown_at < (
            forms.MIN_SECONDS + 0.5
        ):
            return False
        form = self.open_forms[0]
        if (form.store.pk, form.data["phone"]) in self.evidence.erased:
            self.open_forms.pop(0)
            return False
        if any("done=1" in answer.url for answer in self._press_twice(form.url, form.data)):
            self.evidence.signed_up[form.key] = (form.store.pk, form.data["phone"])
        self.open_forms.pop(0)
        return True

    def read_messages(self, messages: list[dict[str, Any]]) -> None:
        """Note the links by which requests among new messages are answered."""
        for message in messages:
            if REQUEST_LINK in message["text"]:
                path = message["text"][message["text"].index(REQUEST_LINK) :].split()[0]
                self.links.append(((message["sender"], message["destination"]), path))

    def answer_request(self) -> bool:
        """Agree, or leave a request without an answer; tell whether there was one."""
        if not self.links:
            return False
        who, path = self.links[0]
        if self.draw.random() < 0.7:
            self.evidence.agreed_at.setdefault(who, time.time())
            answers = self._press_twice(self.site + path, {})
            thanks = consent_pages.PAGE_TEXTS[ENGLISH].confirmed
            if any(thanks in answer.text for answer in answers):
                self.evidence.confirmed.add(who)
        self.links.pop(0)
        return True

    def use_offer(self) -> None:
        """Use the offer of a message, at the till's tag and by an operator at one time."""
        model = self.draw.choice([CampaignMessage, CampaignMessage, AutomationMessage])
        sent = model.objects.filter(status__in=redeeming.REDEEMABLE_STATUSES).exclude(to="")
        found = list(sent.order_by("?")[:1])
        if not found:
            return
        (message,) = found
        used = (model.__name__, message.pk)
        self.evidence.used.setdefault(used, 0)
        url = f"{self.site}/j/{self.tills[message.owner_id].public_id}"
        for answer in self._press_twice(url, {"code": short_url(message.tracking_id)}):
            self.evidence.used[used] += PAGE_TEXTS[ENGLISH].used_now in answer.text
        offer = redeeming.find_offer(message.owner_id, message.tracking_id)
        if offer is not None:
            result, _ = redeeming.redeem(offer, by="chaos")
            self.evidence.used[used] += result == redeeming.RedemptionResult.USED_NOW

    def _press_twice(self, url: str, data: dict[str, str]) -> list[requests.Response]:
        with ThreadPoolExecutor(2) as pool:
            presses = [pool.submit(self._ask, "POST", url, data) for _ in range(2)]
        return [press.result() for press in presses]

    def _ask(self, method: str, url: str, data: dict[str, str]) -> requests.Response:
        """The answer to a request from an address of its own.

        Raises:
            RequestException: if there is none, or the server says that it is in trouble.
        """
        address = f"10.{self.draw.randrange(256)}.{self.draw.randrange(256)}.7"
        headers = {
            "User-Agent": FIREFOX,
            "Accept-Language": ENGLISH,
            "X-Forwarded-For": address,
        }
        answer = requests.request(method, url, data=data, headers=headers, timeout=15)
        if answer.status_code >= 500:
            answer.raise_for_status()
        return answer
