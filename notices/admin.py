"""Notices for the administration: what was told, what waits, what was given up and why. Read-only."""

from django.contrib import admin, messages
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notices import outbox
from notices.messages import words_of
from notices.models import Notice
from ui.admin import ReadOnly


class DeliveryFilter(admin.SimpleListFilter):
    title = _("envoi")
    parameter_name = "envoi"

    def lookups(self, request, model_admin):
        return [("attend", _("En attente")), ("envoye", _("Envoyé")), ("abandonne", _("Abandonné"))]

    def queryset(self, request, queryset):
        match self.value():
            case "attend":
                return queryset.waiting()
            case "envoye":
                return queryset.exclude(delivered_at=None)
            case "abandonne":
                return queryset.exclude(given_up_at=None)
        return queryset


@admin.register(Notice)
class NoticeAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["created_at", "kind", "email", "delivery", "attempts", "last_error", "read_at"]
    list_filter = [DeliveryFilter, "kind", "created_at"]
    search_fields = ["email", "event_key", "facts__dossier_number", "last_error"]
    search_help_text = _("Adresse e-mail, numéro de dossier, évènement ou erreur.")
    date_hierarchy = "created_at"
    list_select_related = []
    actions = ["retry"]
    fields = ["user", "email", "kind", "words", "link", "event_key", "created_at", "delivery", "attempts"]
    fields += ["next_attempt_at", "last_error", "retried_at", "delivered_at", "given_up_at", "read_at"]

    @admin.display(description=_("envoi"))
    def delivery(self, notice):
        if notice.delivered_at:
            return _("Envoyé")
        return _("Abandonné") if notice.given_up_at else _("En attente")

    @admin.display(description=_("message"))
    def words(self, notice):
        words = words_of(notice)
        paragraphs = format_html_join("", "<p>{}</p>", ((paragraph,) for paragraph in words.paragraphs))
        return format_html("<strong>{}</strong>{}", words.subject, paragraphs)

    @admin.action(
        description=_("Renvoyer les notifications en attente ou abandonnées"), permissions=["retry"]
    )
    def retry(self, request, queryset):
        now = timezone.now()
        count = 0
        for notice in queryset:
            if outbox.retry(notice, at=now):
                self.log_change(request, notice, _("Renvoyé."))
                count += 1
        sentence = (
            ngettext("%d notification sera renvoyée.", "%d notifications seront renvoyées.", count) % count
        )
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, sentence if count else _("Ces notifications sont déjà envoyées."), level)

    def has_retry_permission(self, request):
        return request.user.has_perm("notices.change_notice")
