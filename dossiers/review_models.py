"""What people thought of a training they followed: five marks, some words, an answer, a report of the words.

The marks count at once; words are shown once an agent has read them (dossiers.reviews). Nothing here says
who wrote, except the dossier, which no reader of an offer or of an organisation's page is ever given.
Code de la consommation, art. L. 111-7-2 and D. 111-16 to D. 111-19.
"""

import uuid
from functools import reduce
from operator import and_

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.actors import Role
from ui import french

MARKS = ("welcome", "content", "team", "means", "support")
"""The criteria of the usual public review of French training, in their order. Each from 1 to 5."""
MARK_WORDS = {
    "welcome": _("Accueil"),
    "content": _("Contenu de la formation"),
    "team": _("Équipe de formateurs"),
    "means": _("Moyens mis à disposition"),
    "support": _("Accompagnement"),
}
BEST = 5
REVIEWABLE_STATES = ("ended", "completion_declared", "completion_validated")
"""The training was followed and is over (dossiers.states.State)."""


class Review(models.Model):
    """The five marks that the holder of a dossier gives, once it is over. One each; theirs to take away."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dossier = models.OneToOneField(
        "dossiers.Dossier", on_delete=models.PROTECT, related_name="review", verbose_name=_("dossier")
    )
    welcome = models.PositiveSmallIntegerField(MARK_WORDS["welcome"])
    content = models.PositiveSmallIntegerField(MARK_WORDS["content"])
    team = models.PositiveSmallIntegerField(MARK_WORDS["team"])
    means = models.PositiveSmallIntegerField(MARK_WORDS["means"])
    support = models.PositiveSmallIntegerField(MARK_WORDS["support"])
    written_at = models.DateTimeField(_("donné le"))
    edited_at = models.DateTimeField(_("modifié le"), null=True, blank=True)
    request_id = models.UUIDField(_("demande"), help_text=_("Un double clic ne donne qu’un avis."))

    class Meta:
        verbose_name = _("avis de stagiaire")
        verbose_name_plural = _("avis des stagiaires")
        ordering = ["-written_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=reduce(and_, (models.Q(**{f"{name}__range": (1, BEST)}) for name in MARKS)),
                name="review_marks_are_from_one_to_five",
            ),
        ]
        triggers = [
            pgtrigger.ReadOnly(name="review_keeps_its_dossier", fields=["dossier", "written_at"]),
            # Nobody reviews what they did not follow, nor what was invented to show the portal.
            pgtrigger.Trigger(
                name="review_is_of_a_training_that_was_followed",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func=f"""
                    IF NOT EXISTS (
                        SELECT FROM dossiers_dossier AS dossier
                        JOIN catalog_offer AS offer ON offer.id = dossier.offer_id
                        WHERE dossier.id = NEW.dossier_id AND NOT offer.is_demonstration
                            AND dossier.state IN {REVIEWABLE_STATES!r}
                    ) THEN
                        RAISE EXCEPTION 'review_is_of_a_training_that_was_followed';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self):
        return f"{self.mean_words} · {french.short_day(self.written_at.date())}"

    @property
    def mean_tenths(self) -> int:
        """10 to 50."""
        return round(sum(getattr(self, name) for name in MARKS) * 10 / len(MARKS))

    @property
    def mean_words(self) -> str:
        return _("%s sur 5") % french.tenths(self.mean_tenths)


