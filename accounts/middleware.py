"""Puts `request.actor` and `request.roles` on each request, computed when first read."""

from django.utils.functional import SimpleLazyObject

from accounts.actors import VISITOR, Actor
from accounts.listing import roles_of

# Session key: the role its person chose (Actor.key). Only a wish: what they may be is read each time.
ACTING_AS = "acting_as"


class ActorMiddleware:
    """`roles`: what this person may be now. `actor`: the one that acts; a visitor when nobody signed in.

    A membership taken away, or a staff right, is gone at the very next request.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        user = request.user
        request.roles = SimpleLazyObject(lambda: roles_of(user) if user.is_authenticated else [])
        request.actor = SimpleLazyObject(lambda: _acting(request))
        return self.get_response(request)


def _acting(request) -> Actor:
    roles = request.roles
    if not roles:
        return VISITOR
    wanted = request.session.get(ACTING_AS)
    return next((actor for actor in roles if actor.key == wanted), roles[0])
