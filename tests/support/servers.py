"""PostgreSQL and Redis for the tests alone, and an environment in which no `.env` has a say.

A plugin rather than a conftest, since the settings are read before any conftest is.
"""

import os
import shutil
import tempfile
from pathlib import Path

from astronote import environment_variables
from astronote.processes import embedded

ROOT = Path(os.environ.setdefault("ASTRONOTE_TEST_ROOT", tempfile.mkdtemp(prefix="astest-")))
NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
for variable in environment_variables.variables():
    os.environ[variable.name] = variable.local or variable.default or ""
os.environ |= {
    "DATABASE_URL": embedded.database_url(ROOT),
    "REDIS_URL": embedded.redis_url(ROOT).replace("db=0", f"db={NUMBER}"),
    "SECRET_KEY": "only-for-tests-0123456789-abcdefghijkl",
    "PHONE_HASH_KEY": "only-for-tests-0123456789-abcdefghijkl",
    "PUBLIC_WEB_BASE_URL": "http://127.0.0.1:1",
    "MITTO_API_BASE": "http://127.0.0.1:8025",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
    "QUEUE_BACKOFF_MS": "100",
}
# Another PostgreSQL than the embedded one, such as /usr/lib/postgresql/15/bin.
BINARIES = os.environ.get("ASTRONOTE_TEST_POSTGRES")
_services = embedded.EmbeddedServices(
    ROOT, durable=False, postgres_binaries=Path(BINARIES) if BINARIES else None
)

if "PYTEST_XDIST_WORKER" in os.environ:
    # An erasure searches temporary files: each worker has its own.
    _temporary = ROOT / f"tmp{NUMBER}"
    _temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(_temporary)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        ROOT.chmod(0o755)
        _services.start()


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        _services.stop()
        shutil.rmtree(ROOT, ignore_errors=True)
