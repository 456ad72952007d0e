"""Plants a person wherever a declaration says that personal data may be.

A declaration of a model that nobody plants fails the tests that use this.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.utils import timezone

from astronote.accounts.sessions import Session, SessionStore
from astronote.models import AuditEntry
from astronote.operations import registry
from astronote.operations.personal_data import (
    OnErasure,
    PersonalData,
    PlaceKind,
)
from astronote.queues import jobs
from campaigns import exports
from campaigns.models import (
    Automation,
    AutomationMessage,
    AutomationRedemption,
    AutomationRule,
    AutomationSend,
    Campaign,
    CampaignMessage,
    ConversionEvent,
    ExportFileChunk,
    NfcScan,
    NfcTag,
    OfferViewEvent,
    PublicSignupEvent,
    Redemption,
    Segment,
    SignupPage,
)
from compliance.held_rows import free_text_and_json_fields, model_of_declaration
from contacts.importing import lifecycle, planning
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    CustomerEvent,
    CustomField,
    ImportFileChunk,
    List,
    ListMembership,
    MarketingHold,
    OptInRequest,
    RejectedRow,
    Suppression,
)
from contacts.phones import phone_hash
from messaging.models import (
    Batch,
    CreditTransaction,
    DirectMessage,
    MessageTemplate,
    Package,
    Payment,
    PaymentAdjustment,
    SavedAnswer,
    SendingStop,
    ShortLink,
    WebhookEvent,
)
from messaging.statuses import StopReason
from tests.support.factories import make_store

PHONE, OTHER = "+306900000001", "+306900000077"
FIRST, LAST, EMAIL = "Unmistakable", "Nobodyelse", "unmistakable@example.com"
NEEDLES = ("6900000001", FIRST, LAST, EMAIL.split("@")[0])
WRITINGS = ("+306900000001", "690 000 0001", "00306900000001", "306900000001", "690-000-00-01")


class World:
    """One store that knows the person and somebody else."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.writings = itertools.cycle(WRITINGS)
        self.marks: list[str] = []
        self.store = make_store("alice", phone_region="GR")
        self.person = Contact.objects.create(
            owner=self.store, phone=PHONE, first_name=FIRST, last_name=LAST, email=EMAIL
        )
        self.other = Contact.objects.create(owner=self.store, phone=OTHER, first_name="Ann")
        self.campaign = Campaign.objects.create(
            owner=self.store, created_by=self.store, name="Spring", message_text="Hello"
        )
        self.automation = Automation.objects.create(owner=self.store, type="welcome_message")
        self.tag = NfcTag.objects.create(owner=self.store, public_id="tag", label="door")
        self.batch = self.new_batch()

    def new_batch(self) -> Batch:
        return Batch.objects.create(
            owner=self.store, kind="campaign", sender="SHOP", size=1, status="settled"
        )

    def text(self, *, length: int = 1000) -> str:
        """A text that names the person in one of the ways, with a mark of its own if it fits."""
        number = next(self.writings)
        if length < 60:
            return number if len(number) <= length else WRITINGS[0]
        mark = f"mark{next(self.numbers)}x"
        self.marks.append(mark)
        text = f"{mark} {number} {FIRST} {LAST}"
        return f"{text} {EMAIL}" if length >= 200 else text

    def new_import(self, *, ended: bool = True, **fields: Any) -> ContactImport:
        return ContactImport.objects.create(
            owner=self.store,
            file_name="list.csv",
            file_size=1,
            file_sha256="",
            status="completed" if ended else "uploaded",
            finished_at=timezone.now() if ended else None,
            **fields,
        )

    def message(self, contact: Contact, **fields: Any) -> CampaignMessage:
        campaign = Campaign.objects.create(
            owner=self.store, created_by=self.store, name="One more", message_text="Hello"
        )
        return CampaignMessage.objects.create(
            owner=self.store,
            batch=self.batch,
            campaign=campaign,
            contact=contact,
            to=contact.phone,
            segments=1,
            tracking_id=f"c{next(self.numbers)}",
            **fields,
        )

    def automatic(self, contact: Contact) -> AutomationMessage:
        return AutomationMessage.objects.create(
            owner=self.store,
            batch=self.batch,
            automation=self.automation,
            occurrence_key=f"k{next(self.numbers)}",
            contact=contact,
            to=contact.phone,
            segments=1,
            tracking_id=f"a{next(self.numbers)}",
        )


def new_stop() -> SendingStop:
    """A stop for a reason that does not stand yet."""
    taken = SendingStop.objects.values_list("reason", flat=True)
    return SendingStop.objects.create(reason=set(StopReason.values).difference(taken).pop())


