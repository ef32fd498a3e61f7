"""Django's settings, read as a table of contents of the house. Rows live in the home's SQLite, or in PostgreSQL."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.utils.functional import SimpleLazyObject

from .database import database
from .options import load
from .site_secret import secret_key

OPTIONS = load()
HOME = OPTIONS.home

INSTALLED_APPS = [
    "shudu.policy",
    "shudu.ledger",
    "shudu.identity",
    "shudu.cases",
    "shudu.accounts",
    "shudu.lake",
    "shudu.catalog",
    "shudu.agreements",
    "shudu.runs",
    "shudu.govern",
    "shudu.cleanroom",
    "shudu.collect",
    "shudu.exchange",
    "shudu.security",
    "shudu.site",  # before allauth, whose pages it replaces
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]

# --- rows

DATABASES = {"default": database(OPTIONS.database_url, HOME)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

# --- the way in

ROOT_URLCONF = "shudu.config.urls"
WSGI_APPLICATION = "shudu.config.wsgi.application"
_address = urlsplit(OPTIONS.address)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *([_address.hostname] if _address.hostname else [])]
CSRF_TRUSTED_ORIGINS = [f"{_address.scheme}://{_address.netloc}"] if _address.hostname else []

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "shudu.site.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "shudu.site.language.negotiate",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "shudu.site.errors.Explain",
    "shudu.site.middleware.paced",
    "allauth.account.middleware.AccountMiddleware",
]

SECRET_KEY = SimpleLazyObject(lambda: secret_key(OPTIONS.keys))
_https = _address.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "shudu.site.errors.csrf_failed"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20  # forms only; tables come as streams

# --- people

AUTH_USER_MODEL = "identity.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "shudu.site.accounts.Adapter"
ACCOUNT_FORMS = {"change_password": "shudu.site.account_forms.ChangePassword"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_EMAIL_NOTIFICATIONS = False
# Sign-in attempts are counted by address; where there is a public address there is a proxy before us.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if _address.hostname else 0
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Shudu"

# --- pages

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shudu.site.language.context",
                "shudu.site.display.context",
                "shudu.site.acting.context",
            ],
            "builtins": ["shudu.site.templatetags.page"],
        },
    }
]
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LANGUAGE_COOKIE_NAME = "language"

# --- what is written down: words and places, never a request's body, its query or a header

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django": {"handlers": [], "level": "WARNING", "propagate": True}},
}
