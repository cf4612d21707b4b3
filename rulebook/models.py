"""The law as dated rows. Written by `rulebook.loading` from `parameters.yaml`, read by `rulebook.on`."""

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.utils.translation import gettext_lazy as _


class Parameter(models.Model):
    """One value of one parameter over one period [from, to); an open end means "until a new text"."""

    name = models.CharField(_("nom"), max_length=60)
    label = models.CharField(_("libellé"), max_length=200)
    value = models.JSONField(_("valeur"))
    unit = models.CharField(_("unité"), max_length=80)
    in_force = DateRangeField(
        _("en vigueur"), help_text=_("Du premier jour compris au dernier jour non compris.")
    )
    legal_reference = models.CharField(_("référence"), max_length=300)
    note = models.TextField(_("remarque"), blank=True)
    is_core_law = models.BooleanField(
        _("règle officielle"),
        help_text=_("Fixée par un texte ou par les conditions générales ; sinon, choix de l'instance."),
    )

    class Meta:
        verbose_name = _("règle")
        verbose_name_plural = _("règles")
        ordering = ["name", "in_force"]
        constraints = [
            ExclusionConstraint(
                name="parameter_has_one_value_a_day",
                expressions=[("name", RangeOperators.EQUAL), ("in_force", RangeOperators.OVERLAPS)],
                violation_error_message=_("Cette règle a déjà une valeur sur une partie de cette période."),
            ),
            models.CheckConstraint(
                name="parameter_starts_on_a_day",
                condition=models.Q(in_force__isempty=False, in_force__lower_inf=False),
                violation_error_message=_("Une règle commence un jour précis et dure au moins un jour."),
            ),
        ]
        triggers = [
            # What the law was on a past day never changes: old decisions must compute as they did.
            pgtrigger.Protect(name="parameter_is_never_deleted", operation=pgtrigger.Delete),
            # One thing may be written on a row: the day a new text ends it.
            pgtrigger.Trigger(
                name="parameter_may_only_be_closed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func="""
                    IF upper_inf(OLD.in_force)
                       AND NOT upper_inf(NEW.in_force)
                       AND NOT isempty(NEW.in_force)
                       AND lower(NEW.in_force) = lower(OLD.in_force)
                       AND to_jsonb(NEW) - 'in_force' = to_jsonb(OLD) - 'in_force'
                    THEN
                        RETURN NEW;
                    END IF;
                    RAISE EXCEPTION
                        'a rule in force is never rewritten: close its period and add a row (%)', OLD.name;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.in_force.lower:%d/%m/%Y})"
