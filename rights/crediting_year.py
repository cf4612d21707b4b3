"""Credits a year of work to everyone who has statements of it: set-wise, lot by lot, resumable.

One query lists the holders whose statements or declarations are not those of their last `YearlyCredit`; a
second run finds nobody. Each lot is one transaction: lock the capped pockets, compute in Python
(rights.crediting), open the pockets that are missing (docs/locks.md), COPY, post with one statement. A
`YearlyCredit` is written with its movements or not at all, under a unique key: a run that was killed goes on
where it stopped, and of two runs at once the second finds the work done.

A statement that changed gives a next version: the movements of the one before are reversed and the right
amount credited, in one statement, so that only the difference must be there. Where the holder has already
used it, nothing is written: the correction waits, is reported, and each later run tries again.
"""

import datetime
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext as _

import rulebook
from accounts.actors import Actor
from accounts.models import HolderProfile
from rights import crediting
from rights.crediting import Line, NotCreditable, Result, Situation, Words
from rights.kinds import Measure, MovementKind, PocketKind, Unit, WorkStatus
from rights.ledger import amount_in_words, state_pocket
from rights.models import YearlyCredit
from rulebook.rules import CreditingRules, NoRuleInForce
from rulebook.workdays import paris_day
from ui import threads

LOT = 5_000
MOST_USUAL = 10_000
"""Of what is said of a year, how much is kept in mind: what many say comes early."""
MOST_KEPT = 1_000
"""Of those who wait or are refused, how many the report names; all are counted."""


class YearRefused(Exception):
    """This year cannot be credited; the message is French, and nothing was written."""


@dataclass
class Report:
    """What a run did. Amounts by unit. `waiting`, `refused`: (reference of the account, why)."""

    year: int
    seen: int = 0
    credited: int = 0
    corrected: int = 0
    movements: int = 0
    given: dict[str, int] = field(default_factory=lambda: {unit.value: 0 for unit in Unit})
    lost: dict[str, int] = field(default_factory=lambda: {unit.value: 0 for unit in Unit})
    waiting_count: int = 0
    refused_count: int = 0
    waiting: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def note_waiting(self, reference: str, why: str) -> None:
        self.waiting_count += 1
        if len(self.waiting) < MOST_KEPT:
            self.waiting.append((reference, why))

    def note_refused(self, reference: str, why: str) -> None:
        self.refused_count += 1
        if len(self.refused) < MOST_KEPT:
            self.refused.append((reference, why))

    def add(self, lot: "Report") -> None:
        """What one lot did, once it is committed."""
        for name in ("seen", "credited", "corrected", "movements", "waiting_count", "refused_count"):
            setattr(self, name, getattr(self, name) + getattr(lot, name))
        for unit in Unit:
            self.given[unit] += lot.given[unit]
            self.lost[unit] += lot.lost[unit]
        self.waiting = [*self.waiting, *lot.waiting][:MOST_KEPT]
        self.refused = [*self.refused, *lot.refused][:MOST_KEPT]


class Work(NamedTuple):
    """One holder to credit: what is said of them, and the last version of this year, if any.

    Ids and arrays are the text that PostgreSQL reads again: nothing is made of them here.
    """

    holder_id: str
    reference: str
    birth_date: datetime.date
    status: str
    statements: str
    statement_ids: str
    declaration_ids: str
    kinds: list[str]
    version: int
    unit: str | None
    annual: int
    increase: int
    balance_before: int


class Purse(NamedTuple):
    """A capped pocket, under lock."""

    id: str
    balance: int


class Posting(NamedTuple):
    """One movement to write."""

    holder_id: str
    kind: str
    key: str
    source_id: str
    target_id: str
    amount: int
    reason: str
    formula: str
    reverses_id: int | None


def credit_year(
    year: int,
    *,
    at: datetime.datetime,
    by: Actor,
    lot: int = LOT,
    workers: int = 1,
    progress: Callable[[int], object] = lambda holders: None,
) -> Report:
    """Credit the year to all who have statements of it and were not credited from these. YearRefused.

    Not inside a transaction: each lot is one. `progress(n)` is told of each n holders done. With several
    `workers`, one computes while the database posts the lot of another: each has its own connection.
    """
    if year >= paris_day(at).year:
        raise YearRefused(_("L’année %s n’est pas finie : elle se crédite à partir du 1er janvier.") % year)
    try:
        rules = rulebook.crediting_on(datetime.date(year, 12, 31))
    except NoRuleInForce:
        raise YearRefused(_("En %s, le compte n’existait pas encore.") % year) from None
    report = Report(year)
    run = _Run(year, rules, at, by)

    def one_lot(works: Sequence[Work]) -> Report:
        with transaction.atomic():
            return run.credit(works)

    # Closed here and now: left to the garbage collector, a cursor of the server may want the connection
    # while the connection waits for the collector.
    with closing(_to_do(year, lot)) as lots, closing(threads.each(one_lot, lots, workers)) as reports:
        for done in reports:
            report.add(done)
            progress(done.seen)
    return report


