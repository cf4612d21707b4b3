"""What we tell people: an outbox. A row is written in the transaction of the event it tells,
and delivered after commit, at least once, always with the same Message-ID (notices.outbox)."""

import uuid

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from notices import kinds


class NoticeQuerySet(models.QuerySet):
    def waiting(self):
        """Neither sent nor given up."""
        return self.filter(delivered_at=None, given_up_at=None)

    def of(self, user):
        """The inbox of a person, whatever became of the mails."""
        return self.filter(user=user)

    def unread(self):
        return self.filter(read_at=None)


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
    kind = models.CharField(_("sujet"), max_length=60, choices=kinds.choices)
    event_key = models.CharField(
        _("évènement"), max_length=200, help_text=_("Une seule par adresse et par évènement.")
    )
    facts = models.JSONField(_("faits"), default=dict)
    link = models.CharField(_("page concernée"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("écrit le"))
    next_attempt_at = models.DateTimeField(_("prochain envoi"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("essais"), default=0)
    last_error = models.CharField(_("dernière erreur"), max_length=500, blank=True)
    retried_at = models.DateTimeField(
        _("relancé le"), null=True, blank=True, help_text=_("Par l’administration : le délai repart de là.")
    )
    delivered_at = models.DateTimeField(_("envoyé le"), null=True, blank=True)
    given_up_at = models.DateTimeField(_("abandonné le"), null=True, blank=True)
    read_at = models.DateTimeField(_("lu le"), null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"), "event_key", name="notice_is_written_once_per_person_and_event"
            ),
            models.CheckConstraint(
                condition=models.Q(delivered_at=None) | models.Q(given_up_at=None),
                name="notice_is_delivered_or_given_up",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                name="notice_waiting",
                condition=models.Q(delivered_at__isnull=True, given_up_at__isnull=True),
            ),
            models.Index(fields=["user", "-created_at"], name="notice_inbox"),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.email}"
