"""Who acts (`request.actor`, `request.roles`), the way in and back, what no cache keeps, refused forms."""

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme

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


class SignInMiddleware(LoginRequiredMiddleware):
    """Every page asks to sign in, unless it says otherwise.

    Someone whose session ended before they clicked comes back to the page they clicked on: the
    address of the click itself cannot be opened.
    """

    def handle_no_permission(self, request, view_func):
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view_func)
        here = request.build_absolute_uri("/").rstrip("/")
        back = request.headers.get("Referer", "").removeprefix(here)
        if not (back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)):
            back = reverse("home")
        return redirect_to_login(back, self.get_login_url(view_func))


class PrivatePagesMiddleware:
    """What is shown to someone signed in stays in no cache.

    On a shared computer « Back » shows nothing of theirs; on their own it shows things as they are now.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        # A page that did not read the session holds nothing of anybody, and may live without a database.
        if request.session.accessed and request.user.is_authenticated:
            patch_cache_control(response, private=True, no_store=True)
        return response


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
