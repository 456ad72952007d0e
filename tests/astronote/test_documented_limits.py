"""The limits and times that the documents promise are those that the code has.

A row is a sentence of a document, with the number taken from the code.
"""

import math
from datetime import timedelta

import pytest
from django.conf import settings

from astronote.accounts import second_factor
from astronote.common import postgres_server, times
from astronote.environment import ROOT
from astronote.processes import ending, supervisor, web_server
from astronote.queues import recurring, workers
from campaigns import (
    audience,
    audience_counts,
    clicks,
    conversions,
    direct_files,
    preview,
    schedule,
)
from campaigns.automations import daily, rules, welcome
from campaigns.models import NfcScan, OfferViewEvent, PublicSignupEvent
from campaigns.signup import branding, forms, signing_up
from campaigns.signup import views as signup_views
from compliance import off_boarding, unsubscribe
from contacts import ages, consent, customer_events, sending_window
from contacts.importing import (
    dates,
    heading_rows,
    lifecycle,
    mapping,
    names,
    other_sheets,
    planning,
    validating,
    workbook,
)
from messaging import (
    batch_queue,
    batch_splitting,
    batch_writing,
    database_age,
    inbox,
    links,
    mitto,
    opt_in_requests,
    polling,
    rate_limits,
    receipts,
    replies,
    reply_stores,
    sending,
    sending_stop,
    text,
    webhooks,
)
from messaging.billing import models as billing
from messaging.billing import pages as billing_pages

ARCHITECTURE, IMPORTING, OPERATIONS, RULES, SECURITY = (
    "docs/architecture.md", "docs/importing.md", "docs/operations.md", "docs/rules.md",
    "SECURITY.md",
)  # fmt: skip
IN_WORDS = {1: "one", 2: "two", 3: "three", 6: "six", 10: "ten"}
AGES, Age = audience.AGE_RANGES, audience.AgeGroup
YEAR_IN_SECONDS = 365 * 86400


def count(number: float) -> str:
    """A number as the documents write it."""
    whole = round(number)
    assert math.isclose(whole, number), f"{number} is not whole"
    return f"{whole:,}"


def in_words(number: float) -> str:
    return IN_WORDS.get(round(number), count(number))


def of(unit: timedelta, period: timedelta) -> str:
    """How many units a period has; `a` for one."""
    return "a" if period == unit else count(period / unit)


SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1),
)  # fmt: skip

