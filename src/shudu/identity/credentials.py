"""What is secret about people and programs: passwords as they are accepted, tokens as they are made and kept."""

from __future__ import annotations

import hashlib
import secrets

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from pydantic import SecretStr

from shudu.policy.types import Invalid, Text

from .models import Person

PREFIX = "shudu_"

# By the codes of Django's validators: its own Chinese has gaps.
_OBJECTIONS = {
    "password_too_short": Text(
        "密码太短，至少 {min_length} 个字符。", "It is too short: {min_length} characters at least."
    ),
    "password_too_common": Text("这个密码太常见。", "It is too common."),
    "password_too_similar": Text("密码与用户名太相似。", "It is too similar to the username."),
}
_ANOTHER = Text("这个密码不符合要求。", "It is not good enough.")


def hash_password(password: SecretStr, username: str) -> str:
    """The password as it is kept; `Invalid` says what the site's validators (`AUTH_PASSWORD_VALIDATORS`) dislike."""
    try:
        validate_password(password.get_secret_value(), Person(username=username))
    except ValidationError as error:
        said = [(_OBJECTIONS.get(each.code or "", _ANOTHER), each.params or {}) for each in error.error_list]
        raise Invalid(
            "identity.password",
            Text(
                "".join(text.zh.format(**params) for text, params in said),
                " ".join(["This password cannot be used.", *(text.en.format(**params) for text, params in said)]),
            ),
            Text("请换一个更长、不常见的密码。", "Choose a longer, less common password."),
        ) from None
    return make_password(password.get_secret_value())


def new_token() -> str:
    """256 random bits behind a prefix that secret scanners recognise."""
    return PREFIX + secrets.token_urlsafe(32)


def token_digest(secret: str) -> str:
    """How a token is kept. Nobody guesses 256 random bits, so a plain SHA-256 has nothing to slow down."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
