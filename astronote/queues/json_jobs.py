"""RQ jobs as JSON that name a task of ours: whoever writes to Redis runs nothing else."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import decode_redis_hash

TASK_PATH = re.compile(rf"({'|'.join(settings.PROJECT_APPS)})\.tasks\.[a-z_]+")
# Our jobs have none of these: code to run after the job, addresses to call.
NEVER_OURS = ("success_callback_name", "failure_callback_name", "stopped_callback_name", "webhooks")


class RefusedJob(Exception):
    """A job is no JSON of ours, such as a pickle of an earlier version or of a stranger."""


def raise_refused_job() -> None:
    """Fail in place of a job that must not be run.

    Raises:
        RefusedJob: always; the failed job is kept, as others are.
    """
    raise RefusedJob("the job is not JSON, or names no task of ours; delete it")


class JsonOrRefusedJob(Job):
    """A job that is written and read as JSON, whatever serializer a caller names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["serializer"] = JSONSerializer
        super().__init__(*args, **kwargs)

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments; JSON knows lists only."""
        return tuple(super().args)

    @args.setter
    def args(self, value: Any) -> None:
        vars(Job)["args"].__set__(self, value)

    def restore(self, raw_data: dict[bytes | str, Any]) -> None:
        """Read what is in Redis; what is not ours becomes a job that refuses to run."""
        fields = decode_redis_hash(raw_data)
        for name in NEVER_OURS:
            fields.pop(name, None)
        try:
            super().restore(fields)
            self._deserialize_data()
            refused = self._instance is not None or not TASK_PATH.fullmatch(str(self._func_name))
        except (ValueError, DeserializationError):
            refused = True
        if refused:
            fields.pop("meta", None)
            super().restore(fields)
            self.data = JSONSerializer.dumps(
                [f"{__name__}.{raise_refused_job.__name__}", None, [], {}]
            )
            self._deserialize_data()
