"""How many assets each token opens, kept beside the tokens. Filled by `agreements`, which has kept the last of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_version_recipe_and_report")]

    operations = [
        migrations.CreateModel(
            name="AssetAudienceSize",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("token", models.CharField(max_length=80)),
                ("after", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("rows", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("token", "until", "after"), name="assetaudiencesize_once")
                ],
            },
        ),
    ]
