"""The catalogue: towns, certifications and who is entitled to them, organisations, offers, sessions.

Whether a certification is active, and whether an offer is open, is never stored: both follow
from dates and entitlements on the day somebody asks (catalog.eligibility).
"""

import uuid
from datetime import date
from enum import Enum

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, GistIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import BooleanField, Exists, F, Func, IntegerField, OuterRef, Q, Subquery
from django.db.models.lookups import IsNull
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from catalog.geography import PointField
from rulebook import Rules, workdays
from ui import french
from ui.documents import private_storage


class Town(models.Model):
    """A town of France. `point` is in metres, in its territory's official grid (catalog.geography)."""

    code = models.CharField(_("code INSEE"), max_length=5, primary_key=True)
    name = models.CharField(_("nom"), max_length=100)
    name_key = models.CharField(
        max_length=100,
        db_index=True,
        help_text=_("Sans accents ni tirets."),
        verbose_name=_("nom, pour la recherche"),
    )
    department = models.CharField(_("département"), max_length=3)
    region = models.CharField(_("région"), max_length=3)
    postal_codes = ArrayField(models.CharField(max_length=5), verbose_name=_("codes postaux"))
    population = models.PositiveIntegerField(_("population"), default=0)
    latitude = models.FloatField(verbose_name=_("latitude"))
    longitude = models.FloatField(verbose_name=_("longitude"))
    point = PointField(verbose_name=_("position"))
    is_approximate = models.BooleanField(
        _("position approchée"),
        default=False,
        help_text=_("Position déduite du code postal ou du département."),
    )
    former_codes = ArrayField(
        models.CharField(max_length=5),
        verbose_name=_("anciens codes INSEE"),
        default=list,
        blank=True,
        help_text=_("Communes déléguées, associées ou absorbées, et arrondissements municipaux."),
    )
    former_names = ArrayField(
        models.CharField(max_length=100), verbose_name=_("anciennes communes"), default=list, blank=True
    )

    class Meta:
        verbose_name = _("commune")
        verbose_name_plural = _("communes")
        ordering = ["name_key", "code"]
        indexes = [
            GinIndex(fields=["postal_codes"], name="town_by_postal_code"),
            GinIndex(OpClass("name_key", "gin_trgm_ops"), name="town_by_likeness"),
        ]

    def __str__(self):
        return f"{self.name} ({self.department})"


def exists_one_by_one(rows: models.QuerySet) -> IsNull:
    """EXISTS, looked up in an index for each row that gets there.

    A plain EXISTS under an OR or beside columns makes PostgreSQL read and hash the whole table of
    `rows` for each page (measured: all sessions, to say something about twenty offers).
    """
    return IsNull(Subquery(rows.order_by().values("pk")[:1]), False)


class CertificationQuerySet(models.QuerySet):
    def active_on(self, day: date):
        """`Certification.is_active`, in SQL."""
        return self.filter(_certification_is_active(day))


def _certification_is_active(day: date, prefix: str = "") -> Q:
    return Q(**{f"{prefix}withdrawn": False, f"{prefix}registered_until__gte": day}) & (
        Q(**{f"{prefix}effective_on__isnull": True}) | Q(**{f"{prefix}effective_on__lte": day})
    )


class Certification(models.Model):
    """A record of the national registers (RNCP, RS), as France compétences publishes it."""

    class Register(models.TextChoices):
        RNCP = "RNCP", _("Répertoire national (RNCP)")
        RS = "RS", _("Répertoire spécifique (RS)")

    class Source(models.TextChoices):
        """Who states it. In this order: the first that knows a record is the one that is believed."""

        XML = "xml", _("France compétences, export XML")
        CSV = "csv", _("France compétences, export CSV")
        CERTIF_INFO = "certif_info", _("Certif Info")
        KIT = "kit", _("Kit apprentissage")

    class Way(models.TextChoices):
        """Ways to a certification that the registers know."""

        STUDENT = "FI", _("Statut d’élève ou d’étudiant")
        APPRENTICE = "CA", _("Contrat d’apprentissage")
        ADULT = "FC", _("Formation continue")
        WORK_STUDY = "CQ", _("Contrat de professionnalisation")
        ALONE = "CL", _("Candidature individuelle")
        VAE = "VAE", _("Par expérience (VAE)")

    code = models.CharField(_("code"), max_length=12, primary_key=True, help_text=_("RNCP35809, RS6604"))
    register = models.CharField(_("répertoire"), max_length=4, choices=Register)
    number = models.PositiveIntegerField(_("numéro"))
    title = models.TextField(_("intitulé"))
    short_code = models.CharField(_("sigle"), max_length=40, blank=True)
    short_title = models.CharField(_("type de diplôme"), max_length=255, blank=True)
    level = models.PositiveSmallIntegerField(_("niveau"), null=True, blank=True, help_text=_("De 1 à 8."))
    publication_state = models.CharField(_("état de la fiche"), max_length=60, blank=True)
    effective_on = models.DateField(_("date d’effet"), null=True, blank=True)
    decided_on = models.DateField(_("date de décision"), null=True, blank=True)
    registered_until = models.DateField(_("fin d’enregistrement"), null=True, blank=True)
    delivered_until = models.DateField(_("dernière délivrance"), null=True, blank=True)
    withdrawn = models.BooleanField(
        _("retirée du répertoire"),
        default=False,
        help_text=_("Déclarée inactive par le répertoire alors que sa date de fin n’est pas passée."),
    )
    activities = models.TextField(_("activités visées"), blank=True)
    abilities = models.TextField(_("capacités attestées"), blank=True)
    jobs = models.TextField(_("emplois accessibles"), blank=True)
    prerequisites = models.TextField(_("prérequis"), blank=True)
    goals = models.TextField(_("objectifs et contexte"), blank=True, db_default="")
    sectors = models.TextField(_("secteurs d’activité"), blank=True, db_default="")
    ways = ArrayField(
        models.CharField(max_length=3, choices=Way),
        default=list,
        db_default=[],
        blank=True,
        verbose_name=_("voies d’accès"),
    )
    source = models.CharField(
        _("source"),
        max_length=12,
        choices=Source,
        default=Source.XML,
        db_default=Source.XML,
        help_text=_("La première qui la connaît : export XML, export CSV, Certif Info, kit apprentissage."),
    )
    nsf_codes = ArrayField(
        models.CharField(max_length=5), default=list, blank=True, verbose_name=_("codes NSF")
    )
    rome_codes = ArrayField(
        models.CharField(max_length=5), default=list, blank=True, verbose_name=_("codes ROME")
    )
    formacodes = ArrayField(
        models.CharField(max_length=5), default=list, blank=True, verbose_name=_("Formacodes")
    )
    rome_labels = ArrayField(
        models.CharField(max_length=255), default=list, blank=True, verbose_name=_("métiers")
    )
    digest = models.CharField(
        max_length=64,
        editable=False,
        help_text=_("Empreinte de la fiche importée : une fiche inchangée n’est pas réécrite."),
    )
    imported_at = models.DateTimeField(_("importée le"))

    objects = CertificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("certification")
        verbose_name_plural = _("certifications")
        ordering = ["register", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["register", "number"], name="certification_is_unique_in_its_register"
            ),
        ]
        triggers = [
            # A search leaves out what its words say has ended; words.keep_ends mends what this misses.
            pgtrigger.Trigger(
                name="its_words_know_its_end",
                operation=pgtrigger.UpdateOf("registered_until", "withdrawn"),
                when=pgtrigger.After,
                condition=pgtrigger.AnyChange("registered_until", "withdrawn"),
                func="UPDATE catalog_certificationword"
                " SET registered_until = CASE WHEN NOT NEW.withdrawn THEN NEW.registered_until END"
                " WHERE certification_id = NEW.code; RETURN NULL;",
            )
        ]

    def __str__(self):
        return f"{self.code} · {self.title}"

    def is_active(self, *, on: date) -> bool:
        """Registered on that day. The last day of registration still counts."""
        return (
            not self.withdrawn
            and self.registered_until is not None
            and self.registered_until >= on
            and (self.effective_on is None or self.effective_on <= on)
        )


