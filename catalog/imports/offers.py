"""A catalogue becomes offers: trainings, their actions, their sessions (docs/imports.md).

The format is told by its namespace: the portal's own (edof.py), or the nation's, LHEO (lheo.py). One offer is
one action. It is refused when it cannot be kept as written: shape, number, organisation or certification
unknown, dates and prices that say nothing. It is kept but hidden when the rules do not open it today: ended
certification, organisation not entitled, Qualiopi kind missing; the day they do, it shows.

Offers that the file does not hold are left alone. Sessions are given whole: one that its action no longer
gives stops recruiting. What people with a dossier were promised stays (catalog.promises).
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from lxml import etree

import rulebook
from catalog import eligibility, indexing, promises
from catalog.geography import point_of
from catalog.imports import edof, lheo, loading, reading, report, snapshots, values
from catalog.imports.actions import Action, Place, SessionRow
from catalog.imports.edof_schema import Fault
from catalog.imports.reading import Progress, Source, Unusable, line_of
from catalog.imports.report import Report
from catalog.imports.towns import Towns
from catalog.models import Certification, CertificationBlock, ImportRun, Offer, Provider, Session, Town
from rulebook import Rules, workdays
from ui import french

MAX_BYTES = 500 * 2**20
LOT = 100
FAR_KM = (
    60  # a place further from its town's position is a slip: approximate positions are 30 km off at worst
)
# Namespace → what reads the trainings of that format.
FORMATS = {edof.NAMESPACE: edof.actions, **dict.fromkeys(lheo.NAMESPACES, lheo.actions)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action that was kept. `before` is None for a new offer; snapshots of both."""

    line: int
    subject: str
    offer: Offer
    before: dict[str, Any] | None
    after: dict[str, Any]


Watch = Callable[[Outcome], None]


def run(
    file: str,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Progress | None = None,
    only: Provider | None = None,
    watch: Watch | None = None,
) -> Report:
    """Imports one catalogue (.xml, gzip or zip). Unusable: nothing was written.

    `only`: every other organisation's action is refused. `watch` is told of each action that was kept.
    """
    work = partial(_work, at=at, only=only, watch=watch)
    return report.run(ImportRun.Kind.CATALOGUE, file, work, at=at, dry_run=dry_run, progress=progress)


def _work(
    source: Source, result: Report, *, at: datetime, only: Provider | None, watch: Watch | None
) -> None:
    rules = rulebook.on(workdays.paris_day(at))

    def refuse_stray(line: int, name: str) -> None:
        # Other data may follow the trainings; what is misspelled may be one of them.
        if name != "extras":
            result.read += 1
            result.refuse(line, f"<{name[:60]}>", _("cet élément n'est pas attendu dans <offres>."))

    trainings = reading.xml_records(
        source, root="lheo", record="formation", depth=2, max_bytes=MAX_BYTES, on_stray=refuse_stray
    )
    seen: dict[tuple[str, str, str], int] = {}
    for lot in loading.lots(_actions(trainings, rules), LOT):
        for action in lot:
            result.read += 1
            _refuse_twice(action, seen)
        _Lot(lot, result, at=at, rules=rules, only=only, watch=watch).write()


def _refuse_twice(action: Action, seen: dict[tuple[str, str, str], int]) -> None:
    if not all(action.key):
        return
    if action.key in seen:
        action.faults.append(
            Fault(
                action.line,
                _("l'action est déjà dans le fichier, ligne %(line)d : même organisme, mêmes numéros.")
                % {"line": seen[action.key]},
            )
        )
    seen.setdefault(action.key, action.line)


def _actions(trainings: Iterable, rules: Rules) -> Iterator[Action]:
    """Every action of every training; a training without any is one of its own, to be refused."""
    for training in trainings:
        read = FORMATS.get(etree.QName(training).namespace)
        if read is None:
            raise Unusable(
                _(
                    "Ce catalogue n'est d'aucun format que le portail lit. L'espace de noms de <lheo> est"
                    " celui du portail (%(portal)s) ou de LHEO 2.2 ou 2.3 (%(lheo)s)."
                )
                % {"portal": edof.NAMESPACE, "lheo": ", ".join(lheo.NAMESPACES)},
                line=line_of(training),
            )
        yield from read(training, rules)


