import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("party", models.CharField(max_length=64)),
                ("action", models.CharField(max_length=80)),
                ("key", models.CharField(max_length=200)),
                ("request_sha256", models.CharField(max_length=64)),
                ("model", models.CharField(max_length=80)),
                ("result", models.CharField(max_length=64)),
                ("time", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("party", "action", "key"), name="idempotency_once")],
            },
        ),
        migrations.CreateModel(
            name="Outbox",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event", models.CharField(max_length=40)),
                ("version", models.PositiveSmallIntegerField()),
                ("subject", models.CharField(max_length=64)),
                ("fields", models.JSONField()),
                ("time", models.DateTimeField()),
                ("sequenced", models.BooleanField(default=False)),
                ("dispatched", models.BooleanField(default=False)),
                ("attempts", models.PositiveIntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("sequenced", False)), fields=["id"], name="outbox_unsequenced"),
                    models.Index(condition=models.Q(("dispatched", False)), fields=["id"], name="outbox_undispatched"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Handled",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("handler", models.CharField(max_length=80)),
                ("time", models.DateTimeField()),
                ("outbox", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="policy.outbox")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("outbox", "handler"), name="handled_once")],
            },
        ),
    ]