def new_payment(world: World) -> Payment:
    return Payment.objects.create(
        owner=world.store,
        kind="topup",
        amount=4900,
        currency="EUR",
        package=Package.objects.get_or_create(name="Small", credits=1, price_cents=4900)[0],
        credits=1,
        paid_at=timezone.now(),
        idempotency_key=f"payment {next(world.numbers)}",
    )


def new_rule(world: World) -> AutomationRule:
    return AutomationRule.objects.create(
        owner=world.store, name="Birthdays", message_body="Hello", trigger_type="birthday"
    )


# For each model: a row of the person's, and one that somebody else's or nobody's is.
Builder = Callable[[World, Contact], models.Model]


BUILDERS: dict[str, Builder] = {
    "contacts.Contact": lambda world, contact: contact,
    "contacts.ConsentEvent": lambda world, contact: ConsentEvent.objects.create(
        owner=world.store, contact=contact, type="subscribed", source="form"
    ),
    "contacts.OptInRequest": lambda world, contact: OptInRequest.objects.create(
        contact=contact, purpose="double_opt_in", wording="May we?", closed_at=timezone.now()
    ),
    "contacts.MarketingHold": lambda world, contact: MarketingHold.objects.create(
        owner=world.store, phone_hash=phone_hash(contact.phone), reply_id=next(world.numbers)
    ),
    "contacts.ListMembership": lambda world, contact: ListMembership.objects.create(
        list=List.objects.create(owner=world.store, name=f"list {next(world.numbers)}"),
        contact=contact,
    ),
    "contacts.Suppression": lambda world, contact: Suppression.objects.get_or_create(
        owner=world.store, phone_hash=phone_hash(contact.phone), defaults={"reason": "test"}
    )[0],
    "contacts.CustomerEvent": lambda world, contact: CustomerEvent.objects.create(
        owner=world.store, contact=contact, event_type="visit", start_at=timezone.now()
    ),
    "contacts.List": lambda world, contact: List.objects.create(
        owner=world.store, name=f"list {next(world.numbers)}"
    ),
    "contacts.CustomField": lambda world, contact: CustomField.objects.create(
        owner=world.store, key=f"k{next(world.numbers)}", label="City"
    ),
    "contacts.ContactImport": lambda world, contact: world.new_import(layout={}, mapping={}),
    "contacts.RejectedRow": lambda world, contact: RejectedRow.objects.create(
        contact_import=world.new_import(), line=2, reason="x", row=["Ann", contact.phone]
    ),
    "messaging.DirectMessage": lambda world, contact: DirectMessage.objects.create(
        owner=world.store,
        to=contact.phone,
        segments=1,
        tracking_id=f"d{next(world.numbers)}",
        idempotency_key=f"k{next(world.numbers)}",
    ),
    "messaging.WebhookEvent": lambda world, contact: WebhookEvent.objects.create(
        event_id=f"e{next(world.numbers)}",
        event_type="inbound",
        status="unmatched",
        payload={"from": contact.phone},
    ),
    "messaging.MessageTemplate": lambda world, contact: MessageTemplate.objects.create(
        owner=world.store, name=f"template {next(world.numbers)}", text="Hello"
    ),
    "messaging.SavedAnswer": lambda world, contact: SavedAnswer.objects.create(
        owner=world.store, name=f"answer {next(world.numbers)}", text="Hello"
    ),
    "messaging.ShortLink": lambda world, contact: ShortLink.objects.create(
        owner=world.store, short_code=f"s{next(world.numbers)}", long_url_hash="x" * 64
    ),
    "messaging.Batch": lambda world, contact: world.new_batch(),
    "messaging.SendingStop": lambda world, contact: new_stop(),
    "messaging.CreditTransaction": lambda world, contact: CreditTransaction.objects.create(
        owner=world.store,
        type="credit",
        amount=1,
        balance_after=1,
        idempotency_key=f"t{next(world.numbers)}",
    ),
    "messaging.Payment": lambda world, contact: new_payment(world),
    "messaging.PaymentAdjustment": lambda world, contact: PaymentAdjustment.objects.create(
        owner=world.store,
        payment=new_payment(world),
        type="refund",
        status="done",
        amount=1,
        idempotency_key=f"refund {next(world.numbers)}",
    ),
    "campaigns.Campaign": lambda world, contact: Campaign.objects.create(
        owner=world.store, created_by=world.store, name="Summer", message_text="Hello"
    ),
    "campaigns.Segment": lambda world, contact: Segment.objects.create(
        owner=world.store, name=f"segment {next(world.numbers)}", conditions={"gender": "male"}
    ),
    "campaigns.Automation": lambda world, contact: world.automation,
    "campaigns.NfcTag": lambda world, contact: NfcTag.objects.create(
        owner=world.store, public_id=f"p{next(world.numbers)}", label="till"
    ),
    "campaigns.CampaignMessage": lambda world, contact: world.message(contact),
    "campaigns.AutomationMessage": lambda world, contact: world.automatic(contact),
    "campaigns.AutomationRule": lambda world, contact: new_rule(world),
    "campaigns.AutomationSend": lambda world, contact: AutomationSend.objects.create(
        owner=world.store,
        batch=world.batch,
        rule=new_rule(world),
        contact=contact,
        to=contact.phone,
        segments=1,
        tracking_id=f"r{next(world.numbers)}",
        scheduled_for=timezone.now(),
    ),
    "campaigns.OfferViewEvent": lambda world, contact: OfferViewEvent.objects.create(
        campaign_message=world.message(contact), campaign=world.campaign, owner=world.store
    ),
    "campaigns.NfcScan": lambda world, contact: NfcScan.objects.create(
        owner=world.store, tag=world.tag, contact=contact
    ),
    "campaigns.PublicSignupEvent": lambda world, contact: PublicSignupEvent.objects.create(
        owner=world.store, tag=world.tag, contact=contact, idempotency_key=f"s{next(world.numbers)}"
    ),
    "campaigns.SignupPage": lambda world, contact: SignupPage.objects.get_or_create(
        owner=world.store
    )[0],
    "campaigns.ConversionEvent": lambda world, contact: ConversionEvent.objects.create(
        owner=world.store, contact=contact, nfc_tag=world.tag
    ),
    "campaigns.Redemption": lambda world, contact: Redemption.objects.create(
        owner=world.store, message=world.message(contact)
    ),
    "campaigns.AutomationRedemption": lambda world, contact: AutomationRedemption.objects.create(
        owner=world.store, message=world.automatic(contact)
    ),
    "astronote.AuditEntry": lambda world, contact: AuditEntry.objects.create(
        actor_name="test", action="test", owner=world.store
    ),
    "admin.LogEntry": lambda world, contact: LogEntry.objects.create(
        user=world.store,
        content_type=ContentType.objects.get_for_model(List),
        object_id="1",
        object_repr="list",
        action_flag=CHANGE,
    ),
}
# Columns whose value is what tells whose row it is, so that a text cannot stand there.
IDENTITY = {
    "contacts.Contact": {"phone", "email", "first_name", "last_name"},
    "contacts.Suppression": {"phone_hash"},
    "contacts.MarketingHold": {"phone_hash"},
    "messaging.DirectMessage": {"to"},
    "campaigns.CampaignMessage": {"to"},
    "campaigns.AutomationMessage": {"to"},
    "campaigns.AutomationSend": {"to"},
}
# Declared models whose contents are planted by functions of their own.
BY_HAND = {"contacts.ImportFileChunk", "campaigns.ExportFileChunk", "astronote.Session"}
# Accounts are not reached by an erasure of a customer; a test of its own looks at them.
NOT_REACHED = {
    "astronote.User",
    "astronote.User_groups",
    "astronote.User_user_permissions",
    "campaigns.ServiceConfirmation",
    "messaging.BillingProfile",
    "messaging.InvoiceRecord",
    "axes.AccessAttempt",
    "axes.AccessFailureLog",
    "axes.AccessLog",
    "django_otp_webauthn.WebAuthnAttestation",
    "django_otp_webauthn.WebAuthnCredential",
    "django_otp_webauthn.WebAuthnUserHandle",
    "otp_static.StaticDevice",
    "otp_static.StaticToken",
    "otp_totp.TOTPDevice",
}


