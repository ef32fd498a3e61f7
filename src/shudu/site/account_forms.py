"""Forms of signing in whose words are ours: what comes with them says 你, and puts capitals on every word."""

from __future__ import annotations

from typing import Any

from allauth.account import forms

from shudu.policy.types import Text

from .choosing import said

LABELS = {
    "oldpassword": Text("当前密码", "Current password"),
    "password1": Text("新密码", "New password"),
    "password2": Text("再写一次新密码", "New password once more"),
}
ASKED = Text(
    "至少 12 个字符；不用常见的密码，也不用与用户名相近的。",
    "At least 12 characters; none that is common, none that resembles your username.",
)


class ChangePassword(forms.ChangePasswordForm):  # type: ignore[misc]  # allauth ships no types
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in LABELS.items():
            self.fields[name].label = said(label)
            self.fields[name].widget.attrs.pop("placeholder", None)  # it says the label again
        self.fields["password1"].help_text = said(ASKED)
