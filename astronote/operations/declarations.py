"""Where the ground floor and Django's own apps hold personal data (docs/rules.md#personal-data)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext_lazy as _

from astronote.operations import registry
from astronote.operations.personal_data import (
    AS_LONG_AS_THE_ACCOUNT,
    BY_TEXT,
    FOR_AUDIT_DAYS,
    SETTINGS_OF_STORE,
    STATES_OF_WORK,
    FoundBy,
    LegalGround,
    NoPersonalData,
    OnErasure,
    PersonalData,
    PersonalPlace,
    PlaceKind,
    Subjects,
)

SECOND_FACTOR = (
    "user",
    "name",
    "confirmed",
    "created_at",
    "last_used_at",
    "throttling_failure_timestamp",
    "throttling_failure_count",
)
OF_THE_PROGRAM = _("names of the program's own parts")


def register_personal_data_declarations() -> None:
    """Register the declarations of accounts, histories and places outside PostgreSQL."""
    _declare_personal_data_of_accounts()
    _declare_audit_trail_and_admin_history()
    _declare_login_attempts()
    _declare_places_outside_tables()


def _declare_personal_data_of_accounts() -> None:
    of_account = partial(
        PersonalData,
        "astronote.User",
        period=AS_LONG_AS_THE_ACCOUNT,
        legal_ground=LegalGround.ACCOUNT_CONTRACT,
        source=_("whoever created the account"),
        found_by=BY_TEXT,
        on_erasure=OnErasure.KEEP,
        subjects=Subjects.ACCOUNTS,
        store="pk",
    )
    registry.personal_data.register(
        of_account(
            fields=(
                "email",
                "password",
                "last_login",
                "created_at",
                "is_staff",
                "is_superuser",
                "is_active",
                "gets_alerts",
            ),
            purpose=_("login of a store's owner or an operator, and what the account may do"),
            categories=_("e-mail address, hash of the password, times of login, rights"),
        ),
        of_account(
            fields=(
                "company",
                "sender_name",
                "billing_hold",
                "billing_hold_reason",
                "billing_hold_at",
            ),
            purpose=_("the store's name, and why it may not send"),
            categories=_("name of a business, which may be a person's"),
        ),
        PersonalData(
            "astronote.Session",
            (
                "account",
                "session_data",
                "expire_date",
                "started_at",
                "used_at",
                "address",
                "browser",
            ),
            _("keeping operators logged in, and showing them where they are"),
            _("12 hours after the login"),
            categories=_("which account is logged in, from where and when; notices of the admin"),
            legal_ground=LegalGround.ACCOUNT_CONTRACT,
            source=_("the login"),
            found_by=FoundBy(_("by the decoded text")),
            on_erasure=OnErasure.DELETE,
            subjects=Subjects.ACCOUNTS,
            store="",
        ),
        *_personal_data_of_roles(),
        *_personal_data_of_second_factors(),
    )
    registry.no_personal_data.register(
        NoPersonalData(
            "astronote.User",
            (
                "timezone",
                "phone_region",
                "language",
                "opt_out_line",
                "privacy_notice_url",
                "opt_in_wording",
                "opt_in_version",
                "business_profile",
                "subscription_status",
                "left_at",
                "erase_on",
                "erased_at",
                "retention_days",
                "double_opt_in",
                "confirms_opt_outs",
                "sends_to_any_number",
                "writes_greek_in_capitals",
                "weekly_exports",
                "service_max_recipients",
            ),
            SETTINGS_OF_STORE,
        ),
        NoPersonalData("astronote.Session", ("session_key",), _("a random key")),
        NoPersonalData("auth.Group", ("name",), OF_THE_PROGRAM),
        NoPersonalData("auth.Permission", ("name", "codename"), OF_THE_PROGRAM),
        NoPersonalData("contenttypes.ContentType", ("app_label", "model"), OF_THE_PROGRAM),
        NoPersonalData(
            "otp_totp.TOTPDevice",
            ("step", "t0", "digits", "tolerance", "drift", "last_t"),
            _("how codes of an authenticator app are counted"),
        ),
    )


def _personal_data_of_roles() -> Iterator[PersonalData]:
    for model in ("astronote.User_groups", "astronote.User_user_permissions"):
        yield PersonalData(
            model,
            ("user",),
            _("what an operator may do"),
            AS_LONG_AS_THE_ACCOUNT,
            categories=_("roles and permissions"),
            legal_ground=LegalGround.ACCOUNT_CONTRACT,
            source=_("whoever created the account"),
            found_by=BY_TEXT,
            on_erasure=OnErasure.KEEP,
            subjects=Subjects.ACCOUNTS,
            store="",
        )


def _personal_data_of_second_factors() -> Iterator[PersonalData]:
    """The tables of django-otp and django-otp-webauthn."""
    columns = {
        "otp_totp.TOTPDevice": ("key", *SECOND_FACTOR),
        "otp_static.StaticDevice": SECOND_FACTOR,
        "otp_static.StaticToken": ("token",),
        "django_otp_webauthn.WebAuthnCredential": (
            "user",
            "name",
            "confirmed",
            "sign_count",
            "backup_eligible",
            "backup_state",
            "discoverable",
            "credential_type",
            "credential_id",
            "public_key",
            "transports",
            "aaguid",
            "credential_id_sha256",
            "created_at",
            "last_used_at",
        ),
        "django_otp_webauthn.WebAuthnAttestation": ("fmt", "data", "client_data_json"),
        "django_otp_webauthn.WebAuthnUserHandle": ("user", "handle_hex"),
    }
    for model, fields in columns.items():
        yield PersonalData(
            model,
            fields,
            _("second factor of an operator's login"),
            AS_LONG_AS_THE_ACCOUNT,
            categories=_(
                "key of an authenticator app, public keys of security keys, digests of"
                " recovery codes, times of use"
            ),
            legal_ground=LegalGround.ACCOUNT_CONTRACT,
            source=_("the operator"),
            found_by=BY_TEXT,
            on_erasure=OnErasure.KEEP,
            subjects=Subjects.ACCOUNTS,
            store="",
        )


def _declare_audit_trail_and_admin_history() -> None:
    history = partial(
        PersonalData,
        period=FOR_AUDIT_DAYS,
        categories=_(
            "who did what to which row, and when; a text that was typed may name a person"
        ),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the work of operators and programs"),
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
        subjects=Subjects.BOTH,
    )
    registry.personal_data.register(
        history(
            "astronote.AuditEntry",
            ("actor", "actor_name", "action", "subject", "details", "at"),
            _("accountability: who did what to which row (art. 5(2))"),
            kept_after_store=_("accountability; without personal data"),
        ),
        history(
            "admin.LogEntry",
            ("user", "object_id", "object_repr", "change_message", "action_flag", "action_time"),
            _("history of changes in the admin"),
            store="",
        ),
    )


def _declare_login_attempts() -> None:
    visitor = ("user_agent", "ip_address", "username", "http_accept", "path_info", "attempt_time")
    of_login = partial(
        PersonalData,
        period=FOR_AUDIT_DAYS,
        categories=_("e-mail address that was typed, IP address, browser, time"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the login"),
        found_by=BY_TEXT,
        on_erasure=OnErasure.KEEP,
        subjects=Subjects.ACCOUNTS,
        store="",
    )
    registry.personal_data.register(
        of_login(
            "axes.AccessAttempt",
            (*visitor, "get_data", "post_data", "failures_since_start"),
            _("stopping the guessing of passwords"),
        ),
        of_login(
            "axes.AccessFailureLog",
            (*visitor, "locked_out"),
            _("stopping the guessing of passwords"),
        ),
        of_login(
            "axes.AccessLog",
            (*visitor, "logout_time", "session_hash"),
            _("showing who was logged in when, and from where"),
        ),
    )
    registry.no_personal_data.register(
        NoPersonalData("axes.AccessAttemptExpiration", ("expires_at",), STATES_OF_WORK)
    )


def _declare_places_outside_tables() -> None:
    by_error = _("none on purpose; an error's text may name a person")
    registry.personal_places.register(
        PersonalPlace(
            PlaceKind.REDIS,
            _("jobs with their results and errors"),
            "rq:*",
            _("running jobs and looking into failed ones"),
            _("by queue: 168 h at most"),
            by_error,
            LegalGround.LEGITIMATE_INTEREST,
            _("what names the person is deleted; a job is only a hint"),
        ),
        PersonalPlace(
            PlaceKind.REDIS,
            _("rate limits, debounce keys, counters of calls, masked requests of a go-live check"),
            "astronote:*",
            _("sending at a steady rate, doing work once"),
            _("seconds to a day; counters of calls and the last numbers of batches stay"),
            by_error,
            LegalGround.LEGITIMATE_INTEREST,
            _("what names the person is deleted"),
        ),
        PersonalPlace(
            PlaceKind.COOKIE,
            _("the login, on the operator's own device"),
            "",
            _("keeping operators logged in, and their forms from being forged"),
            _("12 hours after the login"),
            _("a random key; none on the pages of customers"),
            LegalGround.ACCOUNT_CONTRACT,
            _("not reached: it names nobody"),
            Subjects.ACCOUNTS,
        ),
        PersonalPlace(
            PlaceKind.FILE,
            _("uploads on their way"),
            "*.upload*",
            _("receiving a file"),
            _("until the request ends; they have no name, so a killed process leaves nothing"),
            _("the uploaded file"),
            LegalGround.LEGITIMATE_INTEREST,
            _("files with a name, which other programs have left on this machine, are deleted"),
        ),
        PersonalPlace(
            PlaceKind.LOG,
            _("log lines on standard error"),
            "",
            _("looking into faults"),
            _("that of whoever collects them; 30 days are enough"),
            _("ids of stores, operators and rows; what looks like a number is masked"),
            LegalGround.LEGITIMATE_INTEREST,
            _("not reached: they name nobody"),
            Subjects.BOTH,
        ),
        PersonalPlace(
            PlaceKind.LOG,
            _("PostgreSQL's own log"),
            "",
            _("looking into faults"),
            _("that of its server; the embedded one writes no statements and no values"),
            _("a server with other settings writes values of failed statements"),
            LegalGround.LEGITIMATE_INTEREST,
            _("not reached: set log_error_verbosity=terse and log_min_error_statement=panic"),
        ),
        PersonalPlace(
            PlaceKind.COPY,
            _("backups of PostgreSQL, and rows that it has not vacuumed yet"),
            "",
            _("restoring after a loss"),
            _("backups no longer than PII_RETENTION_DAYS"),
            _("all of the tables"),
            LegalGround.LEGITIMATE_INTEREST,
            _("not reached: erase again after a restore; VACUUM overwrites rows"),
            Subjects.BOTH,
        ),
    )
