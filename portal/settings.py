"""Settings. One file, read top to bottom; secrets and addresses come from the environment only.

`PORTAL_ENV` is `development`, `test` or `production`. Production refuses to start with a
missing secret; development and test run on the machine that started them.
"""

import logging
import os
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from stdnum import iban

from portal import database, logs

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

PORTAL_ENV = env("PORTAL_ENV", default="production")
if PORTAL_ENV not in {"development", "test", "production"}:
    raise ImproperlyConfigured("PORTAL_ENV is development, test or production.")
IS_PRODUCTION = PORTAL_ENV == "production"

DEBUG = PORTAL_ENV == "development" and env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[] if IS_PRODUCTION else ["127.0.0.1", "localhost", "testserver"]
)
PORTAL_BASE_URL = env("PORTAL_BASE_URL", default="http://127.0.0.1:8000")
CSRF_TRUSTED_ORIGINS = [PORTAL_BASE_URL]
# Who runs this instance, and where people write to: shown on the help and legal pages.
PORTAL_PUBLISHER = env("PORTAL_PUBLISHER", default="")
PORTAL_CONTACT_EMAIL = (
    env("PORTAL_CONTACT_EMAIL")
    if IS_PRODUCTION
    else env("PORTAL_CONTACT_EMAIL", default="aide@exemple.invalid")
)
# Phone lines shown on the help pages: [{"label": …, "number": …, "hours": …}]. None: nothing is shown.
# Those of the demonstration are among the numbers kept for fiction.
PORTAL_PHONE_LINES = env.json(
    "PORTAL_PHONE_LINES",
    default=[]
    if IS_PRODUCTION
    else [
        {
            "label": _("Vos droits et vos dossiers"),
            "number": "01 99 00 12 34",
            "hours": _("du lundi au vendredi, de 9 h à 17 h"),
        },
        {
            "label": _("Un problème technique"),
            "number": "01 99 00 12 35",
            "hours": _("du lundi au vendredi, de 9 h à 17 h"),
        },
    ],
)
# Business days in which this instance promises to answer a request for help.
PORTAL_ANSWER_DAYS = env.int("PORTAL_ANSWER_DAYS", default=5)

# --- Applications and layers (docs/architecture.md) -------------------------------------
INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "dossiers",
    "admissions",
    "support",
    "catalog",
    "rights",
    "accounts",
    "notices",
    "rulebook",
    "ui",
    "allauth",
    "allauth.account",
    "django_htmx",
    "csp",
    "pgtrigger",
    "maintenance_mode",
    "django_structlog",
    "whitenoise.runserver_nostatic",
    "portal.apps.DeskConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
    "django.forms",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.middleware.RequestMiddleware",
    "portal.refusals.MaintenanceMiddleware",
    "ui.caches.CompressedPagesMiddleware",
    "ui.caches.KeptPagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SignInMiddleware",
    "accounts.middleware.PrivatePagesMiddleware",
    "accounts.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.RefusedFormMiddleware",
    "portal.refusals.WrongMethodMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.portal",
                "accounts.views.banner.safety",
                "dossiers.views.receipts.wallet",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
# Who tells the catalogue what its offers cost the person who reads: it does not hear of rights itself.
CATALOGUE_COSTS = "dossiers.views.receipts.costs"

# --- Data -----------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL", engine="django.db.backends.postgresql")}
DATABASES["default"] |= {
    "ATOMIC_REQUESTS": False,  # each verb opens its own transaction
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {
        "connect_timeout": 5,
        # A machine that vanished without a word holds neither us nor the locks it had.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "options": database.limits(env.int("STATEMENT_SECONDS", default=database.PAGE_SECONDS)),
    },
}
if replica := env("DATABASE_REPLICA_URL", default=""):
    DATABASES["replica"] = DATABASES["default"] | environ.Env.db_url_config(
        replica, engine="django.db.backends.postgresql"
    )
    DATABASE_ROUTERS = ["ui.replica.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "portal.cache.Cache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 1},
    }
}

