"""``fivehundred users`` and ``fivehundred tokens``: accounts of a Console, on the machine that holds its data.

They open the store itself, so they work before anybody can sign in, and whoever may read the data folder may use them.
Passwords are asked for or read from standard input, never taken from the command line, where every user of the machine
could see them.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fivehundred.cli import Exit
from fivehundred.cli_text import ago, plain, table

if TYPE_CHECKING:
    from fivehundred.console.store.base import Store
    from fivehundred.console.store.people import People, Person

_invite_days = 7


class Failed(Exception):
    """What was asked for cannot be done; the text says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tokens = parser.prog.endswith("tokens")
    acts = ("list", "add", "revoke") if tokens else ("list", "add", "invite", "role", "password", "disable", "enable")
    parser.epilog = (
        "tokens add NAME makes a token for that account and prints it once; tokens revoke ID ends one."
        if tokens
        else "users add NAME makes an account with a password that is asked for, or with --invite a link to set one. "
        "The first account should be an owner; with it, everybody signs in."
    )
    parser.add_argument("act", nargs="?", default="list", choices=acts, help="what to do (list)")
    parser.add_argument(
        "name", nargs="?", default="", help="of the account" + (", or the token's ID" if tokens else "")
    )
    parser.add_argument("--data", type=Path, default=None, metavar="DIR", help="data folder of the Console")
    parser.add_argument("--scale", type=Path, default=None, metavar="FILE", help="configuration of several machines")
    parser.add_argument("--json", action="store_true", help="as JSON")
    if tokens:
        parser.add_argument("--for", dest="label", default="command line", metavar="WHAT", help="what the token is for")
        parser.add_argument(
            "--scope", default="read", choices=("read", "act", "manage", "admin"), help="what it may (read)"
        )
        parser.add_argument("--project", default="", metavar="ID", help="one project only")
        parser.add_argument("--days", type=int, default=365, help="how long it lasts (365)")
    else:
        parser.add_argument("--role", default="", choices=("viewer", "member", "admin", "owner"), help="of the account")
        parser.add_argument("--invite", action="store_true", help="print a link that sets the password")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        parser.add_argument(
            "--public-url", default="http://127.0.0.1:5500", metavar="URL", help="of the Console, for links"
        )


def main(args: argparse.Namespace) -> int:
    from fivehundred.console.access.secret import WeakPassword
    from fivehundred.console.store.base import StoreError
    from fivehundred.console.store.people import People

    tokens = hasattr(args, "scope")
    try:
        store = _open(args)
        try:
            found = (_tokens if tokens else _users)(People(store.database), args)
        finally:
            store.close()
    except (Failed, StoreError, WeakPassword) as e:
        print(f"fivehundred {'tokens' if tokens else 'users'}: {e}", file=sys.stderr)
        return Exit.failed
    print(json.dumps(found, indent=2) if args.json else _shown(found))
    return Exit.ok


def _open(args: argparse.Namespace) -> Store:
    from fivehundred.console.config import Layout, default_data_dir
    from fivehundred.console.store.sqlite import SqliteStore

    if args.scale is not None:
        from fivehundred.console.nodes import open_store
        from fivehundred.console.scale import read

        return open_store(read(args.scale))
    layout = Layout(args.data or default_data_dir())
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteStore(layout.database)


# ---- users ---------------------------------------------------------------------------------------


def _users(desk: People, args: argparse.Namespace) -> Any:
    if args.act == "list":
        return {"users": [_user(person) for person in desk.people()]}
    if not args.name:
        raise Failed(f"name the account: fivehundred users {args.act} NAME")
    if args.act == "add":
        return _add(desk, args)
    person = _named(desk, args.name)
    now = time.time()
    if args.act == "invite":
        return {"invite": _invite(desk, person.id, args.public_url)}
    if args.act == "password":
        desk.set_password(person.id, _password(args))
        desk.end_sessions(person.id)
    elif args.act == "role":
        if not args.role:
            raise Failed("say which: --role viewer, member, admin or owner")
        desk.set_role(person.id, args.role)
    elif args.act == "disable":
        desk.disable(person.id, now=now)
    else:
        desk.enable(person.id)
    said = {"password": "set the password of", "disable": "disabled the account of", "role": "changed the role of"}
    about = f"{person.shown} from {person.role} to {args.role}" if args.act == "role" else person.shown
    desk.audit("the command line", said.get(args.act, "enabled the account of"), about, now=now)
    return {"users": [_user(desk.person(person.id))]}