class CertificationBlock(models.Model):
    """A block of competences of a certification."""

    certification = models.ForeignKey(
        "catalog.Certification",
        on_delete=models.CASCADE,
        related_name="blocks",
        verbose_name=_("certification"),
    )
    code = models.CharField(_("code"), max_length=20, unique=True, help_text=_("RNCP40344BC01"))
    title = models.TextField(_("intitulé"))
    abilities = models.TextField(_("compétences"), blank=True, db_default="")
    assessment = models.TextField(_("modalités d’évaluation"), blank=True, db_default="")

    class Meta:
        verbose_name = _("bloc de compétences")
        verbose_name_plural = _("blocs de compétences")
        ordering = ["code"]

    def __str__(self):
        return f"{self.code} · {self.title}"


class CertificationIndex(models.Model):
    """What a certification is found by, apart from it: nobody who reads a certification wants this too.

    Weights: A its own title, kind and numbers; B other names of it; C job names and synonyms; D its texts
    (catalog.words).
    """

    certification = models.OneToOneField(
        "catalog.Certification",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="index",
        verbose_name=_("certification"),
    )
    search = SearchVectorField()
    # Its words A and B, a tenth of all: to see whether they stand together, no long vector is unpacked.
    names = SearchVectorField(db_default="")
    title_size = models.PositiveSmallIntegerField(
        _("mots de l’intitulé"), help_text=_("Un intitulé court que la recherche couvre passe devant.")
    )
    # ROME: its own, or those of what it replaces.
    jobs = ArrayField(models.CharField(max_length=5), default=list, db_default=[], verbose_name=_("métiers"))

    class Meta:
        verbose_name = _("index d’une certification")
        verbose_name_plural = _("index des certifications")
        indexes = [
            GinIndex(fields=["search"], name="certification_search"),
            GinIndex(fields=["jobs"], name="certification_by_its_jobs"),
        ]

    def __str__(self):
        return self.certification_id


class CertificationWord(models.Model):
    """One word of the names of a certification (A, B and C of CertificationIndex), with all that judging the
    certification by it needs: a search reads this one index, from end to end, and no vector (docs/adr/0011).
    """

    class Place(models.TextChoices):
        TITLE = "A", _("intitulé ou numéro")
        NAME = "B", _("autre nom")
        JOB = "C", _("métier ou synonyme")

    # A root as PostgreSQL makes it (portal_french), compared byte by byte.
    word = models.TextField(_("mot"), db_collation="C")
    # Written with its row of CertificationIndex, which the database ties to its certification: to look again,
    # once a word, takes as long as to write them.
    certification = models.ForeignKey(
        "catalog.Certification",
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("certification"),
    )
    place = models.CharField(_("sa meilleure place"), max_length=1, choices=Place)
    title_size = models.PositiveSmallIntegerField(_("mots de l’intitulé"))
    registered_until = models.DateField(
        _("fin d’enregistrement"),
        null=True,
        blank=True,
        help_text=_("De la certification, qui la tient à jour ; vide si elle n’en a pas ou a été retirée."),
    )

    class Meta:
        verbose_name = _("mot d’une certification")
        verbose_name_plural = _("mots des certifications")
        ordering = ["word", "certification_id"]
        indexes = [models.Index(fields=["certification"], name="word_by_its_certification")]
        constraints = [
            models.UniqueConstraint(
                fields=["word", "certification"],
                include=["place", "title_size", "registered_until"],
                name="certification_has_a_word_once",
            )
        ]

    def __str__(self):
        return f"{self.word} · {self.certification_id}"


class CertificationOutcome(models.Model):
    """What became of the people certified in one year, as the certifier told the register; in percent."""

    certification = models.ForeignKey(
        "catalog.Certification",
        on_delete=models.CASCADE,
        related_name="outcomes",
        verbose_name=_("certification"),
    )
    year = models.PositiveSmallIntegerField(_("année"))
    certified = models.PositiveIntegerField(_("certifiés"), null=True, blank=True)
    certified_by_vae = models.PositiveIntegerField(_("dont par VAE"), null=True, blank=True)
    employed_percent = models.PositiveSmallIntegerField(_("en emploi à 6 mois (%)"), null=True, blank=True)
    in_the_job_percent = models.PositiveSmallIntegerField(
        _("dans le métier visé à 6 mois (%)"), null=True, blank=True
    )
    in_the_job_later_percent = models.PositiveSmallIntegerField(
        _("dans le métier visé à 2 ans (%)"), null=True, blank=True
    )

    class Meta:
        verbose_name = _("devenir des certifiés")
        verbose_name_plural = _("devenir des certifiés")
        ordering = ["certification", "-year"]
        constraints = [
            models.UniqueConstraint(fields=["certification", "year"], name="outcome_is_told_once_a_year"),
            models.CheckConstraint(
                condition=models.Q(employed_percent__isnull=True) | models.Q(employed_percent__lte=100),
                name="outcome_employed_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=models.Q(in_the_job_percent__isnull=True) | models.Q(in_the_job_percent__lte=100),
                name="outcome_in_the_job_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=models.Q(in_the_job_later_percent__isnull=True)
                | models.Q(in_the_job_later_percent__lte=100),
                name="outcome_in_the_job_later_is_a_percentage",
            ),
        ]

    def __str__(self):
        return f"{self.certification_id} · {self.year}"


class CertificationStatement(models.Model):
    """What a source below the XML register says of a certification, kept as it was read.

    `Certification` is written again from these each time one changes, so the order of the imports does not
    matter (catalog.imports.statements).
    """

    certification = models.ForeignKey(
        "catalog.Certification",
        on_delete=models.CASCADE,
        related_name="statements",
        verbose_name=_("certification"),
    )
    source = models.CharField(_("source"), max_length=12, choices=Certification.Source)
    digest = models.CharField(_("empreinte"), max_length=64)
    facts = models.JSONField(_("contenu"))
    imported_at = models.DateTimeField(_("importée le"))

    class Meta:
        verbose_name = _("apport d’une source")
        verbose_name_plural = _("apports des sources")
        ordering = ["certification", "source"]
        constraints = [
            models.UniqueConstraint(fields=["certification", "source"], name="statement_is_one_a_source")
        ]

    def __str__(self):
        return f"{self.certification_id} · {self.get_source_display()}"


class Term(models.Model):
    """An entry of a public nomenclature. Codes never meet: 5 digits; a letter and 4; 1 to 3; S or T and some.

    A sector is `related` to the ROME codes that belong to it; a part of a sector (T) has it as `broader`.
    """

    class Nomenclature(models.TextChoices):
        FORMACODE = "formacode", _("FORMACODE")
        ROME = "rome", _("ROME")
        NSF = "nsf", _("NSF")
        SECTOR = "sector", _("Secteur (ROME)")

    code = models.CharField(_("code"), max_length=5, primary_key=True)
    nomenclature = models.CharField(_("nomenclature"), max_length=10, choices=Nomenclature)
    label = models.CharField(_("libellé"), max_length=255)
    broader = ArrayField(
        models.CharField(max_length=5),
        default=list,
        blank=True,
        verbose_name=_("plus larges"),
        help_text=_("Les plus étroits sont ceux dont il est le plus large."),
    )
    related = ArrayField(models.CharField(max_length=5), default=list, blank=True, verbose_name=_("voisins"))

    class Meta:
        verbose_name = _("terme d’une nomenclature")
        verbose_name_plural = _("termes des nomenclatures")
        ordering = ["nomenclature", "code"]
        indexes = [GinIndex(fields=["broader"], name="term_by_broader")]

    def __str__(self):
        return f"{self.code} · {self.label}"