# Public pages, the same for every visitor, are kept as long as browsers may keep them (ui/caches.py).
PAGES_ARE_KEPT = env.bool("PAGES_ARE_KEPT", default=PORTAL_ENV != "test")

# --- People ---------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.identity.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
# In the browser where one has just signed up, and there only: a link read elsewhere lets nobody in.
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = False  # accounts.announcements tells each event, once per address
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # a computer left open changes no address
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_CHANGE_EMAIL = True  # one address at a time, replaced once the new one is confirmed
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_FORMS = {
    "login": "accounts.forms.LoginForm",
    "signup": "accounts.forms.SignupForm",
    "reset_password": "accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "set_password": "accounts.forms.SetPasswordForm",
    "add_email": "accounts.forms.AddEmailForm",
    "reauthenticate": "accounts.forms.ReauthenticateForm",
}
# Beside allauth's own limits. `activation` counts tries of all logins of one internet connection;
# those of one person and on one identity are in the rulebook. `contact` counts requests for help sent from
# one internet connection, a public library's included, and `follow` the links asked for again.
ACCOUNT_RATE_LIMITS = {"activation": "30/h/ip", "contact": "20/h/ip", "follow": "20/h/ip"}
# What one address may ask of the open pages in a minute (a school's included), and how many seconds each
# question put to PostgreSQL may take before the search gives up and says so. To measure, raise these limits.
OPEN_LIMITS = {
    "search": env.int("SEARCHES_A_MINUTE", default=120),
    "suggestions": env.int("SUGGESTIONS_A_MINUTE", default=600),
    "simulator": env.int("SIMULATIONS_A_MINUTE", default=120),
}
SEARCH_SECONDS = env.float("SEARCH_SECONDS", default=3.0)
# Without the proxies counted, every visitor would share the address of the last one.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=1 if IS_PRODUCTION else 0)
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if PORTAL_BASE_URL.startswith("https") else "http"

# Social-security numbers: first key encrypts, the others still decrypt (rotation).
NIR_KEYS = env.list("NIR_KEYS")
# Off: activation asks for names and birth date only (docs/decisions.md, 20).
NIR_AT_ACTIVATION = env.bool("NIR_AT_ACTIVATION", default=not IS_PRODUCTION)

# --- Words, dates ---------------------------------------------------------------------------
LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", _("Français")), ("en", _("Anglais"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Europe/Paris"

# --- Files ----------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
if IS_PRODUCTION:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
else:
    WHITENOISE_USE_FINDERS = True
    WHITENOISE_AUTOREFRESH = True
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(BASE_DIR / ".var" / "media"))
# Where the nightly job looks for fresh register files; unset, it does nothing and says so.
REGISTERS_FOLDER = env("REGISTERS_FOLDER", default="")

