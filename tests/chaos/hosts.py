"""Two worker hosts, of which one is cut off in the middle of a campaign; Linux and root only.

python -m tests.chaos.hosts

Each host is a network namespace with one sms worker. PostgreSQL, Redis and the Mitto sandbox run
outside and are reached over a bridge.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import requests

from astronote.processes import embedded, supervisor
from tests.chaos.__main__ import HASTE
from tests.support.installation import Installation
from tests.support.waiting import wait_until

RECIPIENTS, ACCEPTED_AT_CUT, LONGEST_SECONDS = 1000, 250, 120
BRIDGE, NETWORK = "astronote", "10.213.77"
ADDRESS = f"{NETWORK}.1"
HOSTS = {"astronote-a": f"{NETWORK}.2", "astronote-b": f"{NETWORK}.3"}  # namespace: its address
COMMANDS = ["rqworker watchdog", "rqscheduler"]
SANDBOX = ["--host", ADDRESS, "--latency-ms", "300", "--receipts", "never"]
VARIABLES = HASTE | {
    "DATABASE_URL": f"postgres://app@{ADDRESS}:5432/app",
    "REDIS_URL": f"redis://{ADDRESS}:6379/0",
    "CREDIT_RESERVATION_TTL_MINUTES": "60",
    "WEBHOOK_SECRET": "only-for-tests-0123456789-abcdefghijkl",  # the sandbox is another machine's
}


class ServicesOnBridge(embedded.EmbeddedServices):
    """The embedded servers, which also answer on the bridge."""

    def _spawn_server_that_dies_with_parent(self, name: str, command: list, *rest) -> None:
        if name == "postgres":
            with open(self.data / "pg_hba.conf", "a") as rules:
                rules.write(f"host all all {NETWORK}.0/24 trust\n")
            listen = ["-c", f"listen_addresses={ADDRESS}"]
        else:
            listen = ["--port", "6379", "--bind", ADDRESS, "--protected-mode", "no"]
        super()._spawn_server_that_dies_with_parent(name, [*command, *listen], *rest)


def ip(command: str, *, check: bool = True) -> None:
    subprocess.run(["ip", *command.split()], check=check, capture_output=not check)


def remove_hosts() -> None:
    for host in HOSTS:
        ip(f"link delete {host}", check=False)  # its other end goes with it
        ip(f"netns delete {host}", check=False)
    ip(f"link delete {BRIDGE}", check=False)


@contextlib.contextmanager
def hosts() -> Iterator[None]:
    """The namespaces, each with an end of a cable whose other end is on the bridge."""
    remove_hosts()  # of a run that was killed
    try:
        ip(f"link add {BRIDGE} type bridge")
        ip(f"address add {ADDRESS}/24 dev {BRIDGE}")
        ip(f"link set {BRIDGE} up")
        for host, address in HOSTS.items():
            ip(f"netns add {host}")
            ip(f"link add {host} type veth peer name eth0 netns {host}")
            ip(f"link set {host} master {BRIDGE} up")
            ip(f"-n {host} address add {address}/24 dev eth0")
            ip(f"-n {host} link set eth0 up")
        yield
    finally:
        remove_hosts()


def send_and_cut(place: Installation) -> bool:
    """Send a campaign, cut a host off while both have a call under way; whether all held."""
    from campaigns import enqueue
    from campaigns.models import CampaignMessage
    from messaging.models import Batch
    from tests.chaos import rules
    from tests.support.factories import make_campaign, make_list, make_store

    store = make_store(balance=RECIPIENTS)
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, RECIPIENTS)).pk)
    for host in HOSTS:
        command = ["ip", "netns", "exec", host, *supervisor.manage_command("rqworker", "sms")]
        place.group.start(host, command)
    calls = Batch.objects.filter(status="submitting")
    wait_until(lambda: place.summary()["accepted"] >= ACCEPTED_AT_CUT and calls.count() == 2)
    first, *_ = HOSTS
    ip(f"link set {first} down")
    print(f"{first} cut off: {place.summary()['accepted']} accepted, 2 calls under way", flush=True)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not rules.unfinished(), LONGEST_SECONDS)

    campaign.refresh_from_db()
    evidence = rules.Evidence()
    evidence.ledger = requests.get(f"{place.sandbox_url}/_sandbox/messages", timeout=60).json()
    outcomes = Counter(CampaignMessage.objects.values_list("status", flat=True))
    twice, unbalanced = rules.twice(evidence), rules.unbalanced(evidence)
    print(f"campaign {campaign.status}; messages {dict(outcomes)}")
    print(f"accepted by the sandbox {len(evidence.ledger)}, of them twice {twice}")
    print(f"wallet and ledger {'disagree' if unbalanced else 'agree'}")
    ended = outcomes.total() - outcomes["queued"]
    return campaign.status == "completed" and ended == RECIPIENTS and not twice + unbalanced


def main() -> int:
    if os.geteuid() != 0:
        sys.exit("tests.chaos.hosts makes network namespaces: run it as root")
    if not shutil.which("ip"):
        sys.exit("tests.chaos.hosts needs the command `ip`: install the package iproute2")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the hosts are removed
    place = Installation(commands=COMMANDS, web=False, sandbox=SANDBOX, variables=VARIABLES)
    place.services = ServicesOnBridge(place.root)
    place.sandbox_url = f"http://{ADDRESS}:{place.sandbox_port}"
    os.environ["MITTO_API_BASE"] = place.sandbox_url
    with hosts(), place:
        held = send_and_cut(place)
        print("every rule held" if held else f"a rule is broken; the log is {place.log}")
        if not held:
            raise SystemExit(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
