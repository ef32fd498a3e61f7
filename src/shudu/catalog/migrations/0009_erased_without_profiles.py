"""Versions erased before erasing took what was noted of their values: that goes from them too."""

from typing import Any

from django.db import migrations


def forget(apps: Any, _: Any) -> None:
    for version in apps.get_model("catalog", "Version").objects.filter(state="erased").iterator():
        if version.observations.pop("profile", None) is not None:
            version.save(update_fields=["observations"])


class Migration(migrations.Migration):
    dependencies = [("catalog", "0008_asset_due")]

    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
