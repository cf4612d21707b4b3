"""Sessions that know whose they are: Django's own, in a table with the person and their sign-in.

`SESSION_ENGINE` names this module. A session that is ended here cannot come back: a request still in
flight updates a row that is gone, and is refused.
"""

import datetime
import re

from django.contrib.sessions.backends import db
from django.db.models import QuerySet

from accounts.models import LoginSession, User

# Keys of what a session holds: the person (Django's own name), and how they came in.
WHO = "_auth_user_id"
SIGN_IN = "sign_in"
# What Django draws (SessionBase._get_new_session_key): anything else is nobody's.
_KEY = re.compile(r"[a-z0-9]{32}", re.ASCII)


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key):
        # The cookie of a stranger may hold a null character, which PostgreSQL answers with an error.
        return bool(key) and _KEY.fullmatch(key) is not None

    @classmethod
    def get_model_class(cls):
        return LoginSession

    def create_model_instance(self, data):
        row = super().create_model_instance(data)
        row.user_id = data.get(WHO)
        row.sign_in_id = data.get(SIGN_IN)
        return row


def open_sessions(user: User, *, at: datetime.datetime) -> QuerySet[LoginSession]:
    """Those in which this person can still act."""
    return LoginSession.objects.filter(user=user, expire_date__gt=at)


def end_others(user: User, *, keep: str | None) -> int:
    """End every session of this person but the one of this key. Returns how many were ended."""
    ended, _by_model = LoginSession.objects.filter(user=user).exclude(session_key=keep or "").delete()
    return ended


def purge(*, at: datetime.datetime) -> int:
    """Forget those whose time is over. Returns how many."""
    gone, _by_model = LoginSession.objects.filter(expire_date__lte=at).delete()
    return gone
