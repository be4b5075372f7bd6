"""Security: a value from outside reached a place where it acts. A suspicious value alone is a hint, never a cause."""

from __future__ import annotations

from fivehundred.diagnosis.rules.base import Rule, Veto
from fivehundred.diagnosis.seen import attacks, bombs, past, peers

_cwe = "Common Weakness Enumeration"

bomb = Rule(
    id="security.entity_bomb",
    cause="security",
    transient="clears",
    because="a small document unfolds into a huge one in the parser",
    advice="parse with entities and anchors switched off or bounded (defusedxml, limits on aliases); block the sender",
    until="the parser has given its memory back",
    source=f"{_cwe} 776",
    told_apart="ordinary overload: a tiny body holds many entities or anchors",
    classes=("defusedxml.DefusedXmlException",),
    texts=("|limit on input amplification factor", "|EntitiesForbidden", "|Detected an entity reference loop"),
    when=bombs.document_bomb,
    confirms=bombs.document_signature,
    nots=(Veto("ordinary overload", bombs.document_signature, "the body itself is small"),),
)

decompression = Rule(
    id="security.decompression_bomb",
    cause="security",
    transient="clears",
    because="a small compressed body unfolds into a huge one",
    advice="bound the output while decompressing (max_length), bound pixels of images",
    until="the memory has been given back",
    source=f"{_cwe} 409",
    classes=("PIL.DecompressionBombError", "PIL.DecompressionBombWarning"),
    when=bombs.decompression_bomb,
    confirms=attacks.request_has_body,
)

regex = Rule(
    id="security.regular_expression",
    cause="security",
    transient="clears",
    because="a regular expression needs exponential time for the value that was sent",
    advice="rewrite the pattern without nested repetition, and bound the length of the value",
    until="the worker has been restarted",
    source=f"{_cwe} 1333",
    told_apart="overload by traffic: the stack stands in the regular expression",
    when=bombs.stuck_in_pattern,
    nots=(Veto("CPU overload by traffic", bombs.stuck_in_pattern, "one request's pattern took the time"),),
)

nesting = Rule(
    id="security.nested_body",
    cause="security",
    transient="no",
    because="the body nests deeper than the parser can follow",
    advice="bound the depth (and size) of bodies and answer 400",
    until="the code bounds the depth",
    source=f"{_cwe} 674",
    when=bombs.nested_body,
    confirms=attacks.request_has_body,
)

sql = Rule(
    id="security.sql_injection",
    cause="security",
    transient="no",
    because="a value of the request became part of an SQL statement",
    advice=(
        "pass the value as a parameter at the named line; the statement is injectable: look for earlier "
        "requests that succeeded"
    ),
    until="the statement takes the value as a parameter",
    source=f"{_cwe} 89",
    told_apart="a developer's syntax error: there the statement is constant",
    when=attacks.sql_injected,
    confirms=attacks.statement_refused,
    nots=(Veto("a developer's syntax error", attacks.sql_injected, "the statement holds what the client sent"),),
)

template = Rule(
    id="security.template_injection",
    cause="security",
    transient="no",
    because="a value of the request became part of a template",
    advice="never build templates from input, pass it as a variable: this is execution of foreign code",
    until="the template is constant",
    source=f"{_cwe} 1336",
    classes=("jinja2.SecurityError",),
    when=attacks.template_injected,
    confirms=attacks.template_engine_failed,
)

pickle = Rule(
    id="security.unsafe_pickle",
    cause="security",
    transient="no",
    because="bytes from the request are unpickled",
    advice="replace pickle by JSON: unpickling runs what the sender wants",
    until="the code no longer unpickles input",
    source=f"{_cwe} 502",
    texts=("|filter status: REJECTED",),  # Java's filter of serialised objects
    when=attacks.unpickles_request,
    confirms=attacks.request_has_body,
)

yaml = Rule(
    id="security.unsafe_yaml",
    cause="security",
    transient="no",
    because="a YAML document asks for Python objects to be built",
    advice="the safe loader blocked it, keep it; somebody tries: look at the sender",
    until="the sender stops; nothing has to be repaired if the loader is a safe one",
    source=f"{_cwe} 502",
    texts=("|tag:yaml.org,2002:python/", "|tag:yaml.org,2002:ruby/", "|!!python/"),
    when=attacks.yaml_object_tag,
    confirms=attacks.yaml_object_tag,
)

