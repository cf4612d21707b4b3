"""People, the accounts they hold and the organisations they act for.

A `User` is a login. A `HolderProfile` is a training account: it may exist, with its rights,
long before anyone signs in (§ activation). An `Organisation` is a legal body with a SIRET;
`Membership` says who may act for it, and an `Invitation` offers it to an address.
`SignIn` and `LoginSession` say when, and roughly from where, somebody came in.
"""

import datetime
import uuid

import pgtrigger
from django.conf import settings
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Lower
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from accounts.actors import Role
from accounts.journal_words import action_in_words
from accounts.validators import check_postal_code, check_siret
from ui import french


class UserManager(BaseUserManager):
    """Users are found by e-mail, whatever its case."""

    def get_by_natural_key(self, username):
        return self.get(email__iexact=username)

    def create_user(self, email, password=None, **fields):
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email, password=None, **fields):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person who signs in, by e-mail."""

    class Language(models.TextChoices):
        FRENCH = "fr", _("Français")
        ENGLISH = "en", _("Anglais")

    username = None
    email = models.EmailField(_("adresse e-mail"), unique=True)
    language = models.CharField(
        _("langue des e-mails"), max_length=2, choices=Language, default=Language.FRENCH
    )
    # Whoever takes an account over changes its address first: the one before hears of it for a while
    # (accounts.announcements).
    former_email = models.EmailField(_("adresse e-mail d’avant"), blank=True)
    former_email_until = models.DateTimeField(_("prévenue jusqu’au"), null=True, blank=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        verbose_name = _("utilisateur")
        verbose_name_plural = _("utilisateurs")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_is_unique_whatever_its_case",
                violation_error_message=_("Cette adresse e-mail est déjà utilisée."),
            ),
            models.CheckConstraint(
                condition=models.Q(former_email="", former_email_until__isnull=True)
                | (~models.Q(former_email="") & models.Q(former_email_until__isnull=False)),
                name="user_former_email_has_its_term",
            ),
        ]

    def __str__(self):
        return self.get_full_name() or self.email


class HolderQuerySet(models.QuerySet):
    def frozen(self, *, on: datetime.date):
        """Those that enrol nowhere on this day, in Paris."""
        thawed = models.Q(thaws_on__lte=on)
        return self.filter(models.Q(frozen_at__isnull=False) & ~thawed)


class HolderProfile(models.Model):
    """A training account and the civil identity it belongs to.

    `user` is empty until its holder activates it. Names are stored as the civil register
    writes them; `*_key` columns hold their plain letters, to search them (accounts.matching).
    """

    class Status(models.TextChoices):
        PRIVATE_EMPLOYEE = "private_employee", _("Salarié du privé")
        SELF_EMPLOYED = "self_employed", _("Indépendant ou profession libérale")
        ARTIST_AUTHOR = "artist_author", _("Artiste-auteur")
        ENTERTAINMENT = "entertainment", _("Intermittent du spectacle")
        TEMP_WORKER = "temp_worker", _("Intérimaire ou CDD")
        SEASONAL = "seasonal", _("Saisonnier")
        APPRENTICE = "apprentice", _("Apprenti")
        ESAT = "esat", _("Travailleur en ESAT")
        JOB_SEEKER = "job_seeker", _("Demandeur d’emploi")
        PUBLIC_AGENT = "public_agent", _("Agent public")
        RETIRED_FULL_RATE = "retired_full_rate", _("Retraité à taux plein")
        RETIRED_REDUCED_RATE = "retired_reduced_rate", _("Retraité à taux minoré")
        OTHER = "other", _("Autre situation")

    class Diploma(models.TextChoices):
        NONE = "none", _("Sans diplôme")
        LEVEL_3 = "level_3", _("Niveau 3 (CAP, BEP)")
        LEVEL_4 = "level_4", _("Niveau 4 (baccalauréat)")
        LEVEL_5 = "level_5", _("Niveau 5 (BTS, DUT)")
        LEVEL_6 = "level_6", _("Niveau 6 (licence, BUT)")
        LEVEL_7 = "level_7", _("Niveau 7 (master, ingénieur)")
        LEVEL_8 = "level_8", _("Niveau 8 (doctorat)")

    class Sex(models.TextChoices):
        FEMALE = "F", _("Femme")
        MALE = "M", _("Homme")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="holder",
        verbose_name=_("connexion"),
    )
    reference = models.CharField(
        _("référence d’import"),
        max_length=64,
        unique=True,
        help_text=_("Identifiant du compte chez celui qui l’a transmis."),
    )
    birth_name = models.CharField(_("nom de naissance"), max_length=100)
    used_name = models.CharField(_("nom d’usage"), max_length=100, blank=True)
    first_names = models.CharField(_("prénoms"), max_length=150)
    # Without length: folding makes one letter into several (« Œ » → "oe").
    birth_name_key = models.CharField(db_index=True, editable=False)
    used_name_key = models.CharField(blank=True, db_index=True, editable=False)
    first_names_key = models.CharField(editable=False)
    birth_date = models.DateField(_("date de naissance"), db_index=True)
    sex = models.CharField(_("sexe"), max_length=1, choices=Sex, blank=True)
    nir_encrypted = models.BinaryField(_("numéro de sécurité sociale, chiffré"), null=True, blank=True)
    nir_digest = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        unique=True,
        editable=False,
        help_text=_("Empreinte à clé du numéro, pour le retrouver sans le déchiffrer."),
    )
    phone = models.CharField(_("téléphone"), max_length=20, blank=True)
    address = models.CharField(_("adresse"), max_length=255, blank=True)
    postal_code = models.CharField(_("code postal"), max_length=5, blank=True, validators=[check_postal_code])
    town = models.CharField(_("commune"), max_length=100, blank=True)
    status = models.CharField(
        _("situation professionnelle"), max_length=30, choices=Status, default=Status.OTHER
    )
    has_apprenticeship = models.BooleanField(_("contrat d’apprentissage"), default=False)
    diploma = models.CharField(_("diplôme le plus élevé"), max_length=10, choices=Diploma, blank=True)
    diploma_year = models.PositiveSmallIntegerField(_("année d’obtention"), null=True, blank=True)
    imported_at = models.DateTimeField(_("importé le"))
    activated_at = models.DateTimeField(_("activé le"), null=True, blank=True)
    # Written by accounts.freezing only.
    frozen_at = models.DateTimeField(_("gelé le"), null=True, blank=True)
    frozen_by = models.CharField(_("gelé par"), max_length=10, choices=Role, blank=True)
    freeze_reason = models.CharField(_("raison du gel"), max_length=500, blank=True)
    thaws_on = models.DateField(
        _("dégelé le"), null=True, blank=True, help_text=_("Premier jour où le compte sert de nouveau.")
    )

    objects = HolderQuerySet.as_manager()

    class Meta:
        verbose_name = _("compte de formation")
        verbose_name_plural = _("comptes de formation")
        ordering = ["birth_name", "first_names", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=True, activated_at__isnull=True)
                | models.Q(user__isnull=False, activated_at__isnull=False),
                name="holder_is_activated_with_a_login",
            ),
            models.CheckConstraint(
                condition=models.Q(nir_encrypted__isnull=True, nir_digest__isnull=True)
                | models.Q(nir_encrypted__isnull=False, nir_digest__isnull=False),
                name="holder_number_is_kept_with_its_digest",
            ),
            models.CheckConstraint(
                condition=models.Q(frozen_at__isnull=True, frozen_by="", thaws_on__isnull=True)
                | (models.Q(frozen_at__isnull=False) & ~models.Q(frozen_by="")),
                name="holder_is_frozen_by_somebody",
            ),
        ]

    def __str__(self):
        return self.display_name

    def is_frozen(self, *, on: datetime.date) -> bool:
        """On this day, in Paris, the account enrols nowhere (accounts.freezing)."""
        return self.frozen_at is not None and (self.thaws_on is None or on < self.thaws_on)

    @property
    def is_frozen_by_portal(self) -> bool:
        """An administrator froze it, and only they can end it."""
        return self.frozen_at is not None and self.frozen_by != Role.HOLDER

    @property
    def display_name(self) -> str:
        """First given name and the name people use: « Élodie Martin »."""
        first = self.first_names.replace(",", " ").split()
        return f"{first[0] if first else ''} {self.used_name or self.birth_name}".strip()


class Organisation(models.Model):
    """A legal body, known by its SIRET, that people act for."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    siret = models.CharField(_("SIRET"), max_length=14, unique=True, validators=[check_siret])
    name = models.CharField(_("nom"), max_length=255)
    email = models.EmailField(_("adresse e-mail des notifications"), blank=True)
    phone = models.CharField(_("téléphone"), max_length=20, blank=True)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(siret__regex=r"^\d{14}$"), name="organisation_siret_has_14_digits"
            )
        ]

    def __str__(self):
        return self.name


