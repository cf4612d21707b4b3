"""Puts `request.actor` on each request (accounts.actors). Owned by accounts."""

from django.utils.functional import SimpleLazyObject

from accounts import actors


class ActorMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.actor = SimpleLazyObject(lambda: actors.VISITOR)
        return self.get_response(request)
