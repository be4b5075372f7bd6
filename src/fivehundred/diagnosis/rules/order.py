"""The order of the decision list: the first rule that matches and is not vetoed decides, the rest are "also seen".

What uses a process up explains whatever it breaks; a tainted value explains the operation that it breaks; codes of a
resource or peer come before surroundings, those before time-outs, those before the code's own mistakes.
"""

from __future__ import annotations

from typing import Final

from fivehundred.diagnosis.rules import bug, database, misconfiguration, network, overload, security, statements
from fivehundred.diagnosis.rules.base import Rule

sections: Final[tuple[tuple[str, tuple[Rule, ...]], ...]] = (
    (
        "Hostile input that uses the process up",
        (security.bomb, security.external_entity, security.decompression, security.regex, security.nesting),
    ),
    (
        "The process is used up",
        (
            bug.descriptor_leak,
            overload.descriptors,
            overload.disk,
            bug.memory_leak,
            overload.memory,
            overload.threads,
        ),
    ),
    (
        "A tainted value in the failing operation",
        (
            security.sql,
            security.template,
            security.yaml,
            security.pickle,
            security.command,
            security.code,
            security.traversal,
            security.ssrf,
            security.operator,
            security.header,
            security.ldap,
            misconfiguration.secret_changed,
            security.token,
        ),
    ),
    (
        "The state of a resource or peer, by code",
        (
            overload.connections,
            database.full_disk,
            overload.database_memory,
            misconfiguration.denied,
            misconfiguration.no_database,
            misconfiguration.read_only,
            misconfiguration.charset,
            misconfiguration.database_limits,
            bug.connection_leak,
            overload.pool,
            statements.idle_transaction,
            database.starting,
            database.damaged,
            database.conflict,
            overload.statement,
            database.gone,
        ),
    ),
    (
        "Surroundings: environment, imports, templates, rights, TLS, DNS",
        (
            misconfiguration.variable_missing,
            misconfiguration.variable_malformed,
            misconfiguration.missing_library,
            bug.own_import,
            misconfiguration.missing_module,
            network.tls_expired,
            network.tls_not_yet,
            network.tls_host,
            network.tls_unknown,
            network.tls_other,
            network.peer_identity,
            network.name_unknown,
            network.resolver_down,
            misconfiguration.time_zones,
            misconfiguration.locale,
            misconfiguration.template,
            misconfiguration.settings,
            network.port,
            misconfiguration.credentials,
            misconfiguration.never_reached,
        ),
    ),
    (
        "A peer that cannot be reached",
        (overload.ports, database.slow, database.stale, database.unavailable),
    ),
    (
        "Time-outs and saturation",
        (
            overload.worker,
            overload.broker,
            overload.limiter,
            overload.queue,
            overload.breaker,
            overload.upstream_busy,
            overload.upstream_slow,
            overload.upstream_down,
            overload.cpu,
            overload.loop,
            bug.deadlock,
            overload.deadline,
        ),
    ),
    (
        "Statements and data",
        (
            statements.aborted,
            bug.race,
            database.schema,
            statements.duplicate,
            statements.foreign_key,
            statements.constraint,
            statements.data,
            statements.statement,
            statements.detached,
        ),
    ),
    (
        "Files and rights, and what a database says without a code",
        (misconfiguration.file_broken, misconfiguration.path, misconfiguration.rights, database.other),
    ),
    (
        "The code",
        (
            bug.recursion,
            bug.coroutine,
            bug.response_model,
            bug.serialisation,
            bug.calendar,
            bug.input_unchecked,
            bug.upstream_contract,
            bug.none,
            bug.code,
            bug.group,
            bug.exception,
        ),
    ),
)

rules: Final[tuple[Rule, ...]] = tuple(rule for _, section in sections for rule in section)
by_id: Final[dict[str, Rule]] = {rule.id: rule for rule in rules}
