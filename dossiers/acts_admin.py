"""Pages of Django admin where one reads facts, and acts through the verbs: each act has a form of its own."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Actor, Role
from accounts.permissions import NotAllowed
from ui.admin import ReadOnly, act_page, say
from ui.refusals import Refused


class Acts(ReadOnly):
    """A page of facts, with the acts that are possible now as links to a form of their own."""

    # Word of the address → (title, form, verb, words once done).
    ACTS: dict[str, tuple[Any, type[forms.Form], Callable, Any]]
    permission = ""  # of who may act

    def possible(self, row) -> list[str]:
        """The words of the acts that make sense for this row."""
        raise NotImplementedError

    def has_act_permission(self, request):
        return request.user.has_perm(self.permission)

    def get_urls(self):
        info = f"{self.model._meta.app_label}_{self.model._meta.model_name}"
        view = self.admin_site.admin_view(self.act_view)
        return [path("<path:pk>/faire/<slug:act>/", view, name=f"{info}_act"), *super().get_urls()]

    def get_fields(self, request, obj=None):
        fields = super().get_fields(request, obj)
        return fields if self.has_act_permission(request) else [each for each in fields if each != "acts"]

    def act_view(self, request: HttpRequest, pk: str, act: str) -> HttpResponse:
        if not self.has_act_permission(request):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=self.model._meta.pk.to_python(pk))
        if act not in self.possible(row):
            messages.error(request, _("Ce n’est plus possible : relisez ce qui est écrit ici."))
            return redirect(self._address(row))
        title, form_class, verb, said = self.ACTS[act]
        form = form_class(request.POST if request.method == "POST" else None, initial=self.initial(row, act))
        if request.method == "POST" and form.is_valid():
            try:
                verb(row.pk, by=admin_of(request), at=timezone.now(), **form.cleaned_data)
            except (Refused, NotAllowed) as refusal:
                say(form, refusal)
            else:
                messages.success(request, said)
                return redirect(self.next_after(row))
        note, back = self.in_words(row, act), self._address(row)
        return act_page(self, request, form, title=title, note=note, back=back)

    def next_after(self, row) -> str:
        """The page that is shown once it is done."""
        return self._address(row)

    def initial(self, row, act: str) -> dict[str, Any]:
        return {}

    def in_words(self, row, act: str) -> str:
        """What stands above the form: what is acted on, or what the act will do."""
        return str(row)

    def _address(self, row) -> str:
        meta = self.model._meta
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])

    @admin.display(description=gettext_lazy("à faire"))
    def acts(self, row):
        meta = self.model._meta
        name = f"admin:{meta.app_label}_{meta.model_name}_act"
        links = [(reverse(name, args=[row.pk, act]), self.ACTS[act][0]) for act in self.possible(row)]
        return format_html_join(" · ", '<a href="{}">{}</a>', links) if links else _("Rien")


def admin_of(request: HttpRequest) -> Actor:
    """In the admin one always acts as an admin, whatever role the site's pages show."""
    return Actor(role=Role.ADMIN, user=request.user)