def plant_rows(world: World) -> list[str]:
    """Plant the person in every declared column of text; return the columns."""
    planted = []
    for declaration in registry.personal_data:
        label = declaration.model
        if label in BY_HAND | NOT_REACHED:
            continue
        planted += [f"{label}.{name}" for name in declaration.fields]
        names = [
            one
            for one in free_text_and_json_fields(declaration)
            if one not in IDENTITY.get(label, ())
        ]
        for name in names:
            plant_text(world, declaration, name, world.person)
            if declaration.found_by.contact and declaration.found_by.contact != "pk":
                plant_text(world, declaration, name, world.other)
        if not names:
            BUILDERS[label](world, world.person)
    return planted


def plant_text(world: World, declaration: PersonalData, name: str, contact: Contact) -> None:
    """One row whose column names the person; of another contact it names the number alone."""
    row = BUILDERS[declaration.model](world, contact)
    field = model_of_declaration(declaration)._meta.get_field(name)
    text: Any = world.text(length=getattr(field, "max_length", None) or 1000)
    if contact != world.person:
        text = text.replace(FIRST, "Ann").replace(LAST, "Smith").replace(EMAIL, "ann@example.com")
    if isinstance(field, models.JSONField):
        before = getattr(row, name)
        deep = {"deep": [{"deeper": [text, 5, None]}]}
        text = deep | before if isinstance(before, dict) else [*(before or []), deep]
    type(row)._default_manager.filter(pk=row.pk).update(**{name: text})


