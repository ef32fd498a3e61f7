"""The run row is the queue."""

from django.db import models

from shudu.policy import clock, ids


def new_run() -> str:
    return ids.new("run")


class Run(models.Model):
    """A bounded window of governed use, and its place in the queue."""

    class State(models.TextChoices):
        QUEUED = "queued"
        HELD = "held"
        CLOSED = "closed"
        FAILED = "failed"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=new_run)
    kind = models.CharField(max_length=20)
    party = models.CharField(max_length=64, db_index=True)
    order = models.CharField(max_length=64, blank=True, default="", db_index=True)
    purpose = models.CharField(max_length=40)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    step = models.CharField(max_length=20, blank=True)
    done = models.JSONField(default=dict)
    attempt = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=64, blank=True, default="")
    error = models.JSONField(default=dict)
    meters = models.JSONField(default=dict)
    checks = models.JSONField(default=list)
    created = models.DateTimeField(default=clock.now)
    closed = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["lease_until", "id"], condition=models.Q(state="queued"), name="run_queue"),
        ]


class RunInput(models.Model):
    """What a run used, under which agreement. With `RunOutput` it is the lineage."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="inputs")
    role = models.CharField(max_length=20)
    version = models.CharField(max_length=64, db_index=True)
    agreement = models.CharField(max_length=64, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "role"], name="run_input_once")]


class RunOutput(models.Model):
    """What a run made or handed over."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="outputs")
    asset = models.CharField(max_length=64)
    version = models.CharField(max_length=64, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "version"], name="run_output_once")]
