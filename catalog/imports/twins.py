"""Actions that nobody could tell apart: the national catalogue refuses the second one, and so do we.

Two rules of its import controls: an action identical to another (its code 30056); one whose duration differs
by less than some hours from another of the same training with the same mode, place, language, pedagogy and
welcome of disabled people (30057). How many hours is the rulebook's (`near_duplicate_hours`; 0: no control).

What the portal already holds is not taken away by a rule that comes later: there it is a remark. Each action
is looked up, never compared with all the others: a catalogue of 50,000 costs 50,000 look-ups.
"""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from catalog.imports.actions import Action
from catalog.models import Provider
from rulebook import Rules

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """An action that stands already. `line`: in this file; 0 in the portal alone."""

    key: tuple[str, str, str]
    hours: int | None
    line: int

    @property
    def words(self) -> str:
        words = {"training": self.key[1], "action": self.key[2], "line": self.line}
        if self.line:
            return _("l'action %(action)s de la formation %(training)s, ligne %(line)d") % words
        return _("l'action %(action)s de la formation %(training)s, déjà publiée") % words


@dataclass(frozen=True, slots=True)
class Twin:
    """Which action it resembles, in a sentence. `is_sure`: nothing we do not know could tell them apart."""

    sentence: str
    is_sure: bool