# --- Mail -----------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Portail formation <ne-pas-repondre@exemple.invalid>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_TIMEOUT = 10
if IS_PRODUCTION or "EMAIL_URL" in env:
    vars().update(env.email("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = env("PORTAL_MAIL_FOLDER", default=str(BASE_DIR / ".var" / "mails"))

# --- Background work --------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT = "portal.broker:Transport"  # Redis, and a worker that survives its end
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True  # every task may run twice: its effects are guarded in the database
CELERY_TASK_REJECT_ON_WORKER_LOST = True  # a process of the worker that is killed gives its task back
CELERY_TASK_TIME_LIMIT = 1800
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # a long import keeps no reminder waiting behind it
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500  # whatever leaks, leaks for two hours at most
# Asked to stop, it ends what runs; what has not ended by then goes back to the queue.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 60
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False  # they end, and may run again
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker without broker waits for it, for ever
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,  # longer than any task may run
    # Publishing tries once: whoever clicked does not wait for a dead broker, beat asks again anyway.
    "socket_timeout": 3,
    "socket_connect_timeout": 1,
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- Security ---------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SESSION_ENGINE = "accounts.sessions"  # sessions that know whose they are, so that they can be ended
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 12
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.pages.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
if IS_PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^sante/"]  # containers ask their own port, without TLS
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# --- Closing the portal (portal/refusals.py) --------------------------------------------------
MAINTENANCE_MODE_STATE_BACKEND = "portal.refusals.StateFile"
MAINTENANCE_MODE_STATE_FILE_PATH = env.path(
    "MAINTENANCE_FILE", default=str(BASE_DIR / ".var" / "maintenance")
)
MAINTENANCE_MODE_RETRY_AFTER = 900
# Whoever repairs signs in and looks; monitors go on asking.
MAINTENANCE_MODE_IGNORE_ADMIN_SITE = True
MAINTENANCE_MODE_IGNORE_URLS = [r"^/connexion/login/", r"^/sante/", r"^/metriques"]

# --- Paying what is left (dossiers/payment_service.py, docs/adr/0009-paying-by-card.md) ----------
# Without its three keys the card is not offered; without an account number, neither is the transfer.
STRIPE_SECRET_KEY = env("STRIPE_SECRET_KEY", default="")
STRIPE_PUBLIC_KEY = env("STRIPE_PUBLIC_KEY", default="")
STRIPE_WEBHOOK_SECRET = env("STRIPE_WEBHOOK_SECRET", default="")
if len({bool(STRIPE_SECRET_KEY), bool(STRIPE_PUBLIC_KEY), bool(STRIPE_WEBHOOK_SECRET)}) > 1:
    raise ImproperlyConfigured("STRIPE_SECRET_KEY, STRIPE_PUBLIC_KEY, STRIPE_WEBHOOK_SECRET: all or none.")
STRIPE_API_BASE = env("STRIPE_API_BASE", default="https://api.stripe.com")
STRIPE_JS_URL = env("STRIPE_JS_URL", default="https://js.stripe.com/v3/")
# What the one payment page may load and speak to besides the portal: the service's own list.
STRIPE_ORIGINS = env.list(
    "STRIPE_ORIGINS",
    default=[
        "https://js.stripe.com",
        "https://*.js.stripe.com",
        "https://api.stripe.com",
        "https://hooks.stripe.com",
    ],
)
# Where transfers go. The account of the demonstration exists nowhere: its bank has no such code.
PORTAL_IBAN = env("PORTAL_IBAN", default="" if IS_PRODUCTION else "FR76 9999 9000 0000 0000 0000 033")
if PORTAL_IBAN and not iban.is_valid(PORTAL_IBAN):
    raise ImproperlyConfigured("PORTAL_IBAN: this account number has a digit wrong.")
PORTAL_IBAN_OWNER = env("PORTAL_IBAN_OWNER", default="" if IS_PRODUCTION else "Portail formation")

# --- Logs, metrics ----------------------------------------------------------------------------
logs.configure()
LOGGING = logs.settings(
    level=env("LOG_LEVEL", default="WARNING" if PORTAL_ENV == "test" else "INFO"), as_json=IS_PRODUCTION
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True  # a task's lines carry the id of the request that asked for it
DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL = logging.DEBUG  # tasks say themselves what they did
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # one line per request, at its end
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO

PORTAL_METRICS = env.bool("PORTAL_METRICS", default=False)
PORTAL_METRICS_TOKEN = env("PORTAL_METRICS_TOKEN", default="")
if PORTAL_METRICS:
    if len(PORTAL_METRICS_TOKEN) < 20:
        raise ImproperlyConfigured("PORTAL_METRICS_TOKEN: at least 20 characters that nobody can guess.")
    # The processes of the web server add up their figures in this folder.
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(BASE_DIR / ".var" / "metrics"))
    Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)
    INSTALLED_APPS.append("django_prometheus")
    MIDDLEWARE.insert(0, "django_prometheus.middleware.PrometheusBeforeMiddleware")
    MIDDLEWARE.append("django_prometheus.middleware.PrometheusAfterMiddleware")
