"""Small files of our own making, in the formats of the real ones."""

import gzip
import zipfile
from pathlib import Path

SIRET = "73282932000074"  # passes its check digit
OTHER_SIRET = "55208131766522"
BAD_SIRET = "12312312300000"

# --- France compétences ----------------------------------------------------------------------------

PARTNER = """      <PARTENAIRE>
        <NOM_PARTENAIRE>{name}</NOM_PARTENAIRE>
        <SIRET_PARTENAIRE>{siret}</SIRET_PARTENAIRE>
        <HABILITATION_PARTENAIRE>{role}</HABILITATION_PARTENAIRE>
        <ETAT_HABILITATION>{state}</ETAT_HABILITATION>
        <DATE_ACTIF>{since}</DATE_ACTIF>
      </PARTENAIRE>
"""


def partner(
    *, name="École du Pont", siret=SIRET, role="HABILITATION_ORGA_FORM", state="Actif", since="05/01/2026"
):
    return PARTNER.format(name=name, siret=siret, role=role, state=state, since=since)


def fiche(
    code="RNCP100",
    *,
    title="Agent de test",
    active="Oui",
    ends="31/12/2030",
    effect="01/01/2024",
    level="NIV4",
    certifiers=f"<SIRET_CERTIFICATEUR>{OTHER_SIRET}</SIRET_CERTIFICATEUR><NOM_CERTIFICATEUR>Certif</NOM_CERTIFICATEUR>"
    "<ETAT_CERTIFICATEUR>Actif</ETAT_CERTIFICATEUR>",
    partners="",
    blocks=("BC01", "BC02"),
    old=(),
    new=(),
    more="",
):
    number = f"    <NUMERO_FICHE>{code}</NUMERO_FICHE>\n" if code is not None else ""
    block_rows = "".join(
        f"<BLOC_COMPETENCES><CODE>{block if block[:1] == 'R' else f'{code}{block}'}</CODE>"
        f"<LIBELLE>Bloc {block}</LIBELLE></BLOC_COMPETENCES>"
        for block in blocks
    )
    links = "".join(
        f"<{which}S_CERTIFICATIONS><{which}_CERTIFICATION><ID_FICHE_{which}_CERTIFICATION>{other}"
        f"</ID_FICHE_{which}_CERTIFICATION></{which}_CERTIFICATION></{which}S_CERTIFICATIONS>"
        for which, others in (("ANCIENNE", old), ("NOUVELLE", new))
        for other in others
    )
    return f"""  <FICHE>
    <ID_FICHE>1</ID_FICHE>
{number}    {links}
    <INTITULE>{title}</INTITULE>
    <ABREGE><CODE>TP</CODE><LIBELLE>Titre professionnel</LIBELLE></ABREGE>
    <ETAT_FICHE>Publiée</ETAT_FICHE>
    <FORMACODES><FORMACODE><CODE>22454</CODE><LIBELLE>Bâtiment</LIBELLE></FORMACODE></FORMACODES>
    <NOMENCLATURE_EUROPE><NIVEAU>{level}</NIVEAU></NOMENCLATURE_EUROPE>
    <CODES_NSF><NSF><CODE>326t</CODE><LIBELLE>Programmation</LIBELLE></NSF></CODES_NSF>
    <CERTIFICATEURS><CERTIFICATEUR>{certifiers}</CERTIFICATEUR></CERTIFICATEURS>
    <PARTENAIRES>
{partners}    </PARTENAIRES>
    <ACTIVITES_VISEES>Tester.
Recommencer.</ACTIVITES_VISEES>
    <CODES_ROME><ROME><CODE>M1805</CODE><LIBELLE>Études et développement</LIBELLE></ROME></CODES_ROME>
    <ACTIF>{active}</ACTIF>
    <DATE_FIN_ENREGISTREMENT>{ends}</DATE_FIN_ENREGISTREMENT>
    <DATE_EFFET>{effect}</DATE_EFFET>
    <BLOCS_COMPETENCES>{block_rows}</BLOCS_COMPETENCES>
    {more}
  </FICHE>
"""


def fiches(*records: str, encoding="UTF-8") -> bytes:
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n<FICHES>\n  <VERSION_FLUX>4.1</VERSION_FLUX>\n'
    return f"{head}{''.join(records)}</FICHES>\n".encode(encoding)


# --- Other files that tell of certifications --------------------------------------------------------

INFO_COLUMNS = (
    "Code_Diplome", "Libelle_Diplome", "Libelle_Type_Diplome", "Code_Niveau_Europeen", "Code_FormaCode",
    "Code_Rome_1", "Code_Rome_2", "Code_Nsf", "Code_RNCP", "Code_RS", "valideur", "Annee_Derniere_Session",
    "Code_Ancien_RNCP", "accessibilite_ca", "accessibilite_vae", "codeIdeo2",
)  # fmt: skip