def plant_uploads(world: World) -> dict[str, ContactImport]:
    """The person in files of imports that have ended, wait, or were only uploaded."""
    lines = [
        "phone,first name,last name,email,note",
        f"{OTHER},Ann,Smith,ann@example.com,friend of 690 000 0001",
        f"690 000 0001,{FIRST},{LAST},{EMAIL},upload-mark",
        "+306900000055,Zoe,Jones,zoe@example.com,",
    ]
    text = "\n".join(lines) + "\n"
    made = {}
    for name, status in (("ended", "completed"), ("pending", "pending"), ("uploaded", "uploaded")):
        one = lifecycle.create_unstarted_import_or_refuse(
            world.store.pk, f"{name}.csv", [text.encode()]
        )
        ended = timezone.now() if name == "ended" else None
        ContactImport.objects.filter(pk=one.pk).update(status=status, finished_at=ended)
        made[name] = one
    made["headed"] = lifecycle.create_unstarted_import_or_refuse(
        world.store.pk,
        "no-heading.csv",
        [f"690 000 0001,{FIRST},{LAST}\n{OTHER},Ann,Smith\n".encode()],
    )
    planning.plan_import_and_store_plan_or_refuse(made["headed"], has_header=True)
    exported = exports.request_export(world.store, "contacts", by="test")
    assert exports.write_export_unless_written(exported.pk).lines
    return made


def plant_session(world: World) -> None:
    """A session of an operator with a notice that names the person."""
    session = SessionStore()
    session["notice"] = [f"session-mark {PHONE} {FIRST} {LAST}"]
    session.create()
    Session.objects.update(expire_date=timezone.now() + timedelta(days=1))


def plant_places(world: World) -> list[Path]:
    """The person in Redis and temporary files, at every declared pattern; returns the files."""
    redis, paths = jobs.redis_connection(), []
    note = f"note of {PHONE} {FIRST} {LAST}".encode()
    packed = zlib.compress(note)
    for place in registry.personal_places:
        key = place.pattern.replace("*", "planted")
        if place.kind == PlaceKind.REDIS:
            redis.set(key, note)
            redis.set(place.pattern.replace("*", f"of:{PHONE}"), "1")
            redis.hset(f"{key}:hash", mapping={"description": note, "data": packed})
            redis.hset(f"{key}:packed", mapping={"exc_info": packed})
            redis.rpush(f"{key}:list", note, b"kept")
            redis.sadd(f"{key}:set", note, b"kept")
            redis.zadd(f"{key}:zset", {note: 1, b"kept": 2})
            redis.xadd(f"{key}:stream", {"exc_string": base64.b64encode(packed)})
        elif place.kind == PlaceKind.FILE:
            path = Path(tempfile.gettempdir()) / f"{world.store.pk}-{key}"
            path.write_bytes(note)
            paths.append(path)
    return paths


def database_dump() -> bytes:
    """Every row of every table; bytes are in hexadecimal, so they are given as they are, too."""
    pieces = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
                pieces += map(bytes, copy)
    pieces += [
        bytes(data)
        for data in ImportFileChunk.objects.order_by("pk").values_list("data", flat=True)
    ]
    pieces += [
        bytes(data)
        for data in ExportFileChunk.objects.order_by("pk").values_list("data", flat=True)
    ]
    pieces += [json.dumps(one.get_decoded()).encode() for one in Session.objects.all()]
    return b"".join(pieces)


def redis_dump() -> bytes:
    """Every key, and every value as it is stored and unpacked."""
    redis, pieces = jobs.redis_connection(), []
    for key in redis.scan_iter():
        pieces += [key, redis.dump(key)]
        if redis.type(key) == b"hash":
            pieces += redis.hvals(key)
        if redis.type(key) == b"stream":
            pieces += [value for _, entry in redis.xrange(key) for value in entry.values()]
    for piece in list(pieces):
        for packed in (piece, _from_base64(piece)):
            with contextlib.suppress(zlib.error):
                pieces.append(zlib.decompress(packed))
    return b"\n".join(pieces)


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def without_gaps(dump: bytes) -> bytes:
    """The same without what may stand between the digits of a number."""
    return dump.translate(None, b" -.()/")


def needles_in(dump: bytes) -> list[str]:
    """What of the person is in a dump."""
    flat = without_gaps(dump)
    return [needle for needle in NEEDLES if needle.encode() in dump or needle.encode() in flat]


def kept_marks(world: World) -> Iterator[str]:
    """The marks of texts that were replaced in part, and so are still there."""
    dump = database_dump().decode("utf-8", "replace")
    return (mark for mark in world.marks if mark in dump)


def masked_declarations() -> list[PersonalData]:
    return [one for one in registry.personal_data if one.on_erasure == OnErasure.MASK]