def credited_years(holder: HolderProfile) -> set[int]:
    """The years worked that were credited to this holder from statements, whatever they gave."""
    return set(YearlyCredit.objects.filter(holder=holder).values_list("year", flat=True))


# --- Who ------------------------------------------------------------------------------------------

# Everything a lot needs is read here, once for the whole year. `ids` comparison is what makes a run
# idempotent: a statement is never edited, so other content has another id.
_TO_DO = """
    WITH said AS (
        SELECT holder_id, array_agg(id ORDER BY id) AS ids,
               jsonb_agg(jsonb_build_array(status, measure, (worked * 100)::bigint, (reference * 100)::bigint,
                   absences, agreed_cents, boe, is_paid_up) ORDER BY id) AS statements
        FROM rights_yearlystatement
        WHERE year = %(year)s AND superseded_at IS NULL GROUP BY holder_id
    ), declared AS (
        SELECT holder_id, array_agg(id ORDER BY id) AS ids, array_agg(kind ORDER BY id) AS kinds
        FROM rights_declaration
        WHERE state = 'confirmed' AND from_year <= %(year)s AND coalesce(until_year, %(year)s) >= %(year)s
        GROUP BY holder_id
    ), last AS (
        SELECT DISTINCT ON (holder_id) * FROM rights_yearlycredit
        WHERE year = %(year)s ORDER BY holder_id, version DESC
    )
    SELECT said.holder_id::text, holder.reference, holder.birth_date, holder.status, said.statements,
           said.ids::text, coalesce(declared.ids, '{}')::text, coalesce(declared.kinds, '{}'),
           coalesce(last.version, 0), last.unit, coalesce(last.annual, 0), coalesce(last.increase, 0),
           coalesce(last.balance_before, 0)
    FROM said
    JOIN accounts_holderprofile holder ON holder.id = said.holder_id
    LEFT JOIN declared ON declared.holder_id = said.holder_id
    LEFT JOIN last ON last.holder_id = said.holder_id
    WHERE last.version IS NULL OR last.statement_ids <> said.ids
       OR last.declaration_ids <> coalesce(declared.ids, '{}')
    ORDER BY said.holder_id
"""