SENTENCES = [
    # Contacts and consent
    (RULES, f"makes it younger than {ages.ADULT_AGE}"),
    (RULES, f"more than {of(DAY, times.MAX_CLOCK_ADVANCE)} day ahead is not believed"),
    (RULES, f"for {sending_window.OPT_OUT_MAX_WAIT_SECONDS} seconds at most. By then the call"),
    (RULES, f"can be answered for {opt_in_requests.LIFETIME_HOURS} hours"),
    (RULES, f"holds for {of(MINUTE, opt_in_requests.CODE_LIFETIME)} minutes and "
            f"{opt_in_requests.MAX_CODE_ATTEMPTS} attempts; a number gets at most "
            f"{opt_in_requests.MAX_CODES_PER_DAY} codes in 24 hours"),
    (RULES, f"by a store {in_words(opt_in_requests.MAX_SIGNUP_REQUESTS)} times in "
            f"{of(DAY, opt_in_requests.SIGNUP_REQUESTS_PERIOD)} days at most"),
    (RULES, f"more than {in_words((customer_events.MAX_AHEAD.days - 10) / 365)} years ahead"),
    # Sign-up pages
    (RULES, f"at most {count(branding.MAX_LOGO_BYTES / 1000)} kB and "
            f"{count(branding.MAX_LOGO_SIDE)} pixels a side"),
    (RULES, f"{signing_up.MAX_PER_ADDRESS_AND_HOUR} sign-ups an hour from one address (of IPv6 one "
            f"/64), and {signing_up.MAX_PER_STORE_AND_HOUR} at one store, are taken. "
            f"Bodies above {count(forms.MAX_BODY_BYTES)} bytes"),
    (RULES, f"at most {signup_views.MAX_SCANS_PER_ADDRESS_AND_HOUR} an hour from one address"),
    # Campaigns, automations and reports
    (RULES, f"{AGES[Age.AGE_18_24][0]} to {AGES[Age.AGE_18_24][1] - 1}, "
            f"{AGES[Age.AGE_25_39][0]} to {AGES[Age.AGE_25_39][1] - 1}, "
            f"{AGES[Age.AGE_40_PLUS][0]} and over"),
    (RULES, f"oldest first, {schedule.MAX_STARTS_PER_SWEEP} at most."),
    (RULES, f"{of(DAY, conversions.ATTRIBUTION_WINDOW)} days before it."),
    (RULES, f"in the last {in_words(conversions.RECENT / HOUR)} hours, and every night at those "
            f"of the last {of(DAY, conversions.MONTH)} days"),
    (RULES, f"has at most {count(direct_files.MAX_LINES)} lines."),
    (RULES, f"up to {count(audience_counts.MAX_COUNTED)} contacts whole. Of a larger one it counts "
            f"about {count(audience_counts.SAMPLE_SIZE)} contacts"),
    (RULES, f"within which {100 * math.erf(preview.CONFIDENCE / math.sqrt(2)):.0f} of 100 samples"),
    (RULES, f"At most {clicks.MAX_VISITS_PER_MESSAGE} visits of one message"),
    (RULES, f"Without an hour of its own that is {daily.DEFAULT_HOUR}:00"),
    (RULES, f"With the day up to {in_words(daily.MAX_DAYS_LATE)} days before"),
    (RULES, f"when the contact is older than {of(DAY, welcome.MAX_CONTACT_AGE)} day."),
    (RULES, f"Other messages are written {in_words(rules.MAX_LATE / DAY)} days late at most."),
    # Texts and links
    (RULES, f"A message has at most {text.MAX_PARTS} parts."),
    (RULES, f"The code of a shared link has {links.CODE_LENGTH} characters. `{{{{offer_link}}}}` "
            f"uses the message's own tracking ID, {batch_writing.TRACKING_LENGTH} characters."),
    (RULES, f"a signature of {links.SIGNATURE_LENGTH} letters and digits"),
    (RULES, f"The link holds for {of(DAY, unsubscribe.LINK_LIFETIME)} days"),
    # Sending
    (RULES, f"into {batch_splitting.MAX_PARTS} parts at most"),
    (RULES, f"sleeps for at most {count(rate_limits.MAX_SLEEP_MS / 1000)} seconds"),
    (RULES, f"the batch waits {rate_limits.REDIS_RETRY_SECONDS} seconds: nothing is sent"),
    (RULES, f"at the {in_words(sending_stop.MAX_REFUSED_IN_A_ROW)}th call of any store"),
    (RULES, f"of the last {of(MINUTE, sending_stop.RECENT)} minutes, about "
            f"{count(sending_stop.RECENT_MESSAGES)} at most and "
            f"{sending_stop.MIN_RECENT_MESSAGES} at least"),
    (RULES, f"a back-off that grows to {count(batch_queue.MAX_BACKOFF_SECONDS / 60)} minutes"),
    (RULES, f"`Retry-After` ({of(DAY, SECOND * mitto.MAX_RETRY_AFTER_SECONDS)} day at most)"),
    (RULES, f"about {count(mitto.MAX_CALL_BYTES / 1_000_000)} MB of body (`MAX_CALL_BYTES`)"),
    (RULES, f"for {count(mitto.MAX_SINGLE_SENDS_SECONDS)} seconds at most; the batch then returns"),
    (RULES, f"tries bulk calls again after {count(mitto.NO_BULK_SECONDS / 60)} minutes"),
    (RULES, f"Redis keeps {count(database_age.SUBMISSIONS_KEPT)} submissions"),
    # Receipts and replies
    (RULES, f"tried again after {of(SECOND, receipts.MIN_RETRY_DELAY)} seconds, then after half of "
            f"the time it has waited. After {of(HOUR, receipts.MAX_RETRY_AGE)}n hour"),
    (RULES, f"After {of(MINUTE, receipts.MAX_CALL_DURATION)} minutes such a receipt is applied by"),
    (RULES, f"within {receipts.DEBOUNCE_SECONDS} seconds enqueue one job (receipts,"),
    (RULES, f"within {replies.DEBOUNCE_SECONDS} seconds enqueue one job (receipts, replies)"),
    (RULES, f"| {of(MINUTE, polling.MIN_AGE)} minutes to {of(HOUR, polling.MAX_RECENT_AGE)} hours "
            f"ago | {of(HOUR, polling.MAX_RECENT_AGE)} to {of(HOUR, polling.MAX_AGE)} hours ago |"),
    (RULES, f"after a {in_words(polling.INTERVALS_PER_AGE)}th of the batch's age"),
    (RULES, f"at most {polling.MAX_BATCHES} batches, those asked least recently first, and stops "
            f"choosing at {count(polling.MAX_MESSAGES)} messages."),
    (RULES, f"Requests go out {polling.CONCURRENT_QUERIES} at a time"),
    (RULES, f"After {of(HOUR, polling.MAX_AGE)} hours nothing is asked"),
    (RULES, f"within {of(DAY, reply_stores.RECENT)} days"),
    (OPERATIONS, f"tried again every {'minute' if replies.RETRY_DELAY == MINUTE else '?'}"),
    (RULES, f"nested more than {inbox.MAX_DEPTH} deep"),
    (RULES, f"{webhooks.SIGNED_BODY_LIMIT.size // 1024} kB are read within "
            f"{webhooks.SIGNED_BODY_LIMIT.seconds} seconds, of any other "
            f"{count(webhooks.BODY_LIMIT.size / 1_000_000)} MB within "
            f"{webhooks.BODY_LIMIT.seconds} seconds"),
    (RULES, f"more than {count(webhooks.MAX_BODY_BYTES)} bytes, packed or unpacked, or more than "
            f"{count(webhooks.SIGNED_BODY_LIMIT.size)} signed ones"),
    # Money
    (RULES, f"at most {billing.MAX_CENTS / 100:,.2f}."),
    (RULES, f"at most {billing_pages.MAX_AMOUNT:,.2f}."),
    # Import
    (RULES, f"cut at {names.MAX_NAME_LENGTH} characters"),
    (RULES, f"E-mail: at most {validating.MAX_EMAIL_LENGTH} characters."),
    (RULES, f"at most {dates.MAX_AGE_YEARS} years ago"),
    (RULES, f"of the last {mapping.MIN_AGE} years, is asked about"),
    (RULES, f"within the first {count(planning.SAMPLE_ROWS)})"),
    (RULES, f"more than {other_sheets.MAX_OTHER_SHEETS} such sheets or "
            f"{count(other_sheets.MAX_PEOPLE_WHO_MAY_SAY_NO)} such people"),
    (RULES, f"stopped {lifecycle.MAX_ATTEMPTS} times without a written row"),
    (IMPORTING, f"within the first {heading_rows.MAX_ROWS_ABOVE} rows"),
    (IMPORTING, f"{in_words(planning.MAX_UNPACKED_FACTOR)} times as much unpacked; a workbook has "
                f"at most {count(workbook.MAX_ROWS)} rows"),
    # Leaving
    (RULES, f"{off_boarding.DEFAULT_DAYS_UNTIL_ERASURE} days later unless another is chosen"),
    # Processes
    (RULES, f"again every {recurring.REGISTER_SECONDS} seconds"),
    (OPERATIONS, f"each gives one every {workers.HEARTBEAT_INTERVAL} seconds"),
    (OPERATIONS, f"than {ending.END_SECONDS} seconds (`MITTO_CONNECT_TIMEOUT` and"),
    (OPERATIONS, f"PostgreSQL is {postgres_server.MINIMUM_POSTGRES[0]} or later."),
    # Accounts
    (SECURITY, f"After {in_words(settings.AXES_FAILURE_LIMIT)} failed logins to an account from "
               f"one address in {of(MINUTE, settings.AXES_COOLOFF_TIME)} minutes"),
    (SECURITY, f"A link holds for {count(settings.PASSWORD_RESET_TIMEOUT / 3600)} hours and once"),
    (SECURITY, f"and {count(settings.SESSION_COOKIE_AGE / 3600)} hours after the login"),
    (SECURITY, f"one of {in_words(second_factor.RECOVERY_CODES)} recovery codes"),
]  # fmt: skip


