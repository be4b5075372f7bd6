"""Whom a request was for, as frameworks know it: told by the stored key, and never looked up for it."""

# mypy: disable-error-code="import-untyped,import-not-found,misc,untyped-decorator"

from __future__ import annotations

import subprocess
import sys
from typing import Any

from fivehundred import Guard
from fivehundred.guard.testing import reported


def test_flask_logins_user_is_told() -> None:
    import flask
    import flask_login

    app = flask.Flask("shop")
    app.secret_key = "test"
    logins = flask_login.LoginManager(app)
    loaded: list[str] = []

    class User(flask_login.UserMixin):
        def __init__(self, id: str) -> None:
            self.id = id

        @property
        def email(self) -> str:
            raise AssertionError("asked")

    @logins.user_loader
    def load(user_id: str) -> User:
        loaded.append(user_id)
        return User(user_id)

    @app.get("/login")
    def login() -> str:
        flask_login.login_user(User("17"))
        return "ok"

    @app.get("/fails")
    def fails() -> str:
        assert flask_login.current_user.id == "17"
        return str(1 / 0)

    @app.get("/unasked")
    def unasked() -> str:
        return str(1 / 0)

    guard = Guard("", mode="testing")
    guard.flask(app)
    client = app.test_client()
    client.get("/login")
    with reported(guard) as events:
        client.get("/fails")
        loaded.clear()
        client.get("/unasked")
    assert events[0].user is not None
    assert events[0].user.id == "17"
    assert events[1].user is None
    assert loaded == []  # whom the view did not ask for is not loaded for the report


_django = """
import sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="test", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], DEBUG=False,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=["fivehundred.guard.django.Guard", "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware"],
    FIVEHUNDRED={"dsn": "", "mode": "testing"},
)
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from fivehundred.guard.guard import Guard

guards = []
made = Guard.__init__
def noted(self, *args, **kwargs):
    made(self, *args, **kwargs)
    guards.append(self)
Guard.__init__ = noted

def asks(request):
    assert request.user.pk
    raise LookupError("asked")

def ignores(request):
    raise LookupError("ignored")

urlpatterns = [path("asks", asks), path("ignores", ignores)]
call_command("migrate", verbosity=0)
user = get_user_model().objects.create_user("ann", password="x")
client = Client(raise_request_exception=False)
client.force_login(user)
client.get("/asks")
with CaptureQueriesContext(connection, ) as queries:
    client.get("/ignores")
asked, ignored = guards[-1].events
assert asked.user is not None and asked.user.id == str(user.pk), asked.user
assert ignored.user is None, ignored.user
assert not [q for q in queries if "auth_user" in q["sql"]], list(queries)
"""


def test_djangos_user_is_told_when_the_view_asked_for_it_and_no_query_is_made_for_the_report() -> None:
    done: Any = subprocess.run([sys.executable, "-c", _django], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