class TermName(models.Model):
    """Another name of a term: a job name of ROME, a synonym of FORMACODE."""

    term = models.ForeignKey(
        "catalog.Term", on_delete=models.CASCADE, related_name="names", verbose_name=_("terme")
    )
    name = models.CharField(_("nom"), max_length=255)

    class Meta:
        verbose_name = _("autre nom d’un terme")
        verbose_name_plural = _("autres noms des termes")
        ordering = ["term", "name"]
        constraints = [models.UniqueConstraint(fields=["term", "name"], name="term_name_is_written_once")]

    def __str__(self):
        return f"{self.name} ({self.term_id})"


class SynonymGroup(models.Model):
    """Ways to say the same: mostly a title and its initials. The search takes one for the other."""

    key = models.CharField(max_length=64, primary_key=True, editable=False)
    names = ArrayField(models.CharField(max_length=255), verbose_name=_("synonymes"))

    class Meta:
        verbose_name = _("groupe de synonymes")
        verbose_name_plural = _("groupes de synonymes")
        ordering = ["names"]

    def __str__(self):
        return " = ".join(self.names)


class JobName(models.Model):
    """A job by one of its names of several words, as people type it (catalog.words): who asks for it asks for
    what leads to it, whatever else has these words."""

    key = models.CharField(_("mots du nom"), max_length=255, primary_key=True)
    codes = ArrayField(models.CharField(max_length=5), verbose_name=_("codes ROME"))

    class Meta:
        verbose_name = _("nom de métier")
        verbose_name_plural = _("noms de métier")
        ordering = ["key"]

    def __str__(self):
        return self.key


class Succession(models.Model):
    """This certification is replaced by that one. Either may be absent from our register."""

    old_code = models.CharField(_("ancienne"), max_length=12)
    new_code = models.CharField(_("nouvelle"), max_length=12)

    class Meta:
        verbose_name = _("remplacement")
        verbose_name_plural = _("remplacements")
        ordering = ["old_code", "new_code"]
        constraints = [
            models.UniqueConstraint(fields=["old_code", "new_code"], name="succession_is_written_once")
        ]

    def __str__(self):
        return f"{self.old_code} → {self.new_code}"


class Habilitation(models.Model):
    """An organisation's entitlement to a certification: its certifier, or a partner with a role."""

    class Role(models.TextChoices):
        CERTIFIER = "CERTIFICATEUR", _("Certificateur")
        TRAIN = "HABILITATION_FORMER", _("Peut former")
        EXAMINE = "HABILITATION_ORGA", _("Peut organiser l’évaluation")
        TRAIN_AND_EXAMINE = "HABILITATION_ORGA_FORM", _("Peut former et organiser l’évaluation")

    certification = models.ForeignKey(
        "catalog.Certification",
        on_delete=models.CASCADE,
        related_name="habilitations",
        verbose_name=_("certification"),
    )
    siret = models.CharField(_("SIRET"), max_length=14, db_index=True, blank=True)
    name = models.CharField(_("nom"), max_length=255, blank=True)
    role = models.CharField(_("rôle"), max_length=30, choices=Role)
    is_active = models.BooleanField(_("active"))
    active_from = models.DateField(_("depuis"), null=True, blank=True)

    class Meta:
        verbose_name = _("habilitation")
        verbose_name_plural = _("habilitations")
        ordering = ["certification", "siret", "role"]
        constraints = [
            models.UniqueConstraint(
                # The registers name some certifiers without a SIRET: shown, they entitle nobody.
                fields=["certification", "siret", "role"],
                condition=~models.Q(siret=""),
                name="habilitation_is_unique_per_certification_siret_and_role",
            )
        ]

    def __str__(self):
        return f"{self.certification_id} · {self.siret} · {self.get_role_display()}"


class Provider(models.Model):
    """What makes an organisation a training organisation: its activity number and its Qualiopi kinds."""

    class State(models.TextChoices):
        ACTIVE = "active", _("Référencé")
        SUSPENDED = "suspended", _("Suspendu")

    class Lapse(models.TextChoices):
        """Why a declaration of activity has lapsed (Code du travail, art. L. 6351-6)."""

        REPORT_MISSING = "report_missing", _("Bilan pédagogique et financier non transmis")
        REPORT_EMPTY = "report_empty", _("Bilan sans aucune activité de formation")
        WITHDRAWN = "withdrawn", _("Déclaration annulée")

    organisation = models.OneToOneField(
        "accounts.Organisation",
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="provider",
        verbose_name=_("organisation"),
    )
    activity_number = models.CharField(_("numéro de déclaration d’activité"), max_length=11, blank=True)
    state = models.CharField(_("état"), max_length=10, choices=State, default=State.ACTIVE)
    address = models.CharField(_("adresse"), max_length=255, blank=True)
    postal_code = models.CharField(_("code postal"), max_length=5, blank=True)
    town_name = models.CharField(_("ville"), max_length=100, blank=True)
    qualiopi_training = models.BooleanField(_("Qualiopi : actions de formation"), default=False)
    qualiopi_skills_review = models.BooleanField(_("Qualiopi : bilans de compétences"), default=False)
    qualiopi_vae = models.BooleanField(_("Qualiopi : VAE"), default=False)
    qualiopi_apprenticeship = models.BooleanField(_("Qualiopi : apprentissage"), default=False)
    is_approved_driving_school = models.BooleanField(_("auto-école agréée"), default=False)
    # What the public list says of the yearly report (bilan pédagogique et financier); empty: it says nothing.
    last_report_on = models.DateField(_("dernier bilan transmis le"), null=True, blank=True)
    last_exercise_ended_on = models.DateField(_("fin du dernier exercice déclaré"), null=True, blank=True)
    activity_lapsed_on = models.DateField(
        _("déclaration d’activité caduque depuis le"),
        null=True,
        blank=True,
        help_text=_("Vide : en vigueur, pour ce que l’on sait."),
    )
    activity_lapse = models.CharField(
        _("cause de la caducité"), max_length=20, choices=Lapse, blank=True, db_default=""
    )

    class Meta:
        verbose_name = _("organisme de formation")
        verbose_name_plural = _("organismes de formation")
        ordering = ["organisation"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(activity_lapsed_on__isnull=True, activity_lapse="")
                | (models.Q(activity_lapsed_on__isnull=False) & ~models.Q(activity_lapse="")),
                name="provider_activity_lapses_on_a_day_for_a_cause",
                violation_error_message=_("Donnez la date et la cause de la caducité, ou aucune des deux."),
            ),
            models.CheckConstraint(
                condition=models.Q(activity_number="") | models.Q(activity_number__regex=r"^\d{11}$"),
                name="provider_activity_number_has_11_digits",
            ),
        ]

    def __str__(self):
        return str(self.organisation)


DRAWS = 1024
SAMPLE_DRAWS = 64
"""Of DRAWS: one offer in sixteen is in the sample that stands for all in large counts."""