def words_of(document: str) -> str:
    return " ".join((ROOT / document).read_text().split())


@pytest.mark.parametrize(("document", "sentence"), SENTENCES, ids=range(len(SENTENCES)))
def test_the_documents_name_the_limits_of_the_code(document, sentence):
    assert sentence in words_of(document)


@pytest.mark.django_db
def test_the_documents_name_the_limits_of_the_web_server():
    from astronote import rsgi  # looks at the database when it is imported

    threads = (
        f"(granian; {rsgi.OPERATOR_THREADS} threads for operators' pages, "
        f"{rsgi.PUBLIC_THREADS} for public ones)"
    )
    bodies = (
        f"`IMPORT_MAX_MB` and {count(rsgi.FORM_BYTES / 1_000_000)} MB; above "
        f"{rsgi.MEMORY_BYTES // 1024} kB in a file without a name; at most "
        f"{rsgi.MAX_LARGE_BODIES} above {count(rsgi.LARGE_BYTES / 1_000_000)} MB at one time | "
        f"{count(rsgi.BODY_SECONDS)} s, and a second more for each "
        f"{count(rsgi.MIN_BYTES_PER_SECOND / 1000)} kB"
    )
    assert threads in words_of(OPERATIONS)
    assert bodies in words_of(ARCHITECTURE)


def test_a_process_is_given_time_to_end_by_itself_before_it_is_killed():
    """`docs/operations.md` promises 45 seconds in all."""
    assert ending.END_SECONDS < supervisor.STOP_SECONDS < 45
    assert web_server.KILL_SECONDS < ending.END_SECONDS


def test_browsers_keep_to_https_for_a_year():
    assert settings.SECURE_HSTS_SECONDS in (0, YEAR_IN_SECONDS)


def test_a_worker_beats_several_times_before_it_counts_as_dead():
    assert 3 * workers.HEARTBEAT_INTERVAL < recurring.HEARTBEAT_SECONDS


def test_the_window_of_a_call_outlasts_the_consent_that_was_read_for_it():
    assert sending.MAX_CONSENT_AGE_SECONDS < sending_window.OPT_OUT_MAX_WAIT_SECONDS


def test_what_a_browser_says_of_itself_is_cut_where_its_column_ends():
    for model in (PublicSignupEvent, NfcScan, OfferViewEvent):
        column = model._meta.get_field("user_agent")
        assert column.max_length == consent.MAX_USER_AGENT_LENGTH