class Twins:
    """What one import has met so far, and what the portal holds of the same trainings and titles."""

    def __init__(self, rules: Rules):
        self._least = rules.near_duplicate_hours
        self._same: dict[Key, Known] = {}
        # Of each cell of so many hours, the shortest and the longest.
        self._near: dict[Key, tuple[Known, Known]] = {}
        self._stored_same: dict[Key, list[Known]] = {}
        self._stored_near: dict[Key, list[Known]] = {}
        self._asked: set[tuple[str, str, str]] = set()
        self._met: set[tuple[str, str, str]] = set()

    def look_up(self, actions: Collection[Action], providers: dict[str, Provider]) -> None:
        """Reads what the portal publishes of these trainings and titles, once each. At most one query."""
        if not self._least:
            return
        # As this file says them, from now on.
        self._met.update(action.key for action in actions)
        wanted: dict[str, tuple[list, list]] = {"training_number": ([], []), "title": ([], [])}
        for action in actions:
            for column, text in (
                ("training_number", action.training_number),
                ("title", action.fields["title"]),
            ):
                if (asked := (action.siret, column, text)) not in self._asked:
                    self._asked.add(asked)
                    wanted[column][0].append(providers[action.siret].pk)
                    wanted[column][1].append(text)
        if not any(numbers for numbers, _texts in wanted.values()):
            return
        with connection.cursor() as cursor:
            cursor.execute(
                PUBLISHED,
                [*wanted["training_number"], *wanted["title"]],
            )
            for siret, training, action_number, hours, what, how, told in cursor.fetchall():
                known = Known((siret, training, action_number), hours, 0)
                what, how = (what[0], tuple(what[1:])), tuple(how)
                self._stored_same.setdefault((siret, what, how, hours, told), []).append(known)
                if hours is not None:
                    cell = (siret, training, what, how, hours // self._least)
                    self._stored_near.setdefault(cell, []).append(known)

    def meet(self, action: Action, fields: dict[str, Any], *, is_new: bool) -> Twin | None:
        """Which action that stands already this one could be taken for, if any. No query.

        It stands itself from now on, unless it is new and surely a twin.
        """
        if not self._least:
            return None
        what, how, hours = _what(fields), _how(fields), fields["hours"]
        identity = (action.siret, what, how, hours, _told(fields))
        same = self._same.get(identity) or self._other(self._stored_same.get(identity, ()), action)
        if same:
            twin: Twin | None = Twin(
                _(
                    "l'action est la même que %(other)s. Ajoutez-lui plutôt une session, ou dites ce qui"
                    " change (code 30056 du catalogue national)."
                )
                % {"other": same.words},
                is_sure=True,
            )
        else:
            twin = self._near_one(action, what, how, hours)
        if twin and twin.is_sure and is_new:
            return twin
        known = Known(action.key, hours, action.line)
        self._same.setdefault(identity, known)
        if hours is not None:
            key = (action.siret, action.training_number, what, how, hours // self._least, action.pedagogy)
            shortest, longest = self._near.get(key, (known, known))
            self._near[key] = (
                known if hours < (shortest.hours or 0) else shortest,
                known if hours > (longest.hours or 0) else longest,
            )
        return twin

    def _near_one(self, action: Action, what: Key, how: Key, hours: int | None) -> Twin | None:
        if hours is None:
            return None
        found: list[Known] = []
        for cell in (hours // self._least + step for step in (0, -1, 1)):
            key = (action.siret, action.training_number, what, how, cell)
            found += self._near.get((*key, action.pedagogy), ())
            if other := self._other(self._stored_near.get(key, ()), action, hours):
                found.append(other)
        gap, _line, known = min(
            ((abs((one.hours or 0) - hours), not one.line, one) for one in found),
            key=lambda one: one[:2],
            default=(self._least, False, None),
        )
        if known is None or gap >= self._least:
            return None
        sentence = _(
            "l'action ressemble trop à %(other)s : %(gap)d h d'écart, il en faut %(least)d, ou une autre"
            " modalité, un autre lieu, une autre langue, une autre pédagogie, un autre accueil des"
            " personnes handicapées (code 30057 du catalogue national)."
        )
        words = {"other": known.words, "gap": gap, "least": self._least}
        # The portal does not keep the pedagogy: of an action that only it holds, it may be another.
        return Twin(sentence % words, is_sure=bool(known.line) or not action.pedagogy)

    def _other(self, stored: Collection[Known], action: Action, hours: int | None = None) -> Known | None:
        """The first of them that this file has not said anew, near enough if `hours` are told."""
        return next(
            (
                known
                for known in stored
                if known.key != action.key
                and known.key not in self._met
                and (hours is None or abs((known.hours or 0) - hours) < self._least)
            ),
            None,
        )


def _what(fields: dict[str, Any]) -> Key:
    """What it prepares: its certification or its code of the portal, and which blocks."""
    return fields["certification_id"] or fields["portal_code"], tuple(fields["block_codes"])


def _how(fields: dict[str, Any]) -> Key:
    town = fields["town"].pk if fields["town"] else ""
    return fields["mode"], town, fields["address"], fields["accessibility"], " ".join(fields["languages"])


def _told(fields: dict[str, Any]) -> str:
    """Its title, its price and its texts, as PUBLISHED digests them."""
    texts = (fields["title"], str(fields["price_cents"]), fields["objectives"], fields["content"])
    return md5("\x1f".join(texts).encode(), usedforsecurity=False).hexdigest()


PUBLISHED = """
SELECT organisation.siret, offer.training_number, offer.action_number, offer.hours,
    ARRAY[coalesce(offer.certification_id, offer.portal_code)]::text[] || offer.block_codes::text[],
    ARRAY[offer.mode, coalesce(offer.town_id, ''), offer.address, offer.accessibility,
        array_to_string(offer.languages, ' ')]::text[],
    md5(concat_ws(chr(31), offer.title, offer.price_cents, offer.objectives, offer.content))
FROM (
    SELECT id FROM catalog_offer JOIN unnest(%s::uuid[], %s::text[]) AS wanted (provider_id, training_number)
        USING (provider_id, training_number)
    WHERE is_published
    UNION
    SELECT id FROM catalog_offer JOIN unnest(%s::uuid[], %s::text[]) AS wanted (provider_id, title)
        USING (provider_id, title)
    WHERE is_published
) AS found
JOIN catalog_offer AS offer USING (id)
JOIN accounts_organisation AS organisation ON organisation.id = offer.provider_id
"""
