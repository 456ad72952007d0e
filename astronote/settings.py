"""Django settings.

Every value that differs between installations is an environment variable, declared in
`environment.py` and assigned here once.
"""

import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ

from astronote import environment, theme
from astronote.processes.names import running_command_and_queue_name
from astronote.queues.catalogue import QUEUES
from astronote.queues.redis_address import build_queue_options

BASE_DIR = Path(__file__).resolve().parent.parent
env = environment.read_environment(BASE_DIR)

# Apps

PROJECT_APPS = ["astronote", "contacts", "messaging", "campaigns", "compliance"]
INSTALLED_APPS = [
    *PROJECT_APPS,
    "unfold.apps.BasicAppConfig",  # without a site of its own
    "astronote.admin_site.AstronoteAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_otp_webauthn",
    "django_rq",
]
MIDDLEWARE = [
    "astronote.common.visitor.TrustedProxies",
    "astronote.operations.probes.ProbePages",
    "django.middleware.security.SecurityMiddleware",
    "astronote.common.null_characters.NullCharacterGuard",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "astronote.accounts.sessions.SessionLimits",
    "astronote.accounts.second_factor.SecondFactorGuard",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "astronote.common.content_security.ContentSecurityPolicy",
    "astronote.common.store_time.ActivateTimeZoneOfStoreOfPage",
    "astronote.operations.queue_dashboard.QueueDashboardGuard",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "astronote.urls"
WSGI_APPLICATION = "astronote.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# PostgreSQL

EMBEDDED_POSTGRES = not env["DATABASE_URL"]
DATABASES = {"default": environ.Env.db_url_config(environment.database_url_or_embedded(env))}
DATABASES["default"].update(
    CONN_MAX_AGE=env["DATABASE_CONN_MAX_AGE"],
    CONN_HEALTH_CHECKS=True,
)
_options = DATABASES["default"].setdefault("OPTIONS", {})
_options["connect_timeout"] = 10
# A machine that is cut off is noticed within about a minute, by PostgreSQL too: until then its
# open transaction keeps its locks. Sockets on the same machine ignore these.
_options |= {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_options.setdefault("application_name", running_command_and_queue_name())
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Accounts

AUTH_USER_MODEL = "astronote.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Whoever comes to the login page itself, and not from another page, has none to go on to.
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# By account and address together: nobody locks out an account or the others behind one address.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_FORM_FIELD = "username"
# Masked in the record of a failure, as `password` is: what forms send that count as a login.
AXES_SENSITIVE_PARAMETERS = [
    "username",
    "code",  # a recovery code that came with a wrong password still holds
    "old_password",
    "new_password1",
    "new_password2",
    "csrfmiddlewaretoken",
]
AXES_USERNAME_CALLABLE = "astronote.accounts.login.casefolded_login_name_of_credentials_or_post"
AXES_CLIENT_IP_CALLABLE = "astronote.common.visitor.address_or_ipv6_network_of_visitor"
AXES_LOCKOUT_CALLABLE = "astronote.accounts.login.set_status_429_for_locked_login"
AXES_ENABLE_ADMIN = False
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_VERBOSE = False

LOGIN_URL = "admin:login"
PASSWORD_RESET_TIMEOUT = 24 * 3600
SECOND_FACTOR_REQUIRED = env["SECOND_FACTOR_REQUIRED"]
# A security key answers to the address alone at which it was added.
_public = urlsplit(env["PUBLIC_WEB_BASE_URL"])
OTP_WEBAUTHN_RP_NAME = "Astronote"
OTP_WEBAUTHN_RP_ID = _public.hostname or ""
OTP_WEBAUTHN_ALLOWED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
OTP_WEBAUTHN_ALLOW_PASSWORDLESS_LOGIN = False
OTP_WEBAUTHN_EXCEPTION_LOGGER_NAME = ""  # a key that is refused is in the record of logins
# Without https no key can be added, and the page says so.
SILENCED_SYSTEM_CHECKS = ["otp_webauthn.E031"]
SESSION_ENGINE = "astronote.accounts.sessions"
SESSION_IDLE_MINUTES = env["SESSION_IDLE_MINUTES"]
SESSION_COOKIE_AGE = 12 * 3600
EMAIL_URL = env["EMAIL_URL"]
if EMAIL_URL:
    vars().update(environ.Env.email_url_config(EMAIL_URL))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env["EMAIL_FROM"]
ALERT_WEBHOOK_URL = env["ALERT_WEBHOOK_URL"]

# The theme would keep what a search found, names of customers among it, for five minutes.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

# Redis and queues

EMBEDDED_REDIS = not env["REDIS_URL"]
REDIS_URL = environment.redis_url_or_embedded(env)
RQ_QUEUES = {
    queue.name: {
        **build_queue_options(REDIS_URL),
        "DEFAULT_TIMEOUT": queue.timeout,
        "SERIALIZER": "rq.serializers.JSONSerializer",
    }
    for queue in QUEUES
}
RQ = {
    "JOB_CLASS": "astronote.queues.json_jobs.JsonOrRefusedJob",
    "WORKER_CLASS": "astronote.queues.workers.Worker",
    "SCHEDULER_CLASS": "astronote.queues.recurring.RedisLossTolerantScheduler",
}
QUEUE_DISABLED = env["QUEUE_DISABLED"]
QUEUE_ATTEMPTS = env["QUEUE_ATTEMPTS"]
QUEUE_BACKOFF_MS = env["QUEUE_BACKOFF_MS"]
QUEUE_RATE_MAX = env["QUEUE_RATE_MAX"]
QUEUE_RATE_DURATION_MS = env["QUEUE_RATE_DURATION_MS"]

# Workers and recurring jobs

START_WORKER = env["START_WORKER"]
WORKER_CONCURRENCY = env["WORKER_CONCURRENCY"]
SCHEDULER_CONCURRENCY = env["SCHEDULER_CONCURRENCY"]
CONTACT_IMPORT_CONCURRENCY = env["CONTACT_IMPORT_CONCURRENCY"]
STATUS_REFRESH_CONCURRENCY = env["STATUS_REFRESH_CONCURRENCY"]
DELIVERY_STATUS_POLLER_CONCURRENCY = env["DELIVERY_STATUS_POLLER_CONCURRENCY"]
WATCHDOG_CONCURRENCY = env["WATCHDOG_CONCURRENCY"]
SCHEDULE_SWEEP_INTERVAL_MS = env["SCHEDULE_SWEEP_INTERVAL_MS"]
DELIVERY_POLL_INTERVAL_MS = env["DELIVERY_POLL_INTERVAL_MS"]
STATUS_REFRESH_ENABLED = env["STATUS_REFRESH_ENABLED"]
STATUS_REFRESH_INTERVAL = env["STATUS_REFRESH_INTERVAL"]
WATCHDOG_INTERVAL = env["WATCHDOG_INTERVAL"]
STUCK_SENDING_MINUTES = env["STUCK_SENDING_MINUTES"]
STUCK_LOCKED_MINUTES = env["STUCK_LOCKED_MINUTES"]
BIRTHDAY_AUTOMATION_CRON = env["BIRTHDAY_AUTOMATION_CRON"]
RUN_BIRTHDAY_ON_START = env["RUN_BIRTHDAY_ON_START"]
PII_RETENTION_CRON = env["PII_RETENTION_CRON"]
RUN_PII_RETENTION_ON_START = env["RUN_PII_RETENTION_ON_START"]

# Web

SECRET_KEY = env["SECRET_KEY"]
SECRET_KEY_FALLBACKS = env["SECRET_KEY_FALLBACKS"]
DEBUG = env["DEBUG"]
ALLOWED_HOSTS = env["ALLOWED_HOSTS"]
PUBLIC_WEB_BASE_URL = env["PUBLIC_WEB_BASE_URL"]
HTTPS = env["HTTPS"]
TRUSTED_PROXIES = env["TRUSTED_PROXIES"]
WEB_CONCURRENCY = env["WEB_CONCURRENCY"]
BIND_ADDRESS = env["BIND_ADDRESS"]
PORT = env["PORT"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = env["HSTS_PRELOAD"]
# `TrustedProxies` leaves the header only if a trusted proxy sent it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REDIRECT_EXEMPT = [r"^webhooks/"]
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "astronote.operations.error_pages.form_expired_view"
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "astronote.common.uploads.UnnamedFileUploadHandler",
]
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
UNFOLD = theme.UNFOLD

# Time and language

TIME_ZONE = "UTC"  # rq-scheduler's cron follows it; store-local times are converted explicitly
USE_TZ = True
LANGUAGE_CODE = "en"
USE_I18N = True
FORMAT_MODULE_PATH = "astronote.formats"

# Mitto

MITTO_API_BASE = env["MITTO_API_BASE"]
MITTO_API_VERSION = env["MITTO_API_VERSION"]
MITTO_API_KEY = env["MITTO_API_KEY"]
MITTO_TRAFFIC_ACCOUNT_ID = env["MITTO_TRAFFIC_ACCOUNT_ID"]
MITTO_SENDER = env["MITTO_SENDER"]
MITTO_CONNECT_TIMEOUT = env["MITTO_CONNECT_TIMEOUT"]
MITTO_READ_TIMEOUT = env["MITTO_READ_TIMEOUT"]
MITTO_PROXY = env["MITTO_PROXY"]
MITTO_SANDBOX_PORT = env["MITTO_SANDBOX_PORT"]
STATUS_RATE_MAX = env["STATUS_RATE_MAX"]
RATE_LIMIT_TRAFFIC_ACCOUNT_MAX = env["RATE_LIMIT_TRAFFIC_ACCOUNT_MAX"]
RATE_LIMIT_TENANT_MAX = env["RATE_LIMIT_TENANT_MAX"]
WEBHOOK_SECRET = env["WEBHOOK_SECRET"]

# Sending

SMS_BATCH_SIZE = env["SMS_BATCH_SIZE"]
STOP_SENDING_PERCENT = env["STOP_SENDING_PERCENT"]
CREDIT_RESERVATION_TTL_MINUTES = env["CREDIT_RESERVATION_TTL_MINUTES"]
CAMPAIGN_LIFE_HOURS = env["CAMPAIGN_LIFE_HOURS"]
QUIET_HOURS_ENABLED = env["QUIET_HOURS_ENABLED"]
QUIET_HOURS_START = env["QUIET_HOURS_START"]
QUIET_HOURS_END = env["QUIET_HOURS_END"]
QUIET_HOURS_ALLOW_MARKETING = env["QUIET_HOURS_ALLOW_MARKETING"]
QUIET_HOURS_ALLOW_SERVICE = env["QUIET_HOURS_ALLOW_SERVICE"]
OWNER_SMS_PER_MINUTE = env["OWNER_SMS_PER_MINUTE"]
OWNER_SMS_PER_DAY = env["OWNER_SMS_PER_DAY"]
CONTACT_MARKETING_PER_DAY = env["CONTACT_MARKETING_PER_DAY"]
CONTACT_MARKETING_PER_WEEK = env["CONTACT_MARKETING_PER_WEEK"]
DEFAULT_PHONE_REGION = env["DEFAULT_PHONE_REGION"]

# Import, exports and privacy

IMPORT_MAX_MB = env["IMPORT_MAX_MB"]
IMPORT_FILE_RETENTION_HOURS = env["IMPORT_FILE_RETENTION_HOURS"]
EXPORT_FILE_RETENTION_HOURS = env["EXPORT_FILE_RETENTION_HOURS"]
PHONE_HASH_KEY = env["PHONE_HASH_KEY"]
PHONE_HASH_KEY_OLD = env["PHONE_HASH_KEY_OLD"]
PII_RETENTION_DAYS = env["PII_RETENTION_DAYS"]
PII_INACTIVE_DAYS = env["PII_INACTIVE_DAYS"]
PII_RETENTION_ACTION = env["PII_RETENTION_ACTION"]
AUDIT_RETENTION_DAYS = env["AUDIT_RETENTION_DAYS"]
INVOICE_SELLER = env["INVOICE_SELLER"]
INVOICE_SELLER_VAT_NUMBER = env["INVOICE_SELLER_VAT_NUMBER"]
INVOICE_SELLER_COUNTRY = env["INVOICE_SELLER_COUNTRY"]
INVOICE_VAT_PERCENT = env["INVOICE_VAT_PERCENT"]
CONTROLLER_NAME = env["CONTROLLER_NAME"]
CONTROLLER_CONTACT = env["CONTROLLER_CONTACT"]
DATA_PROTECTION_OFFICER = env["DATA_PROTECTION_OFFICER"]
HOSTING_PROVIDER = env["HOSTING_PROVIDER"]
MITTO_RETENTION = env["MITTO_RETENTION"]
THIRD_COUNTRY_TRANSFERS = env["THIRD_COUNTRY_TRANSFERS"]

# Logs

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "astronote.common.logs.NumberMaskingTextFormatter"},
        "json": {"()": "astronote.common.logs.NumberMaskingJsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "formatter": env["LOG_FORMAT"],
        },
        "nothing": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        app: {"handlers": ["stderr"], "level": env["LOG_LEVEL"], "propagate": False}
        for app in PROJECT_APPS
    }
    # Any stranger can ask for another host: the line about the answer is enough.
    | {"django.security.DisallowedHost": {"handlers": ["nothing"], "propagate": False}},
}
