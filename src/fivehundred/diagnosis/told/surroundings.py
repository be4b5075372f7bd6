"""Environment, files, names and certificates: the variable, path or host that is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fivehundred.diagnosis.frames import place
from fivehundred.diagnosis.told.base import Told, nothing, plain
from fivehundred.diagnosis.told.language import fact_of

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case


def variable_missing(case: Case) -> Told:
    name = _variable(case, "missing")
    if not name:
        return nothing
    return Told(
        f"the environment variable {name} is not set",
        advice=f"set {name} where this process is started, and restart it",
    )


def variable_malformed(case: Case) -> Told:
    name = _variable(case, "malformed")
    if not name or case.app_frame is None:
        return nothing
    one = case.raised[-1]
    because = f"the environment variable {name} holds what the code cannot read"
    return Told(
        because, advice=f"correct the value of {name}, which {place(case.app_frame)} reads ({plain(one.text, 80)})"
    )


def _variable(case: Case, value: str) -> str:
    found = (fact for facts in case.found.values() for fact in facts if fact.kind == "env" and fact.value == value)
    return next((fact.subject for fact in found if re.fullmatch(r"\w+", fact.subject)), "")


def module(case: Case) -> Told:
    text = "\n".join(one.text for one in case.raised)
    found = re.search(r"No module named '([\w.]+)'|cannot import name '(\w+)' from '([\w.]+)'", text)
    if not found:
        return nothing
    name = found[1] or found[3]
    what = f"the Python package {name.partition('.')[0]} is not installed"
    if found[2]:
        what = f"{name} has no {found[2]}: it has another version than the code expects"
    return Told(
        what, advice=f"install {name.partition('.')[0]} in the version that the lock file names, in this environment"
    )


def library(case: Case) -> Told:
    found = re.search(r"(\S+\.so[\w.]*): cannot open shared object", "\n".join(one.text for one in case.raised))
    if not found:
        return nothing
    return Told(f"the system library {found[1]} is not installed", advice=f"install the package that brings {found[1]}")


def path(case: Case) -> Told:
    """ENOENT and EACCES bring the path themselves."""
    for one in reversed(case.raised):
        name = one.attrs.get("filename")
        found = re.search(r"\[Errno \d+\] [^:]{3,60}: '([^']{1,300})'", one.text)
        shown = name if isinstance(name, str) and name else found[1] if found else ""
        if one.errno in _paths and shown:
            clause, advice = _paths[one.errno]
            return Told(clause.format(shown), f"{fact_of(one, case)} ({one.errno})", advice.format(shown))
    if "sqlite" in case.products:
        advice = "create or mount the folder of the database file, and give the process's user the right to it"
        return Told("SQLite cannot open its database file", advice=advice)
    return nothing


_paths = {
    "ENOENT": ("{} is not there", "create or mount {}, or correct the path in the configuration"),
    "ENOTDIR": ("a part of the path {} is no folder", "correct the path {}"),
    "EACCES": ("the process may not use {}", "give the process's user the right to {}, or correct the path"),
    "EPERM": ("the process may not use {}", "give the process's user the right to {}"),
    "EROFS": ("{} lies on a file system that is mounted read-only", "mount it writable, or write elsewhere than to {}"),
}


def template(case: Case) -> Told:
    name = plain(next((one.text for one in reversed(case.raised) if one.text), ""), 100)
    return (
        Told(f"the template {name} was not shipped with this release", advice=f"ship {name} or correct the folders")
        if name
        else nothing
    )


def host_name(case: Case) -> Told:
    host = case.address.rpartition(":")[0] or case.address
    if not host:
        return nothing
    return Told(
        f"the host name {host} does not exist", advice=f"correct {host} in the configuration, or add it to the DNS"
    )


def certificate(case: Case) -> Told:
    """The host whose certificate it is."""
    who = case.address
    code = next((one.errno for one in case.raised if one.errno.startswith("X509_")), "")
    if not who:
        return nothing
    clause = {
        "X509_10": f"the certificate of {who} has expired",
        "X509_62": f"the certificate that {who} shows was made for another host name",
        "X509_64": f"the certificate that {who} shows was made for another address",
    }.get(code, "")
    if code in ("X509_2", "X509_18", "X509_19", "X509_20", "X509_21"):
        clause = f"the certificate of {who} is signed by an authority that is not trusted here"
    return Told(clause)
