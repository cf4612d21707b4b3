"""What people ask us, and what we answer. `Entry` is append-only; `Ticket.state` follows it by trigger."""

import uuid
from functools import reduce
from operator import or_

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.actors import Role
from support.states import VERB_WORDS, State, Topic, known_pairs
from ui import french


class TicketQuerySet(models.QuerySet):
    def with_what_a_page_shows(self):
        return self.select_related("dossier", "organisation", "user", "scam_report")


class Ticket(models.Model):
    """One request for help, by a person (`user`), in the name of their organisation, or by a visitor.

    A visitor has no `user`: `email` is then where they are written to, and proves nothing of who they are.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(
        _("numéro"), max_length=12, unique=True, help_text=_("Celui qu’on dicte au téléphone.")
    )
    topic = models.CharField(_("sujet"), max_length=20, choices=Topic)
    subject = models.CharField(_("objet"), max_length=120, blank=True)
    state = models.CharField(_("état"), max_length=20, choices=State, default=State.RECEIVED, editable=False)
    user = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="tickets",
        verbose_name=_("personne"),
    )
    organisation = models.ForeignKey(
        "accounts.Organisation",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="tickets",
        verbose_name=_("organisation"),
        help_text=_("Écrite au nom de cette organisation : ses membres la lisent aussi."),
    )
    email = models.EmailField(_("adresse d’un visiteur"), blank=True)
    name = models.CharField(_("nom d’un visiteur"), max_length=100, blank=True)
    # A draft may be thrown away: what was asked about it stays.
    dossier = models.ForeignKey(
        "dossiers.Dossier",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="tickets",
        verbose_name=_("dossier"),
    )
    taken_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("suivie par"),
    )
    opened_at = models.DateTimeField(_("reçue le"))
    due_at = models.DateTimeField(
        _("réponse attendue"),
        null=True,
        blank=True,
        help_text=_("Premier instant trop tardif ; vide quand personne n’attend de réponse."),
    )
    closed_at = models.DateTimeField(_("close le"), null=True, blank=True)
    creation_request_id = models.UUIDField(
        _("demande de création"), unique=True, help_text=_("Un double clic n’envoie qu’une demande.")
    )

    objects = TicketQuerySet.as_manager()

    class Meta:
        verbose_name = _("demande d’aide")
        verbose_name_plural = _("demandes d’aide")
        ordering = ["-opened_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) | ~models.Q(email=""),
                name="ticket_can_be_answered",
            ),
            models.CheckConstraint(
                condition=models.Q(organisation__isnull=True) | models.Q(user__isnull=False),
                name="ticket_of_an_organisation_has_its_author",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-opened_at"], name="ticket_by_user"),
            models.Index(fields=["organisation", "-opened_at"], name="ticket_by_organisation"),
            models.Index(fields=["due_at"], name="ticket_owed", condition=models.Q(due_at__isnull=False)),
        ]
        triggers = [
            # Depth 1 is a statement of ours; depth 2 is the trigger of `Entry` below.
            pgtrigger.Trigger(
                name="ticket_state_follows_entries",
                operation=pgtrigger.UpdateOf("state"),
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state")),
                func="""
                    IF pg_trigger_depth() < 2 THEN
                        RAISE EXCEPTION 'ticket_state_follows_entries: insert an Entry';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="ticket_starts_as_received",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                condition=~pgtrigger.Q(new__state="received"),
                func="RAISE EXCEPTION 'ticket_starts_as_received';",
            ),
            # Whose it is decides who reads it.
            pgtrigger.ReadOnly(
                name="ticket_keeps_its_asker",
                fields=["number", "user", "organisation", "email", "name", "subject", "opened_at"],
            ),
        ]

    def __str__(self):
        return f"{self.number} · {self.title}"

    @property
    def title(self) -> str:
        """What it is about, in its author's words, else by its topic."""
        if self.topic == Topic.SCAM and not self.subject:
            return gettext("Démarchage signalé")
        return self.subject or str(Topic(self.topic).label)

    @property
    def is_of_visitor(self) -> bool:
        return self.user_id is None


