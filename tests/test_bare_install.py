"""The built wheel, installed alone: Guard, Client and command work with nothing but the standard library."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

root = Path(__file__).parents[1]
wheel_bytes_max = 1_000_000  # with pages; what a stranger downloads before he has seen anything
import_modules_max = 3  # of ours, loaded by ``import fivehundred``

every_module = """
import importlib, pkgutil, sys
import fivehundred
class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("fivehundred", "_distutils_hack", "sitecustomize"):
            raise ImportError(f"{name} is not in the standard library")
sys.meta_path.insert(0, Blocked())
frameworks = set(sys.argv[1].split(","))
found = []
for part in ("fingerprint", "diagnosis", "guard", "client"):
    importlib.import_module(f"fivehundred.{part}")
    for module in pkgutil.walk_packages([f"{fivehundred.__path__[0]}/{part}"], f"fivehundred.{part}."):
        if module.name.rpartition(".")[2] not in frameworks:
            importlib.import_module(module.name)
            found.append(module.name)
for leaf in ("event", "envelope", "problem", "scrub", "limits", "cli"):
    importlib.import_module(f"fivehundred.{leaf}")
print(len(found))
"""
works = """
import fivehundred
guard = fivehundred.Guard()
def app(environ, start_response):
    return [1 / 0]
seen = []
body = b"".join(guard.wsgi(app)({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.url_scheme": "http", "HTTP_ACCEPT": "application/json"}, lambda s, h, e=None: seen.append((s, dict(h)))))
status, headers = seen[0]
assert status.startswith("500 "), status
assert headers["Error-Reference"].encode() in body, body
print("answered")
"""
frameworks = (
    "flask,starlette,fastapi,django,aiohttp,bottle,falcon,litestar,pyramid,quart,sanic,tornado,sqlalchemy,celery,rq,psycopg,"
    "requests,httpx,httpx2"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, root]
    subprocess.run([str(x) for x in command], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds our wheel and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    where = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*where, str(wheel)], check=True)
    return python


def run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(python), *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_the_wheel_stays_small(wheel: Path) -> None:
    assert wheel.stat().st_size < wheel_bytes_max


def test_the_wheel_asks_for_no_package(alone: Path) -> None:
    code = "from importlib.metadata import requires; print([r for r in requires('fivehundred') if 'extra ==' not in r])"
    assert run(alone, "-c", code).stdout.strip() == "[]"


def test_every_guard_and_client_module_imports_with_third_party_names_blocked(alone: Path) -> None:
    done = run(alone, "-c", every_module, frameworks)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_the_guard_answers_when_installed_alone(alone: Path) -> None:
    done = run(alone, "-c", works)
    assert (done.returncode, done.stdout.strip()) == (0, "answered"), done.stderr


def test_the_command_helps_when_installed_alone(alone: Path) -> None:
    done = run(alone, "-m", "fivehundred", "--help")
    assert done.returncode == 0
    assert "console" in done.stdout


def test_a_part_that_needs_an_extra_names_the_command_that_brings_it(alone: Path) -> None:
    done = run(alone, "-m", "fivehundred", "console")
    assert done.returncode != 0
    assert "pip install" in done.stderr
    assert "fivehundred[console]" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_the_package_loads_next_to_nothing(alone: Path) -> None:
    code = "import sys, fivehundred; print(len([m for m in sys.modules if m.startswith('fivehundred')]))"
    assert int(run(alone, "-c", code).stdout) <= import_modules_max
