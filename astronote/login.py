"""The admin's login, which answers to guessing more and more slowly."""

from __future__ import annotations

import hashlib
import logging

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from redis.exceptions import RedisError

from contacts import jobs

log = logging.getLogger(__name__)
MOST_FAILURES = 10
WINDOW_SECONDS = 900


class ThrottledLogin(AdminAuthenticationForm):
    """Refuses after MOST_FAILURES in WINDOW_SECONDS of one account or one address, right or wrong.

    The counters are in Redis under hashes; without Redis nobody is refused.
    """

    def clean(self) -> dict:
        keys = self._keys()
        if self._failures(keys) >= MOST_FAILURES:
            raise ValidationError(
                f"Too many failed logins. Try again in {WINDOW_SECONDS // 60} minutes.", "throttled"
            )
        try:
            return super().clean()
        except ValidationError:
            self._count(keys)
            raise

    def _keys(self) -> list[str]:
        account = str(self.data.get("username", "")).strip().lower()
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        return [
            f"astronote:login:{hashlib.sha256(f'{kind}:{who}'.encode()).hexdigest()[:32]}"
            for kind, who in (("account", account), ("address", address))
        ]

    def _failures(self, keys: list[str]) -> int:
        try:
            return max(int(value or 0) for value in jobs.redis().mget(keys))
        except RedisError:
            log.warning("failed logins cannot be counted: Redis cannot be reached")
            return 0

    def _count(self, keys: list[str]) -> None:
        try:
            with jobs.redis().pipeline() as pipe:
                for key in keys:
                    pipe.incr(key)
                    pipe.expire(key, WINDOW_SECONDS)
                pipe.execute()
        except RedisError:
            log.warning("a failed login was not counted: Redis cannot be reached")
