from django.urls import path

from accounts.views import holder, person

urlpatterns = [
    path("activer-mon-compte", person.activation, name="activation"),
    path("changer-de-role", person.switch_role, name="switch_role"),
    path("mon-profil", holder.profile, name="profile"),
]
