"""How a version's file was read, what became of its rows, and what lies beside the table for its owner alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_asset_findable"),
    ]

    operations = [
        migrations.AddField(
            model_name="version",
            name="recipe",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="version",
            name="report",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="version",
            name="side_files",
            field=models.JSONField(default=list),
        ),
    ]