def _to_do(year: int, lot: int) -> Generator[list[Work], None, None]:
    """Lots of holders in id order, from a cursor of the server that outlives the transactions."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(_TO_DO, {"year": year})
        while rows := cursor.fetchmany(lot):
            yield [Work(*row) for row in rows]


# --- One lot --------------------------------------------------------------------------------------


class _AlreadyUsed(Exception):
    """The holder has spent what a correction would take back. The message is French."""


class _Outcome(NamedTuple):
    """What a holder gets, and from which balance it was computed."""

    work: Work
    result: Result
    balance_before: int
    live: dict[str, "_Live"]
    formula: str


class _Live(NamedTuple):
    """A credit of an earlier version that nothing has reversed."""

    id: int
    source_id: str
    target_id: str
    amount: int


class _Told(NamedTuple):
    """What the statements of one holder say, read."""

    statements: list["_Said"]
    situations: list[Situation]


Purses = dict[tuple[str, str], Purse]
"""(kind, unit) → the pocket, of one holder."""


class _Run:
    def __init__(self, year: int, rules: CreditingRules, at: datetime.datetime, by: Actor) -> None:
        self.year, self.rules, self.at, self.by = year, rules, at, by
        self.states = {unit.value: str(state_pocket(unit)) for unit in Unit}
        self.words = Words()
        # Most years look alike: read once, summed once, for all of whom the same is said.
        self.usual_told: dict[str, _Told] = {}
        self.usual_results: dict[tuple[Any, ...], tuple[Result, str]] = {}
        self.reason = _("Droits acquis par le travail de %s") % year
        self.reason_undone = _("Correction : la déclaration de %s a changé") % year

    def credit(self, works: Sequence[Work]) -> Report:
        """Lock, compute, post. Inside one transaction."""
        report = Report(self.year, seen=len(works))
        told = {work.holder_id: self._told(work.statements) for work in works}
        purses = _lock([work.holder_id for work in works], self.rules.capped_purses)
        live = _live_credits(self.year, [work for work in works if work.version])
        made: dict[str, _Outcome] = {}
        left = works
        while left:
            for work in left:
                holder_id = work.holder_id
                try:
                    made[holder_id] = self._outcome(
                        work, told[holder_id], purses[holder_id], live.get(holder_id, {})
                    )
                except NotCreditable as error:
                    report.note_refused(work.reference, str(error))
                except _AlreadyUsed as error:
                    report.note_waiting(work.reference, str(error))
            # A pocket that somebody else opened meanwhile may hold something: computed again.
            left = [made.pop(holder_id).work for holder_id in self._open_missing(made.values(), purses)]
        outcomes = list(made.values())
        postings = [
            posting
            for outcome in outcomes
            for posting in self._postings(outcome, purses[outcome.work.holder_id])
        ]
        self._post(outcomes, postings, report)
        return report

    def _told(self, text: str) -> _Told:
        known = self.usual_told.get(text)
        if known is None:
            statements = [_Said(*said) for said in json.loads(text)]
            known = _Told(statements, [_situation(said) for said in statements])
            _keep(self.usual_told, text, known)
        return known

    def _outcome(self, work: Work, told: _Told, purses: Purses, live: dict[str, _Live]) -> _Outcome:
        """NotCreditable: what is said makes no sense. _AlreadyUsed: a correction that must wait."""
        balances = {Unit.EUR_CENT.value: 0, Unit.HOUR.value: 0}
        for (_kind, unit), purse in purses.items():
            balances[unit] += purse.balance
        if not work.version:
            result, formula = self._first(work, told, balances)
            return _Outcome(work, result, balances[result.unit], live, formula)
        # As it would have been computed then, and no more than there is room for now.
        given = sum(credit.amount for credit in live.values())
        then = balances | {str(work.unit): work.balance_before}
        result = self._compute(work, told, then)
        if result.unit == work.unit and result.credit > given:
            room = given + max(0, result.cap - balances[result.unit])
            result = _cut_again(result, room)
        wanted = dict(_parts(result))
        for kind, credit in live.items():
            kept = wanted[kind] if result.unit == work.unit else 0
            missing = credit.amount - kept - purses[kind, str(work.unit)].balance
            if missing > 0:
                words = amount_in_words(missing, str(work.unit))
                raise _AlreadyUsed(_("%s déjà utilisés : la correction attend") % words)
        return _Outcome(work, result, then[result.unit], live, _as_json(result.formula))

    def _first(self, work: Work, told: _Told, balances: dict[str, int]) -> tuple[Result, str]:
        """The result and its formula. In euros and below the cap, they do not depend on the balance."""
        age = min(self.year - work.birth_date.year, self.rules.crediting_min_age)
        key = (work.statements, tuple(work.kinds), work.status in self.rules.statuses_closing_account, age)
        usual = self.usual_results.get(key)
        if usual and balances[Unit.EUR_CENT.value] + usual[0].credit <= usual[0].cap:
            return usual
        result = self._compute(work, told, balances)
        made = result, _as_json(result.formula)
        if result.unit == Unit.EUR_CENT and not result.lost:
            _keep(self.usual_results, key, made)
        return made

    def _compute(self, work: Work, told: _Told, balances: dict[str, int]) -> Result:
        account = crediting.account_of(
            work.kinds,
            is_told_boe=any(said.boe for said in told.statements),
            is_closed=work.status in self.rules.statuses_closing_account,
            age=self.year - work.birth_date.year,
            balances=balances,
        )
        return crediting.compute(told.situations, account=account, rules=self.rules, words=self.words)

    def _open_missing(self, outcomes: Iterable[_Outcome], purses: dict[str, Purses]) -> list[str]:
        """Open the pockets into which something goes and that are missing, in holder order.

        Returns the holders for whom somebody else was opening one: theirs are under lock now.
        """
        missing = [
            (outcome.work.holder_id, kind, outcome.result.unit.value)
            for outcome in outcomes
            for kind, amount in _parts(outcome.result)
            if amount and (kind, outcome.result.unit.value) not in purses[outcome.work.holder_id]
        ]
        if not missing:
            return []
        for holder_id, kind, unit, pocket_id in _open(missing):
            purses[holder_id][kind, unit] = Purse(pocket_id, 0)
        late = sorted({place[0] for place in missing if place[1:] not in purses[place[0]]})
        if late:
            for holder_id, found in _lock(late, self.rules.capped_purses).items():
                purses[holder_id].update(found)
        return late

    def _postings(self, outcome: _Outcome, purses: Purses) -> Iterator[Posting]:
        """Only what changes: a part whose amount stays is left alone."""
        work, result = outcome.work, outcome.result
        unit = result.unit.value
        version = work.version + 1
        prefix = f"annual:{self.year}:{work.holder_id}:{version}"
        for kind, amount in _parts(result):
            credit = outcome.live.get(kind)
            if credit:
                if credit.amount == amount and unit == work.unit:
                    continue
                yield Posting(
                    work.holder_id,
                    MovementKind.REVERSAL.value,
                    f"{prefix}:undo-{kind}",
                    credit.target_id,
                    credit.source_id,
                    credit.amount,
                    self.reason_undone,
                    "[]",
                    credit.id,
                )
            if amount:
                yield Posting(
                    work.holder_id,
                    MovementKind.CREDIT.value,
                    f"{prefix}:{kind}",
                    self.states[unit],
                    purses[kind, unit].id,
                    amount,
                    self.reason,
                    outcome.formula,
                    None,
                )

    def _post(self, outcomes: Sequence[_Outcome], postings: Sequence[Posting], report: Report) -> None:
        """COPY to this session's own tables, then one statement."""
        if not outcomes:
            return
        with connection.cursor() as cursor:
            cursor.execute(_STAGING)
            _copy(
                cursor,
                f"COPY credit_lot ({_LOT_COLUMNS}) FROM STDIN",
                (
                    (
                        work.holder_id,
                        work.version + 1,
                        result.unit.value,
                        result.annual,
                        result.increase,
                        result.lost,
                        result.cap,
                        balance_before,
                        formula,
                        work.statement_ids,
                        work.declaration_ids,
                    )
                    for work, result, balance_before, _live, formula in outcomes
                ),
            )
            _copy(cursor, f"COPY credit_lot_movement ({_MOVEMENT_COLUMNS}) FROM STDIN", postings)
            cursor.execute(
                _POST,
                {
                    "year": self.year,
                    "at": self.at,
                    "day": paris_day(self.at),
                    "by": self.by.user.pk if self.by.user else None,
                },
            )
            for what, is_correction, count, given, lost in cursor.fetchall():
                if what == "movement":
                    report.movements += count
                elif is_correction:
                    report.corrected += count
                else:
                    report.credited += count
                    report.given[what] += given
                    report.lost[what] += lost


