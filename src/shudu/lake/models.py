"""The data keys of encrypted versions, wrapped. The files themselves have no rows here: `catalog` lists them."""

from django.db import models


class DataKey(models.Model):
    """The key one encrypted version is stored under: one each, so that erasing a version destroys its key alone."""

    class State(models.TextChoices):
        ACTIVE = "active"
        DESTROYED = "destroyed"

    key_id = models.CharField(primary_key=True, max_length=64, editable=False)
    owner = models.CharField(max_length=64)
    asset = models.CharField(max_length=64)
    version = models.CharField(max_length=64)
    kek_id = models.CharField(max_length=64)
    algorithm = models.CharField(max_length=32)
    wrapped = models.TextField()
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    created = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "asset", "version"], name="data_key_of_version")]
        indexes = [models.Index(fields=["kek_id"], name="data_key_by_kek")]