class OfferQuerySet(models.QuerySet):
    def open_on(self, day: date, rules: Rules):
        """The offers that `catalog.eligibility.refusals` finds nothing against: the same rule, in SQL.

        tests/catalog/test_eligibility.py compares the two on every combination of facts.
        """
        return self.filter(
            self._declared(day, rules)
            & self._qualified(rules)
            & (self._entitled(day, rules) | self._coded(rules)),
            is_published=True,
            provider__state=Provider.State.ACTIVE,
        )

    def visible_to(self, actor: Actor, *, on: date, rules: Rules):
        """What this actor may see: open offers; besides, an organisation its own, a holder those they have a
        dossier on, and an admin all."""
        if actor.is_admin or actor.is_system:
            return self.all()
        if actor.is_provider:
            return self.open_on(on, rules) | self.filter(provider_id=actor.organisation_id)
        if actor.is_holder:
            held = Session.objects.filter(offer=OuterRef("pk"), dossiers__holder=actor.holder_id)
            return self.open_on(on, rules) | self.filter(Exists(held))
        return self.open_on(on, rules)

    def with_dossiers(self):
        """Those that people have a dossier on. The relation is of an app above: only its name is known."""
        return self.filter(Exists(Session.objects.filter(offer=OuterRef("pk"), dossiers__isnull=False)))

    def _declared(self, day: date, rules: Rules) -> Q:
        """Its organisation has declared its activity, and the declaration has not lapsed."""
        in_force = Q(provider__activity_lapsed_on__isnull=True) | Q(provider__activity_lapsed_on__gt=day)
        return in_force & ~Q(provider__activity_number="") if rules.activity_number_required else in_force

    def _qualified(self, rules: Rules) -> Q:
        """Its organisation holds the Qualiopi certificate that this kind of action needs."""
        needed = rules.qualiopi_kind_by_action
        qualified = Q(kind__in=[kind for kind in Offer.Kind.values if kind not in needed])
        for certificate in sorted(set(needed.values())):
            kinds = [kind for kind, wanted in needed.items() if wanted == certificate]
            qualified |= Q(kind__in=kinds, **{f"provider__qualiopi_{certificate}": True})
        return qualified

    def _entitled(self, day: date, rules: Rules) -> Q:
        """Its certification is active, and its organisation is its certifier or may train for it."""
        entitlements = Habilitation.objects.filter(
            Q(active_from__isnull=True) | Q(active_from__lte=day),
            certification=OuterRef("certification"),
            siret=OuterRef("provider__organisation__siret"),
            role__in=[Habilitation.Role.CERTIFIER, *rules.training_roles],
            is_active=True,
        )
        return (
            Q(kind=Offer.Kind.CERTIFYING)
            & _certification_is_active(day, "certification__")
            & Q(exists_one_by_one(entitlements))
        )

    def _coded(self, rules: Rules) -> Q:
        """It carries the portal code of its kind; licences are taught by approved schools."""
        coded = Q(pk__in=[])
        for code, kind in rules.portal_code_kinds.items():
            coded |= Q(kind=kind, portal_code=code)
        is_school_kind = Q(kind__in=rules.approved_school_kinds)
        is_allowed_licence = Q(provider__is_approved_driving_school=True) & ~Q(
            licence_category__in=rules.licence_excluded_categories
        )
        return coded & (~is_school_kind | is_allowed_licence)


class LicenceCategory(models.Func):
    """The category that a title names after « permis », in capitals; empty when it names none."""

    PATTERN = (
        r"\mpermis\s+(?:de\s+conduire\s+)?(?:cat[ée]gorie\s+)?(?!de\s)"
        r"(A1|A2|AM|A|B1|B96|BE|B|C1E|C1|CE|C|D1E|D1|DE|D)\M"
    )
    template = f"upper(coalesce(substring(%(expressions)s from '(?i){PATTERN}'), ''))"
    output_field = models.CharField(max_length=3)


class Offer(models.Model):
    """One training action of an organisation, with the texts of its training.

    The portal's catalogue format nests training › action › session. The texts of a training
    stand again on each of its actions, so that an offer reads, searches and freezes whole;
    `training_number` groups them (docs/adr).

    Its life (docs/offers.md): a draft, published, hidden by its organisation, archived; the constraints keep
    it in exactly one of these. Whether a published one is open is another question (catalog.eligibility).
    """

    class State(models.TextChoices):
        # « Masquée »: on screen only an organisation is « suspendu », by the administration.
        DRAFT = "draft", _("Brouillon")
        PUBLISHED = "published", _("Publiée")
        SUSPENDED = "suspended", _("Masquée")
        ARCHIVED = "archived", _("Archivée")

    class Kind(models.TextChoices):
        # The values are the rulebook's names of kinds (portal_code_kinds, qualiopi_kind_by_action).
        CERTIFYING = "training", _("Formation certifiante")
        SKILLS_REVIEW = "skills_review", _("Bilan de compétences")
        VAE = "vae", _("Validation des acquis (VAE)")
        BUSINESS_CREATION = "business_creation", _("Création ou reprise d’entreprise")
        LICENCE_LIGHT = "licence_light", _("Permis de conduire (véhicules légers)")
        LICENCE_HEAVY = "licence_heavy", _("Permis de conduire (véhicules lourds)")
        VOLUNTEER_TRAINING = "volunteer_training", _("Formation des bénévoles")

    class Mode(models.TextChoices):
        ON_SITE = "on_site", _("En présentiel")
        MIXED = "mixed", _("Mixte")
        DISTANCE = "distance", _("À distance")

    class Rhythm(models.TextChoices):
        # The portal's catalogue format has a list of codes for them (handbook 5.2): 1 to 7, in this order.
        DAY = "day", _("En journée")
        EVENING = "evening", _("En soirée")
        WEEK = "week", _("En semaine")
        WEEKEND = "weekend", _("Le week-end")
        FULL_TIME = "full_time", _("À temps plein")
        PART_TIME = "part_time", _("À temps partiel")
        SEVERAL = "several", _("Plusieurs rythmes")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        "catalog.Provider", on_delete=models.PROTECT, related_name="offers", verbose_name=_("organisme")
    )
    training_number = models.CharField(_("numéro de formation"), max_length=100)
    action_number = models.CharField(_("numéro d’action"), max_length=100)
    kind = models.CharField(_("nature"), max_length=30, choices=Kind)
    certification = models.ForeignKey(
        "catalog.Certification",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="offers",
        verbose_name=_("certification"),
    )
    portal_code = models.CharField(
        _("code du portail"), max_length=10, blank=True, help_text=_("CPF200, CPF202…")
    )
    block_codes = ArrayField(
        models.CharField(max_length=20), default=list, blank=True, verbose_name=_("blocs")
    )
    title = models.CharField(_("intitulé"), max_length=255)
    # The catalogue format has no element for it: only the title tells a licence B from a B1.
    licence_category = models.GeneratedField(
        verbose_name=_("catégorie de permis"),
        expression=LicenceCategory("title"),
        output_field=models.CharField(max_length=3),
        db_persist=True,
    )
    summary = models.TextField(_("résumé"), blank=True)
    objectives = models.TextField(_("objectifs"), blank=True)
    content = models.TextField(_("contenu"), blank=True)
    expected_results = models.TextField(_("résultats attendus"), blank=True)
    prerequisites = models.TextField(_("prérequis"), blank=True)
    admission = models.TextField(_("admission"), blank=True)
    accessibility = models.TextField(_("accessibilité"), blank=True)
    has_prerequisites = models.BooleanField(_("prérequis à vérifier"), default=False)
    mode = models.CharField(_("modalité"), max_length=10, choices=Mode)
    hours = models.PositiveIntegerField(_("durée en heures"), null=True, blank=True)
    rhythms = ArrayField(
        models.CharField(max_length=10, choices=Rhythm),
        default=list,
        db_default=[],
        blank=True,
        verbose_name=_("rythmes"),
        help_text=_("Vide : non précisés."),
    )
    languages = ArrayField(
        models.CharField(max_length=2),
        default=list,
        db_default=[],
        blank=True,
        verbose_name=_("langues de la formation"),
        help_text=_("Codes ISO 639-1, en minuscules. Vide : non précisées."),
    )
    entry_level = models.PositiveSmallIntegerField(
        _("niveau à l’entrée"),
        null=True,
        blank=True,
        help_text=_("Du cadre européen, 3 à 8 ; 0 : aucun niveau demandé. Vide : non précisé."),
    )
    rating_tenths = models.PositiveSmallIntegerField(
        _("note moyenne, en dixièmes"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("De 10 à 50, des avis publiés. Vide : trop peu d’avis."),
    )
    reviews_count = models.PositiveIntegerField(_("avis publiés"), default=0, db_default=0, editable=False)
    price_cents = models.PositiveBigIntegerField(_("prix TTC en centimes"))
    extra_fees_cents = models.PositiveBigIntegerField(_("frais annexes en centimes"), default=0)
    vat_per_mille = models.PositiveSmallIntegerField(_("TVA en pour mille"), default=0)
    address = models.CharField(_("adresse"), max_length=255, blank=True)
    postal_code = models.CharField(_("code postal"), max_length=5, blank=True)
    town_name = models.CharField(_("ville"), max_length=100, blank=True)
    town = models.ForeignKey(
        "catalog.Town",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="offers",
        verbose_name=_("commune"),
    )
    point = PointField(
        null=True, blank=True, help_text=_("Lieu, en mètres ; vide à distance."), verbose_name=_("position")
    )
    url = models.URLField(_("page de l’organisme"), max_length=500, blank=True)
    contact_email = models.EmailField(_("contact"), blank=True)
    contact_phone = models.CharField(_("téléphone"), max_length=20, blank=True)
    price_details = models.TextField(_("ce que le prix comprend"), blank=True, db_default="")
    particulars = models.JSONField(
        _("déroulement et services"),
        default=dict,
        db_default={},
        blank=True,
        help_text=_("Sous les noms de catalog/particulars.py ; ce qui n’est pas dit n’y est pas."),
    )
    is_published = models.BooleanField(_("publiée"), default=True)
    is_draft = models.BooleanField(
        _("brouillon"), default=False, db_default=False, help_text=_("En cours d’écriture, jamais publiée.")
    )
    is_demonstration = models.BooleanField(
        _("de démonstration"),
        default=False,
        db_default=False,
        help_text=_("Inventée par generate_catalogue ; l’offre le dit."),
    )
    archived_at = models.DateTimeField(
        _("archivée le"),
        null=True,
        blank=True,
        help_text=_("Rangée : ni visible, ni dans la liste courante."),
    )
    withheld_for = models.TextField(
        _("retenue par l’administration"),
        blank=True,
        db_default="",
        help_text=_("Pourquoi. Vide : l’organisme la montre ou la masque comme il veut."),
    )
    replaces = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="replacements",
        verbose_name=_("remplace l’offre"),
        help_text=_("Reprise pour la certification qui succède à la sienne."),
    )
    is_handmade = models.BooleanField(
        _("écrite dans le portail"), default=False, db_default=False, help_text=_("Et non importée.")
    )
    hand_edited_at = models.DateTimeField(
        _("modifiée à la main le"),
        null=True,
        blank=True,
        help_text=_("Vide dès qu’un import la remplace."),
    )
    updated_at = models.DateTimeField(_("mise à jour le"))

    objects = OfferQuerySet.as_manager()

    class Meta:
        verbose_name = _("offre")
        verbose_name_plural = _("offres")
        ordering = ["title", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "training_number", "action_number"],
                name="offer_number_is_unique_in_its_organisation",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="training", certification__isnull=False, portal_code="")
                | (
                    ~models.Q(kind="training")
                    & models.Q(certification__isnull=True)
                    & ~models.Q(portal_code="")
                ),
                name="offer_has_a_certification_or_a_portal_code",
            ),
            models.CheckConstraint(
                condition=models.Q(is_draft=False) | models.Q(is_published=False),
                name="offer_draft_is_never_published",
            ),
            models.CheckConstraint(
                condition=models.Q(archived_at__isnull=True) | models.Q(is_published=False, is_draft=False),
                name="offer_archived_is_neither_published_nor_a_draft",
            ),
            models.CheckConstraint(
                condition=models.Q(withheld_for="") | models.Q(is_published=False),
                name="offer_withheld_is_never_published",
            ),
            models.UniqueConstraint(
                fields=["replaces", "certification"],
                condition=models.Q(replaces__isnull=False),
                name="offer_is_taken_over_once_per_certification",
            ),
            models.CheckConstraint(
                condition=models.Q(is_draft=True) | models.Q(mode__in=["on_site", "mixed", "distance"]),
                name="offer_has_a_mode_unless_a_draft",
            ),
            models.CheckConstraint(
                condition=models.Q(entry_level__isnull=True)
                | models.Q(entry_level=0)
                | models.Q(entry_level__range=(3, 8)),
                name="offer_entry_level_is_of_the_european_framework",
            ),
            models.CheckConstraint(
                condition=models.Q(rating_tenths__isnull=True) | models.Q(rating_tenths__range=(10, 50)),
                name="offer_rating_is_from_one_to_five",
            ),
        ]
        indexes = [
            models.Index(fields=["title", "id"], name="offer_by_title"),
        ]

    def __str__(self):
        return self.title

    @property
    def state(self) -> State:
        """Where it is in its life."""
        if self.is_draft:
            return self.State.DRAFT
        if self.is_published:
            return self.State.PUBLISHED
        return self.State.ARCHIVED if self.archived_at else self.State.SUSPENDED