# --- What is said, and its situation ----------------------------------------------------------------


class _Said(NamedTuple):
    """A statement as the query gives it; amounts in hundredths."""

    status: str
    measure: str
    worked: int | None
    reference: int | None
    absences: dict[str, int]
    agreed_cents: int
    boe: bool
    is_paid_up: bool


def _situation(said: _Said) -> Situation:
    return Situation(
        status=_STATUSES[said.status],
        measure=_MEASURES[said.measure],
        worked=None if said.worked is None else Fraction(said.worked, 100),
        reference=None if said.reference is None else Fraction(said.reference, 100),
        absences={kind: Fraction(amount, 100) for kind, amount in said.absences.items()},
        agreed_cents=said.agreed_cents,
        is_paid_up=said.is_paid_up,
    )


# Members by value: calling an enumeration is slow a million times.
_STATUSES = {status.value: status for status in WorkStatus}
_MEASURES: dict[str, Measure | None] = {"": None} | {measure.value: measure for measure in Measure}


def _parts(result: Result) -> tuple[tuple[str, int], tuple[str, int]]:
    """(kind of pocket, amount) that a result puts into it."""
    return (PocketKind.ANNUAL.value, result.annual), (PocketKind.INCREASE.value, result.increase)


def _keep(usual: dict[Any, Any], key: Any, value: Any) -> None:
    if len(usual) < MOST_USUAL:
        usual[key] = value


def _cut_again(result: Result, room: int) -> Result:
    """A correction cannot fill the account above its cap of today."""
    annual, increase, lost = crediting.cut(result.annual, result.increase, room)
    if not lost:
        return result
    words = amount_in_words(lost, result.unit)
    line = Line(_("depuis, le plafond est atteint : perdu"), words, " ")
    return Result(result.unit, annual, increase, result.lost + lost, result.cap, (*result.formula, line))


def _as_json(formula: Sequence[Line]) -> str:
    return json.dumps([[what, how_much] for what, how_much, _link in formula], ensure_ascii=False)


# --- SQL --------------------------------------------------------------------------------------------


