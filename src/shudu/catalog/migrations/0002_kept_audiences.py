"""For whom an asset's entry stands open, kept beside it. Here: its owner; `agreements` adds whom offers disclose it to."""

from datetime import UTC, datetime
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

FOREVER = datetime(9999, 12, 30, tzinfo=UTC)


def owners(apps: Any, schema_editor: Any) -> None:
    audience = apps.get_model("catalog", "AssetAudience").objects
    pairs = apps.get_model("catalog", "Asset").objects.values_list("id", "owner")
    rows = [audience.model(row_id=asset, token=f"party:{owner}", until=FOREVER) for asset, owner in pairs]
    audience.bulk_create(rows, batch_size=2_000)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AssetAudience",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("token", models.CharField(max_length=80)),
                ("until", models.DateTimeField()),
                (
                    "row",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="audiences", to="catalog.asset"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "constraints": [models.UniqueConstraint(fields=("token", "row", "until"), name="assetaudience_once")],
            },
        ),
        migrations.RunPython(owners, migrations.RunPython.noop),
    ]
