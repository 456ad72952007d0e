"""What `make lint` makes of the advisories it is given, by a server in their place."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.support.installation import free_port

WEAKNESS = {
    "id": "PYSEC-0000-1",
    "summary": "invented",
    "affected": [{"package": {"name": "django", "ecosystem": "PyPI"}}],
}


@pytest.fixture
def advisories():
    """Where advisories are asked for, and the packages they have something on."""
    weak = set()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = {"vulns": [WEAKNESS]} if asked["package"]["name"] in weak else {}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", weak
        server.shutdown()


def audit(url, tmp_path):
    source = {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.advisories"],
        capture_output=True,
        text=True,
        env=os.environ | source | {"XDG_CACHE_HOME": str(tmp_path)},
    )
    return done.returncode, done.stdout


def test_a_known_weakness_fails(advisories, tmp_path):
    url, weak = advisories
    assert audit(url, tmp_path)[0] == 0
    weak.add("django")
    code, said = audit(url, tmp_path)
    assert code != 0
    assert "django" in said and "PYSEC-0000-1" in said


def test_advisories_out_of_reach_are_said_to_be(tmp_path):
    code, said = audit(f"http://127.0.0.1:{free_port()}", tmp_path)
    assert (code, "no advisories within reach" in said) == (0, True)
