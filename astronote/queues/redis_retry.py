"""How long the Redis client tries again while Redis is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from redis.backoff import AbstractBackoff, ConstantBackoff, NoBackoff
from redis.retry import Retry

Answer = TypeVar("Answer")
_nested = threading.local()
_ONCE = Retry(NoBackoff(), 0)


class RetryInOutermostCallOnly(Retry):
    """Tries a command again, and not the connection within each try as well.

    The client repeats a command, and in each of these attempts the connection, by the same object:
    60 retries a second apart would take an hour.
    """

    @classmethod
    def one_retry_without_wait(cls) -> RetryInOutermostCallOnly:
        """One more attempt, for a connection that the server has closed."""
        return cls(NoBackoff(), 1)

    @classmethod
    def one_retry_per_second(cls, seconds: int) -> RetryInOutermostCallOnly:
        """An attempt a second, for what can wait until Redis is back."""
        backoff: AbstractBackoff = ConstantBackoff(1)
        return cls(backoff, seconds)

    def __deepcopy__(self, memo: dict[int, Any]) -> RetryInOutermostCallOnly:
        """The same object for every connection, so that `update_retries` reaches all."""
        return self

    def call_with_retry(
        self, do: Callable[[], Answer], fail: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Answer:
        """Call `do`, and again while it fails; once only within another call."""
        if getattr(_nested, "is_within", False):
            return _ONCE.call_with_retry(do, fail, *args, **kwargs)
        _nested.is_within = True
        try:
            return super().call_with_retry(do, fail, *args, **kwargs)
        finally:
            _nested.is_within = False
