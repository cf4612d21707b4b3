"""What we tell people: an outbox. A row is written in the transaction of the event it tells,
and delivered after commit, at least once, always with the same Message-ID."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class Notice(models.Model):
    """One thing told to one person (or one organisation's mailbox) about one event."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        "accounts.User",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="notices",
        verbose_name=_("personne"),
    )
    email = models.EmailField(_("adresse e-mail"))
    kind = models.CharField(_("sujet"), max_length=60, help_text=_("Nom du modèle de message."))
    event_key = models.CharField(
        _("évènement"), max_length=200, help_text=_("Un seul avis par adresse et par évènement.")
    )
    facts = models.JSONField(_("faits"), default=dict)
    link = models.CharField(_("page concernée"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("écrit le"))
    next_attempt_at = models.DateTimeField(_("prochain envoi"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("essais"), default=0)
    last_error = models.CharField(_("dernière erreur"), max_length=500, blank=True)
    delivered_at = models.DateTimeField(_("envoyé le"), null=True, blank=True)
    given_up_at = models.DateTimeField(_("abandonné le"), null=True, blank=True)
    read_at = models.DateTimeField(_("lu le"), null=True, blank=True)

    class Meta:
        verbose_name = _("avis")
        verbose_name_plural = _("avis")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["email", "event_key"], name="notice_is_written_once_per_person_and_event"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="notice_waiting",
                condition=models.Q(delivered_at__isnull=True, given_up_at__isnull=True),
            ),
            models.Index(fields=["user", "-created_at"], name="notice_inbox"),
        ]

    def __str__(self):
        return f"{self.kind} · {self.email}"