class Entry(models.Model):
    """One thing said or done about a ticket, by `id`. Inserting it moves the ticket; it is never changed."""

    ticket = models.ForeignKey(
        "support.Ticket", on_delete=models.PROTECT, related_name="entries", verbose_name=_("demande d’aide")
    )
    verb = models.CharField(_("verbe"), max_length=10)
    from_state = models.CharField(_("de"), max_length=20, choices=State)
    to_state = models.CharField(_("vers"), max_length=20, choices=State)
    role = models.CharField(_("en tant que"), max_length=10, choices=Role)
    user = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("personne"),
    )
    at = models.DateTimeField(_("le"))
    request_id = models.UUIDField(_("demande d’écriture"))
    words = models.TextField(_("message"), blank=True)
    topic = models.CharField(_("nouveau sujet"), max_length=20, choices=Topic, blank=True)

    class Meta:
        verbose_name = _("échange")
        verbose_name_plural = _("échanges")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["ticket", "request_id"], name="entry_happens_once_per_request"),
            models.CheckConstraint(
                # From MOVES. A pair that old rows used must stay known for ever.
                condition=reduce(
                    or_,
                    (
                        models.Q(verb=verb, from_state=source, to_state=target)
                        for verb, source, target in known_pairs()
                    ),
                ),
                name="entry_is_a_known_move",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="entry_is_never_changed", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="entry_moves_its_ticket",
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                func="""
                    UPDATE support_ticket SET state = NEW.to_state
                        WHERE id = NEW.ticket_id AND state = NEW.from_state;
                    IF NOT FOUND THEN
                        RAISE EXCEPTION 'entry_moves_its_ticket: the ticket has moved on';
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self):
        return f"{VERB_WORDS[self.verb]} · {french.moment(self.at)}"


class ScamReport(models.Model):
    """The facts of a solicitation (forbidden: law n° 2022-1587), so that many people's can be compared."""

    class Channel(models.TextChoices):
        CALL = "call", _("Un appel")
        TEXT = "text", _("Un SMS ou une messagerie")
        MAIL = "mail", _("Un e-mail")
        WEB = "web", _("Un réseau social, un site, une publicité")
        VISIT = "visit", _("Un courrier, une visite")

    class Given(models.TextChoices):
        PASSWORD = "password", _("Mon mot de passe, ou un code reçu par SMS")
        NUMBER = "number", _("Mon numéro de sécurité sociale")
        IDENTITY = "identity", _("Une pièce d’identité")
        BANK = "bank", _("Ma carte ou mes coordonnées bancaires")

    ticket = models.OneToOneField(
        "support.Ticket",
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="scam_report",
        verbose_name=_("demande d’aide"),
    )
    happened_on = models.DateField(_("date du démarchage"))
    channel = models.CharField(_("moyen"), max_length=10, choices=Channel)
    contact = models.CharField(_("numéro, adresse ou site"), max_length=200, blank=True)
    organisation = models.CharField(_("au nom de qui"), max_length=200, blank=True)
    given = ArrayField(
        models.CharField(max_length=10, choices=Given), verbose_name=_("ce qui a été donné"), default=list
    )

    class Meta:
        verbose_name = _("démarchage signalé")
        verbose_name_plural = _("démarchages signalés")
        ordering = ["-happened_on", "ticket"]
        triggers = [pgtrigger.ReadOnly(name="scam_report_is_never_changed")]

    def __str__(self):
        return f"{self.get_channel_display()} · {french.short_day(self.happened_on)}"


class AnswerModel(models.Model):
    """Words that come back in answers: whoever answers starts from them, and changes them."""

    title = models.CharField(_("titre"), max_length=120, unique=True)
    topic = models.CharField(
        _("sujet"),
        max_length=20,
        choices=Topic,
        blank=True,
        help_text=_("Vide : proposé pour tous les sujets."),
    )
    words = models.TextField(_("texte"), max_length=4000)

    class Meta:
        verbose_name = _("modèle de réponse")
        verbose_name_plural = _("modèles de réponse")
        ordering = ["title"]

    def __str__(self):
        return self.title
