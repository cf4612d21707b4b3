"""Messages of a thread, sent by the verb that people use."""

import uuid

import factory
from django.utils import timezone

from accounts.actors import Role
from dossiers import messages
from dossiers.models import Message, MessageReport
from tests.factories.dossiers import DossierFactory, admin_actor, holder_actor, provider_actor


def side(dossier, role):
    """Whoever writes for this side."""
    return holder_actor(dossier.holder) if role == Role.HOLDER else provider_actor(dossier.provider)


class MessageFactory(factory.Factory):
    """From the holder (`role=Role.PROVIDER`: from the organisation), in a dossier that was sent."""

    class Meta:
        model = Message

    dossier = factory.LazyAttribute(lambda o: DossierFactory(requested=True, at=o.at))
    role = Role.HOLDER
    at = factory.LazyFunction(timezone.now)
    words = "Bonjour, à quelle heure commence-t-on ?"
    request_id = factory.LazyFunction(uuid.uuid4)
    seen_until = 0

    @classmethod
    def _create(cls, model_class, *args, dossier, role, **fields):
        fields["by"] = fields.pop("by", None) or side(dossier, role)
        return messages.send(dossier.pk, **fields)


class ReportFactory(factory.Factory):
    """By the side that received the message; `hidden="pourquoi"` and `kept="pourquoi"` decide."""

    class Meta:
        model = MessageReport

    message = factory.SubFactory(MessageFactory)
    at = factory.LazyFunction(timezone.now)
    motive = "elsewhere"
    words = ""
    hidden = ""
    kept = ""

    @classmethod
    def _create(cls, model_class, *args, message, hidden, kept, at, **fields):
        by = side(message.dossier, messages.OTHER_SIDE[Role(message.role)])
        reported = messages.report(message.pk, by=by, at=at, request_id=uuid.uuid4(), **fields)
        decide, reason = (messages.hide, hidden) if hidden else (messages.keep, kept)
        if reason:
            decide(reported.pk, by=admin_actor(), at=at, request_id=uuid.uuid4(), reason=reason)
        return MessageReport.objects.get(pk=reported.pk)
