"""`request.actor` and `request.roles`, computed when first read; 422 for forms that allauth refuses."""

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


class RefusedFormMiddleware:
    """allauth answers 200 to a form it refuses; here a refusal is 422, on every page."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_template_response(self, request, response):
        match = request.resolver_match
        form = (response.context_data or {}).get("form")
        is_allauth = match is not None and match.func.__module__.startswith("allauth.")
        if is_allauth and response.status_code == 200 and form is not None and form.is_bound and form.errors:
            response.status_code = 422
        return response
