"""What Django admin shows of facts that verbs write."""

from django.contrib import admin


class ReadOnly:
    """Seen here, written elsewhere: by a verb, an importer or the portal itself. For pages and inlines."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ReadOnlyTable(ReadOnly, admin.TabularInline):
    """Rows of the page's subject, in a plain table."""

    extra = 0
    template = "admin/read_only_table.html"