def info(*lines: dict[str, str], **only: str) -> bytes:
    """Certif Info; a line is « Diplôme d'essai », with no number, unless it says otherwise."""
    rows = []
    usual = {"Code_Diplome": "1", "Libelle_Diplome": "Diplôme d'essai"}
    for line in (*lines, *([only] if only else [])):
        rows.append(";".join((usual | line).get(name, "") for name in INFO_COLUMNS))
    return "".join(f"{row}\n" for row in (";".join(INFO_COLUMNS), *rows)).encode()


KIT_LINE = {
    "Code Diplôme": "32022310",
    "Intitulé diplôme (DEPP)": "PILOTE D'ESSAIS (BTS)",
    "FicheRNCP": "RNCP100",
    "Niveau fiche RNCP": "Niveau 5",
    "Abrégé de diplôme (RNCP)": "BTS",
    "Accès à l'apprentissage de la fiche RNCP (oui/non)": "Oui",
    "Date d'échéance de la fiche RNCP": "31/08/2029",
    "Fiche ACTIVE/INACTIVE": "ACTIVE",
    "Intitulé certification (RNCP)": "BTS - Pilote d'essais",
    "Date de décision (enregistrement sur demande)": "",
    "Date de début des parcours certifiants (enregistrement de droit)": "",
    "Date limite de la délivrance": "",
    "Nouvelle Certification rempla (RNCP)": "",
    "Ancienne Certification (RNCP)": "",
}


def kit(*lines: dict[str, str]) -> bytes:
    """The apprenticeship kit; a line is KIT_LINE unless it says otherwise."""
    rows = [list(KIT_LINE), *((KIT_LINE | line).values() for line in lines)]
    return "".join(f"{';'.join(row)}\n" for row in rows).encode()


CSV_PARTS = {
    "Standard": (
        "Id_Fiche;Numero_Fiche;Intitule;Abrege_Libelle;Abrege_Intitule;Nomenclature_Europe_Niveau;"
        "Nomenclature_Europe_Intitule;Accessible_Nouvelle_Caledonie;Accessible_Polynesie_Francaise;"
        "Date_dernier_jo;Date_Decision;Date_Fin_Enregistrement;Date_Effet;Type_Enregistrement;"
        "Validation_Partielle;Actif",
        '"1";"RNCP100";"Agent d\'essai";"CAP";"Certificat d\'aptitude professionnelle";"NIV3";"Niveau 3";'
        '"Non";"Non";;;"31/08/2030";"01/09/2025";"Enregistrement de droit";;"ACTIVE"',
    ),
    "Blocs_De_Compétences": (
        "Numero_Fiche;Bloc_Competences_Code;Bloc_Competences_Libelle",
        '"RNCP100";"RNCP100BC01";"Vérifier"',
    ),
    "CCN": ("Numero_Fiche;Ccn_1_Numero", '"RNCP100";"3117"'),
    "Certificateurs": (
        "Numero_Fiche;Siret_Certificateur;Nom_Certificateur",
        f'"RNCP100";"\t{OTHER_SIRET}";"Certif"',
    ),
    "Formacode": ("Numero_Fiche;Formacode_Code;Formacode_Libelle", '"RNCP100";"42872";"42872 : Incendie"'),
    "Nsf": ("Numero_Fiche;Nsf_Code;Nsf_Intitule", '"RNCP100";"251";"251 : Mécanique"'),
    "Partenaires": (
        "Numero_Fiche;Nom_Partenaire;Siret_Partenaire;Habilitation_Partenaire",
        f'"RNCP100";"École du Pont";"\t{SIRET}";"HABILITATION_ORGA_FORM"',
    ),
    "Rome": (
        "Numero_Fiche;Codes_Rome_Code;Codes_Rome_Libelle",
        '"RNCP100";"I1203";"Maintenance d\'\'un local"',
    ),
    "VoixdAccès": (
        "Numero_Fiche;Si_Jury",
        '"RNCP100";"Par expérience"\n"RNCP100";"En contrat d’apprentissage"',
    ),
    "Ancienne_Nouvelle_Certification": (
        "Numero_Fiche;Ancienne_Certification;Nouvelle_Certification",
        '"RNCP100";"RNCP90";\n"RNCP100";;"RNCP110"',
    ),
}  # fmt: skip


def csv_archive(**parts: str) -> dict[str, bytes]:
    """The register as ten CSV files, by name; `parts`: other lines for the file whose name begins so."""
    archive = {}
    for name, (header, lines) in CSV_PARTS.items():
        written = next((other for part, other in parts.items() if name.startswith(part)), lines)
        archive[f"export_fiches_CSV_{name}_2024_02_22.csv"] = f"{header}\n{written}\n".encode()
    return archive


# --- The portal's catalogue ------------------------------------------------------------------------

ADDRESS = """<adresse numero="1">
            <ligne>École du Pont</ligne>
            <codepostal>69001</codepostal>
            <ville>LYON</ville>
            <geolocalisation><latitude>45.7676</latitude><longitude>4.8345</longitude></geolocalisation>
            <extras info="adresse"><extra info="numero-voie">3</extra>
            <extra info="code-nature-voie">RUE</extra><extra info="libelle-voie">du Pont</extra></extras>
          </adresse>"""