def _add(desk: People, args: argparse.Namespace) -> Any:
    role, now = args.role or "member", time.time()
    if not desk.any() and role != "owner":
        raise Failed(
            f"the first account is an owner, or nobody could let others in: users add {args.name} --role owner"
        )
    if desk.by_name(args.name) is not None:
        raise Failed(f"there is somebody called {args.name} already")
    password = "" if args.invite else _password(args)
    person = desk.add(args.name, role, password=password, now=now)
    desk.audit("the command line", "added", f"{args.name} as {role}", now=now)
    found: dict[str, Any] = {"users": [_user(desk.person(person))]}
    return found | ({"invite": _invite(desk, person, args.public_url)} if args.invite else {})


def _invite(desk: People, person: int, url: str) -> str:
    from fivehundred.console.access import secret

    value = secret.random_secret()
    desk.invite(person, secret.digest(value), expires_at=time.time() + _invite_days * 86_400)
    return f"{url.rstrip('/')}/invite/{value}"


def _password(args: argparse.Namespace) -> str:
    from fivehundred.console.access import secret

    if args.password_stdin or not sys.stdin.isatty():
        return secret.hashed(sys.stdin.readline().rstrip("\n"))
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise Failed("the two passwords differ; nothing was changed")
    return secret.hashed(first)


def _named(desk: People, name: str) -> Person:
    person = desk.by_name(name)
    if person is None:
        known = ", ".join(p.name for p in desk.people()[:10]) or "none yet"
        raise Failed(f"there is no account {name!r}; there are: {known}")
    return person


def _user(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "shown": person.shown,
        "role": person.role,
        "disabled": person.disabled_at is not None,
        "signed_in_at": person.signed_in_at,
    }


# ---- tokens --------------------------------------------------------------------------------------


def _tokens(desk: People, args: argparse.Namespace) -> Any:
    from fivehundred.console.access import secret

    names = {person.id: person.name for person in desk.people()}
    if args.act == "add":
        person, now = _named(desk, args.name), time.time()
        if not 1 <= args.days <= 3_650:
            raise Failed(f"--days is 1 to 3650, not {args.days}")
        value = secret.random_secret(secret.token_mark)
        ends = now + args.days * 86_400
        desk.add_token(
            person.id, args.label, secret.digest(value), value[:10], scope=args.scope, project=args.project,
            expires_at=ends, now=now,
        )  # fmt: skip
        desk.audit("the command line", "made a token", f"{args.label} for {person.shown}", now=now)
        return {"token": value, "scope": args.scope, "project": args.project, "expires_at": ends}
    if args.act == "revoke":
        if not args.name.isdecimal():
            raise Failed("give the ID of a token, as `fivehundred tokens` lists them")
        gone = desk.revoke_token(int(args.name))
        desk.audit("the command line", "revoked a token", gone.name, now=time.time())
    rows = [
        {"id": t.id, "name": t.name, "begins": t.prefix, "account": names.get(t.person, ""), "scope": t.scope,
         "project": t.project, "used_at": t.used_at, "expires_at": t.expires_at}
        for t in desk.tokens()
    ]  # fmt: skip
    return {"tokens": rows}


def _shown(found: dict[str, Any]) -> str:
    lines = []
    now = time.time()
    if found.get("users") is not None:
        rows = [
            (u["name"], u["role"] + (", disabled" if u["disabled"] else ""), _when(u["signed_in_at"], now))
            for u in found["users"]
        ]
        lines.append(
            table(("NAME", "ROLE", "SIGNED IN"), rows) if rows else "No account yet: this Console is open here."
        )
    if found.get("tokens") is not None:
        listed = [
            (str(t["id"]), plain(t["name"]), f"{t['begins']}…", t["account"], t["scope"], _when(t["used_at"], now))
            for t in found["tokens"]
        ]
        head = ("ID", "FOR", "BEGINS", "ACCOUNT", "MAY", "USED")
        lines.append(table(head, listed) if listed else "No token yet.")
    if "invite" in found:
        lines.append(
            f"Send this link; it sets a password, works once, and ends in {_invite_days} days:\n{found['invite']}"
        )
    if "token" in found:
        lines.append(f"The token, shown this once; put it into FIVEHUNDRED_TOKEN:\n{found['token']}")
    return "\n".join(lines)


def _when(at: float | None, now: float) -> str:
    return f"{ago(now - at)} ago" if at else "never"
