from django.urls import path

from rights.views import holder, simulator

urlpatterns = [
    path("simulateur", simulator.rights_simulator, name="rights_simulator"),
    path("mes-droits", holder.statement, name="rights"),
    path("mes-droits/releve.csv", holder.statement_file, name="rights_statement_file"),
    path("mes-droits/releve.json", holder.statement_proof, name="rights_statement_proof"),
]