SESSION = """<session numero="{number}" datemaj="20260102" datecrea="20260101">
          {period}
          <adresse-inscription>{address}</adresse-inscription>
          <etat-recrutement>{recruitment}</etat-recrutement>
          <extras info="session"><extra info="garantie">1</extra>
          <extra info="modalites-particulieres">Salle 2</extra></extras>
        </session>"""
PERIOD = """<periode>
            <debut>{starts}</debut>
            <fin>{ends}</fin>
          </periode>"""


def session(number="S1", *, starts="20300107", ends="20300630", recruitment="1", period=None) -> str:
    period = PERIOD.format(starts=starts, ends=ends) if period is None else period
    return SESSION.format(number=number, period=period, address=ADDRESS, recruitment=recruitment)


PRICES = """<extras info="frais-pedagogiques">
            <extra info="taux-tva">20.0</extra>
            <extra info="frais-ht">500.50</extra>
            <extra info="frais-ttc">600.60</extra>
          </extras>"""


def action(
    number="A1",
    *,
    mode="0",
    entries="0",
    address=ADDRESS,
    sessions=None,
    prices=PRICES,
    hours=None,
    url="https://ecole.example.org/a1",
    email="contact@ecole.example.org",
    language="FR",
    more="",
) -> str:
    sessions = session() if sessions is None else sessions
    # Of another length than A1: two actions that nobody could tell apart are refused.
    longer = 20 * (int("".join(filter(str.isdecimal, number)) or 1) - 1)
    usual = f"<nombre-heures-centre>{70 + longer}</nombre-heures-centre>"
    usual += "<nombre-heures-entreprise>7</nombre-heures-entreprise>"
    hours = usual if hours is None else hours
    return f"""<action numero="{number}" datemaj="20260102" datecrea="20260101">
        <niveau-entree-obligatoire>0</niveau-entree-obligatoire>
        <modalites-enseignement>{mode}</modalites-enseignement>
        <conditions-specifiques>Savoir lire</conditions-specifiques>
        <lieu-de-formation>
          <coordonnees numero="1">
            <nom>NOM</nom>
            <prenom>Prénom</prenom>
            {address}
            <telfixe><numtel>0123456789</numtel></telfixe>
            <courriel>{email}</courriel>
          </coordonnees>
        </lieu-de-formation>
        <modalites-entrees-sorties>{entries}</modalites-entrees-sorties>
        <url-action>
          <urlweb>{url}</urlweb>
        </url-action>
        {sessions}
        <acces-handicapes>0</acces-handicapes>
        <langue-formation>{language}</langue-formation>
        {hours}
        <extras info="action">
          <extra info="modalites-handicap">Ascenseur</extra>
          <extra info="info-admission">Sur dossier</extra>
          {prices}
          <extra info="existence-prerequis">1</extra>
          {more}
        </extras>
      </action>"""


def training(
    number="F1",
    *,
    title="Développer une application",
    code="<code-RNCP>RNCP100</code-RNCP>",
    actions=None,
    siret=SIRET,
    content="<![CDATA[<p>Le <b>code</b></p>]]>",
    blocks="",
    summary="En bref",
) -> str:
    actions = action() if actions is None else actions
    # Nor are two trainings that say the same in every word.
    goal = "Savoir développer" if number == "F1" else f"Savoir développer, partie {number}"
    return f"""    <formation numero="{number}" datemaj="20260102" datecrea="20260101">
      <intitule-formation>{title}</intitule-formation>
      <objectif-formation>{goal}</objectif-formation>
      <resultats-attendus>Une application</resultats-attendus>
      <contenu-formation>{content}</contenu-formation>
      <parcours-de-formation>1</parcours-de-formation>
      <objectif-general-formation>6</objectif-general-formation>
      <certification>
        {code}
      </certification>
      {actions}
      <organisme-formation-responsable>
        <SIRET-organisme-formation>
          <SIRET>{siret}</SIRET>
        </SIRET-organisme-formation>
      </organisme-formation-responsable>
      <extras info="formation"><extra info="resume-contenu">{summary}</extra>{blocks}</extras>
    </formation>
"""


def catalogue(*trainings: str, encoding="ISO-8859-1") -> bytes:
    body = "".join(trainings or (training(),))
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n'
        f'<lheo xmlns="https://www.of.moncompteformation.gouv.fr">\n  <offres>\n{body}  </offres>\n</lheo>\n'
    ).encode(encoding)


# --- On disk ---------------------------------------------------------------------------------------


def line_of(content: bytes, marker: str, *, encoding="utf-8", last=False) -> int:
    """The line on which a text stands, its first one unless `last`."""
    found = content.rfind(marker.encode(encoding)) if last else content.find(marker.encode(encoding))
    assert found >= 0, marker
    return content.count(b"\n", 0, found) + 1


def put(folder: Path, content: bytes, name="fichier.xml") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def put_gzip(folder: Path, content: bytes, name="fichier.xml.gz") -> str:
    return put(folder, gzip.compress(content), name)


def put_zip(folder: Path, members: dict[str, bytes], name="fichier.zip") -> str:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return str(folder / name)
