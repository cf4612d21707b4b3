"""dev.py: what it refuses, what it survives, what it never leaves behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import redis
from cryptography.fernet import Fernet

import dev
from tests.waiting import wait_for
from tools.dev import checkout, environment, processes, servers

ROOT = Path(__file__).resolve().parents[2]
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)
SLEEPS = "import time; time.sleep(30)"


@pytest.fixture
def folder():
    """A folder with spaces and accents that the user who runs PostgreSQL may cross."""
    with tempfile.TemporaryDirectory(prefix="l'été des données ") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def var(folder, monkeypatch):
    """An empty .var, for every part of the launcher."""
    for module in (dev, checkout):
        monkeypatch.setattr(module, "VAR", folder)
    return folder


@pytest.fixture
def started(folder):
    """Starts processes as dev.py does, and stops them after the test."""
    children = []

    def start(code, *arguments, log="child.log", **options):
        command = [sys.executable, "-c", code, *arguments]
        children.append(processes.start("child", command, folder / log, **options))
        return children[-1]

    yield start
    processes.stop(children, limit=0.1)


def is_alive(pid):
    return processes.command_line(pid) != ""


# --- What it refuses --------------------------------------------------------------------------


def test_production_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("PORTAL_ENV", "Production")
    with pytest.raises(checkout.Trouble, match="PORTAL_ENV=production in the environment"):
        checkout.refuse_production()


@pytest.mark.parametrize(
    "line", ["PORTAL_ENV=production", 'export PORTAL_ENV="production"', "PORTAL_ENV = 'production'"]
)
def test_production_in_the_env_file_is_refused(folder, monkeypatch, line):
    monkeypatch.setattr(checkout, "ROOT", folder)
    monkeypatch.delenv("PORTAL_ENV", raising=False)
    (folder / ".env").write_text(f"# for compose\nSECRET_KEY=x\n{line}\n")
    with pytest.raises(checkout.Trouble, match=r"in \.env"):
        checkout.refuse_production()


def test_development_is_not_refused(folder, monkeypatch):
    monkeypatch.setattr(checkout, "ROOT", folder)
    monkeypatch.setenv("PORTAL_ENV", "development")
    (folder / ".env").write_text("# PORTAL_ENV=production\nOTHER_ENV=production\n")
    checkout.refuse_production()


def test_the_command_says_why_and_fails():
    env = os.environ | {"PORTAL_ENV": "production"}
    command = [sys.executable, ROOT / "dev.py", "manage", "--version"]
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "dev.py only runs on development settings" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_old_python_is_told_in_words():
    code = f"import runpy, sys; sys.version_info = (3, 10, 0); runpy.run_path({str(ROOT / 'dev.py')!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr.startswith("dev.py needs Python 3.11 or newer")


def test_reset_never_touches_a_database_that_is_not_its_own(var, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://someone@elsewhere/important")
    (var / "prepared.json").write_text("{}")
    with pytest.raises(checkout.Trouble, match="not the one DATABASE_URL names"):
        dev.empty_var()
    assert (var / "prepared.json").exists()


# --- Its words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "rest"),
    [
        (["manage", "migrate", "--help"], ["migrate", "--help"]),
        (["test", "-k", "rules", "-x"], ["-k", "rules", "-x"]),
        (["run", "a script.py", "--port", "1", "--", "-h"], ["a script.py", "--port", "1", "--", "-h"]),
    ],
)
def test_arguments_of_others_are_passed_on_untouched(words, rest):
    assert dev.parse(words)[1] == rest


def test_trouble_shows_the_end_of_the_log(folder):
    log = folder / "web.log"
    log.write_text("\n".join(f"line {n}" for n in range(100)))
    text = str(checkout.Trouble("web stopped.", log))
    assert text.startswith("web stopped.")
    assert text.endswith("line 99")
    assert "line 70" not in text


def test_what_is_in_the_environment_wins_and_what_is_empty_does_not(monkeypatch):
    monkeypatch.setenv("PORTAL_BASE_URL", "http://mine:9000")
    monkeypatch.setenv("DATABASE_URL", "")
    found = dev.portal_variables(PORTAL_BASE_URL="http://127.0.0.1:8000", DATABASE_URL="postgres://embedded")
    assert (found["PORTAL_BASE_URL"], found["DATABASE_URL"]) == ("http://mine:9000", "postgres://embedded")


# --- Keys and locks -----------------------------------------------------------------------------


def test_keys_stay_between_runs_and_are_private(var):
    first = checkout.kept_secrets()
    assert checkout.kept_secrets() == first
    assert (var / "dev.env").stat().st_mode & 0o077 == 0
    Fernet(first["NIR_KEYS"])  # refuses what is not 32 bytes in base64


def test_a_lock_is_held_by_one_and_freed_by_kill_9(var, started):
    code = (
        "import sys, time; from pathlib import Path; from tools.dev import checkout\n"
        "checkout.VAR = Path(sys.argv[1])\n"
        "with checkout.locked('launcher'): print('held', flush=True); time.sleep(60)"
    )
    child = started(code, var, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert wait_for(lambda: "held" in child.log.read_text())
    with checkout.locked("launcher", wait=False) as is_ours:
        assert not is_ours
    child.process.kill()
    child.process.wait()
    with checkout.locked("launcher", wait=False) as is_ours:
        assert is_ours


# --- The environment ----------------------------------------------------------------------------


def test_an_environment_is_whole_only_when_its_stamp_says_so(folder, monkeypatch):
    packages, python = folder / "dev.txt", folder / "venv" / "bin" / "python"
    packages.write_text("django==5.2\n")
    python.parent.mkdir(parents=True)
    python.touch()
    for name, value in (("VENV", folder / "venv"), ("PYTHON", python), ("PACKAGES", packages)):
        monkeypatch.setattr(environment, name, value)

    assert not environment.environment_is_ready()  # interrupted: the stamp is written last
    (folder / "venv" / "stamp").write_text(environment.environment_stamp())
    assert environment.environment_is_ready()
    packages.write_text("django==5.3\n")
    assert not environment.environment_is_ready()
    packages.write_text("django==5.2\n")
    monkeypatch.setattr(sys, "version", "3.13.1 (main)")
    assert not environment.environment_is_ready()


def test_uv_trusts_the_certificates_that_pip_was_given(monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("PIP_CERT", "/etc/company.pem")
    found = environment.downloader_variables()
    assert (found["SSL_CERT_FILE"], found["UV_SYSTEM_CERTS"]) == ("/etc/company.pem", "1")
    assert found["UV_PYTHON_DOWNLOADS"] == "never"


def test_the_database_is_prepared_again_when_the_code_changes(folder, monkeypatch):
    monkeypatch.setattr(dev, "ROOT", folder)
    (folder / "rights").mkdir()
    (folder / "tests").mkdir()
    before = dev.code_fingerprint()
    (folder / "tests" / "test_a.py").write_text("a test fills no database")
    assert dev.code_fingerprint() == before
    (folder / "rights" / "models.py").write_text("a column more")
    assert dev.code_fingerprint() != before


# --- Ports --------------------------------------------------------------------------------------


def server_like_granian(port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind((servers.HOST, port))
    server.listen()
    return server


def test_a_taken_port_gives_the_next_free_one():
    first = servers.free_service_port()
    with socket.socket() as other:
        other.bind((servers.HOST, first))
        other.listen()
        with servers.hold_web_port(first) as port:
            assert first < port < first + 100


def test_two_checkouts_never_share_a_port():
    first = servers.free_service_port()
    # Without the hold, the kernel lets two web servers open the same port without a word.
    with server_like_granian(first), server_like_granian(first):
        pass
    with servers.hold_web_port(first) as one, server_like_granian(one), servers.hold_web_port(first) as two:
        assert one == first
        assert two != first


def test_no_free_port_is_said_in_words():
    with pytest.raises(checkout.Trouble, match="No free port from 65536 on"), servers.hold_web_port(65_536):
        pass


# --- Processes ----------------------------------------------------------------------------------


def test_waiting_ends_when_the_child_dies(started):
    child = started("print('no such database'); raise SystemExit(3)")
    with pytest.raises(checkout.Trouble, match="child stopped by itself") as trouble:
        processes.wait_until(lambda: False, child, limit=30)
    assert "no such database" in str(trouble.value)


def test_waiting_has_a_limit(started):
    child = started(SLEEPS)
    with pytest.raises(checkout.Trouble, match=r"not ready after 0\.2 seconds"):
        processes.wait_until(lambda: False, child, limit=0.2)


def test_stopping_takes_the_stubborn_and_their_children(started):
    code = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]]).pid, flush=True)"
    )
    child = started(f"{code}\n{IGNORES_SIGTERM}", SLEEPS)
    assert wait_for(lambda: "ready" in child.log.read_text())
    grandchild = int(child.log.read_text().split()[0])
    assert is_alive(grandchild)
    begun = time.monotonic()
    processes.stop([child], limit=0.3)
    assert time.monotonic() - begun < 10
    assert wait_for(lambda: not is_alive(child.process.pid) and not is_alive(grandchild))


@pytest.mark.skipif(
    sys.platform != "linux", reason="other kernels have no such signal: leftovers are stopped later"
)
def test_kill_9_of_the_launcher_takes_its_servers_down(folder):
    code = (
        "import sys, time; from pathlib import Path; from tools.dev import processes\n"
        f"child = processes.start('server', [sys.executable, '-c', {SLEEPS!r}], Path(sys.argv[1]))\n"
        "print(child.process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, folder / "server.log"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) as launcher:
        server = int(launcher.stdout.readline())
        assert is_alive(server)
        launcher.send_signal(signal.SIGKILL)
        assert wait_for(lambda: not is_alive(server))


def test_a_leftover_is_stopped_and_a_stranger_with_its_number_is_not(started, folder):
    leftover, stranger = started(IGNORES_SIGTERM, folder), started(SLEEPS, log="stranger.log")
    assert wait_for(lambda: is_alive(leftover.process.pid) and is_alive(stranger.process.pid))
    processes.stop_leftover(stranger.process.pid, str(folder))
    assert stranger.process.poll() is None
    processes.stop_leftover(leftover.process.pid, str(folder), signal.SIGKILL)
    assert wait_for(lambda: leftover.process.poll() is not None)


# --- PostgreSQL and the broker ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "not a number\n", "4194305\n/nowhere\n"])
def test_a_stale_database_lock_is_forgotten(folder, text):
    lock = folder / "postmaster.pid"
    lock.write_text(text)
    servers.clear_postgres_lock(folder)
    assert not lock.exists()


def test_a_database_lock_with_the_number_of_a_stranger_spares_the_stranger(folder, started):
    stranger = started(SLEEPS)
    (folder / "postmaster.pid").write_text(f"{stranger.process.pid}\n{folder}\n")
    servers.clear_postgres_lock(folder)
    assert stranger.process.poll() is None
    assert not (folder / "postmaster.pid").exists()


@contextlib.contextmanager
def real_services(folder, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(servers, "ignore_signals", lambda: None)  # pytest keeps its Ctrl-C
    with servers.services(folder, "motdepasse", durable=False) as (addresses, children):
        yield addresses, children


def test_the_servers_run_in_a_path_with_spaces_and_stop(folder, monkeypatch):
    with real_services(folder, monkeypatch) as (addresses, children):
        with psycopg.connect(addresses["DATABASE_URL"]) as database:
            assert (
                database.execute("select lower('É'), current_setting('server_version_num')").fetchone()[0]
                == "é"
            )
            database.execute("create table kept (word text)")
        with redis.Redis.from_url(addresses["REDIS_URL"]) as broker:
            assert broker.ping()
        wrong = addresses["DATABASE_URL"].replace("motdepasse", "autre")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
    assert [child.process.poll() for child in children] == [0, 0]

    # A server that outlived its launcher: its folder is taken over, its data are kept.
    orphan, _ = servers.start_postgres(
        folder / "postgres", "motdepasse", folder / "orphan.log", durable=False
    )
    with (
        real_services(folder, monkeypatch) as (addresses, _),
        psycopg.connect(addresses["DATABASE_URL"]) as database,
    ):
        assert orphan.process.poll() is not None
        assert database.execute("select count(*) from kept").fetchone() == (0,)


def test_data_of_another_major_version_are_refused(folder):
    data = folder / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("12\n")
    with pytest.raises(checkout.Trouble, match=r"of PostgreSQL 12.*--reset"):
        servers.start_postgres(data, "motdepasse", folder / "postgres.log")


def test_servers_named_in_the_environment_are_used_as_they_are(folder, monkeypatch):
    given = {"DATABASE_URL": "postgres://mine/portal", "REDIS_URL": "redis://mine/3"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(servers, "ignore_signals", lambda: None)
    with servers.services(folder, "unused") as (addresses, children):
        assert (addresses, children) == (given, [])
