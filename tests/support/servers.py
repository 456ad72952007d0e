"""PostgreSQL and Redis for the tests alone, and an environment in which no `.env` has a say.

A plugin rather than a conftest, since the settings are read before any conftest is.
"""

import gc
import os
import shutil
import tempfile
from pathlib import Path

from astronote import environment_variables
from astronote.processes import embedded

# Importing and collecting makes millions of objects that stay, and no garbage.
gc.disable()
# Hypothesis would import what its plugins are for, such as trio, in each process.
os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"
ROOT = Path(os.environ.setdefault("ASTRONOTE_TEST_ROOT", tempfile.mkdtemp(prefix="astest-")))
NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# Each worker has a Redis of its own: one may make it refuse writes, or stop it.
REDIS_ROOT = ROOT / f"redis{NUMBER}"
for variable in environment_variables.variables():
    os.environ[variable.name] = variable.local or variable.default or ""
os.environ |= {
    "DATABASE_URL": embedded.database_url(ROOT),
    "REDIS_URL": embedded.redis_url(REDIS_ROOT),
    "SECRET_KEY": "only-for-tests-0123456789-abcdefghijkl",
    "PHONE_HASH_KEY": "only-for-tests-0123456789-abcdefghijkl",
    "PUBLIC_WEB_BASE_URL": "http://127.0.0.1:1",
    "MITTO_API_BASE": "http://127.0.0.1:8025",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
    "QUEUE_BACKOFF_MS": "100",
}
# Another PostgreSQL than the embedded one, such as /usr/lib/postgresql/15/bin.
BINARIES = os.environ.get("ASTRONOTE_TEST_POSTGRES")
_postgres = embedded.EmbeddedServices(
    ROOT, redis=False, durable=False, postgres_binaries=Path(BINARIES) if BINARIES else None
)
_redis = embedded.EmbeddedServices(REDIS_ROOT, postgres=False, durable=False)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        ROOT.chmod(0o755)
        _postgres.start()
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", 0):
        REDIS_ROOT.mkdir()
        _redis.start()
    if hasattr(config, "workerinput"):
        # An erasure searches temporary files: each worker has its own.
        temporary = ROOT / f"tmp{NUMBER}"
        temporary.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)


def pytest_collection_finish():
    """Leave what was imported and collected out of garbage collections, which are rarer."""
    gc.freeze()
    gc.set_threshold(20_000, 100, 20)
    gc.enable()


def pytest_unconfigure(config):
    _redis.stop()
    if not hasattr(config, "workerinput"):
        _postgres.stop()
        shutil.rmtree(ROOT, ignore_errors=True)
