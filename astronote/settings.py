"""Django settings; every value that differs between installations comes from `environment.py`."""

import sys
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from astronote import environment, queues, theme

BASE_DIR = Path(__file__).resolve().parent.parent
env = ENV = environment.read(BASE_DIR)
EMBEDDED_POSTGRES = not env["DATABASE_URL"]
EMBEDDED_REDIS = not env["REDIS_URL"]

SECRET_KEY = env["SECRET_KEY"]
SECRET_KEY_FALLBACKS = env["SECRET_KEY_FALLBACKS"]
PHONE_HASH_KEY = env["PHONE_HASH_KEY"]
DEBUG = env["DEBUG"]
ALLOWED_HOSTS = env["ALLOWED_HOSTS"]
PUBLIC_WEB_BASE_URL = env["PUBLIC_WEB_BASE_URL"]

INSTALLED_APPS = [
    "astronote",
    "contacts",
    "messaging",
    "campaigns",
    "compliance",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_rq",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "astronote.headers.ContentSecurityPolicy",
    "astronote.dashboard.QueueDashboardGuard",
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

try:
    DATABASES = {"default": environ.Env.db_url_config(environment.database_url(env))}
except (ValueError, KeyError, ImproperlyConfigured):
    raise ImproperlyConfigured(
        "DATABASE_URL cannot be read: expected postgres://user:password@host:port/name"
    ) from None
if DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must be a PostgreSQL address (postgres://…)")
DATABASES["default"].update(
    CONN_MAX_AGE=env["DATABASE_CONN_MAX_AGE"],
    CONN_HEALTH_CHECKS=True,
)
_options = DATABASES["default"].setdefault("OPTIONS", {})
_options["connect_timeout"] = 10
# A machine that is cut off is noticed within about a minute, by PostgreSQL too: until then its
# open transaction keeps its locks. Sockets on the same machine ignore these.
_options |= {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# Whatever is read by a cursor is read to its end: no plan that only finds the first rows soon. What
# is looked up is recent and so in memory, where a page costs the same wherever it lies: no plan
# that reads a whole table for a thousand rows of it. And no plan is compiled: that takes longer
# than it saves when receipts are applied.
_options["options"] = (
    f"{_options.get('options', '')} -c cursor_tuple_fraction=1 -c random_page_cost=1.1 -c jit=off"
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=60000"
).strip()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "astronote.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

REDIS_URL = environment.redis_url(env)
if not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ImproperlyConfigured("REDIS_URL cannot be read: expected redis://host:port/0")
QUEUE_DISABLED = env["QUEUE_DISABLED"]
RQ_QUEUES = {
    queue.name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": queue.timeout} for queue in queues.QUEUES
}
RQ = {
    "WORKER_CLASS": "astronote.workers.Worker",
    "SCHEDULER_CLASS": "astronote.recurrence.Scheduler",
}

TIME_ZONE = "UTC"  # rq-scheduler's cron follows it; store-local times are converted explicitly
USE_TZ = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("el", "Ελληνικά")]  # of pages for customers
USE_I18N = True

UNFOLD = theme.UNFOLD

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = env["HTTPS"]
SECURE_HSTS_SECONDS = 31536000 if env["HTTPS"] else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env["HTTPS"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env["HTTPS"] else None
SECURE_REDIRECT_EXEMPT = [r"^webhooks/", r"^(healthz|readyz|metrics)$"]
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "contacts.logs.TextFormatter"},
        "json": {"()": "contacts.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "formatter": env["LOG_FORMAT"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        app: {"handlers": ["stderr"], "level": env["LOG_LEVEL"], "propagate": False}
        for app in ("astronote", "contacts", "messaging", "campaigns", "compliance")
    },
}

WEBHOOK_SECRETS = env["WEBHOOK_SECRET"]
# Read by the apps under their own names.
for _name in (
    "MITTO_API_BASE", "MITTO_API_VERSION", "MITTO_API_KEY", "MITTO_TRAFFIC_ACCOUNT_ID",
    "MITTO_SENDER", "MITTO_CONNECT_TIMEOUT", "MITTO_READ_TIMEOUT", "MITTO_SANDBOX_PORT",
    "STATUS_RATE_MAX", "RATE_LIMIT_TRAFFIC_ACCOUNT_MAX", "RATE_LIMIT_TENANT_MAX",
    "SMS_BATCH_SIZE", "OPT_OUT_LINE", "CAMPAIGN_LIFE_HOURS", "QUEUE_ATTEMPTS", "QUEUE_BACKOFF_MS",
    "QUEUE_RATE_MAX", "QUEUE_RATE_DURATION_MS", "CREDIT_RESERVATION_TTL_MINUTES",
    "QUIET_HOURS_ENABLED", "QUIET_HOURS_START", "QUIET_HOURS_END", "QUIET_HOURS_ALLOW_MARKETING",
    "QUIET_HOURS_ALLOW_SERVICE", "OWNER_SMS_PER_MINUTE", "OWNER_SMS_PER_DAY",
    "CONTACT_MARKETING_PER_DAY", "CONTACT_MARKETING_PER_WEEK", "DEFAULT_PHONE_REGION",
    "STUCK_SENDING_MINUTES", "STUCK_LOCKED_MINUTES", "BIRTHDAY_AUTOMATION_CRON", "IMPORT_MAX_MB",
    "IMPORT_FILE_RETENTION_HOURS", "PII_RETENTION_DAYS", "PII_INACTIVE_DAYS",
    "PII_RETENTION_ACTION",
):  # fmt: skip
    globals()[_name] = env[_name]