class Membership(models.Model):
    """This person may act for this organisation."""

    class Role(models.TextChoices):
        MANAGER = "manager", _("Responsable")
        MEMBER = "member", _("Membre")

    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="memberships", verbose_name=_("personne")
    )
    organisation = models.ForeignKey(
        "accounts.Organisation",
        on_delete=models.CASCADE,
        related_name="memberships",
        verbose_name=_("organisation"),
    )
    role = models.CharField(_("rôle"), max_length=10, choices=Role, default=Role.MEMBER)
    since = models.DateTimeField(_("depuis"), null=True, blank=True)

    class Meta:
        verbose_name = _("appartenance")
        verbose_name_plural = _("appartenances")
        ordering = ["organisation", "user"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organisation"], name="membership_is_unique_per_person_and_organisation"
            )
        ]

    def __str__(self):
        return f"{self.user} · {self.organisation}"


class Invitation(models.Model):
    """An organisation offers a role to an address. Its id is no secret that lets anyone in: whoever
    accepts is signed in with that address, confirmed (accounts.teams)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(
        "accounts.Organisation",
        on_delete=models.CASCADE,
        related_name="invitations",
        verbose_name=_("organisation"),
    )
    email = models.EmailField(_("adresse invitée"))
    role = models.CharField(_("rôle"), max_length=10, choices=Membership.Role)
    invited_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="invitations_sent",
        verbose_name=_("invité par"),
    )
    created_at = models.DateTimeField(_("invité le"))
    sent_at = models.DateTimeField(_("dernier envoi"))
    times_sent = models.PositiveSmallIntegerField(_("envois"), default=1)
    expires_at = models.DateTimeField(_("expire le"), help_text=_("Premier instant trop tardif."))
    accepted_at = models.DateTimeField(_("acceptée le"), null=True, blank=True)
    accepted_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="invitations_accepted",
        verbose_name=_("acceptée par"),
    )
    revoked_at = models.DateTimeField(_("retirée le"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                "organisation",
                Lower("email"),
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitation_waits_once_per_address",
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at__isnull=True) | models.Q(revoked_at__isnull=True),
                name="invitation_is_accepted_or_revoked",
            ),
        ]
        indexes = [models.Index(Lower("email"), name="invitation_by_address")]

    def __str__(self):
        return f"{self.email} · {self.organisation}"

    def is_open(self, *, at: datetime.datetime) -> bool:
        """It can still be accepted."""
        return self.accepted_at is None and self.revoked_at is None and at < self.expires_at


class SignIn(models.Model):
    """One time somebody came in, or was refused, as its person may need to recognise it.

    Never a whole internet address, nor what the browser says of itself in full: `network` is shared by
    hundreds of homes, enough to see that it is not one's own. Without `user`: nobody has the address
    that was tried, and that address is not kept.
    """

    user = models.ForeignKey(
        "accounts.User",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="sign_ins",
        verbose_name=_("personne"),
    )
    at = models.DateTimeField(_("le"))
    succeeded = models.BooleanField(_("réussie"), default=True)
    browser = models.CharField(_("navigateur"), max_length=30, blank=True)
    system = models.CharField(_("système"), max_length=30, blank=True)
    network = models.CharField(_("réseau"), max_length=50, blank=True)
    browser_digest = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("Empreinte à clé de la marque de ce navigateur, pour le reconnaître."),
    )

    class Meta:
        verbose_name = _("connexion")
        verbose_name_plural = _("connexions")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["user", "-at"], name="sign_in_by_user"),
            models.Index(fields=["at"], name="sign_in_by_moment"),
        ]

    def __str__(self):
        return f"{self.user} · {french.moment(self.at)}"


class LoginSession(AbstractBaseSession):
    """Where Django keeps a session (accounts.sessions), and whose it is: so that it can be ended."""

    user = models.ForeignKey(
        "accounts.User",
        on_delete=models.CASCADE,
        null=True,
        related_name="login_sessions",
        verbose_name=_("personne"),
    )
    sign_in = models.ForeignKey(
        "accounts.SignIn",
        on_delete=models.SET_NULL,
        null=True,
        related_name="sessions",
        verbose_name=_("connexion"),
    )

    class Meta(AbstractBaseSession.Meta):
        verbose_name = _("connexion ouverte")
        verbose_name_plural = _("connexions ouvertes")
        ordering = ["-expire_date"]

    @classmethod
    def get_session_store_class(cls):
        return import_string(f"{settings.SESSION_ENGINE}.SessionStore")


class ActivationAttempt(models.Model):
    """One try at activating an account: what limits guessing. Never holds what was typed."""

    user = models.ForeignKey(
        "accounts.User",
        on_delete=models.CASCADE,
        related_name="activation_attempts",
        verbose_name=_("personne"),
    )
    at = models.DateTimeField(_("le"))
    succeeded = models.BooleanField(_("réussi"), default=False)
    identity_digest = models.CharField(
        max_length=64,
        editable=False,
        help_text=_("Empreinte à clé de l’identité visée, pour compter les essais de plusieurs personnes."),
    )

    class Meta:
        verbose_name = _("essai d’activation")
        verbose_name_plural = _("essais d’activation")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["user", "at"], name="activation_attempt_by_user"),
            models.Index(fields=["identity_digest", "at"], name="activation_attempt_by_identity"),
        ]

    def __str__(self):
        return f"{self.user} · {french.moment(self.at)}"


class JournalEntry(models.Model):
    """Who looked at, or changed, what of somebody else's. Append-only."""

    user = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="journal_entries",
        verbose_name=_("personne"),
    )
    role = models.CharField(_("rôle"), max_length=10, choices=Role)
    action = models.CharField(_("action"), max_length=60)
    subject = models.CharField(_("objet"), max_length=120)
    details = models.JSONField(_("détails"), default=dict, blank=True)
    at = models.DateTimeField(_("le"))

    class Meta:
        verbose_name = _("ligne de journal")
        verbose_name_plural = _("journal")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["subject", "-at"], name="journal_by_subject")]
        triggers = [
            # A journal that its subject, or an administrator, can rewrite proves nothing.
            pgtrigger.Protect(name="journal_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self):
        return f"{action_in_words(self.action)} · {french.moment(self.at)}"
