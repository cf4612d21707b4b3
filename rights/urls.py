from django.urls import path

from rights.views import declarations, holder, simulator

urlpatterns = [
    path("simulateur", simulator.rights_simulator, name="rights_simulator"),
    path("mes-droits", holder.statement, name="rights"),
    path("mes-droits/releve.pdf", holder.statement_as_paper, name="rights_statement_paper"),
    path("mes-droits/declarations", declarations.declarations, name="declarations"),
    path(
        "mes-droits/declarations/nouvelle/<slug:slug>", declarations.declaration_new, name="declaration_new"
    ),
    path(
        "mes-droits/declarations/<int:declaration_id>/retirer",
        declarations.declaration_withdraw,
        name="declaration_withdraw",
    ),
    path(
        "mes-droits/declarations/<int:declaration_id>/finir",
        declarations.declaration_end,
        name="declaration_end",
    ),
    path(
        "mes-droits/declarations/<int:declaration_id>/pieces/<uuid:proof_id>",
        declarations.declaration_proof,
        name="declaration_proof",
    ),
    path("mes-droits/releve.csv", holder.statement_file, name="rights_statement_file"),
    path("mes-droits/releve.json", holder.statement_proof, name="rights_statement_proof"),
]
