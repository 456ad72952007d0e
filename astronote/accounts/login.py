"""The admin's login form, which limits failed attempts."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from redis.exceptions import RedisError

from astronote.queues import jobs

log = logging.getLogger(__name__)
MAX_FAILURES = 10
WINDOW_SECONDS = 900


class ThrottledLogin(AdminAuthenticationForm):
    """Refuses after MAX_FAILURES in WINDOW_SECONDS of one account or one address, right or wrong.

    The counters are in Redis under hashes; without Redis nobody is refused.
    """

    def clean(self) -> dict[str, Any]:
        """Check the password unless the account or the address is throttled."""
        keys = self._counter_keys()
        if self._highest_failure_count(keys) >= MAX_FAILURES:
            raise ValidationError(
                f"Too many failed logins. Try again in {WINDOW_SECONDS // 60} minutes.", "throttled"
            )
        try:
            return super().clean()
        except ValidationError:
            self._count_failure(keys)
            raise

    def _counter_keys(self) -> list[str]:
        account = str(self.data.get("username", "")).strip().lower()
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        return [
            f"astronote:login:{hashlib.sha256(f'{kind}:{name}'.encode()).hexdigest()[:32]}"
            for kind, name in (("account", account), ("address", address))
        ]

    def _highest_failure_count(self, keys: list[str]) -> int:
        try:
            return max(int(value or 0) for value in jobs.redis_connection().mget(keys))
        except RedisError:
            log.warning("failed logins cannot be counted: Redis cannot be reached")
            return 0

    def _count_failure(self, keys: list[str]) -> None:
        try:
            with jobs.redis_connection().pipeline() as pipe:
                for key in keys:
                    pipe.incr(key)
                    pipe.expire(key, WINDOW_SECONDS)
                pipe.execute()
        except RedisError:
            log.warning("a failed login was not counted: Redis cannot be reached")
