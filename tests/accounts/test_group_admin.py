"""Powers are given in words."""

from html import unescape

from django.contrib.auth.models import Group


def test_the_powers_of_a_group_and_of_a_person_are_in_french(admin_client_, administrator):
    group = Group.objects.create(name="Guichet")
    for page in (
        f"/administration/auth/group/{group.pk}/change/",
        f"/administration/accounts/user/{administrator.pk}/change/",
    ):
        shown = unescape(admin_client_.get(page).content.decode())
        assert "Dossiers · Consulter : dossier" in shown
        assert "Peut proposer une régularisation" in shown
        assert "Can view" not in shown