command = Rule(
    id="security.command_injection",
    cause="security",
    transient="no",
    because="a value of the request became part of a shell command",
    advice="pass the arguments as a list, without a shell",
    until="the command is run without a shell",
    source=f"{_cwe} 78",
    when=attacks.command_injected,
    confirms=attacks.command_failed,
)

code = Rule(
    id="security.code_injection",
    cause="security",
    transient="no",
    because="a value of the request was evaluated as code",
    advice="do not evaluate input; parse what is allowed (ast.literal_eval, a table of operations)",
    until="the code no longer evaluates input",
    source=f"{_cwe} 95",
    when=attacks.code_evaluated,
)

traversal = Rule(
    id="security.path_traversal",
    cause="security",
    transient="no",
    because="a value of the request leads a file name out of its folder",
    advice="resolve the path and check that it stays below its folder, or look names up in a list",
    until="the code checks the path",
    source=f"{_cwe} 22",
    told_apart="a missing file: the path holds the request's own '../' or absolute path",
    when=attacks.path_traversed,
    confirms=attacks.path_failed,
)

ssrf = Rule(
    id="security.request_forgery",
    cause="security",
    transient="no",
    because="a request makes this server call an internal address",
    advice="allow only listed hosts, and check the address after resolving the name",
    until="the code checks where it calls",
    source=f"{_cwe} 918",
    told_apart="an upstream that is down: the address came with the request, and it is internal",
    when=attacks.internal_address_asked,
    confirms=peers.call_failed,
    nots=(Veto("an upstream that is down", attacks.internal_address_asked, "the client chose the address"),),
)

operator = Rule(
    id="security.operator_injection",
    cause="security",
    transient="no",
    because="a request brings a database operator where a plain value is expected",
    advice="convert the value to text and validate it before it enters a filter",
    until="the code accepts plain values only",
    source=f"{_cwe} 943",
    when=attacks.operator_injected,
    confirms=attacks.operator_met_database,
)

header = Rule(
    id="security.header_injection",
    cause="security",
    transient="no",
    because="a value of the request carries line ends into a header, an address or a mail",
    advice="refuse control characters in the value, and answer 400",
    until="the code refuses control characters",
    source=f"{_cwe} 113 and 93",
    when=attacks.header_injected,
    classes=("django.BadHeaderError",),
)

external_entity = Rule(
    id="security.external_entity",
    cause="security",
    transient="no",
    because="an XML document asks the parser to read a file or an address",
    advice="parse with external entities switched off",
    until="the parser ignores external entities",
    source=f"{_cwe} 611",
    when=bombs.external_entity,
)

ldap = Rule(
    id="security.filter_injection",
    cause="security",
    transient="no",
    because="a value of the request became part of an LDAP filter or an XPath expression",
    advice="escape the value for that language, or pass it as a variable",
    until="the code escapes the value",
    source=f"{_cwe} 90 and 643",
    when=attacks.filter_injected,
)

token = Rule(
    id="security.forged_token",
    cause="security",
    transient="no",
    because="a token or signed value was changed or made by somebody else",
    advice="answer 401 for it, and watch the client that sends it",
    until="the client brings a genuine token",
    source=f"{_cwe} 347",
    told_apart="a changed secret: then everybody's tokens fail at once",
    classes=(
        "jwt.InvalidAlgorithmError",
        "jwt.InvalidSignatureError",
        "jose.JWSSignatureError",
        "jose.JWSError",
        "authlib.BadSignatureError",
        "joserfc.BadSignatureError",
        "itsdangerous.BadSignature",
        "django.BadSignature",
        "cryptography.InvalidSignature",
        "cryptography.InvalidToken",
        "nacl.BadSignatureError",
        "django.SuspiciousOperation",
        "builtins.InvalidSignature",
    ),
    vetoes=(Veto("a forged token", past.signature_after_change),),
    confirms=attacks.token_sent,
    weak_class=True,
    nots=(Veto("a changed secret", past.others_pass),),
)
