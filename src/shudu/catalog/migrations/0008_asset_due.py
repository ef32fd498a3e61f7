"""Until when an asset's promised update cycle asks for a new version, kept so that lists can be filtered by it."""

from typing import Any

from django.db import migrations, models

from shudu.catalog.promises import due


def keep(apps: Any, _: Any) -> None:
    """For what is there already: from the newest live version of each."""
    assets, versions = (apps.get_model("catalog", name).objects for name in ("Asset", "Version"))
    for asset in assets.exclude(core={}).iterator():
        newest = versions.filter(binding__asset=asset, state="live").order_by("-number").first()
        asset.due = due(asset.core.get("update_cycle", "9"), newest.created) if newest else None
        if asset.due:
            asset.save(update_fields=["due"])


class Migration(migrations.Migration):
    dependencies = [("catalog", "0007_corrections")]

    operations = [
        migrations.AddField("asset", "due", models.DateTimeField(null=True)),
        migrations.AddIndex("asset", models.Index(fields=["due"], name="asset_due")),
        migrations.AddIndex("asset", models.Index(fields=["owner", "due"], name="asset_owner_due")),
        migrations.RunPython(keep, migrations.RunPython.noop),
    ]
