"""A catalogue becomes offers: trainings, their actions, their sessions (docs/imports.md).

The format is told by its namespace: the portal's own (edof.py), or the nation's, LHEO (lheo.py). One offer is
one action. It is refused when it cannot be kept as written: shape, number, organisation or certification
unknown, dates and prices that say nothing. It is kept but hidden when the rules do not open it today: ended
certification, organisation not entitled, Qualiopi kind missing; the day they do, it shows.

Offers that the file does not hold are left alone. Sessions are given whole: one that its action no longer
gives stops recruiting. What people with a dossier were promised stays (catalog.promises).
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from lxml import etree

import rulebook
from catalog import eligibility, promises
from catalog.geography import point_of
from catalog.imports import certif_info, edof, lheo, loading, reading, report, snapshots, values
from catalog.imports.actions import Action, Place, SessionRow
from catalog.imports.edof_schema import Fault
from catalog.imports.reading import Progress, Source, Unusable, line_of
from catalog.imports.report import Report
from catalog.imports.towns import TownBook
from catalog.imports.twins import Twins
from catalog.imports.writing import Writer, fresh_ids
from catalog.models import Certification, CertificationBlock, ImportRun, Offer, Provider, Session, Town
from rulebook import Rules, workdays
from ui import french

MAX_BYTES = 500 * 2**20
LOT = 500
# Lots before which the planner is told how many rows there are by now: it would take the tables for empty.
STATISTICS_AT = frozenset({2, 10, 50})
FAR_KM = (
    60  # a place further from its town's position is a slip: approximate positions are 30 km off at worst
)
# Root → how deep its trainings stand.
ROOTS = {"lheo": 2, "lheo-plus": 3}
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
    encoding: str = "",
    only: Provider | None = None,
    watch: Watch | None = None,
) -> Report:
    """Imports one catalogue (.xml, gzip or zip). Unusable: nothing was written.

    `only`: every other organisation's action is refused. `watch` is told of each action that was kept.
    """
    work = partial(_work, at=at, only=only, watch=watch)
    return report.run(
        ImportRun.Kind.CATALOGUE, file, work, at=at, dry_run=dry_run, progress=progress, encoding=encoding
    )


def _work(
    source: Source, result: Report, *, at: datetime, only: Provider | None, watch: Watch | None
) -> None:
    rules = rulebook.on(workdays.paris_day(at))

    def refuse_stray(line: int, name: str) -> None:
        # Other data may follow the trainings; what is misspelled may be one of them.
        if name != "extras":
            result.read += 1
            result.refuse(line, f"<{name[:60]}>", _("cet élément n'est pas attendu dans <offres>."))

    root = check_root(source)
    trainings = reading.xml_records(
        source,
        root=root,
        record="formation",
        depth=ROOTS[root],
        max_bytes=MAX_BYTES,
        on_stray=refuse_stray,
    )
    seen: dict[tuple[str, str, str], int] = {}
    twins, towns = Twins(rules), TownBook()
    before: _Lot | None = None
    with Writer(on=rules.day) as writer:
        # While one lot is written, the next one is read.
        for number, lot in enumerate(loading.lots(_actions(trainings, rules), LOT)):
            writer.wait()
            if before:
                before.tell()
            if number in STATISTICS_AT:
                loading.refresh_statistics(Offer, Session)
            for action in lot:
                result.read += 1
                _refuse_twice(action, seen)
            before = _Lot(lot, result, at=at, rules=rules, only=only, watch=watch, twins=twins, towns=towns)
            before.write(writer)
        writer.wait()
        if before:
            before.tell()


def check_root(source: Source) -> str:
    """The name of the root. Unusable: it is no catalogue; what to do with it instead, when that is known."""
    root = reading.root_of(replace(source, progress=None))
    if root == lheo.INDEX:
        raise Unusable(
            _(
                "C'est un index LHEO : il résume des offres sans en dire ni le prix ni le numéro. Importez"
                " les fichiers qu'il cite. Ses organismes se lisent avec la liste des organismes."
            )
        )
    if root not in ROOTS:
        raise Unusable(
            _("Ce fichier n'est pas du format attendu : sa racine est <%(found)s>, on attend <%(wanted)s>.")
            % {"found": root[:60], "wanted": "lheo"}
        )
    return root


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
        twins: Twins,
        towns: TownBook,
    ):
        self.actions, self.result, self.at, self.rules = actions, result, at, rules
        self.only, self.watch, self.twins = only, watch, twins
        self.towns = towns
        self.providers = {
            provider.organisation.siret: provider
            for provider in Provider.objects.filter(
                organisation__siret__in={action.siret for action in actions if action.siret}
            )
            .select_related("organisation")
            .order_by("pk")
        }
        self._name_by_certif_info()
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
        self.kept: list[Action] = []
        self.ids: dict[tuple[str, str, str], UUID] = {}
        towns.look_up({action.place.address for action in actions if action.place})

    def _name_by_certif_info(self) -> None:
        """Gives the code of the registers to the actions that only have Certif Info's number of it."""
        numbers = {number for action in self.actions for number in action.certif_info}
        if not numbers:
            return
        meant = certif_info.meant_by(numbers, on=workdays.paris_day(self.at))
        for action in self.actions:
            if not action.certif_info:
                continue
            codes = sorted({code for number in action.certif_info for code in meant[number]})
            if len(codes) == 1:
                action.register_code = codes[0]
                continue
            words = {
                "numbers": values.short(", ".join(action.certif_info)),
                "codes": values.short(", ".join(codes)),
            }
            reason = (
                _("Certif Info nomme plusieurs certifications par %(numbers)s : %(codes)s.")
                if codes
                else _("aucune certification RNCP ou RS du portail n'a le numéro Certif Info %(numbers)s.")
            )
            advice = _("Écrivez son numéro dans <code-RNCP> ou <code-RS>.")
            action.faults.append(Fault(action.code_line, f"{reason % words} {advice}"))

    def write(self, writer: Writer) -> None:
        """Refuses what must be, writes what changes, begins to write what is new."""
        kept: list[Action] = []
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
        self.kept = self._without_twins(kept, stored)
        self.before = _snapshots(stored.values()) if self.watch else {}
        new = self._write_offers(stored)
        sessions = self._write_sessions()
        writer.write(new, sessions, touched=self.created | self.changed)

    def tell(self) -> None:
        """What became of each, once all is written."""
        if self.kept and self.watch:
            self._tell_outcomes(self.watch)
        if self.kept:
            self._tell_hidden()

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
        town = self.towns.find(place.address)
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
                provider__in=sirets.keys(),
                training_number__in={action.training_number for action in kept},
                action_number__in={action.action_number for action in kept},
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

    def _without_twins(self, kept: list[Action], stored: dict) -> list[Action]:
        """Refuses a new action that nobody could tell from another; of one that we have already, says so."""
        self.twins.look_up(kept, self.providers)
        refused = set()
        # What stands already comes first: of two alike, the new one goes, whatever their order in the file.
        for action in sorted(kept, key=lambda action: action.key not in stored):
            is_new = action.key not in stored
            twin = self.twins.meet(action, self.fields[action.key], is_new=is_new)
            if twin and twin.is_sure and is_new:
                self.result.refuse(action.line, action.subject, twin.sentence)
                refused.add(action.key)
            elif twin:
                self.result.remark(action.line, action.subject, twin.sentence)
        return [action for action in kept if action.key not in refused]

    def _write_offers(self, stored: dict[tuple[str, str, str], Offer]) -> list[dict[str, Any]]:
        """Writes those that change; the columns of those that are new."""
        created: list[dict[str, Any]] = []
        changed: list[Offer] = []
        names: set[str] = set()
        fresh = iter(fresh_ids(len(self.kept)))
        for action in self.kept:
            fields = self.fields[action.key]
            offer = stored.get(action.key)
            if offer is None:
                self.ids[action.key] = next(fresh)
                created.append(self._columns(action.key) | self._identity(action))
                continue
            self.ids[action.key] = offer.pk
            if _differs(offer, fields):
                self._tell_hand_edited(action, offer)
                for name, value in fields.items():
                    setattr(offer, name, value)
                offer.updated_at, offer.hand_edited_at = self.at, None
                names |= fields.keys()
                changed.append(offer)
        if changed:
            Offer.objects.bulk_update(changed, [*sorted(names), "updated_at", "hand_edited_at"])
        self.created = {row["id"] for row in created}
        self.changed = {offer.pk for offer in changed}
        return created

    def _identity(self, action: Action) -> dict[str, Any]:
        return {
            "id": self.ids[action.key],
            "provider_id": self.providers[action.siret].pk,
            "training_number": action.training_number,
            "action_number": action.action_number,
            "is_published": True,
            "updated_at": self.at,
        }

    def _tell_hand_edited(self, action: Action, offer: Offer) -> None:
        if offer.hand_edited_at:
            self.result.remark(
                action.line,
                action.subject,
                _("modifiée à la main le %(day)s : l'import remplace ces changements.")
                % {"day": french.short_day(offer.hand_edited_at)},
            )

    def _write_sessions(self) -> list[tuple]:
        """Writes those that change; the rows of those that are new, in the order of SESSION_COLUMNS."""
        stored: dict[Any, dict[str, Session]] = {}
        known = [pk for pk in self.ids.values() if pk not in self.created]
        for session in Session.objects.filter(offer__in=known).order_by("pk") if known else ():
            stored.setdefault(session.offer_id, {})[session.number] = session
        held = self._sessions_held(stored)
        fresh = iter(fresh_ids(sum(len(action.sessions) for action in self.kept)))
        created: list[tuple] = []
        changed = []
        for action in self.kept:
            pk = self.ids[action.key]
            before = stored.get(pk, {})
            for row in action.sessions:
                session = before.pop(row.number, None)
                if session and session.pk in held:
                    row = self._keep_dates(action, row, session)
                if session is None:
                    values = (row.fields[name] for name in snapshots.SESSION_FIELDS)
                    created.append((next(fresh), pk, row.number, *values))
                elif _differs(session, row.fields):
                    for name, value in row.fields.items():
                        setattr(session, name, value)
                    changed.append(session)
                else:
                    continue
                self.changed.add(pk)
            for session in before.values():
                if session.recruitment != Session.Recruitment.CLOSED:
                    session.recruitment = Session.Recruitment.CLOSED
                    changed.append(session)
                    self.changed.add(pk)
        if changed:
            Session.objects.bulk_update(changed, snapshots.SESSION_FIELDS)
        changed_offers = self.changed - self.created
        self.result.created += len(self.created)
        self.result.updated += len(changed_offers)
        self.result.unchanged += len(self.ids) - len(self.created) - len(changed_offers)
        return created

    def _sessions_held(self, stored: dict[Any, dict[str, Session]]) -> set:
        """The sessions that the file would move, and that people have a dossier on."""
        moved = [
            session.pk
            for action in self.kept
            for row in action.sessions
            if (session := stored.get(self.ids[action.key], {}).get(row.number))
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

    def _tell_outcomes(self, watch: Watch) -> None:
        # Read again: a snapshot is compared with what is stored later, so it is made of what was stored.
        written = Offer.objects.filter(pk__in=self.ids.values()).order_by("pk").in_bulk()
        after = _snapshots(written.values())
        for action in self.kept:
            pk = self.ids[action.key]
            watch(Outcome(action.line, action.subject, written[pk], self.before.get(pk), after[pk]))

    def _tell_hidden(self) -> None:
        # Most are open: only of the others are the reasons looked for. Asked of the database: the licence's
        # category is its own to say.
        ids = set(self.ids.values())
        opened = Offer.objects.open_on(self.rules.day, self.rules).filter(pk__in=ids).order_by()
        ids.difference_update(opened.values_list("pk", flat=True))
        if not ids:
            return
        closed = Offer.objects.filter(pk__in=ids).select_related("provider__organisation", "certification")
        facts = eligibility.facts_of_each(closed.order_by("pk"))
        for action in self.kept:
            if known := facts.get(self.ids[action.key]):
                reasons = eligibility.refusals(known, on=self.rules.day, rules=self.rules)
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
