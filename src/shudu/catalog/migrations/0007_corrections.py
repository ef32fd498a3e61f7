"""What is to be done about the rows of a version that were put aside, and which of them are done with."""

import django.db.models.deletion
from django.db import migrations, models

import shudu.catalog.models
import shudu.policy.clock


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0006_version_change"),
    ]

    operations = [
        migrations.CreateModel(
            name="Correction",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=shudu.catalog.models.new_correction,
                        editable=False,
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("owner", models.CharField(db_index=True, max_length=64)),
                ("secret", models.CharField(max_length=64)),
                ("rows", models.BigIntegerField()),
                ("open", models.BigIntegerField()),
                ("round", models.PositiveIntegerField(default=0)),
                ("place", models.CharField(blank=True, default="", max_length=64)),
                ("files", models.JSONField(default=list)),
                ("created", models.DateTimeField(default=shudu.policy.clock.now)),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="corrections", to="catalog.asset"
                    ),
                ),
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="correction", to="catalog.version"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SettledRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("row", models.BigIntegerField()),
                ("outcome", models.CharField(choices=[("added", "Added"), ("left_out", "Left Out")], max_length=10)),
                ("into", models.CharField(blank=True, default="", max_length=64)),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                ("time", models.DateTimeField(default=shudu.policy.clock.now)),
                (
                    "correction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="settled", to="catalog.correction"
                    ),
                ),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("correction", "row"), name="settled_once")]},
        ),
    ]
