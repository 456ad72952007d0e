"""`manage.py signup`: a store's tags with their QR codes, how its page looks, and sign-ups."""

import json
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from campaigns.models import Campaign, NfcTag, NfcTagType, PublicSignupEvent
from campaigns.signup import branding, tags

PAGE_FIELDS = (
    "display_name",
    "primary_color",
    "headline_en",
    "headline_el",
    "blurb_en",
    "blurb_el",
)
SIGNUPS_SHOWN = 50


class Command(BaseCommand):
    help = (
        "List a store's QR codes and NFC tags with how often they were used, add one, switch one on"
        " or off, write its QR code to a file, change how the sign-up page looks, or list the last"
        " sign-ups."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "action", choices=["tags", "add-tag", "on", "off", "qr", "page", "signups"]
        )
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("--tag", help="on, off, qr: the tag's id")
        parser.add_argument("--label", default="", help="add-tag: where it is, such as: till")
        parser.add_argument(
            "--type", choices=NfcTagType.values, default="opt_in", help="add-tag: where it leads"
        )
        parser.add_argument("--campaign", type=int, help="add-tag: whose offers are used there")
        parser.add_argument("--file", type=Path, help="qr: the SVG file to write")
        for name in PAGE_FIELDS:
            parser.add_argument(f"--{name.replace('_', '-')}", help="page")
        parser.add_argument("--logo", type=Path, help="page: a PNG or JPEG file")
        parser.add_argument("--remove-logo", action="store_true", help="page")
        parser.add_argument("--by", help="operator who does it")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, store, by, **options):
        owner = get_store_or_command_error(store)
        actor = get_operator_or_command_error(by) if by else "command line"
        try:
            if action == "page":
                self._change_page(owner, actor, options)
            elif action == "add-tag":
                self._add_tag(owner, actor, options)
            elif action in ("on", "off", "qr"):
                self._use_tag(owner, action, actor, options)
        except ValidationError as problem:
            raise CommandError("; ".join(problem.messages)) from None
        answers = self._signups(owner) if action == "signups" else self._tags(owner)
        if options["json"]:
            self.stdout.write(json.dumps([answer for answer, _ in answers], ensure_ascii=False))
            return
        for _, line in answers:
            self.stdout.write(line)

    def _change_page(self, owner, actor, options):
        changes = {name: options[name] for name in PAGE_FIELDS if options[name] is not None}
        if changes:
            branding.change_signup_page(owner, changes, by=actor)
        if options["logo"] or options["remove_logo"]:
            try:
                data = None if options["remove_logo"] else options["logo"].read_bytes()
                branding.replace_logo(owner, data, by=actor)
            except (OSError, branding.LogoRefused) as problem:
                raise CommandError(str(problem)) from None

    def _add_tag(self, owner, actor, options):
        campaign = None
        if options["campaign"]:
            campaign = Campaign.objects.filter(owner=owner, pk=options["campaign"]).first()
            if campaign is None:
                raise CommandError("the store has no such campaign")
        fields = {"type": options["type"], "label": options["label"], "campaign": campaign}
        tags.create_tag(owner, by=actor, **fields)

    def _use_tag(self, owner, action, actor, options):
        wanted = options["tag"] or ""
        tag = NfcTag.objects.filter(owner=owner, pk=wanted).first() if wanted.isdecimal() else None
        if tag is None:
            raise CommandError("name a tag of the store with --tag: see the list")
        if action != "qr":
            tags.switch_tag(tag, action == "on", by=actor)
        elif options["file"] is None:
            raise CommandError("name the file to write with --file")
        else:
            options["file"].write_bytes(tags.qr_code_svg(tag))

    def _tags(self, owner):
        for tag in NfcTag.objects.filter(owner=owner).order_by("pk"):
            counts, url = tags.count_scans(tag), tags.tag_url(tag)
            answer = {
                "id": tag.pk,
                "label": tag.label,
                "type": tag.type,
                "on": tag.is_active,
                "url": url,
                **counts,
            }
            state = "on" if tag.is_active else "off"
            line = f"{tag.pk} {tag.label} ({tag.type}, {state}): {url}"
            yield answer, f"{line} opened {counts['opened']:,}, used {counts['submitted']:,}"

    def _signups(self, owner):
        found = PublicSignupEvent.objects.filter(owner=owner).order_by("-pk")[:SIGNUPS_SHOWN]
        for signup in found:
            answer = {
                "id": signup.pk,
                "tag": signup.tag_id,
                "at": signup.created_at.isoformat(),
                "outcome": signup.outcome,
                "contact": signup.contact_id,
            }
            yield answer, f"{signup.created_at:%Y-%m-%d %H:%M} {signup.get_outcome_display()}"