class ReviewText(models.Model):
    """The words of a review, or the answer of its organisation: read by an agent before anybody else."""

    class State(models.TextChoices):
        WAITING = "waiting", _("À lire")
        PUBLISHED = "published", _("Publié")
        REFUSED = "refused", _("Non publié")

    class Motive(models.TextChoices):
        """Why words are not published. The same list for everybody, told to their author (D. 111-18)."""

        CONTACT = "contact", _("Le texte donne des coordonnées ou un lien.")
        PERSON = "person", _("Le texte nomme une personne, ou permet de la reconnaître.")
        PRIVATE = "private", _("Le texte contient des informations privées : santé, argent, numéros.")
        ABUSE = "abuse", _("Le texte est injurieux ou discriminatoire.")
        ACCUSATION = "accusation", _("Le texte accuse d’une faute que le portail ne peut pas vérifier.")
        ELSEWHERE = "elsewhere", _("Le texte ne parle pas de la formation suivie.")
        BOUGHT = "bought", _("L’avis a été donné en échange d’un avantage.")

    review = models.ForeignKey(
        "dossiers.Review", on_delete=models.CASCADE, related_name="texts", verbose_name=_("avis")
    )
    role = models.CharField(_("en tant que"), max_length=10, choices=Role)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("personne")
    )
    words = models.TextField(_("texte"))
    at = models.DateTimeField(_("écrit le"))
    state = models.CharField(_("état"), max_length=10, choices=State, default=State.WAITING)
    motive = models.CharField(_("motif"), max_length=20, choices=Motive, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("décidé par"),
    )
    decided_at = models.DateTimeField(_("décidé le"), null=True, blank=True)
    request_id = models.UUIDField(_("demande"))

    class Meta:
        verbose_name = _("texte d’un avis")
        verbose_name_plural = _("textes des avis")
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["review", "role"], name="review_text_is_one_a_side"),
            models.CheckConstraint(
                condition=models.Q(role__in=[Role.HOLDER, Role.PROVIDER]), name="review_text_is_of_a_side"
            ),
            models.CheckConstraint(condition=~models.Q(words=""), name="review_text_says_something"),
            models.CheckConstraint(
                condition=models.Q(
                    state="waiting", motive="", decided_by__isnull=True, decided_at__isnull=True
                )
                | models.Q(state="published", motive="", decided_by__isnull=False, decided_at__isnull=False)
                | (
                    models.Q(state="refused", decided_by__isnull=False, decided_at__isnull=False)
                    & ~models.Q(motive="")
                ),
                name="review_text_is_refused_for_a_motive",
            ),
        ]
        indexes = [
            models.Index(fields=["at"], name="review_text_waiting", condition=models.Q(state="waiting"))
        ]
        triggers = [
            pgtrigger.ReadOnly(name="review_text_keeps_its_side", fields=["review", "role"]),
        ]

    def __str__(self):
        return f"{self.get_role_display()} · {self.get_state_display()} · {french.moment(self.at)}"

    @property
    def is_published(self) -> bool:
        return self.state == self.State.PUBLISHED


class ReviewReport(models.Model):
    """« Signaler cet avis »: what an organisation says against published words, and what was decided."""

    class Outcome(models.TextChoices):
        REMOVED = "removed", _("Texte retiré")
        KEPT = "kept", _("Texte laissé")
        MOOT = "moot", _("Sans objet : le texte a changé")

    text = models.OneToOneField(
        "dossiers.ReviewText", on_delete=models.CASCADE, related_name="report", verbose_name=_("texte")
    )
    user = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("signalé par")
    )
    motive = models.CharField(_("motif"), max_length=20, choices=ReviewText.Motive)
    words = models.TextField(_("explication"), blank=True)
    at = models.DateTimeField(_("signalé le"))
    request_id = models.UUIDField(_("demande"))
    outcome = models.CharField(_("décision"), max_length=10, choices=Outcome, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("décidé par"),
    )
    decided_at = models.DateTimeField(_("décidé le"), null=True, blank=True)

    class Meta:
        verbose_name = _("signalement d’avis")
        verbose_name_plural = _("signalements d’avis")
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome="", decided_at__isnull=True)
                | (~models.Q(outcome="") & models.Q(decided_at__isnull=False)),
                name="review_report_is_decided_at_a_moment",
            )
        ]
        indexes = [models.Index(fields=["at"], name="review_report_waiting", condition=models.Q(outcome=""))]
        triggers = [
            pgtrigger.Protect(
                name="review_report_is_decided_once",
                operation=pgtrigger.Update,
                condition=~pgtrigger.Q(old__outcome=""),
            ),
        ]

    def __str__(self):
        return f"{self.get_motive_display()} · {french.moment(self.at)}"


class ProviderFigures(models.Model):
    """How an organisation answered the requests of its last months, counted daily (dossiers.answering)."""

    provider = models.OneToOneField(
        "catalog.Provider",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="figures",
        verbose_name=_("organisme"),
    )
    counted_on = models.DateField(_("comptés le"))
    since = models.DateField(_("depuis le"))
    requests = models.PositiveIntegerField(
        _("demandes closes ou répondues"),
        help_text=_("Celles que leur titulaire a annulées avant ne comptent pas."),
    )
    answered = models.PositiveIntegerField(_("demandes répondues"))
    refused = models.PositiveIntegerField(_("demandes refusées"))
    median_minutes = models.PositiveIntegerField(_("réponse médiane, en minutes"), null=True, blank=True)

    class Meta:
        verbose_name = _("réponses d’un organisme")
        verbose_name_plural = _("réponses des organismes")
        ordering = ["provider"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(answered__lte=models.F("requests"), refused__lte=models.F("answered")),
                name="provider_figures_add_up",
            )
        ]

    def __str__(self):
        return str(self.provider)