class Hashed(Func):
    """A whole number for a text, PostgreSQL's own: two texts may share one.

    A GiST index keeps a code as the first letters that a page of it needs, « RNCP3 » for thousands, and reads
    all these pages; numbers keep apart. Measured on 500,000 offers: a probe in 4 µs in place of 17.
    """

    function = "hashtext"
    output_field = IntegerField()


class HashedAmong(Func):
    """Whether the number of a text is that of one of `among`. One expression: sixty would take Django longer
    to write than PostgreSQL to answer."""

    template = f"{Hashed.function}(%(expressions)s) IN (%(hashes)s)"
    output_field = BooleanField()

    def as_sql(self, compiler, connection, **context):
        among = self.extra["among"]
        hashes = ", ".join([f"{Hashed.function}(%s)"] * len(among))
        sql, params = super().as_sql(compiler, connection, hashes=hashes, **context)
        return sql, [*params, *among]


class OfferIndexQuerySet(models.QuerySet):
    def open_on(self, day: date):
        """Those that no date known when they were indexed has closed since."""
        return self.filter(closes_on__gt=day)


class OfferIndex(models.Model):
    """An open offer as the search reads it: what is filtered, counted and put in order, and nothing else.

    Narrow on purpose: a common word meets a hundred thousand offers, whose long texts nobody reads. Written
    by catalog.indexing for the offers that are open; the few that a page shows are judged again by
    `OfferQuerySet.open_on`, so this is never the last word.
    """

    NEVER = date.max

    # What people choose among: the kinds of action, where a block and CléA stand apart. Each offer has one.
    BLOCK, CLEA = "block", "clea"
    NATURES = (
        (Offer.Kind.CERTIFYING.value, Offer.Kind.CERTIFYING.label),
        (BLOCK, _("Bloc de compétences")),
        (CLEA, _("CléA, socle de compétences")),
        *((kind.value, kind.label) for kind in Offer.Kind if kind != Offer.Kind.CERTIFYING),
    )

    offer = models.OneToOneField(
        "catalog.Offer",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="index",
        verbose_name=_("offre"),
    )
    certification = models.ForeignKey(
        "catalog.Certification",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("certification"),
    )
    provider = models.ForeignKey(
        "catalog.Provider", on_delete=models.CASCADE, related_name="+", verbose_name=_("organisme")
    )
    town = models.ForeignKey(
        "catalog.Town",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("commune"),
    )
    kind = models.CharField(_("sorte d’action"), max_length=30, choices=Offer.Kind)
    nature = models.CharField(_("nature"), max_length=30, choices=NATURES)
    mode = models.CharField(_("modalité"), max_length=10, choices=Offer.Mode)
    title = models.CharField(_("intitulé"), max_length=255)
    level = models.PositiveSmallIntegerField(_("niveau obtenu"), null=True, blank=True)
    entry_level = models.PositiveSmallIntegerField(_("niveau à l’entrée"), null=True, blank=True)
    price_cents = models.PositiveBigIntegerField(_("prix TTC en centimes"))
    extra_fees_cents = models.PositiveBigIntegerField(_("frais annexes en centimes"))
    hours = models.PositiveIntegerField(_("durée en heures"), null=True, blank=True)
    rhythms = ArrayField(models.CharField(max_length=10), verbose_name=_("rythmes"), blank=True)
    languages = ArrayField(
        models.CharField(max_length=2), verbose_name=_("langues de la formation"), blank=True
    )
    is_accessible = models.BooleanField(_("dit comment elle accueille un handicap"))
    rating_tenths = models.PositiveSmallIntegerField(_("note moyenne, en dixièmes"), null=True, blank=True)
    starts = ArrayField(
        models.DateField(),
        verbose_name=_("débuts à venir"),
        blank=True,
        help_text=_("Des sessions ouvertes à l’inscription."),
    )
    is_permanent = models.BooleanField(_("entrée à tout moment"))
    closes_on = models.DateField(
        _("fermée le"), help_text=_("Premier jour où une date déjà connue la ferme ; au plus loin : aucune.")
    )
    draw = models.PositiveSmallIntegerField(
        _("tirage"),
        help_text=_("De 0 à 1023, toujours le même : un échantillon est fait de ceux qui ont tiré peu."),
    )
    point = PointField(null=True, blank=True, verbose_name=_("position"))

    objects = OfferIndexQuerySet.as_manager()

    class Meta:
        verbose_name = _("index d’une offre")
        verbose_name_plural = _("index des offres")
        indexes = [
            GistIndex(fields=["point"], name="offer_by_place"),
            GistIndex(Hashed("certification_id"), F("point"), name="offer_by_certified_place"),
            GistIndex(
                fields=["point"], name="offer_sample_by_place", condition=models.Q(draw__lt=SAMPLE_DRAWS)
            ),
            # With what a group counts: read from the index alone.
            models.Index(
                fields=["certification", "price_cents", "offer"],
                include=["provider", "closes_on"],
                name="offer_by_certified_price",
            ),
            models.Index(fields=["certification", "draw"], name="offer_sample_by_certified"),
            models.Index(
                fields=["certification", "kind", "closes_on"],
                name="offer_taught_from_afar",
                condition=models.Q(mode="distance"),
            ),
            models.Index(fields=["kind", "price_cents", "offer"], name="offer_by_kind"),
            models.Index(fields=["price_cents", "offer"], name="offer_by_price"),
            models.Index(fields=["title", "offer"], name="offer_by_shown_title"),
        ]

    def __str__(self):
        return str(self.offer_id)


