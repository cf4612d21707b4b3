"""Rights that no year of work gives: volunteering, prevention points, work accidents, corrective rights,
former DIF hours, hours that prevent unfitness; and the change of hours into euros, or back, when somebody
changes sector.

Amounts come from the rulebook: of 31 December of the year for volunteering, of the day given for the
others. Each verb runs in a transaction of its own, has a key that tells the event, and gives the same
movement again for the same key. By an admin or the portal.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from django.db import models, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import rulebook
from accounts.actors import Actor
from accounts.models import HolderProfile
from accounts.permissions import NotAllowed
from rights import conversion, crediting, ledger
from rights.conversion import Limits, Source
from rights.crediting import Result, quantity
from rights.kinds import FunderKind, Measure, MovementKind, Origin, PocketKind, Unit
from rights.ledger import amount_in_words
from rights.models import Movement, Pocket
from rulebook import CreditingRules, Rules
from rulebook.workdays import months_later, paris_day
from ui import french

# How the keys of what is given here begin: a movement with another key is no award.
KEYS = ("volunteering", "c2p", "work-accident", "corrective", "dismissed", "dif", "prevention")
# Not law: they stop slips.
MOST_POINTS = 200
LONGEST_REFERENCE = 64
AWARDED_KINDS = (
    *(PocketKind.VOLUNTEER, PocketKind.PROFESSIONAL_RISK, PocketKind.WORK_ACCIDENT),
    *(PocketKind.CORRECTIVE, PocketKind.DOTATION, PocketKind.DIF),
)
YEARLY_KINDS = (PocketKind.ANNUAL, PocketKind.INCREASE, PocketKind.DIF)


class Activity(models.TextChoices):
    """What a volunteer may have done (C. trav. art. L. 5151-9); each is counted in its own unit."""

    CIVIC_SERVICE = "civic_service", gettext_lazy("Service civique (mois)")
    ASSOCIATION_LEADER = "association_leader", gettext_lazy("Bénévole dirigeant ou encadrant (heures)")
    OPERATIONAL_RESERVE = "operational_reserve", gettext_lazy("Réserve opérationnelle (jours)")
    CIVIC_RESERVE = "civic_reserve", gettext_lazy("Réserve civique (heures)")


class AwardRefused(Exception):
    """The law does not give this; the message is French. `field`: the column or form field it is about."""

    def __init__(self, message: str, *, field: str = ""):
        self.message, self.field = message, field
        super().__init__(message)


# --- Arithmetic ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """What is given, and what the cap cuts."""

    credit_cents: int
    lost_cents: int


def volunteering_part(*, held_cents: int, rules: Rules) -> Part:
    """One activity of one year: a flat sum, cut at the cap of the account."""
    room = max(rules.volunteer_cap_cents - held_cents, 0)
    credit = min(rules.volunteer_year_cents, room)
    return Part(credit, rules.volunteer_year_cents - credit)


def check_volunteering(
    activity: Activity, quantity: int, *, in_one_association: int | None, rules: Rules
) -> None:
    """AwardRefused: the year falls short of the threshold of this activity."""
    threshold = rules.volunteer_thresholds.get(activity)
    if threshold is None:
        raise AwardRefused(_("Aucune règle ne connaît cette activité cette année-là."), field="activity")
    if quantity < 0 or quantity > 366 * 24:
        raise AwardRefused(_("Cette durée ne tient pas dans une année."), field="quantity")
    if quantity < threshold:
        raise AwardRefused(
            _("%(activity)s : il faut %(threshold)s dans l’année, et il y en a %(quantity)s.")
            % {"activity": activity.label, "threshold": threshold, "quantity": quantity},
            field="quantity",
        )
    if activity == Activity.ASSOCIATION_LEADER:
        least = rules.volunteer_association_hours_min
        if in_one_association is None or in_one_association < least or in_one_association > quantity:
            raise AwardRefused(
                _("Dites combien d’heures dans une même association : il en faut %s au moins.") % least,
                field="in_one_association",
            )


# --- Verbs ---------------------------------------------------------------------------------------------


def credit_volunteering(
    holder: HolderProfile,
    *,
    activity: Activity,
    year: int,
    quantity: int,
    in_one_association: int | None = None,
    by: Actor,
    at: datetime.datetime,
) -> Movement:
    """A year of one activity: once, if its threshold is reached, up to the cap. AwardRefused."""
    _check_may(by)
    if year > paris_day(at).year:
        raise AwardRefused(_("%s n’est pas encore commencée.") % year, field="year")
    rules = _rules(datetime.date(year, 12, 31), field="year")
    key = f"volunteering:{activity}:{year}:{holder.pk}"
    with transaction.atomic():
        # Two activities at once would both see the account under its cap.
        _lock(holder)
        if (done := _done(key)) is not None:
            return done
        check_volunteering(activity, quantity, in_one_association=in_one_association, rules=rules)
        part = volunteering_part(held_cents=_volunteer_cents(holder), rules=rules)
        if not part.credit_cents:
            raise AwardRefused(
                _("Le compte d’engagement est à son plafond, %s : rien ne s’ajoute.")
                % french.euros(rules.volunteer_cap_cents)
            )
        formula = [
            (str(activity.label), str(quantity)),
            (_("Droits de l’année"), french.euros(rules.volunteer_year_cents)),
        ]
        if part.lost_cents:
            cap = french.euros(rules.volunteer_cap_cents)
            formula.append((_("Au-delà du plafond de %s, perdu") % cap, french.euros(part.lost_cents)))
        return ledger.credit(
            holder=holder,
            kind=PocketKind.VOLUNTEER,
            amount=part.credit_cents,
            key=key,
            value_date=datetime.date(year, 12, 31),
            at=at,
            by=by,
            reason=f"{activity.label} · {year}",
            formula=formula,
        )


def credit_points(
    holder: HolderProfile,
    *,
    points: int,
    reference: str,
    on: datetime.date,
    by: Actor,
    at: datetime.datetime,
) -> Movement:
    """Points of the prevention account (C2P), used for training on that day. Once per `reference`."""
    _check_may(by)
    if not 1 <= points <= MOST_POINTS:
        raise AwardRefused(_("Donnez de 1 à %s points.") % MOST_POINTS, field="points")
    worth = _rules(_past(on, at)).professional_risk_point_cents
    return _award(
        holder,
        kind=PocketKind.PROFESSIONAL_RISK,
        amount=points * worth,
        key=f"c2p:{_reference(reference)}",
        value_date=on,
        reason=_("Compte de prévention · %s") % reference,
        formula=[(_("Points"), str(points)), (_("Valeur d’un point"), french.euros(worth))],
        by=by,
        at=at,
    )


def credit_work_accident(
    holder: HolderProfile,
    *,
    rate_percent: int,
    reference: str,
    on: datetime.date,
    by: Actor,
    at: datetime.datetime,
) -> Movement:
    """A permanent incapacity after a work accident or an occupational disease. Once per `reference`."""
    _check_may(by)
    rules = _rules(_past(on, at))
    if not rules.work_accident_rate_min <= rate_percent <= 100:
        raise AwardRefused(
            _("Il faut une incapacité permanente d’au moins %s %%.") % rules.work_accident_rate_min,
            field="rate",
        )
    return _award(
        holder,
        kind=PocketKind.WORK_ACCIDENT,
        amount=rules.work_accident_cents,
        key=f"work-accident:{_reference(reference)}",
        value_date=on,
        reason=_("Accident du travail ou maladie professionnelle · %s") % reference,
        formula=[(_("Incapacité permanente"), f"{rate_percent}{french.NO_BREAK}%")],
        by=by,
        at=at,
    )


def credit_corrective(
    holder: HolderProfile,
    *,
    cause: Origin,
    employer: str,
    reference: str,
    on: datetime.date,
    by: Actor,
    at: datetime.datetime,
) -> Movement:
    """What an employer owes by law and has paid in: duty of interviews not kept, or dismissal under a
    performance agreement. Once per `reference`. With an envelope, see `dotations.grant`."""
    _check_may(by)
    rules = _rules(_past(on, at))
    amounts = {Origin.CORRECTIVE: rules.corrective_cents, Origin.DISMISSED: rules.dismissal_cents}
    if cause not in amounts:
        raise ValueError(f"{cause} is not owed by law")
    name = _employer(employer)
    kind = PocketKind.CORRECTIVE if cause == Origin.CORRECTIVE else PocketKind.DOTATION
    return _award(
        holder,
        kind=kind,
        amount=amounts[cause],
        key=f"{cause}:{_reference(reference)}",
        value_date=on,
        reason=f"{cause.label} · {name}",
        formula=[(str(cause.label), french.euros(amounts[cause]))],
        label=name,
        funder_kind=FunderKind.EMPLOYER,
        origin=cause,
        by=by,
        at=at,
    )


def transfer_dif(
    holder: HolderProfile,
    *,
    hours: Fraction | int,
    reference: str,
    on: datetime.date,
    by: Actor,
    at: datetime.datetime,
) -> Movement:
    """Hours of the former DIF, transferred on that day, while it was open. Once per `reference`."""
    _check_may(by)
    rules = _crediting_rules(_past(on, at))
    key = f"dif:{_reference(reference)}"
    with transaction.atomic():
        # Two transfers at once would both see the account under its ceiling.
        _lock(holder)
        asked = quantity(hours, Measure.HOURS)
        if (done := _again(key, holder, asked)) is not None:
            return done
        held = _given(holder, kind=PocketKind.DIF, unit=Unit.EUR_CENT)
        result = _judged(partial(crediting.transfer_dif, hours, held_cents=held, rules=rules))
        return ledger.credit(
            holder=holder,
            kind=PocketKind.DIF,
            amount=result.credit,
            key=key,
            value_date=on,
            at=at,
            by=by,
            reason=_("Report des heures de DIF · %s") % reference,
            formula=_lines(asked, result),
        )


def grant_prevention(
    holder: HolderProfile,
    *,
    hours: int,
    employer: str,
    reference: str,
    on: datetime.date,
    by: Actor,
    at: datetime.datetime,
) -> Movement:
    """Extra hours of a public agent, on a medical opinion, to prevent unfitness. Once per `reference`.

    Outside the caps, so in a purse of hours of its own, that the public employer pays; what is granted over a
    whole career has a limit.
    """
    _check_may(by)
    rules = _crediting_rules(_past(on, at))
    name = _employer(employer)
    key = f"prevention:{_reference(reference)}"
    with transaction.atomic():
        _lock(holder)
        asked = quantity(hours, Measure.HOURS)
        if (done := _again(key, holder, asked)) is not None:
            return done
        before = _given(holder, kind=PocketKind.DOTATION, unit=Unit.HOUR, keys="prevention:")
        result = _judged(partial(crediting.grant_prevention, hours, granted_before=before, rules=rules))
        return ledger.credit(
            holder=holder,
            kind=PocketKind.DOTATION,
            unit=Unit.HOUR,
            amount=result.credit,
            key=key,
            value_date=on,
            at=at,
            by=by,
            label=name,
            funder_kind=FunderKind.EMPLOYER,
            reason=_("Prévention de l’inaptitude · %s") % name,
            formula=_lines(asked, result),
        )


def cancel(movement: Movement, *, reason: str, by: Actor, at: datetime.datetime) -> Movement:
    """Undo an award given by mistake, by its counter-movement. Its reference does not serve again.

    AwardRefused: not an award, or no reason. ledger.LedgerError: undone already, or the holder has used it.
    """
    _check_may(by)
    if movement.kind != MovementKind.CREDIT or movement.key.partition(":")[0] not in KEYS:
        raise AwardRefused(_("Ce mouvement n’est pas une attribution."))
    if not reason.strip():
        raise AwardRefused(_("Donnez le motif : le titulaire le lira sur son relevé."), field="reason")
    with transaction.atomic():
        return ledger.reverse(
            movement=movement, key=f"reverse:{movement.pk}", at=at, by=by, reason=reason.strip()
        )


def convert(
    holder: HolderProfile,
    *,
    to: Unit,
    reference: str,
    on: datetime.date,
    by: Actor,
    at: datetime.datetime,
    has_higher_cap: bool = False,
) -> list[Movement]:
    """The holder has changed sector: yearly rights and volunteering into the other unit.

    Effects: two movements a purse, through the conversion pockets; what the limits leave out stays where it
    is. `has_higher_cap`: low-qualified, category C. AwardRefused: there is nothing to convert.
    """
    _check_may(by)
    rules = _rules(_past(on, at))
    key = f"conversion:{_reference(reference)}"
    with transaction.atomic():
        _lock(holder)
        done = list(Movement.objects.filter(key__startswith=f"{key}:").order_by("id"))
        if done:
            if {_owner(movement) for movement in done} != {holder.pk}:
                raise ledger.KeyReused(key)
            return done
        held = _Held(holder)
        find = _to_hours if to == Unit.HOUR else _to_euros
        changes = find(held, on, rules, has_higher_cap)
        if not changes:
            raise AwardRefused(
                _("Rien ne se convertit : il n’y a rien dans l’autre unité, ou les plafonds sont atteints."),
                field="to",
            )
        return ledger.convert(
            changes,
            holder=holder,
            key=key,
            at=at,
            by=by,
            reason=_("Changement de secteur · %s") % reference,
            value_date=on,
            formula=[
                (_("Valeur d’une heure"), french.euros(rules.conversion_hour_cents)),
                (_("Valeur d’une heure d’engagement"), french.euros(rules.conversion_volunteer_hour_cents)),
            ],
        )


# --- What they are made of -------------------------------------------------------------------------------


class _Held:
    """What a holder has in each unit of what converts, under lock until the transaction ends."""

    def __init__(self, holder: HolderProfile):
        self.holder = holder
        kinds = (*YEARLY_KINDS, PocketKind.VOLUNTEER)
        pockets = (
            Pocket.objects.select_for_update(no_key=True).filter(holder=holder, kind__in=kinds).order_by("pk")
        )
        self.pockets = [pocket for pocket in pockets if pocket.balance]

    def sources(self, unit: Unit, *kinds: PocketKind) -> list[Source]:
        found = [pocket for pocket in self.pockets if pocket.unit == unit and pocket.kind in kinds]
        found.sort(key=lambda pocket: (kinds.index(PocketKind(pocket.kind)), str(pocket.pk)))
        return [Source(pocket.pk, PocketKind(pocket.kind), pocket.balance or 0) for pocket in found]

    def total(self, unit: Unit, *kinds: str) -> int:
        return sum(
            pocket.balance or 0 for pocket in self.pockets if pocket.unit == unit and pocket.kind in kinds
        )


def _to_hours(held: _Held, on: datetime.date, rules: Rules, has_higher_cap: bool) -> list[ledger.Change]:
    steps = rules.public_category_c_hour_steps if has_higher_cap else rules.public_hour_steps
    limits = Limits(
        cap=steps[-1][-1],
        held=held.total(Unit.HOUR, PocketKind.ANNUAL),
        hours_left=_hours_left(held.holder, on, rules),
    )
    changes = conversion.to_hours(
        held.sources(Unit.EUR_CENT, *YEARLY_KINDS), limits, hour_cents=rules.conversion_hour_cents
    )
    for source in held.sources(Unit.EUR_CENT, PocketKind.VOLUNTEER):
        changes += conversion.volunteer_to_hours(source, hour_cents=rules.conversion_volunteer_hour_cents)
    return changes


def _to_euros(held: _Held, on: datetime.date, rules: Rules, has_higher_cap: bool) -> list[ledger.Change]:
    changes: list[ledger.Change] = []
    for source in held.sources(Unit.HOUR, PocketKind.ANNUAL):
        limits = Limits(
            cap=rules.increased_cap_cents if has_higher_cap else rules.annual_cap_cents,
            held=held.total(Unit.EUR_CENT, *rules.capped_purses),
            hours_left=_hours_left(held.holder, on, rules),
        )
        changes += conversion.to_euros(source, limits, hour_cents=rules.conversion_hour_cents)
    for source in held.sources(Unit.HOUR, PocketKind.VOLUNTEER):
        limits = Limits(cap=rules.volunteer_cap_cents, held=_volunteer_cents(held.holder))
        changes += conversion.volunteer_to_euros(
            source, limits, hour_cents=rules.conversion_volunteer_hour_cents
        )
    return changes


def _hours_left(holder: HolderProfile, on: datetime.date, rules: Rules) -> int | None:
    """What the moves of the last years leave; volunteering has no such limit. None: it is the first one."""
    hours = Movement.objects.filter(
        models.Q(kind=MovementKind.CONVERSION_OUT, source__holder=holder, source__kind=PocketKind.ANNUAL)
        | models.Q(kind=MovementKind.CONVERSION_IN, target__holder=holder, target__kind=PocketKind.ANNUAL),
        source__unit=Unit.HOUR,
        value_date__gt=months_later(on, -12 * rules.conversion_years),
    ).aggregate(total=Sum("amount"))["total"]
    return conversion.hours_left(
        hours_before=hours or 0, hours_max=rules.conversion_hours_max, is_first=hours is None
    )


def _volunteer_cents(holder: HolderProfile) -> int:
    """What the volunteer account holds, what waits for a training included: it may come back."""
    mine = {"holder": holder, "kind": PocketKind.VOLUNTEER, "unit": Unit.EUR_CENT}
    free = Pocket.objects.filter(**mine).aggregate(total=Sum("balance"))["total"] or 0
    waiting = Movement.objects.filter(
        kind=MovementKind.RESERVE,
        source__holder=holder,
        source__kind=PocketKind.VOLUNTEER,
        source__unit=Unit.EUR_CENT,
        target__balance__gt=0,
    ).aggregate(total=Sum("target__balance"))["total"]
    return free + (waiting or 0)


def _owner(movement: Movement) -> object:
    return movement.source.holder_id or movement.target.holder_id


def _award(
    holder: HolderProfile,
    *,
    kind: PocketKind,
    amount: int,
    key: str,
    by: Actor,
    at: datetime.datetime,
    value_date: datetime.date,
    reason: str,
    formula: list[tuple[str, str]],
    label: str = "",
    funder_kind: FunderKind | None = None,
    origin: Origin | None = None,
) -> Movement:
    with transaction.atomic():
        _done(key)
        return ledger.credit(
            holder=holder,
            kind=kind,
            amount=amount,
            key=key,
            at=at,
            by=by,
            value_date=value_date,
            reason=reason,
            formula=[*formula, (_("Montant"), amount_in_words(amount, Unit.EUR_CENT))],
            label=label,
            funder_kind=funder_kind,
            origin=origin,
        )


def _check_may(by: Actor) -> None:
    if not (by.is_admin or by.is_system):
        raise NotAllowed(_("Seule l’administration attribue ces droits."))


def _done(key: str) -> Movement | None:
    """What this event gave already. AwardRefused: it was given, then cancelled."""
    movement = Movement.objects.filter(key=key).select_related("target").first()
    if movement is not None and Movement.objects.filter(reverses=movement).exists():
        raise AwardRefused(
            _("Cette attribution a été annulée. Si elle est due, donnez une autre référence."),
            field="reference",
        )
    return movement


def _given(holder: HolderProfile, *, kind: PocketKind, unit: Unit, keys: str = "") -> int:
    """All that was credited of this kind and not undone, used or not."""
    credits = Movement.objects.filter(
        kind=MovementKind.CREDIT,
        target__holder=holder,
        target__kind=kind,
        target__unit=unit,
        key__startswith=keys,
        reversed_by=None,
    )
    return credits.aggregate(total=Sum("amount"))["total"] or 0


def _again(key: str, holder: HolderProfile, asked: str) -> Movement | None:
    """What this event gave already. KeyReused: to somebody else, or for other hours."""
    done = _done(key)
    if done is not None and (done.target.holder_id != holder.pk or done.formula[0][1] != asked):
        raise ledger.KeyReused(key)
    return done


def _judged(compute: Callable[[], Result]) -> Result:
    """What the law gives. AwardRefused: nothing."""
    try:
        result = compute()
    except crediting.NotCreditable as error:
        raise AwardRefused(str(error), field="hours") from error
    if not result.credit:
        cap = amount_in_words(result.cap, result.unit)
        raise AwardRefused(
            _("Rien ne s’ajoute : le plafond de %s est atteint.") % cap
            if result.lost
            else _("Zéro heure ne donne rien."),
            field="hours",
        )
    return result


def _lines(asked: str, result: Result) -> list[tuple[str, str]]:
    """The first one tells a repeated request from another one."""
    return [(_("Heures"), asked), *((what, how_much) for what, how_much, _link in result.formula)]


def _employer(employer: str) -> str:
    name = employer.strip()
    if not name or len(name) > ledger.LONGEST_LABEL or not name.isprintable():
        raise AwardRefused(_("Donnez le nom de l’employeur qui a versé."), field="employer")
    return name


def _reference(text: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST_REFERENCE or not text.isprintable():
        raise AwardRefused(
            _("Donnez la référence de la décision, %s caractères au plus.") % LONGEST_REFERENCE,
            field="reference",
        )
    return text


def _past(on: datetime.date, at: datetime.datetime) -> datetime.date:
    if on > paris_day(at):
        raise AwardRefused(_("Cette date est dans le futur."), field="on")
    return on


def _rules(day: datetime.date, *, field: str = "on") -> Rules:
    try:
        return rulebook.on(day)
    except rulebook.NoRuleInForce as error:
        raise AwardRefused(
            _("Aucune règle n’est connue pour le %s.") % french.short_day(day), field=field
        ) from error


def _crediting_rules(day: datetime.date) -> CreditingRules:
    """Those that fed accounts before the portal opened too."""
    try:
        return rulebook.crediting_on(day)
    except rulebook.NoRuleInForce as error:
        raise AwardRefused(
            _("Aucune règle n’est connue pour le %s.") % french.short_day(day), field="on"
        ) from error


def _lock(holder: HolderProfile) -> None:
    """Before its pockets (docs/locks.md)."""
    HolderProfile.objects.select_for_update(no_key=True).get(pk=holder.pk)
