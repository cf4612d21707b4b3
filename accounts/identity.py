"""Identity: how people sign in, in our words (the adapter of allauth), and what is kept of it.

A border: allauth and Django's signals call it, so it reads the clock.
"""

import dataclasses

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import signals
from django.core.exceptions import ValidationError
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts import freezing, profiles, sessions, sign_ins, teams
from accounts.models import User
from ui.refusals import Refused

# What this browser is known by, so that a sign-in from another one is told. Nothing else reads it.
BROWSER_COOKIE = "navigateur"
# Thirteen months at most for such a mark (CNIL, guidelines of 17 September 2020).
BROWSER_COOKIE_AGE = 365 * 24 * 3600


class AccountAdapter(DefaultAccountAdapter):
    """Sentences that say what to do. None tells whether an address has an account here."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _(
            "L’adresse e-mail ou le mot de passe ne convient pas. Vérifiez les deux, "
            "ou demandez un nouveau mot de passe."
        ),
        "too_many_login_attempts": _(
            "Trop d’essais de connexion. Attendez quelques minutes, puis essayez de nouveau."
        ),
        "enter_current_password": _("Ce mot de passe n’est pas votre mot de passe actuel."),
        "incorrect_password": _("Ce mot de passe ne convient pas."),
        "account_inactive": _("Ce compte est fermé. Écrivez-nous pour en connaître la raison."),
        "same_as_current": _("Cette adresse est déjà la vôtre."),
        "duplicate_email": _("Cette adresse est déjà la vôtre."),
        "too_long": _("Cette adresse est trop longue : 254 signes au plus."),
        "rate_limited": _("Trop de demandes à la suite. Attendez quelques minutes, puis essayez de nouveau."),
        "invalid_password_reset": _("Ce lien ne peut plus servir. Demandez-en un nouveau."),
    }

    def clean_email(self, email):
        # allauth would cut it, and write to an address that nobody typed.
        if len(email) > User._meta.get_field("email").max_length:
            raise self.validation_error("too_long")
        return super().clean_email(email)

    def save_user(self, request, user, form, commit=True):
        """Someone new: mails in the language of the page they signed up on."""
        language = get_language()
        if language in User.Language.values:
            user.language = language
        return super().save_user(request, user, form, commit)

    def post_login(self, request, user, **kwargs):
        response = super().post_login(request, user, **kwargs)
        if mark := getattr(request, "new_browser_mark", ""):
            response.set_cookie(
                BROWSER_COOKIE,
                mark,
                max_age=BROWSER_COOKIE_AGE,
                httponly=True,
                secure=settings.SESSION_COOKIE_SECURE,
                samesite="Lax",
            )
        keep_language(response, user.language)
        return response

    def get_login_redirect_url(self, request):
        """Someone invited who just made their login finds the invitation, wherever they came in."""
        waiting = teams.invitations_for(request.user, at=timezone.now()).first()
        if waiting:
            return reverse("invitation", args=[waiting.pk])
        return super().get_login_redirect_url(request)

    def get_password_change_redirect_url(self, request):
        return reverse("account")

    def set_password(self, user, password):
        """Changed, set or chosen again after a mail: it is told, and every other session ends."""
        with transaction.atomic():
            super().set_password(user, password)
            own = self.request is not None and self.request.user.pk == user.pk
            sessions.end_others(user, keep=self.request.session.session_key if own else None)
            profiles.password_changed(user, at=timezone.now())

    def check_may_change_email(self, user):
        """ValidationError: the account is frozen."""
        try:
            with transaction.atomic():
                freezing.check_not_frozen(user, at=timezone.now())
        except Refused as refusal:
            raise ValidationError(refusal.message, code="frozen") from refusal

    def confirm_email(self, request, email_address):
        """The link was opened. Where it replaces an address, a frozen account refuses, and both are told."""
        at = timezone.now()
        with transaction.atomic():
            user = User.objects.select_for_update(no_key=True).get(pk=email_address.user_id)
            is_change = user.email.lower() != email_address.email.lower()
            if is_change:
                try:
                    freezing.check_not_frozen(user, at=at)
                except Refused as refusal:
                    messages.error(request, refusal.message)
                    return False
            is_confirmed = super().confirm_email(request, email_address)
            if is_confirmed and is_change:
                before, user.email = user.email, email_address.email
                profiles.email_changed(user, before=before, at=at)
        return is_confirmed


def keep_language(response: HttpResponse, language: str) -> None:
    """The pages of this browser in this language, where the portal speaks it."""
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )


# --- What is kept of each sign-in -----------------------------------------------------------------


def place_of(request: HttpRequest) -> sign_ins.Place:
    """From where this request comes, roughly."""
    has_address = "REMOTE_ADDR" in request.META
    return sign_ins.place(
        user_agent=request.headers.get("User-Agent", ""),
        address=get_adapter().get_client_ip(request) if has_address else "",
        mark=request.COOKIES.get(BROWSER_COOKIE, ""),
    )


@receiver(signals.user_logged_in)
def on_signed_in(sender, request, user, **kwargs):
    place = place_of(request)
    if not place.mark:
        request.new_browser_mark = sign_ins.new_mark()  # AccountAdapter.post_login leaves it in the browser
        place = dataclasses.replace(place, mark=request.new_browser_mark)
    came_in = sign_ins.record(user, at=timezone.now(), place=place)
    request.session[sessions.SIGN_IN] = came_in.pk


@receiver(signals.user_login_failed)
def on_refused(sender, credentials, request=None, **kwargs):
    """Only what comes from a page: a command that tries a password is nobody's sign-in."""
    if request is None:
        return
    email = str(credentials.get("email") or credentials.get("username") or "")
    user = User.objects.filter(email__iexact=email).first()
    sign_ins.record_refusal(user, at=timezone.now(), place=place_of(request))
