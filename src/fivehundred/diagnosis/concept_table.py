"""The words of the concepts: what libraries of every language call the same few conditions.

``names`` are searched in the words of a class name or a symbolic code ("sequelize connection acquire timeout error"),
``texts`` in a message. The first concept that fits decides: what is used up before what that breaks, the exact before
the general. Names of libraries do not belong here; what one library alone says belongs to the rule that it speaks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Concept:
    says: str  # "speaks of <says>"
    rule: str  # the rule that it speaks for
    store: str = ""  # the one where the other side is a data store; empty: the same
    names: tuple[str, ...] = ()
    near: tuple[str, ...] = ()  # in small letters: without one of these in the message, no text can fit
    texts: tuple[str, ...] = ()


_part_of_a_store: Final = r"(?:table|column|relation|index|collection|keyspace|view|schema|measurement)"
_cannot: Final = r"(?:can't|can ?not|could ?n[o']t|(?:unable|failed) to)"
_quoted: Final = r"['\"`\[(]?[\w./$-]{1,80}['\"`\])]?"
_variable: Final = r"(?-i:\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b)"
_way: Final = (
    r"(?:connect(?:ion)?|session|stream|socket|channel|transport|network|communication|endpoint|link|bootstrap)"
)
_net: Final = r"(?:connect(?:ion)?|transport|network|communication|socket|endpoint|bootstrap)"
_peer: Final = r"(?:server|service|host|broker|node|cluster|leader|primary|api|upstream|backend|gateway)"
_talk: Final = (
    r"(?:connect(?:ion|ing)?|read|write|socket|headers?|body|response|request|http|rpc|call|network|server|client|api"
    r"|gateway|session|operation|result|selection|upstream|waiting)"
)

concepts: Final = (
    Concept(
        "memory that is used up",
        "overload.memory",
        store="overload.database_memory",
        names=(r"\bout of memory", r"\bmemory (?:limit|exceed|exhaust)", r"\boom\b"),
        near=("memory", "oom", "alloc"),
        texts=(
            r"\bout of memory\b",
            r"\boom when\b",
            r"memory (?:limit|quota)\b.{0,60}exceeded",
            r"memory exhausted",
            r"insufficient memory",
            r"(?:cannot|can't|unable to|failed to|could not) allocate",
        ),
    ),
    Concept(
        "open files that are used up",
        "overload.descriptors",
        names=(r"too many open file", r"file descriptor", r"\bemfile\b"),
        near=("open files",),
        texts=(r"too many open files",),
    ),
    Concept(
        "a full disk",
        "overload.disk_full",
        store="database.disk_full",
        names=(r"(?:disk|storage|volume|device) (?:full|quota)", r"no space"),
        near=("space", "full", "quota"),
        texts=(
            r"no space left",
            r"(?:disk|device|volume|file ?system) (?:is )?full",
            r"disk quota exceeded",
            r"not enough (?:disk )?space",
        ),
    ),
    Concept(
        "threads or processes that cannot be started",
        "overload.threads",
        near=("thread", "process"),
        texts=(rf"{_cannot} (?:start|create|spawn)(?: new| native| a| another){{0,2}} (?:thread|process)",),
    ),
    Concept(
        "an open circuit breaker",
        "overload.breaker_open",
        names=(r"circuit (?:breaker )?(?:is )?open", r"circuit breaker", r"broken circuit", r"call not permitted"),
        near=("circuit",),
        texts=(r"circuit(?: ?breaker)?\b.{0,60}\bopen\b",),
    ),
    Concept(
        "a full queue",
        "overload.queue_full",
        names=(r"queue (?:is )?full", r"rejected execution", r"bulkhead", r"backpressure", r"queue overflow"),
        near=("queue", "rejected", "buffer"),
        texts=(r"\bqueue\b.{0,20}\b(?:is )?full\b", r"rejected from .{0,80}(?:executor|pool)", r"buffer is full"),
    ),
    Concept(
        "connections of a pool that are all in use",
        "overload.pool",
        names=(
            r"\bpool\b.*\b(?:timeout|exhaust|exceed|full|empty|limit)",
            r"acquire timeout",
            r"connection acquire",
            r"max(?:imum)? connections? exceed",
            r"checkout timeout",
            r"no (?:free|idle) connection",
        ),
        near=("pool", "connection"),
        texts=(
            r"(?:timed? ?out|timeout|waiting|exhausted|exceeded|no free|all).{0,60}\b(?:connection )?pool\b",
            r"\b(?:connection )?pool\b.{0,60}(?:timed? ?out|timeout|exhausted|is full|limit reached)",
            r"max(?:imum)? (?:number of )?connections (?:exceeded|reached)",
            r"connection (?:is )?not available",
            r"timed? ?out (?:while )?waiting for (?:a |an )?(?:free |available |idle )?connection\b",
        ),
    ),
    Concept(
        "too many connections",
        "overload.upstream_busy",
        store="overload.connections",
        names=(r"too many (?:connection|client|session)", r"connection limit"),
        near=("too many", "limit", "clients"),
        texts=(
            r"too many (?:\w+ )?(?:connections|clients|sessions)",
            r"connection limit (?:exceeded|reached)",
            r"max(?:imum)? (?:number of )?clients",
        ),
    ),
    Concept(
        "a limit on calls",
        "overload.upstream_busy",
        names=(
            r"rate limit",
            r"throttl",
            r"too many request",
            r"quota exceed",
            r"resource exhausted",
            r"slow down",
            r"server busy",
            r"over ?quota",
            r"overload",
            r"try again",
            r"service busy",
            r"limit exceeded",
            r"request limit",
        ),
        near=("rate", "too many", "throttl", "quota", "limit", "busy", "overload", "unable", "again"),
        texts=(
            r"rate.?limit(?:ed| has been| was)? ?(?:exceeded|reached|hit)?",
            r"too many requests",
            r"throttl(?:ed|ing)",
            r"(?:quota|request limit|usage limit).{0,40}exceed",
            r"exceeded.{0,40}\b(?:quota|rate|request limit)",
            r"(?:server|service|system|model) (?:is )?(?:too |currently )?(?:busy|overloaded|unable to)",
            r"try again later",
        ),
    ),
    Concept(
        "two transactions in each other's way",
        "database.conflict",
        names=(
            r"deadlock",
            r"serialization failure",
            r"lock (?:wait )?timeout",
            r"lock not available",
            r"write conflict",
            r"transaction (?:abort|conflict)",
        ),
        near=("deadlock", "serializ", "lock wait", "conflict"),
        texts=(
            r"\bdeadlock(?:ed)?\b",
            r"could not serialize",
            r"lock wait time",
            r"write ?conflict",
            r"conflicts? with (?:another|concurrent) transaction",
        ),
    ),
    Concept(
        "data that somebody else changed meanwhile",
        "bug.race",
        names=(
            r"optimistic",
            r"\bstale (?:object|data|state)",
            r"version conflict",
            r"concurren(?:t|cy) (?:modif|update|exception|error)",
        ),
        near=("updated", "modified", "changed", "deleted", "conflict"),
        texts=(
            r"(?:updated|modified|changed|deleted)(?: or \w+)? (?:by (?:another|someone)|outside|concurrently|since )",
            r"version conflict",
        ),
    ),
    Concept(
        "a store that has no such table, field or index",
        "database.schema",
        names=(
            rf"{_part_of_a_store} (?:not found|does not exist|missing|undefined)",
            rf"(?:undefined|unknown|no such|missing|invalid|bad) {_part_of_a_store}",
            r"pending migration",
            r"migrations? (?:pending|missing|required)",
        ),
        near=(
            "exist",
            "unknown",
            "no such",
            "undefined",
            "invalid",
            "migration",
            " is not up",
            "out of date",
            "behind",
        ),
        texts=(
            rf"\b{_part_of_a_store}s? {_quoted} (?:does not|doesn\\?'t|did not) exist",
            rf"(?:unknown|no such|undefined|invalid) (?:{_part_of_a_store}|object name)\b",
            r"(?:pending|unapplied) migration",
            r"(?:database|schema) is (?:not up.to.date|out of date|behind)",
            r"target database is not up",
        ),
    ),
    Concept(
        "a row that exists already",
        "bug.duplicate",
        names=(
            r"duplicate (?:key|entry|row|record)",
            r"unique (?:violation|constraint)",
            r"not unique",
            r"already exists",
        ),
        near=("duplicate", "unique"),
        texts=(r"duplicate (?:key|entry)", r"unique constraint", r"unique index", r"violates unique"),
    ),
    Concept(
        "a broken link between rows",
        "bug.foreign_key",
        names=(r"foreign key", r"referential"),
        near=("foreign",),
        texts=(r"foreign key constraint",),
    ),
    Concept(
        "a queue, bucket or database that is not there",
        "misconfiguration.database_name",
        names=(
            r"(?:no such|unknown|missing|invalid) (?:bucket|queue|topic|exchange|container|database|stream|broker)",
            r"(?:bucket|queue|topic|exchange|container|database|stream|secret) (?:not found|does not exist|missing)",
        ),
        near=("exist", "found", "no such", "unknown", "bucket"),
        texts=(
            rf"(?:bucket|queue|topic|exchange|stream|database) (?:{_quoted} )?(?:does not exist|(?:was )?not found)",
            r"(?:no such|unknown) (?:bucket|queue|topic|exchange|database|stream)",
            r"specified bucket does not",
        ),
    ),
    Concept(
        "an environment variable that is not set",
        "misconfiguration.variable_missing",
        names=(
            r"env(?:ironment)?(?: variable)? (?:not found|missing|unset|not set|undefined)",
            r"(?:missing|no such) env",
        ),
        near=("environment", "set", "required"),
        texts=(
            r"environment variables?:? .{0,80}(?:not |missing|required|unset)",
            r"(?:missing|set the|no|not|undefined|required) .{0,60}environment variable",
            rf"{_variable}['\"]? (?:must be set|is not set|not set|is unset|is required|environment variable)",
            r"not found in (?:the )?environment",
        ),
    ),
    Concept(
        "a package or driver that is not installed",
        "misconfiguration.module",
        names=(r"(?:package|module|driver|extension|plugin|adapter) (?:not found|missing|not installed)",),
        near=("driver", "module", "package", "extension", "plugin"),
        texts=(
            r"(?:unknown|no suitable|missing|could ?n[o']t (?:find|load)) (?:\w+ )?(?:driver|module|package|extension)",
            r"(?:driver|package|extension|plugin) .{0,60}(?:is not installed|not found|could not be (?:found|loaded))",
        ),
    ),
    Concept(
        "a template that is not there",
        "misconfiguration.template_missing",
        names=(
            r"(?:template|view|partial|layout) (?:not found|missing|does not exist|lookup|loader? error)",
            r"(?:missing|unknown|no such) (?:template|view|partial|layout)",
            r"loader error",
        ),
        near=("template", "view", "partial", "layout"),
        texts=(
            r"(?:missing|no|unable to find|could ?n[o']t find|cannot find) (?:the )?(?:template|view|partial|layout)\b",
            r"(?:template|view|partial|layout) .{1,100}(?:not found|does not exist|is missing|might not exist)",
        ),
    ),
    Concept(
        "a program or file that is not there",
        "misconfiguration.path",
        names=(
            r"no such file",
            r"file not found",
            r"(?:executable|binary|program|command|tool|exec|browser|driver) (?:not found|missing)",
            r"not installed",
        ),
        near=("installed", "path", "command not", "executable", "find", "locate", "load"),
        texts=(
            r"is not installed",
            r"(?:not|needs to be|must be) (?:found )?(?:in|on) (?:your |the |system )?\$?path\b",
            rf"{_cannot} (?:find|locate|load) (?:the )?(?:model|resource|library|executable|binary|browser|corpus)",
            r"command not found",
            r"executable (?:file )?(?:not found|doesn't exist)",
            r"make sure .{0,60}installed",
        ),
    ),
    Concept(
        "the identity of the other side, which is not known here",
        "misconfiguration.peer_identity",
        names=(r"host key", r"bad host key", r"certificate pin", r"peer not (?:verified|trusted)"),
        near=("host key", "identification", "trusted", "pinned"),
        texts=(
            r"host key",
            r"remote host identification",
            r"not trusted for host",
            r"pinned (?:certificate|public key)",
        ),
    ),
    Concept(
        "credentials or rights that are refused",
        "misconfiguration.credentials",
        store="misconfiguration.database_denied",
        names=(
            r"\bauth(?:entication|entication required)?\b.*\b(?:fail|error|exception|invalid|required|denied)?",
            r"authoriz",
            r"authoris",
            r"unauth",
            r"access (?:denied|refused)",
            r"login (?:fail|incorrect|error|denied)",
            r"credential",
            r"invalid (?:api key|token|password|key id|client)",
            r"permission (?:denied|error|missing)",
            r"forbidden",
            r"not (?:authori[sz]ed|permitted)",
            r"expired token",
            r"token expired",
            r"signature does not match",
        ),
        near=(
            "auth",
            "access",
            "login",
            "credential",
            "api",
            "password",
            "token",
            "secret",
            "denied",
            "lacks",
            "allowed",
        ),
        texts=(
            r"authenti\w+ (?:failed|failure|error|required|unsuccessful)",
            r"access (?:was |is )?(?:denied|refused)",
            r"login (?:failed|incorrect|denied|unsuccessful)",
            r"(?:invalid|incorrect|wrong|bad|expired|missing|unknown) (?:\w+ ){0,3}(?:credentials?|api.?key|password)",
            r"(?:invalid|incorrect|wrong|bad|expired|missing|unknown) (?:access token|security token|client secret)",
            r"(?:user|account|client|role) .{0,60}(?:not authori[sz]ed|not allowed|lacks permission)",
            r"not authori[sz]ed\b",
            r"\bno (?:\w+ )?credentials\b",
            r"unauthori[sz]ed",
            r"permission denied for",
        ),
    ),
    Concept(
        "a signature that is not ours",
        "security.forged_token",
        names=(r"(?:invalid|bad) signature", r"signature (?:invalid|mismatch|verification)"),
        near=("signature",),
        texts=(
            r"(?:invalid|bad|wrong) signature\b",
            r"signature (?:is |was )?(?:invalid|verification failed|mismatch|does not match)",
        ),
    ),
    Concept(
        "settings that are wrong or missing",
        "misconfiguration.settings",
        names=(
            r"(?:missing|invalid|bad|improperly|incorrect|no such) (?:config|setting|configured|option|property)",
            r"config(?:uration)? (?:error|exception|missing|invalid|not found|validation)",
            r"improperly configured",
            r"misconfigur",
            r"not initiali[sz]ed",
            r"not configured",
            r"not registered",
            r"missing (?:\w+ )?key\b",
            r"no such bean",
            r"unsatisfied dependency",
            r"bean creation",
            r"dependency (?:resolution|injection)",
            r"service not found",
            r"unresolved dependency",
        ),
        near=(
            "config",
            "initiali",
            "resolve",
            "qualifying",
            "provider",
            "binding",
            "service for",
            "setting",
            "property",
            "option",
            "must",
            "key",
            "secret",
            "token",
        ),
        texts=(
            r"(?:is|are|was|been|has) (?:not|n't) (?:been )?(?:properly )?(?:configured|initiali[sz]ed)",
            r"not configured\b",
            r"(?:missing|invalid|cannot find|could not find|no) .{0,40}\bconfig(?:uration)?\b",
            r"\bconfig(?:uration)?\b.{0,40}(?:missing|not found|invalid|cannot find)",
            r"(?:unable|failed) to resolve (?:service|dependency|component)",
            r"no (?:qualifying bean|provider for|binding for|matching bindings)",
            r"no service for type",
            r"(?:required|missing) (?:setting|property|option)",
            r"must be (?:configured|set in)",
            r"\bno .{0,40}(?:key|secret|token) (?:has been |was |is )?(?:specified|set|provided|given)",
            r"(?:key|secret|token) (?:must|should) (?:have a value|be (?:set|provided))",
        ),
    ),
    Concept(
        "a wait that ended",
        "overload.upstream_timeout",
        store="database.timeout",
        names=(
            rf"{_talk}(?: \w+){{0,2}} (?:timeout|timed out)",
            r"timeout (?:while|waiting)",
            r"deadline exceeded",
            r"selection timeout",
        ),
        near=("time", "deadline", "did not"),
        texts=(
            rf"{_talk}.{{0,80}}(?:timed? ?out|timeout|deadline exceeded)",
            rf"(?:timed? ?out|timeout)\b.{{0,60}}(?:{_talk}|waiting|elapsing|exceeded)",
            r"deadline exceeded",
            r"did not (?:respond|answer|reply) in",
        ),
    ),
    Concept(
        "a connection that was closed",
        "overload.upstream_down",
        store="database.stale_connection",
        names=(
            rf"{_way} (?:was )?(?:lost|closed|reset|gone|aborted|disconnected|dropped|expired)",
            r"disconnect",
            r"gone away",
            r"protocol error",
            r"unexpected eof",
        ),
        near=(
            "lost",
            "closed",
            "reset",
            "aborted",
            "dropped",
            "terminated",
            "gone",
            "broken pipe",
            "unexpected",
            "disconnect",
        ),
        texts=(
            rf"{_way}.{{0,30}}(?:lost|closed|reset|aborted|dropped|terminated)\b",
            r"gone away",
            r"broken pipe",
            r"unexpected(?:ly)? (?:eof|closed|end of)",
            r"server has closed",
            r"closed the connection",
            r"disconnected",
        ),
    ),
    Concept(
        "two sides that do not agree on TLS",
        "misconfiguration.tls",
        names=(r"\b(?:tls|ssl)\b",),
        near=("tls", "ssl", "handshake"),
        texts=(
            r"\b(?:tls|ssl)\b.{0,60}(?:handshake|record|version|message|alert|protocol)",
            r"handshake (?:failed|failure|error)",
        ),
    ),
    Concept(
        "a peer that cannot be reached",
        "overload.upstream_down",
        store="database.refused",
        names=(
            rf"{_net}(?: \w+){{0,2}} (?:refused|fail\w*|error|exception|not established)",
            rf"(?:{_way}|{_peer})(?: \w+){{0,2}} (?:unavailable|unreachable|down|not available)",
            r"\bdown$",
            rf"(?:no|cannot|can not|could not|unable|not) (?:\w+ ){{0,2}}(?:{_way}|{_peer})s?\b",
            r"unavailable",
            r"unreachable",
            r"^(?:\w+ )?transport$",
            r"bad connection",
            r"max(?:imum)? retries",
            r"initiali[sz]ation error",
        ),
        near=(
            "connect",
            "reach",
            "bootstrap",
            "establish",
            "contact",
            "available",
            "down",
            "transport",
            "timed out",
            "link",
            "retries",
        ),
        texts=(
            rf"{_cannot} (?:connect|reach|bootstrap|establish|contact)",
            r"error connecting",
            r"can't reach",
            r"connection (?:was |is |attempt )?(?:refused|failed|could not be established)",
            r"no (?:\w+ )?(?:servers?|brokers?|hosts?|nodes?) (?:is |are |was )?(?:available|reachable)",
            r"unreachable",
            r"not reachable",
            r"transport failure",
            rf"{_peer} (?:is )?(?:down|unavailable|not available)",
            r"buffering timed out",
            r"communications link failure",
        ),
    ),
    Concept(
        "a time limit that was passed",
        "overload.deadline",
        store="database.timeout",
        names=(r"\btimeout\b", r"\btimed out\b", r"time limit", r"deadline"),
        near=("time", "deadline", "too long"),
        texts=(
            r"timed? ?out\b",
            r"timeout (?:exceeded|expired|reached)",
            r"time limit exceeded",
            r"took too long",
            r"deadline (?:exceeded|passed)",
        ),
    ),
)
