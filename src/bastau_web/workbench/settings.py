"""Django's settings that hold for every home; :mod:`bastau_web.workbench.configuring` adds those of one."""

from pathlib import Path
from typing import Any

from bastau.home import Home

ROOT_URLCONF = "bastau_web.workbench.urls"
AUTH_USER_MODEL = "workbench.Account"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "bastau_web.workbench.apps.Workbench",
    "bastau_web.check_api.apps.CheckApi",
]
MIDDLEWARE = [
    "bastau_web.workbench.headers.add_headers",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "bastau_web.workbench.no_nul.refuse_nul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "bastau_web.workbench.words.choose_language",
    "bastau_web.workbench.guard.Guard",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "OPTIONS": {
            "context_processors": ["bastau_web.workbench.words.in_templates"],
            "builtins": ["bastau_web.workbench.templatetags.words"],
        },
    }
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["name"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
SESSION_ENGINE = "bastau_web.workbench.sessions"
SESSION_COOKIE_NAME = "bastau_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "bastau_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "bastau_web.workbench.views.failures.csrf"
LOGIN_URL = "sign-in"
PASSWORD_RESET_TIMEOUT = 3 * 86_400
"""Seconds for which an invitation holds."""
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
# "no-referrer" would take the origin off our own forms too, and Django refuses those
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGES = [("kk", "Қазақша"), ("ru", "Русский"), ("en", "English")]
LANGUAGE_CODE = "en"
DEBUG = False
# Whether a whole domain is put on the browsers' lists of https-only ones is for the domain's owner to ask there.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
LOGGING_CONFIG = None
BASTAU_HOME: Home | None = None
BASTAU_SET_UP_CODE = ""
"""The code for the first account; empty: none is taken."""