class OfferWords(models.Model):
    """The words that an offer of the index is found by, kept apart from it: they are ten times as wide.

    `own`: those that its certification does not go by, such as the name of its organisation. `point`: as the
    index has it: of a thousand offers with a word, those of a place are told apart here.
    """

    offer = models.OneToOneField(
        "catalog.OfferIndex",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="words",
        verbose_name=_("offre"),
    )
    search = SearchVectorField()
    own = SearchVectorField()
    point = PointField(null=True, blank=True, verbose_name=_("position"))

    class Meta:
        verbose_name = _("mots d’une offre")
        verbose_name_plural = _("mots des offres")
        indexes = [
            GinIndex(fields=["search"], name="offer_by_words"),
            GinIndex(fields=["own"], name="offer_by_own_words"),
        ]

    def __str__(self):
        return str(self.offer_id)


class Visibility(models.Model):
    """What the last daily look found of an offer that was once open: news, never the judge.

    Whether an offer is open is asked of catalog.eligibility each time; this only knows what organisations
    have been told (catalog.validity).
    """

    offer = models.OneToOneField(
        "catalog.Offer",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="visibility",
        verbose_name=_("offre"),
    )
    is_open = models.BooleanField(_("ouverte"))
    since = models.DateField(_("depuis le"))
    codes = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        verbose_name=_("motifs"),
        help_text=_("Pourquoi les règles l’ont fermée."),
    )

    class Meta:
        verbose_name = _("visibilité d’une offre")
        verbose_name_plural = _("visibilités des offres")
        ordering = ["-since", "offer"]
        indexes = [
            # What is new, for those who asked to be told (catalog.alerts).
            models.Index(fields=["since"], name="visibility_opened", condition=models.Q(is_open=True))
        ]

    def __str__(self):
        return f"{self.offer_id} · {_('ouverte') if self.is_open else _('fermée')}"


class EndWarning(models.Model):
    """An organisation was told, so many months ahead, that a certification it prepares for ends that day."""

    certification = models.ForeignKey(
        "catalog.Certification",
        on_delete=models.CASCADE,
        related_name="end_warnings",
        verbose_name=_("certification"),
    )
    provider = models.ForeignKey(
        "catalog.Provider",
        on_delete=models.CASCADE,
        related_name="end_warnings",
        verbose_name=_("organisme"),
    )
    ends_on = models.DateField(_("fin annoncée"))
    months = models.PositiveSmallIntegerField(_("mois avant la fin"))
    sent_at = models.DateTimeField(_("prévenu le"))

    class Meta:
        verbose_name = _("avertissement de fin de certification")
        verbose_name_plural = _("avertissements de fin de certification")
        ordering = ["-sent_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["certification", "provider", "ends_on", "months"],
                name="end_warning_is_sent_once",
            )
        ]

    def __str__(self):
        return f"{self.certification_id} · {self.provider_id} · {self.months}"


class Favourite(models.Model):
    """An offer that somebody keeps to look at again; no organisation knows."""

    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="favourites", verbose_name=_("personne")
    )
    offer = models.ForeignKey(
        "catalog.Offer", on_delete=models.CASCADE, related_name="favourites", verbose_name=_("offre")
    )
    added_at = models.DateTimeField(_("gardée le"))

    class Meta:
        verbose_name = _("favori")
        verbose_name_plural = _("favoris")
        ordering = ["-added_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "offer"], name="favourite_is_kept_once_by_each")
        ]

    def __str__(self):
        return f"{self.offer_id} · {self.user_id}"


class SavedSearch(models.Model):
    """A search that somebody asks again, and may be told of: its address, not its fields.

    `query` is what stands after the « ? », checked and in one order (catalog.saved_searches): a new filter of
    the search needs no column here.
    """

    class Alert(models.TextChoices):
        NONE = "none", _("Aucune alerte")
        DAILY = "daily", _("Chaque jour, s’il y a du nouveau")
        WEEKLY = "weekly", _("Chaque semaine, s’il y a du nouveau")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="saved_searches", verbose_name=_("personne")
    )
    name = models.CharField(_("nom"), max_length=80)
    query = models.CharField(_("recherche"), max_length=1000)
    alert = models.CharField(_("alerte"), max_length=10, choices=Alert, default=Alert.NONE)
    told_until = models.DateField(
        _("nouveautés dites jusqu’au"),
        help_text=_("Les offres ouvertes ce jour-là ou après n’ont pas encore été dites."),
    )
    added_at = models.DateTimeField(_("enregistrée le"))

    class Meta:
        verbose_name = _("recherche enregistrée")
        verbose_name_plural = _("recherches enregistrées")
        ordering = ["-added_at", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "query"], name="search_is_saved_once_by_each")]
        indexes = [
            models.Index(
                fields=["told_until", "user"],
                name="search_to_tell",
                condition=~models.Q(alert="none"),
            )
        ]

    def __str__(self):
        return self.name


class Wish(models.Model):
    """What somebody would like to learn, so that their first page has ideas. All of it may be empty.

    Only they see it; no organisation ever does, and no order of the search depends on it.
    """

    user = models.OneToOneField(
        "accounts.User",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="wish",
        verbose_name=_("personne"),
    )
    job = models.CharField(_("métier ou formation voulus"), max_length=100, blank=True)
    town = models.ForeignKey(
        "catalog.Town",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("commune"),
    )
    level = models.PositiveSmallIntegerField(
        _("niveau visé"), null=True, blank=True, help_text=_("Du cadre européen, 3 à 8.")
    )
    budget_cents = models.PositiveBigIntegerField(
        _("budget en centimes"),
        null=True,
        blank=True,
        help_text=_("Ce que la personne peut payer en plus de ses droits. Vide : elle ne le dit pas."),
    )
    written_at = models.DateTimeField(_("écrit le"))

    class Meta:
        verbose_name = _("envie de formation")
        verbose_name_plural = _("envies de formation")
        ordering = ["-written_at", "user"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(level__isnull=True) | models.Q(level__range=(3, 8)),
                name="wish_level_is_of_the_european_framework",
            )
        ]

    def __str__(self):
        return f"{self.user_id} · {self.job}"