def _open(places: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str, str]]:
    """Open pockets of (holder, kind, unit); those that were not there, with their ids. They need no lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rights_pocket"
            " (id, kind, unit, holder_id, label, funder_kind, expires_on, origin, balance)"
            " SELECT gen_random_uuid(), kind, unit, holder_id, '', '', NULL, '', 0"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS wanted (holder_id, kind, unit)"
            " ON CONFLICT DO NOTHING RETURNING holder_id::text, kind, unit, id::text",
            [list(column) for column in zip(*places, strict=True)],
        )
        return cursor.fetchall()


def _lock(holder_ids: Sequence[str], kinds: Sequence[str]) -> dict[str, Purses]:
    """The capped pockets of these holders, locked in id order, as they are now that they are locked."""
    found: dict[str, Purses] = {holder_id: {} for holder_id in holder_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT holder_id::text, kind, unit, id::text, balance FROM rights_pocket"
            " WHERE holder_id = ANY(%s::uuid[]) AND kind = ANY(%s) AND label = ''"
            " ORDER BY id FOR NO KEY UPDATE",
            [list(holder_ids), list(kinds)],
        )
        for holder_id, kind, unit, pocket_id, balance in cursor.fetchall():
            found[holder_id][kind, unit] = Purse(pocket_id, balance)
    return found


def _copy(cursor: Any, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    """COPY in its text form, written at one go: a third of the time of a value at a time.

    No value holds a tab or the end of a line: our own words, and JSON, which escapes both.
    """
    text = "".join(
        "\t".join("\\N" if value is None else str(value).replace("\\", "\\\\") for value in row) + "\n"
        for row in rows
    )
    with cursor.copy(statement) as copy:
        copy.write(text)


def _live_credits(year: int, works: Sequence[Work]) -> dict[str, dict[str, _Live]]:
    """Holder → kind of pocket → what earlier versions gave and nothing has reversed."""
    if not works:
        return {}
    keys = {
        f"annual:{year}:{work.holder_id}:{version}:{kind}": (work.holder_id, kind)
        for work in works
        for version in range(1, work.version + 1)
        for kind in (PocketKind.ANNUAL.value, PocketKind.INCREASE.value)
    }
    found: dict[str, dict[str, _Live]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, id, source_id::text, target_id::text, amount FROM rights_movement m"
            " WHERE key = ANY(%s) AND NOT EXISTS"
            " (SELECT FROM rights_movement undone WHERE undone.reverses_id = m.id)",
            [list(keys)],
        )
        for key, *credit in cursor.fetchall():
            holder_id, kind = keys[key]
            found.setdefault(holder_id, {})[kind] = _Live(*credit)
    return found


_LOT_COLUMNS = (
    "holder_id, version, unit, annual, increase, lost, cap, balance_before, formula, statement_ids,"
    " declaration_ids"
)
_MOVEMENT_COLUMNS = "holder_id, kind, key, source_id, target_id, amount, reason, formula, reverses_id"
_STAGING = """
    CREATE TEMPORARY TABLE IF NOT EXISTS credit_lot (
        holder_id uuid, version smallint, unit text, annual integer, increase integer, lost integer,
        cap integer, balance_before bigint, formula jsonb, statement_ids bigint[], declaration_ids bigint[]);
    CREATE TEMPORARY TABLE IF NOT EXISTS credit_lot_movement (
        holder_id uuid, kind text, key text, source_id uuid, target_id uuid, amount bigint, reason text,
        formula jsonb, reverses_id bigint);
    TRUNCATE credit_lot, credit_lot_movement
"""
# No movement without its account: who lost a race finds no row to join.
_POST = f"""
    WITH done AS (
        INSERT INTO rights_yearlycredit (year, recorded_at, {_LOT_COLUMNS})
        SELECT %(year)s, %(at)s, {_LOT_COLUMNS} FROM credit_lot
        ON CONFLICT (holder_id, year, version) DO NOTHING
        RETURNING holder_id, version, unit, annual, increase, lost
    ), posted AS (
        INSERT INTO rights_movement (kind, key, source_id, target_id, amount, reason, formula, reverses_id,
            value_date, recorded_at, recorded_by_id)
        SELECT kind, key, source_id, target_id, amount, reason, formula, reverses_id,
            %(day)s, %(at)s, %(by)s
        FROM credit_lot_movement JOIN done USING (holder_id)
        RETURNING 1
    )
    SELECT unit, version > 1, count(*), sum(annual::bigint + increase)::bigint, sum(lost)::bigint
    FROM done GROUP BY 1, 2
    UNION ALL SELECT 'movement', false, count(*), 0, 0 FROM posted
"""  # noqa: S608, made of our own words only
