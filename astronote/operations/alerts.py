"""Alerts: what the banners of the admin say, by e-mail and to a webhook, for those not looking.

`manage.py alerts` asks every minute, in a process of its own: the workers, the scheduler, Redis or
the web server may be what is down. What was told is known to this process alone; started again, it
tells once more what is still so.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime
from smtplib import SMTPException

import requests
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import OperationalError, close_old_connections
from django.utils import timezone
from django.utils.translation import gettext

from astronote.accounts.models import Operator
from astronote.common.store_clock import format_time_with_zone_name
from astronote.operations import registry
from astronote.operations.registry import Notice

log = logging.getLogger(__name__)

WEBHOOK_SECONDS = 10
_FIGURES = re.compile(r"[\d.,:\xa0\u202f]+")  # with the separators of any language


@dataclass
class _Alert:
    """A notice that holds, since when, and whether it was told."""

    notice: Notice
    since: datetime
    is_told: bool = False


class Alerts:
    """The notices that hold. Each is told when it was seen twice, and once more when it is over.

    Seen once is not enough: a restart takes some seconds.
    """

    def __init__(self) -> None:
        self._alerts: dict[tuple[str, str], _Alert] = {}
        self._recipients: list[str] = []

    def tell_alerts(self) -> None:
        """Look at every banner, and tell what is new and what is over."""
        try:
            found = self._load_recipients_and_notices()
        except OperationalError:
            # What else holds cannot be asked, and is not over.
            text = gettext(
                "PostgreSQL cannot be reached: nothing is sent, and the site does not answer."
            )
            found = [Notice(text, "/admin/"), *(one.notice for one in self._alerts.values())]
        notices = {_key_of(notice): notice for notice in found}
        for key, notice in notices.items():
            alert = self._alerts.get(key)
            if alert is None:
                self._alerts[key] = _Alert(notice, timezone.now())
            elif not alert.is_told:
                alert.is_told = self._post_and_mail_to_all_recipients(
                    notice.text, notice.url, alert.since
                )
        for key in self._alerts.keys() - notices.keys():
            alert = self._alerts[key]
            text = gettext("Over: %(text)s") % {"text": alert.notice.text}
            if not alert.is_told or self._post_and_mail_to_all_recipients(
                text, alert.notice.url, alert.since
            ):
                del self._alerts[key]

    def _load_recipients_and_notices(self) -> list[Notice]:
        close_old_connections()
        operators = Operator.objects.filter(gets_alerts=True, is_active=True)
        self._recipients = list(operators.order_by("pk").values_list("email", flat=True))
        return [notice for banner in registry.banners for notice in banner.notices()]

    def _post_and_mail_to_all_recipients(self, text: str, url: str, since: datetime) -> bool:
        """Tell everybody; whether it reached anybody who wants to know."""
        link = f"{settings.PUBLIC_WEB_BASE_URL}{url}"
        begun = gettext("Since %(time)s.") % {"time": format_time_with_zone_name(since, "UTC")}
        body = f"{text}\n{begun} {link}"
        was_told = (
            [_post_alert_to_webhook_or_log_failure(body)] if settings.ALERT_WEBHOOK_URL else []
        )
        if settings.EMAIL_URL:
            was_told += [
                _mail_alert_or_log_failure(address, text, body) for address in self._recipients
            ]
        return any(was_told) or not was_told


def _key_of(notice: Notice) -> tuple[str, str]:
    """What tells one notice from another though its counts and times change.

    The page that it links to tells stores apart that have a figure in their names.
    """
    return _FIGURES.sub("", notice.text), notice.url


def _post_alert_to_webhook_or_log_failure(body: str) -> bool:
    """Post to the webhook, as Slack and others take it."""
    try:
        answer = requests.post(
            settings.ALERT_WEBHOOK_URL,
            json={"text": body},
            timeout=WEBHOOK_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        log.warning("an alert was not posted: %s", type(error).__name__)
        return False
    if not answer.ok:
        log.warning("an alert was not posted: the webhook answered %s", answer.status_code)
    return answer.ok


def _mail_alert_or_log_failure(address: str, text: str, body: str) -> bool:
    subject = f"Astronote: {text.partition(':')[0].partition('. ')[0]}"[:120]
    try:
        return bool(EmailMessage(subject, f"{body}\n", to=[address]).send())
    except (OSError, SMTPException) as error:
        log.warning("an alert was not mailed: %s", type(error).__name__)
        return False