class Suggestion(models.Model):
    """A name that completes what somebody types in the search (catalog.suggesting), with how known it is."""

    class Kind(models.TextChoices):
        # In the order in which they are shown.
        JOB = "job", _("Métiers")
        CERTIFICATION = "certification", _("Certifications")
        ORGANISATION = "organisation", _("Organismes")
        TOWN = "town", _("Communes")

    kind = models.CharField(_("sorte"), max_length=13, choices=Kind)
    code = models.CharField(
        _("code"), max_length=12, blank=True, help_text=_("D’une certification ou d’une commune.")
    )
    label = models.TextField(_("nom"))
    key = models.TextField(_("nom, pour la recherche"), help_text=_("En minuscules, sans accents."))
    words = SearchVectorField(_("mots"))
    heads = ArrayField(
        models.CharField(max_length=20),
        default=list,
        verbose_name=_("débuts de mots"),
        help_text=_("Ceux, très courants, pour lesquels il est parmi les premiers de sa sorte."),
    )
    weight = models.PositiveIntegerField(
        _("notoriété"),
        help_text=_("Offres ouvertes où il mène le jour du calcul ; d’une commune, ses habitants."),
    )

    class Meta:
        verbose_name = _("suggestion")
        verbose_name_plural = _("suggestions")
        ordering = ["kind", "-weight", "label", "code"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "code", "label"], name="suggestion_is_made_once")
        ]
        indexes = [
            GinIndex(fields=["words"], name="suggestion_by_words"),
            GinIndex(fields=["heads"], name="suggestion_by_heads"),
            GinIndex(OpClass("key", "gin_trgm_ops"), name="suggestion_by_likeness"),
        ]

    def __str__(self):
        return self.label


class MarketPrice(models.Model):
    """What a training costs on the national portal, as its open data says: no offer of ours, a comparison.

    One row is a training in a department; prices and hours are the means of its actions
    (catalog.imports.open_catalogue).
    """

    key = models.CharField(
        _("clé"), max_length=120, primary_key=True, help_text=_("SIRET, numéro de formation, département.")
    )
    siret = models.CharField(_("SIRET"), max_length=14)
    training_number = models.CharField(_("numéro de formation"), max_length=100)
    department = models.CharField(_("département"), max_length=3, blank=True)
    code = models.CharField(
        _("certification"), max_length=12, help_text=_("RNCP ou RS et son numéro, connu ici ou non.")
    )
    title = models.CharField(_("intitulé"), max_length=255, blank=True)
    hours = models.PositiveIntegerField(_("durée moyenne en heures"), null=True, blank=True)
    price_cents = models.PositiveBigIntegerField(_("prix moyen en centimes"))
    lowest_cents = models.PositiveBigIntegerField(_("prix le plus bas en centimes"))
    highest_cents = models.PositiveBigIntegerField(_("prix le plus haut en centimes"))
    observed_on = models.DateField(_("relevé le"))

    class Meta:
        verbose_name = _("prix relevé ailleurs")
        verbose_name_plural = _("prix relevés ailleurs")
        ordering = ["code", "key"]
        indexes = [models.Index(fields=["code", "observed_on"], name="market_price_by_code")]

    def __str__(self):
        return f"{self.code} · {self.siret} · {french.euros(self.price_cents)}"


class Word(models.Model):
    """A word of the titles in the catalogue: what a mistyped one is compared with (catalog.search)."""

    key = models.CharField(_("sans accents"), max_length=60, primary_key=True)
    spelling = models.CharField(_("écriture"), max_length=60)

    class Meta:
        verbose_name = _("mot du catalogue")
        verbose_name_plural = _("mots du catalogue")
        ordering = ["key"]
        indexes = [GinIndex(OpClass("key", "gin_trgm_ops"), name="word_by_likeness")]

    def __str__(self):
        return self.spelling


class RegisterWord(models.Model):
    """A word that certifications are found by: what a mistyped one is compared with (catalog.words)."""

    key = models.CharField(_("sans accents"), max_length=60, primary_key=True)
    is_in_a_title = models.BooleanField(_("dans un intitulé"))

    class Meta:
        verbose_name = _("mot des registres")
        verbose_name_plural = _("mots des registres")
        ordering = ["key"]
        indexes = [GinIndex(OpClass("key", "gin_trgm_ops"), name="register_word_by_likeness")]

    def __str__(self):
        return self.key


class SessionQuerySet(models.QuerySet):
    def with_dossiers(self):
        """Those that people have a dossier on, or were offered instead of theirs: their dates do not change
        under them."""
        return self.filter(Q(dossiers__isnull=False) | Q(postponements__isnull=False)).distinct()

    def obtainable(self, day: date, rules: Rules):
        """`Session.earliest_start` exists, in SQL: recruiting, and far enough to be accepted in time."""
        first = workdays.earliest_start(day, rules.earliest_start_days)
        return self.filter(
            Q(starts_on__isnull=True) | Q(starts_on__gte=first), recruitment=Session.Recruitment.OPEN
        )