# --- Judging and writing ----------------------------------------------------------------------------


class _Lot:
    """Some actions, judged and written with a bounded number of queries whatever their number."""

    def __init__(
        self,
        actions: list[Action],
        result: Report,
        *,
        at: datetime,
        rules: Rules,
        only: Provider | None,
        watch: Watch | None,
    ):
        self.actions, self.result, self.at, self.rules = actions, result, at, rules
        self.only, self.watch = only, watch
        self.providers = {
            provider.organisation.siret: provider
            for provider in Provider.objects.filter(
                organisation__siret__in={action.siret for action in actions if action.siret}
            )
            .select_related("organisation")
            .order_by("pk")
        }
        codes = {action.register_code for action in actions if action.register_code}
        self.certifications = {
            certification.code: certification
            for certification in Certification.objects.filter(code__in=codes)
            .only("code", "register", "number")
            .order_by("pk")
        }
        blocks = {code for action in actions for _line, code in action.blocks}
        self.blocks = set(
            CertificationBlock.objects.filter(code__in=blocks)
            .values_list("certification_id", "code")
            .order_by("pk")
            if blocks
            else ()
        )
        places = {action.place.address for action in actions if action.place}
        self.towns = Towns(places) if places else None

    def write(self) -> None:
        kept = []
        for action in self.actions:
            self._judge(action)
            if action.faults:
                self.result.refuse_faults(action.line, action.subject, action.faults)
            else:
                kept.append(action)
        if not kept:
            return
        stored = self._stored(kept)
        kept = [action for action in kept if not self._breaks_a_promise(action, stored)]
        before = _snapshots(stored.values()) if self.watch else {}
        offers = self._write_offers(kept, stored)
        self._write_sessions(kept, offers)
        if written := self.created | self.changed:
            indexing.reindex(sorted(written), on=self.rules.day)
        if self.watch:
            self._tell_outcomes(kept, offers, before)
        self._tell_hidden(kept, offers)

    def _judge(self, action: Action) -> None:
        """What only our own data can tell."""

        def fault(line: int, reason: str) -> None:
            action.faults.append(Fault(line, reason))

        if action.siret and self.only and action.siret != self.only.organisation.siret:
            fault(
                action.siret_line,
                _("le SIRET %(siret)s n'est pas celui de votre organisme : %(own)s.")
                % {"siret": action.siret, "own": self.only.organisation.siret},
            )
        elif action.siret and action.siret not in self.providers:
            fault(
                action.siret_line,
                _("aucun organisme de formation du portail n'a le SIRET %(siret)s.")
                % {"siret": action.siret},
            )
        if action.register_code and action.register_code not in self.certifications:
            fault(
                action.code_line,
                _("la certification %(code)s n'est pas dans le répertoire du portail.")
                % {"code": values.short(action.register_code)},
            )
        if action.register_code in self.certifications:
            for line, code in action.blocks:
                if (action.register_code, code) not in self.blocks:
                    fault(
                        line,
                        _("le bloc « %(block)s » n'est pas de la certification %(code)s.")
                        % {"block": values.short(code), "code": action.register_code},
                    )
        if action.place:
            self._judge_place(action, action.place, fault)

    def _judge_place(self, action: Action, place: Place, fault) -> None:
        town = self.towns.find(*place.address)
        if town is None:
            fault(
                place.line,
                _("aucune commune « %(town)s » n'a le code postal %(postal_code)s.")
                % {"town": values.short(place.town_name), "postal_code": place.postal_code},
            )
            return
        action.fields |= {"town": town, "point": self._point(action, place, town)}

    def _point(self, action: Action, place: Place, town: Town):
        if place.degrees is None:
            return town.point
        latitude, longitude = place.degrees
        if abs(latitude - town.latitude) * 111 > FAR_KM or abs(longitude - town.longitude) * 75 > FAR_KM:
            self.result.remark(
                place.line,
                action.subject,
                _("la position donnée est loin de %(town)s : celle de la commune est retenue.")
                % {"town": town},
            )
            return town.point
        return point_of(latitude=latitude, longitude=longitude, department=town.department)

    def _fields(self, action: Action) -> dict[str, Any]:
        kind = (
            self.rules.portal_code_kinds[action.portal_code] if action.portal_code else Offer.Kind.CERTIFYING
        )
        return action.fields | {
            "kind": kind,
            "certification_id": action.register_code or None,
            "portal_code": action.portal_code,
            "block_codes": list(dict.fromkeys(code for _line, code in action.blocks)),
        }

    def _stored(self, kept: list[Action]) -> dict[tuple[str, str, str], Offer]:
        """The offers we already have of these actions, by their key in the file."""
        sirets = {self.providers[action.siret].pk: action.siret for action in kept}
        stored = {
            (sirets[offer.provider_id], offer.training_number, offer.action_number): offer
            for offer in Offer.objects.filter(
                provider__in=sirets.keys(), training_number__in={action.training_number for action in kept}
            ).order_by("pk")
        }
        stored = {action.key: stored[action.key] for action in kept if action.key in stored}
        self.fields = {action.key: self._fields(action) for action in kept}
        self.held = promises.offers_held(
            [offer.pk for key, offer in stored.items() if promises.broken(offer, self._columns(key))]
        )
        return stored

    def _columns(self, key: tuple[str, str, str]) -> dict[str, Any]:
        fields = self.fields[key]
        return fields | {"town_id": fields["town"].pk if fields["town"] else None}

    def _breaks_a_promise(self, action: Action, stored: dict[tuple[str, str, str], Offer]) -> bool:
        offer = stored.get(action.key)
        if offer is None or offer.pk not in self.held:
            return False
        self.result.refuse(
            action.line,
            action.subject,
            _(
                "des personnes ont un dossier sur cette offre : sa nature, sa certification, sa modalité"
                " et sa commune ne changent plus. Donnez un autre numéro à l'action."
            ),
        )
        return True

    def _write_offers(
        self, kept: list[Action], stored: dict[tuple[str, str, str], Offer]
    ) -> dict[tuple[str, str, str], Offer]:
        offers: dict[tuple[str, str, str], Offer] = {}
        created, changed, names = [], [], set()
        for action in kept:
            fields = self.fields[action.key]
            names |= fields.keys()
            offer = stored.get(action.key)
            if offer is None:
                offer = Offer(
                    provider=self.providers[action.siret],
                    training_number=action.training_number,
                    action_number=action.action_number,
                    updated_at=self.at,
                    **fields,
                )
                created.append(offer)
            elif _differs(offer, fields):
                self._tell_hand_edited(action, offer)
                for name, value in fields.items():
                    setattr(offer, name, value)
                offer.updated_at, offer.hand_edited_at = self.at, None
                changed.append(offer)
            offers[action.key] = offer
        Offer.objects.bulk_create(created)
        Offer.objects.bulk_update(changed, [*sorted(names), "updated_at", "hand_edited_at"])
        self.created = {offer.pk for offer in created}
        self.changed = {offer.pk for offer in changed}
        return offers

    def _tell_hand_edited(self, action: Action, offer: Offer) -> None:
        if offer.hand_edited_at:
            self.result.remark(
                action.line,
                action.subject,
                _("modifiée à la main le %(day)s : l'import remplace ces changements.")
                % {"day": french.short_day(offer.hand_edited_at)},
            )

    def _write_sessions(self, kept: list[Action], offers: dict) -> None:
        stored: dict[Any, dict[str, Session]] = {}
        known = [offer.pk for offer in offers.values() if offer.pk not in self.created]
        for session in Session.objects.filter(offer__in=known).order_by("pk") if known else ():
            stored.setdefault(session.offer_id, {})[session.number] = session
        held = self._sessions_held(kept, offers, stored)
        created, changed = [], []
        for action in kept:
            offer = offers[action.key]
            before = stored.get(offer.pk, {})
            for row in action.sessions:
                session = before.pop(row.number, None)
                if session and session.pk in held:
                    row = self._keep_dates(action, row, session)
                if session is None:
                    created.append(Session(offer=offer, number=row.number, **row.fields))
                elif _differs(session, row.fields):
                    for name, value in row.fields.items():
                        setattr(session, name, value)
                    changed.append(session)
                else:
                    continue
                self.changed.add(offer.pk)
            for session in before.values():
                if session.recruitment != Session.Recruitment.CLOSED:
                    session.recruitment = Session.Recruitment.CLOSED
                    changed.append(session)
                    self.changed.add(offer.pk)
        Session.objects.bulk_create(created)
        Session.objects.bulk_update(
            changed, ["starts_on", "ends_on", "recruitment", "is_guaranteed", "details"]
        )
        changed_offers = self.changed - self.created
        self.result.created += len(self.created)
        self.result.updated += len(changed_offers)
        self.result.unchanged += len(offers) - len(self.created) - len(changed_offers)

    def _sessions_held(self, kept: list[Action], offers: dict, stored: dict[Any, dict[str, Session]]) -> set:
        """The sessions that the file would move, and that people have a dossier on."""
        moved = [
            session.pk
            for action in kept
            for row in action.sessions
            if (session := stored.get(offers[action.key].pk, {}).get(row.number))
            and promises.broken(session, row.fields)
        ]
        return promises.sessions_held(moved)

    def _keep_dates(self, action: Action, row: SessionRow, session: Session) -> SessionRow:
        self.result.remark(
            row.line,
            action.subject,
            _(
                "des personnes ont un dossier sur la session « %(number)s » : ses dates ne changent plus."
                " Donnez un autre numéro aux nouvelles dates."
            )
            % {"number": row.number},
        )
        return SessionRow(
            row.line,
            row.number,
            row.fields | {"starts_on": session.starts_on, "ends_on": session.ends_on},
        )

    def _tell_outcomes(self, kept: list[Action], offers: dict, before: dict[Any, dict[str, Any]]) -> None:
        # Read again: a snapshot is compared with what is stored later, so it is made of what was stored.
        written = Offer.objects.filter(pk__in=[offer.pk for offer in offers.values()])
        after = _snapshots(written.order_by("pk"))
        for action in kept:
            offer = offers[action.key]
            self.watch(Outcome(action.line, action.subject, offer, before.get(offer.pk), after[offer.pk]))

    def _tell_hidden(self, kept: list[Action], offers: dict) -> None:
        # Read again: the licence's category is the database's to say.
        written = {
            offer.pk: offer
            for offer in Offer.objects.filter(pk__in=[offer.pk for offer in offers.values()])
            .select_related("provider__organisation", "certification")
            .order_by("pk")
        }
        facts = eligibility.facts_of_each(written.values())
        for action in kept:
            reasons = eligibility.refusals(facts[offers[action.key].pk], on=self.rules.day, rules=self.rules)
            if reasons:
                self.result.hide(action.line, action.subject, *(reason.sentence for reason in reasons))


def _snapshots(offers: Collection[Offer]) -> dict[Any, dict[str, Any]]:
    sessions: dict[Any, list[Session]] = {offer.pk: [] for offer in offers}
    for session in Session.objects.filter(offer__in=list(sessions)).order_by("number"):
        sessions[session.offer_id].append(session)
    return {offer.pk: snapshots.of(offer, sessions[offer.pk]) for offer in offers}


def _differs(row, fields: dict[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in fields.items() if name != "town") or (
        "town" in fields and row.town_id != (fields["town"].pk if fields["town"] else None)
    )
