"""The examples of `deploy/`: nginx as it runs before the web server, Caddy's, and units."""

import contextlib
import subprocess

import pytest
import requests

from astronote.environment import ROOT
from messaging.models import WebhookEvent
from tests.support.installation import free_port
from tests.support.programs import find_program
from tests.support.waiting import answers, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = {"X-Webhook-Token": "sandbox"}
UNITS = sorted((ROOT / "deploy/systemd").iterdir())


@pytest.fixture
def site(worker, tmp_path):
    """The address of nginx with the example's configuration, and the certificate to trust."""
    program = find_program("nginx", "nginx-light")
    web, http, https = free_port(), free_port(), free_port()
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
         certificate], check=True, capture_output=True,
    )  # fmt: skip
    example = (ROOT / "deploy/nginx/astronote.conf").read_text()
    for before, after in (
        ("127.0.0.1:8000", f"127.0.0.1:{web}"), ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443", f"listen 127.0.0.1:{https}"), ("sms.example.com;", "localhost;"),
        ("/etc/ssl/certs/sms.example.com.pem", str(certificate)),
        ("/etc/ssl/private/sms.example.com.key", str(key)),
        ("/var/log/nginx/access.log", f"{tmp_path}/access.log"),
    ):  # fmt: skip
        assert before in example
        example = example.replace(before, after)
    paths = "".join(
        f"{name}_temp_path {tmp_path}/{name}; "
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; user root; pid {tmp_path}/pid; error_log {tmp_path}/error.log;"
        f" events {{}} http {{ access_log off; {paths} {example} }}"
    )
    process = worker(
        "web", PORT=str(web), WEB_CONCURRENCY="1", HTTPS="1", TRUSTED_PROXIES="127.0.0.1",
        PUBLIC_WEB_BASE_URL=f"https://localhost:{https}", ALLOWED_HOSTS="localhost",
    )  # fmt: skip
    nginx = subprocess.Popen([program, "-c", str(config)])

    def is_up():
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return requests.get(f"http://127.0.0.1:{web}/healthz", timeout=5).ok

    try:
        wait_until(lambda: answers(https))
        wait_until(is_up)
        yield f"https://localhost:{https}", f"http://localhost:{http}", str(certificate), process
    finally:
        nginx.terminate()
        nginx.wait()


def session_that_trusts(certificate):
    session = requests.Session()
    session.trust_env = False  # the environment may name other authorities
    session.verify = certificate
    return session


def test_nginx_ends_tls_hides_figures_and_bounds_bodies(site):
    https, http, certificate, _ = site
    session = session_that_trusts(certificate)
    login = session.get(f"{https}/admin/login/", timeout=20)
    assert login.status_code == 200 and "max-age" in login.headers["Strict-Transport-Security"]
    assert all(cookie.secure for cookie in session.cookies)
    assert session.get(http, allow_redirects=False, timeout=20).status_code == 301
    for path in ("metrics", "healthz", "readyz", "readyz/web"):
        assert session.get(f"{https}/{path}", timeout=20).status_code == 403
    url = f"{https}/webhooks/mitto/delivery"
    receipt = {"messageId": "m1", "status": "Delivered"}
    assert session.post(url, json=receipt, headers=SECRET, timeout=20).status_code == 202
    assert WebhookEvent.objects.count() == 1
    large = session.post(url, data=b"x" * 2_200_000, headers=SECRET, timeout=20)
    assert large.status_code == 413


def test_nginx_logs_no_secret_of_an_address(site, tmp_path):
    https, http, certificate, _ = site
    session = session_that_trusts(certificate)
    for path in ("webhooks/mitto/delivery", "webhooks/mitto/inbound", "u", "c",
                 "admin/set-password/MQ", "s"):  # fmt: skip
        for address in (https, http):
            session.get(f"{address}/{path}/hiddenpart", timeout=20, allow_redirects=False)
    log = (tmp_path / "access.log").read_text()
    assert log.count("hiddenpart") == 2, "a short link's only, which everybody may know"
    assert log.count("/webhooks/mitto/inbound/...") == 2


def test_the_visitors_address_is_nginxs_word_and_not_the_visitors(site):
    from axes.models import AccessAttempt, AccessFailureLog

    https, _, certificate, _ = site
    session = session_that_trusts(certificate)
    session.get(f"{https}/admin/login/", timeout=20)
    guess = {"username": "a@example.com", "password": "wrong",
             "csrfmiddlewaretoken": session.cookies["csrftoken"]}  # fmt: skip
    session.post(
        f"{https}/admin/login/", data=guess, timeout=20,
        headers={"Referer": f"{https}/admin/login/",
                 "X-Forwarded-For": "203.0.113.9, 198.51.100.1"},
    )  # fmt: skip
    addresses = set(AccessAttempt.objects.values_list("ip_address", flat=True))
    addresses |= set(AccessFailureLog.objects.values_list("ip_address", flat=True))
    # nginx runs on this machine, as a trusted proxy before the visitor's own words.
    assert addresses == {"198.51.100.1"}


@pytest.mark.parametrize("unit", [unit.name for unit in UNITS])
def test_systemd_takes_the_unit(unit, tmp_path):
    """Its programs are where the unit says on an installed machine only."""
    program = find_program("systemd-analyze", "systemd")
    python = tmp_path / "python"
    python.symlink_to("/bin/true")
    for each in UNITS:
        text = each.read_text().replace("/opt/astronote/.venv/bin/python", str(python))
        (tmp_path / each.name).write_text(text)
    done = subprocess.run(
        [program, "verify", tmp_path / unit],
        capture_output=True,
        text=True,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    assert unit not in done.stderr and done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", [unit.name for unit in UNITS if unit.suffix == ".service"])
def test_a_unit_gives_its_process_little(unit):
    program = find_program("systemd-analyze", "systemd")
    done = subprocess.run(
        [program, "security", "--offline=true", "--threshold=20", ROOT / "deploy/systemd" / unit],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_caddy_takes_its_example():
    program = find_program("caddy", "caddy")
    example = ROOT / "deploy/caddy/Caddyfile"
    done = subprocess.run(
        [program, "validate", "--adapter", "caddyfile", "--config", example],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