class Session(models.Model):
    """When an offer takes place: dates, or entry at any time (`starts_on` empty)."""

    class Recruitment(models.TextChoices):
        OPEN = "open", _("Ouverte")
        CLOSED = "closed", _("Fermée")
        SUSPENDED = "suspended", _("Suspendue")

    class CertificationEnds(Enum):
        """Before the session begins; while it lasts; while it lasts, and it may be awarded until after."""

        BEFORE, DURING, STILL_DELIVERED = range(3)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    offer = models.ForeignKey(
        "catalog.Offer", on_delete=models.PROTECT, related_name="sessions", verbose_name=_("offre")
    )
    number = models.CharField(_("numéro"), max_length=100)
    starts_on = models.DateField(_("début"), null=True, blank=True)
    ends_on = models.DateField(_("fin"), null=True, blank=True)
    recruitment = models.CharField(
        _("recrutement"), max_length=10, choices=Recruitment, default=Recruitment.OPEN
    )
    is_guaranteed = models.BooleanField(_("garantie"), default=False)
    places = models.PositiveSmallIntegerField(
        _("places"), null=True, blank=True, help_text=_("Taille du groupe ; vide : non précisée.")
    )
    details = models.TextField(_("modalités particulières"), blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        ordering = ["starts_on", "id"]
        constraints = [
            models.UniqueConstraint(fields=["offer", "number"], name="session_number_is_unique_in_its_offer"),
            models.CheckConstraint(
                condition=models.Q(starts_on__isnull=True, ends_on__isnull=True)
                | models.Q(starts_on__isnull=False, ends_on__gte=models.F("starts_on")),
                name="session_ends_after_it_starts",
            ),
        ]
        indexes = [models.Index(fields=["offer", "starts_on"], name="session_by_start")]

    def __str__(self):
        return (
            f"{self.offer} · {french.short_day(self.starts_on) if self.starts_on else _('entrée permanente')}"
        )

    @property
    def is_permanent(self) -> bool:
        return self.starts_on is None

    @property
    def is_open(self) -> bool:
        return self.recruitment == self.Recruitment.OPEN

    def outlasts(self, certification: Certification | None) -> "Session.CertificationEnds | None":
        """How it goes on after its certification has ended; None when it does not, or nobody told an end."""
        ends = certification.registered_until if certification else None
        if certification is None or ends is None or self.ends_on is None or self.ends_on <= ends:
            return None
        if self.starts_on is not None and self.starts_on > ends:
            return self.CertificationEnds.BEFORE
        delivered = certification.delivered_until
        is_delivered = delivered is not None and delivered >= self.ends_on
        return self.CertificationEnds.STILL_DELIVERED if is_delivered else self.CertificationEnds.DURING

    def earliest_start(self, day: date, rules: Rules) -> date | None:
        """First day this session can start for someone whose proposal comes on `day`; None: it cannot."""
        if self.recruitment != self.Recruitment.OPEN:
            return None
        first = workdays.earliest_start(day, rules.earliest_start_days)
        if self.starts_on is None:
            return first
        return self.starts_on if self.starts_on >= first else None


class ImportRun(models.Model):
    """One run of an importer: what it read, wrote, and refused with its reason."""

    class Kind(models.TextChoices):
        CERTIFICATIONS = "certifications", _("Certifications")
        CATALOGUE = "catalogue", _("Catalogue")
        ORGANISATIONS = "organisations", _("Organismes")
        NOMENCLATURES = "nomenclatures", _("Nomenclatures")
        MARKET = "market", _("Prix relevés ailleurs")

    kind = models.CharField(_("nature"), max_length=20, choices=Kind)
    file_name = models.CharField(_("fichier"), max_length=255)
    file_digest = models.CharField(_("empreinte"), max_length=64)
    started_at = models.DateTimeField(_("début"))
    ended_at = models.DateTimeField(_("fin"), null=True, blank=True)
    read = models.PositiveIntegerField(_("lus"), default=0)
    created = models.PositiveIntegerField(_("créés"), default=0)
    updated = models.PositiveIntegerField(_("mis à jour"), default=0)
    unchanged = models.PositiveIntegerField(_("inchangés"), default=0)
    refused = models.PositiveIntegerField(_("refusés"), default=0)
    hidden = models.PositiveIntegerField(
        _("masqués"), default=0, help_text=_("Enregistrés, mais que les règles ne montrent pas au public.")
    )
    error = models.TextField(_("erreur"), blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-started_at"]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.file_name}"


class ImportRefusal(models.Model):
    """What a file holds on a line, and why it was refused, hidden from the public, or worth a remark."""

    class Verdict(models.TextChoices):
        REFUSED = "refused", _("Refusé")
        HIDDEN = "hidden", _("Masqué")
        REMARK = "remark", _("Remarque")

    run = models.ForeignKey(
        "catalog.ImportRun", on_delete=models.CASCADE, related_name="refusals", verbose_name=_("import")
    )
    line = models.PositiveIntegerField(_("ligne"))
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict, default=Verdict.REFUSED)
    subject = models.CharField(_("élément"), max_length=255)
    reason = models.TextField(_("raison"))

    class Meta:
        verbose_name = _("refus d’import")
        verbose_name_plural = _("refus d’import")
        ordering = ["run", "line", "id"]

    def __str__(self):
        return f"{self.line} · {self.reason}"


IMPORTS_FOLDER = "catalogue-imports"


def kept_file(catalogue_import: "CatalogueImport", _name: str) -> str:
    """Where its file is kept: a name of ours, nothing of what its sender called it."""
    return f"{IMPORTS_FOLDER}/{catalogue_import.pk}"


class CatalogueImport(models.Model):
    """A catalogue file that an organisation sent: checked, applied if they want it, undone if they must.

    A `WAITING` state says what the worker owes. It does it in one transaction with the change of state:
    killed at any moment, it has done nothing, and does it again (catalog.importing).
    """

    class State(models.TextChoices):
        TO_CHECK = "to_check", _("Vérification en cours")
        CHECKED = "checked", _("Vérifié : à vous de décider")
        TO_APPLY = "to_apply", _("Application en cours")
        APPLIED = "applied", _("Appliqué")
        TO_UNDO = "to_undo", _("Annulation en cours")
        UNDONE = "undone", _("Annulé après coup")
        UNUSABLE = "unusable", _("Fichier illisible")
        ABANDONED = "abandoned", _("Abandonné")

    WAITING = (State.TO_CHECK, State.TO_APPLY, State.TO_UNDO)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        "catalog.Provider",
        on_delete=models.PROTECT,
        related_name="catalogue_imports",
        verbose_name=_("organisme"),
    )
    sent_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("envoyé par")
    )
    request_id = models.UUIDField(_("demande"), help_text=_("Un double clic n’envoie qu’un fichier."))
    file = models.FileField(_("fichier gardé"), upload_to=kept_file, storage=private_storage, blank=True)
    file_name = models.CharField(_("fichier"), max_length=255)
    size = models.PositiveBigIntegerField(_("taille en octets"))
    digest = models.CharField(_("empreinte"), max_length=64)
    encoding = models.CharField(
        _("encodage annoncé"),
        max_length=20,
        blank=True,
        db_default="",
        help_text=_("Par qui l’a envoyé ; vide : celui que le fichier annonce."),
    )
    state = models.CharField(_("état"), max_length=10, choices=State, default=State.TO_CHECK)
    attempts = models.PositiveSmallIntegerField(
        _("essais"), default=0, help_text=_("De l’étape demandée : un fichier qui tue le worker est laissé.")
    )
    sent_at = models.DateTimeField(_("envoyé le"))
    asked_at = models.DateTimeField(_("étape demandée le"))
    checked_at = models.DateTimeField(_("vérifié le"), null=True, blank=True)
    applied_at = models.DateTimeField(_("appliqué le"), null=True, blank=True)
    undone_at = models.DateTimeField(_("annulé le"), null=True, blank=True)
    counts = models.JSONField(_("comptes"), default=dict, help_text=_("De la dernière étape faite."))
    error = models.TextField(_("erreur"), blank=True)
    run = models.OneToOneField(
        "catalog.ImportRun",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="catalogue_import",
        verbose_name=_("résultat"),
    )

    class Meta:
        verbose_name = _("import de catalogue")
        verbose_name_plural = _("imports de catalogue")
        ordering = ["-sent_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider"],
                condition=models.Q(state__in=["to_check", "to_apply", "to_undo"]),
                name="catalogue_import_one_at_a_time_in_an_organisation",
            ),
            models.UniqueConstraint(
                fields=["provider", "request_id"], name="catalogue_import_is_sent_once_per_request"
            ),
        ]

    def __str__(self):
        return f"{self.provider} · {self.file_name}"

    @property
    def is_waiting(self) -> bool:
        return self.state in self.WAITING


class CatalogueImportLine(models.Model):
    """What becomes, would become or became again of one offer of the file; or what is said of a line.

    An applied line keeps what undoing needs: `before`, what the offer and its sessions were; `digest`, what
    the import made of them (catalog.imports.snapshots).
    """

    class Step(models.TextChoices):
        CHECK = "check", _("Vérification")
        APPLY = "apply", _("Application")
        UNDO = "undo", _("Annulation")

    class Verdict(models.TextChoices):
        REFUSED = "refused", _("Refusée")
        CREATED = "created", _("Nouvelle")
        UPDATED = "updated", _("Modifiée")
        HIDDEN = "hidden", _("Non visible")
        REMARK = "remark", _("Remarque")
        UNCHANGED = "unchanged", _("Inchangée")
        RESTORED = "restored", _("Rétablie")
        REMOVED = "removed", _("Supprimée")
        WITHDRAWN = "withdrawn", _("Masquée")
        KEPT = "kept", _("Laissée comme elle est")

    catalogue_import = models.ForeignKey(
        "catalog.CatalogueImport", on_delete=models.CASCADE, related_name="lines", verbose_name=_("import")
    )
    step = models.CharField(_("étape"), max_length=10, choices=Step)
    line = models.PositiveIntegerField(_("ligne"))
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict)
    subject = models.CharField(_("élément"), max_length=255)
    title = models.CharField(_("intitulé"), max_length=255, blank=True)
    reason = models.TextField(_("précisions"), blank=True)
    offer = models.ForeignKey(
        "catalog.Offer",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("offre"),
    )
    before = models.JSONField(_("avant l’import"), null=True, blank=True)
    digest = models.CharField(_("empreinte après l’import"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("ligne d’import de catalogue")
        verbose_name_plural = _("lignes d’import de catalogue")
        ordering = ["catalogue_import", "step", "line", "id"]
        indexes = [
            models.Index(
                fields=["catalogue_import", "step", "verdict", "line"], name="import_line_by_verdict"
            )
        ]

    def __str__(self):
        return f"{self.line} · {self.get_verdict_display()} · {self.subject}"
