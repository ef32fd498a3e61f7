"""Parties, the people in them, and the tokens they are called by."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from shudu.policy import ids
from shudu.policy.types import Role

from .types import PartyState


class Party(models.Model):
    """An organisation, a person, the public, or a remote participant. Names need not be unique; codes are."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "party"))
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=200, db_index=True)
    code = models.CharField(max_length=18, unique=True, null=True)
    state = models.CharField(max_length=16, default=PartyState.ACTIVE.value)
    created = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

    @property
    def roles(self) -> frozenset[Role]:
        """What the party may act as."""
        return frozenset(Role(row.role) for row in self.held.all())


class PartyRole(models.Model):
    """A role a party holds."""

    party = models.ForeignKey(Party, on_delete=models.CASCADE, related_name="held")
    role = models.CharField(max_length=16)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["party", "role"], name="party_role_once"),
            models.UniqueConstraint(fields=["role"], condition=models.Q(role="operator"), name="one_operator"),
        ]


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, username: str, password: str | None = None, display_name: str = "") -> Person:
        """A person who can sign in; without a password, one who cannot yet."""
        person = self.model(username=self.model.normalize_username(username), display_name=display_name)
        person.set_password(password)
        person.save(using=self._db)
        return person


class Person(AbstractBaseUser):
    """Somebody who signs in. What a person may do follows from memberships, never from the person."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "person"))
    username = models.CharField(max_length=64, unique=True)
    display_name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[PersonManager] = PersonManager()


class Membership(models.Model):
    """A person's role in a party."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "membership"))
    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="members")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["party", "person", "role"], name="membership_once")]


class Token(models.Model):
    """A key to the API. Only its SHA-256 is kept; `secret` is there on the object just issued, and never again."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "token"))
    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="tokens")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    issued = models.DateTimeField()
    expires = models.DateTimeField()
    revoked = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)

    secret: str = ""
