"""What Django admin shows of facts that verbs write."""


class ReadOnly:
    """Seen here, written elsewhere: by a verb, an importer or the portal itself. For pages and inlines."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
