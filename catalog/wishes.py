"""What somebody would like to learn: theirs to write, to change and to take back; all of it may be empty."""

from datetime import datetime
from typing import Any

from accounts.models import HolderProfile, User
from catalog.geography import name_key
from catalog.models import Town, Wish
from catalog.search import find_towns


def of(user: User) -> Wish | None:
    """What this person has said; None: they were never asked, or took it back. One query."""
    return Wish.objects.filter(user=user).select_related("town").first()


def write(
    user: User, *, job: str, town: Town | None, level: int | None, budget_cents: int | None, at: datetime
) -> Wish:
    """Keep these wishes instead of those before. Empty ones are kept too: nobody is asked again."""
    values = {"job": job, "town": town, "level": level, "budget_cents": budget_cents, "written_at": at}
    wish, _is_new = Wish.objects.update_or_create(user=user, defaults=values)
    return wish


def forget(user: User) -> None:
    """Nothing is kept of them."""
    Wish.objects.filter(user=user).delete()


def home_town(holder: HolderProfile) -> Town | None:
    """The town of somebody's account, when it is one that the portal knows; at most one query.

    Of the towns that share its postal code, the one of that name, else the largest.
    """
    if not holder.postal_code:
        return None
    towns = find_towns(holder.postal_code)
    named = [town for town in towns if town.name_key == name_key(holder.town)]
    return next(iter([*named, *towns]), None)


def of_person(user: User) -> dict[str, Any] | None:
    """What « Mes données » says of them. One query."""
    wish = of(user)
    return wish and {
        "metier_ou_formation": wish.job,
        "commune": str(wish.town) if wish.town else "",
        "niveau_vise": wish.level,
        "budget_en_centimes": wish.budget_cents,
        "ecrit_le": wish.written_at,
    }
