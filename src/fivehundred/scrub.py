"""What never leaves the process: secrets, found by the name of what holds them and by their own shape.

``scrub`` walks a wire event and returns a new tree; ``scrub_text`` cleans one text. Both replace what they find by
``[scrubbed]``. The Guard asks ``is_secret_name`` while it renders, so a named secret is never even looked at.
This is no access control and no promise: a secret in free text under an innocent name, in no known shape, stays.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote_plus

from fivehundred import limits
from fivehundred.event import Json

mark: Final = "[scrubbed]"


class _Lazy:
    """A pattern that is compiled when it is first used: all of them at once would be a third of the Guard's import."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._source = pattern, flags

    def __getattr__(self, name: str) -> Any:
        """Once per pattern: from then on its methods are this object's own attributes."""
        if name not in ("search", "sub", "match", "findall", "finditer"):
            raise AttributeError(name)
        compiled = re.compile(*self._source)
        self.search, self.sub, self.match = compiled.search, compiled.sub, compiled.match
        self.findall, self.finditer = compiled.findall, compiled.finditer
        return getattr(compiled, name)


def scrub(wire: dict[str, Json], extra_keys: Iterable[str] = ()) -> dict[str, Json]:
    """A new wire event without secrets. ``extra_keys`` are further names whose values are secret, as whole words."""
    walker = _Walker(frozenset(_joined(k) for k in extra_keys))
    cleaned: dict[str, Json] = {}
    for key, value in wire.items():
        if key == "request" and isinstance(value, dict):
            cleaned[key] = walker.request(value)
        elif key in _unsearched:
            cleaned[key] = value
        else:
            cleaned[key] = walker.value(value)
    return cleaned


def scrub_frame(frame: dict[str, Json]) -> dict[str, Json]:
    """One frame of an exception's stack, as ``scrub`` cleans it within its event."""
    return _Walker(frozenset()).mapping(frame, _frame_depth)


def scrub_variables(variables: dict[str, Json]) -> dict[str, Json]:
    """The variables of such a frame."""
    return _Walker(frozenset()).variables(variables, _frame_depth - 1)


_frame_depth: Final = limits.json_depth_max - 5  # below exception, values, the exception, stacktrace, frames


# They are identifiers that people search by: a card number's checksum in them would be chance.
_unsearched: Final = frozenset({"event_id", "timestamp", "platform", "level", "type", "sdk", "modules"})


class _Walker:
    def __init__(self, extra: frozenset[str]) -> None:
        self.extra = extra
        self.plain: set[str] = set() if extra else _plain_keys
        self.seen: dict[tuple[bytes, int], Json] = {}  # variables of this event that were walked through already

    def value(self, value: Json, depth: int = limits.json_depth_max) -> Json:
        if isinstance(value, str):
            return scrub_text(value)
        if isinstance(value, dict):
            return self.mapping(value, depth) if depth else mark
        if isinstance(value, list):
            return self.sequence(value, depth) if depth else mark
        return scrub_number(value) if type(value) is int else value

    def mapping(self, value: dict[str, Json], depth: int) -> dict[str, Json]:
        cleaned: dict[str, Json] = {}
        texts, plain = _harmless_texts, self.plain
        for key, inner in value.items():
            if key not in plain:
                if key in _source_keys:
                    cleaned[key] = _source(inner)
                else:
                    self.named(cleaned, key, inner, depth)
            elif isinstance(inner, str):
                cleaned[key] = inner if inner in texts else scrub_text(inner)
            elif inner is None or isinstance(inner, bool):
                cleaned[key] = inner
            else:
                cleaned[key] = self.value(inner, depth - 1)
        return cleaned

    def named(self, cleaned: dict[str, Json], key: str, inner: Json, depth: int) -> None:
        """What stands under a name that asks for more than a look at its value, or that is not known yet."""
        if key == "vars" and isinstance(inner, dict) and depth > 1:
            cleaned[key] = self.variables(inner, depth - 1)
            return
        safe_key = scrub_text(key)
        if key == "cookies":
            cleaned[safe_key] = _all_hidden(inner)
        elif self.names_secret(key):
            cleaned[safe_key] = _hidden(inner)
        else:
            cleaned[safe_key] = self.value(inner, depth - 1)
            if safe_key == key and key not in _special_keys and len(key) <= limits.text_remembered_chars_max:
                if len(self.plain) >= limits.names_remembered_max:
                    self.plain.clear()
                self.plain.add(key)

    def variables(self, value: dict[str, Json], depth: int) -> dict[str, Json]:
        """Of one frame. Frame after frame holds the same scope or environ: each is walked through once an event."""
        cleaned: dict[str, Json] = {}
        texts, plain, seen = _harmless_texts, self.plain, self.seen
        for key, inner in value.items():
            if key not in plain:
                self.named(cleaned, key, inner, depth)
            elif isinstance(inner, str):
                cleaned[key] = inner if inner in texts else scrub_text(inner)
            elif isinstance(inner, dict | list):
                image = marshal.dumps(inner, 2), depth  # an image, as "==" takes 1 for true
                if image not in seen:
                    seen[image] = self.value(inner, depth - 1)
                cleaned[key] = seen[image]
            else:
                cleaned[key] = self.value(inner, depth - 1)
        return cleaned

    def sequence(self, value: list[Json], depth: int) -> list[Json]:
        if len(value) == 2 and isinstance(value[0], str) and self.names_secret(_unquoted(value[0])):
            return [value[0], _hidden(value[1])]  # a header or a form field as a pair
        texts = _harmless_texts
        return [inner if isinstance(inner, str) and inner in texts else self.value(inner, depth - 1) for inner in value]

    def request(self, value: dict[str, Json]) -> dict[str, Json]:
        cleaned = self.mapping(value, limits.json_depth_max)
        for key in ("query_string", "url"):
            text = value.get(key)
            if isinstance(text, str):
                cleaned[key] = scrub_query(text, self.extra) if key == "query_string" else scrub_url(text, self.extra)
        if isinstance(value.get("data"), str):
            cleaned["data"] = self.body(str(value["data"]))
        return cleaned

    def body(self, text: str) -> Json:
        """A body that is still text: JSON and forms by name, anything else by shape."""
        if text[:1] in "{[" and text[-1:] in "}]":
            try:
                return json.dumps(self.value(json.loads(text)), ensure_ascii=False)
            except (ValueError, RecursionError):
                return scrub_text(text)
        if _form_like.match(text):
            return scrub_query(text, self.extra)
        return scrub_text(text)

    def names_secret(self, name: str) -> bool:
        return is_secret_name(name) or (bool(self.extra) and _joined(name) in self.extra)


_plain_keys: set[str] = set()  # names that hold no secret, name none and need no treatment of their own


_source_keys: Final = frozenset({"context_line", "pre_context", "post_context"})
_special_keys: Final = _source_keys | {"vars", "cookies"}
_form_like = _Lazy(r"[\w.%+\[\]-]{1,100}=[^\s]*\Z")


def _hidden(value: Json) -> Json:
    """The mark, but for what tells nothing: emptiness and truth are often the very bug."""
    return value if value is None or value == "" or isinstance(value, bool) else mark


def _all_hidden(value: Json) -> Json:
    if isinstance(value, dict):
        return {scrub_text(k): _hidden(v) for k, v in value.items()}
    return _hidden(value)


def _source(value: Json) -> Json:
    if isinstance(value, list):
        lines = _harmless_lines
        return [scrub_source(x) if isinstance(x, str) and x not in lines else x for x in value]
    return scrub_source(value) if isinstance(value, str) else value


# ---- by name -------------------------------------------------------------------------------------

# Joined lower-case names ("api_key", "apiKey" and "API-Key" are all "apikey") that hold one of these are secret.
_parts: Final = (
    "password", "passwd", "passwort", "passphrase", "passcode", "secret", "credential", "apikey", "accesskey",
    "privatekey", "secretkey", "signingkey", "encryptionkey", "sessionkey", "masterkey", "hmackey", "authkey",
    "accesstoken", "refreshtoken", "idtoken", "authtoken", "bearer", "csrf", "xsrf", "authorization", "cookie",
    "sessionid", "sessid", "connectionstring", "creditcard", "cardnumber", "securitycode", "ssn", "dsn", "databaseurl",
    "dburl", "redisurl", "brokerurl", "amqpurl", "mongourl", "mongodburi", "databaseuri", "sshkey", "serviceaccount",
    "onetimecode", "otpcode", "totp", "webhookurl", "passportn", "socialsecurity", "nationalid",
    "driverslicense", "kennwort", "motdepasse", "contrasena", "senha",
)  # fmt: skip
# As a whole word of the name: "token", "user_token", "x-auth" - but not "tokenizer" or "author".
_words: Final = frozenset(
    {
        "token", "tokens", "pwd", "pass", "pw", "auth", "jwt", "pin", "cvv", "cvc", "iban", "otp", "sid", "session",
        "signature", "salt", "pan", "mfa", "creds", "nonce",
    }
)  # fmt: skip
# What the parts above would hide though nobody's secret stands in it.
_innocent: Final = frozenset(
    {"tokentype", "passwordfield", "secretname", "cookiesenabled", "samesite", "authority", "csrfexempt", "authtype"}
)
_word_ends = _Lazy(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_known: dict[str, bool] = {}


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is a secret. Remembers its answers, as names repeat."""
    found = _known.get(name)
    if found is None:
        found = _decide(name[:200])
        if len(_known) >= limits.names_remembered_max:
            _known.clear()
        if len(name) <= 200:
            _known[name] = found
    return found


def is_plain_name(name: str) -> bool:
    """Whether what stands under this name is looked at like anything else."""
    if name in _plain_keys:
        return True
    return name not in _special_keys and not is_secret_name(name) and scrub_text(name) == name


def _decide(name: str) -> bool:
    joined = _joined(name)
    if joined in _innocent:
        return False
    if any(part in joined for part in _parts):
        return not joined.endswith(("error", "exception", "invalid", "required", "expired", "length"))
    return any(word.lower() in _words for word in _word_ends.findall(name))


def _joined(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(".", "").replace(" ", "")


def _unquoted(name: str) -> str:
    """``b'authorization'`` as bytes render, or the name itself."""
    return name[2:-1] if name[:2] in ("b'", 'b"') else name


# ---- by shape ------------------------------------------------------------------------------------


def scrub_text(text: str) -> str:
    """Without what looks like a secret: cards, tokens, keys, passwords in URLs, and ``name=value`` of secret names."""
    if len(text) < 5 or text in _harmless_texts:
        return text
    known = _address.sub(_no_address, text) if "0x" in text and len(text) <= limits.text_remembered_chars_max else text
    if known in _harmless_texts.older:
        _harmless_texts.remember(known)
    if known in _harmless_texts:
        return text
    cut = text if len(text) <= limits.scrub_chars_max else text[: limits.scrub_chars_max] + "… (the rest was cut)"
    if suspicious(cut):
        cut = _assigned(_shapes(cut))
    if cut == text and _harmless_texts.met_before(known):
        _harmless_texts.remember(known)
    return cut


# "<Cart object at 0x7f3a5c0d1e80>" is another text in every event. Whether a secret is in it does not hang on the
# address: no shape begins inside of it, each that could go on across it takes any of its digits, and none ends there.
_address = _Lazy(r"\b0x[0-9a-f]{12}(?=[>),\s]|\Z)")
_no_address: Final = "0x000000000000"


def scrub_source(line: str) -> str:
    """A line of source: names stay, as ``password = os.environ[...]`` is no secret; literals beside them go."""
    if line in _harmless_lines:
        return line
    if line in _harmless_lines.older:
        return _harmless_lines.remember(line)
    cleaned = _literal.sub(_hide_literal, _shapes(line)) if suspicious(line) else line
    return _harmless_lines.remember(line) if cleaned == line else cleaned


class _Harmless(set[str]):
    """Texts that hold no secret: modules, functions and source lines repeat from event to event.

    When they become too many, those move to ``older``, from where each comes back when it is met again.
    """

    older: frozenset[str] = frozenset()
    chars = 0

    def __init__(self) -> None:
        self._met = bytearray(limits.texts_met_bytes)

    def met_before(self, text: str) -> bool:
        """Whether it is likely the second time: a message with an id in it never comes again, and is not kept."""
        number = hash(text)
        at, print_ = number % limits.texts_met_bytes, (number >> 32) & 255
        if self._met[at] == print_:
            return True
        self._met[at] = print_
        return False

    def remember(self, text: str) -> str:
        if len(text) <= limits.text_remembered_chars_max:
            if self.chars > limits.texts_remembered_chars_max:
                self.older, self.chars = frozenset(self), 0
                self.clear()
            self.chars += len(text) + limits.text_overhead_chars
            self.add(text)
        return text


_harmless_texts = _Harmless()
_harmless_lines = _Harmless()


def scrub_number(value: int) -> Json:
    return mark if 10**12 <= value < 10**19 and _is_card(str(value)) else value


def scrub_query(query: str, extra: frozenset[str] = frozenset()) -> str:
    """A query string or a form: values of secret names go, the rest by shape, also when percent-encoded."""
    fields = [field.partition("=") for field in query[: limits.scrub_chars_max].split("&")]
    return "&".join(_query_field(name, equals, value, extra) for name, equals, value in fields)


def _query_field(name: str, equals: str, value: str, extra: frozenset[str]) -> str:
    plain = unquote_plus(name)
    secret = is_secret_name(plain) or _joined(plain) in extra or plain.lower() in ("code", "state", "key", "sig")
    if equals and value and secret:
        return f"{name}={mark}"
    decoded = unquote_plus(value)
    return f"{name}{equals}{value if scrub_text(decoded) == decoded else mark}"


def scrub_url(url: str, extra: frozenset[str] = frozenset()) -> str:
    before, question, query = url.partition("?")
    return scrub_text(before) + question + (scrub_query(query, extra) if question else "")


def suspicious(text: str) -> bool:
    """Whether any shape may be in it. Most texts hold none, and pay only this."""
    return bool(_hint.search(text) or _lower_hint.search(text.lower()) or _many_digits.search(text))


_many_digits = _Lazy(r"\d(?:[ -]*\d){12}")
_hints: Final = (
    "eyJ", "://", "-----BEGIN", "AKIA", "ASIA", "ABIA", "ACCA", "AIza", "github_pat_", "sk_", "pk_", "rk_", "sk-", "gh",
    "glpat-", "xox", "SG.",
    "npm_", "pypi-", "hv", "dop_v1_", "whsec_", "EAA", "ya29.", "shpat_", "hooks.slack.com", "xapp-", "dckr_pat_",
    "hf_", "dapi", "SK", "1//0", ":AA", "sig=", "</", "--", "-u ",
)  # fmt: skip
hints_with_digits: Final = tuple(hint for hint in _hints if any(c.isdigit() for c in hint))
_lower_hints: Final = (
    "bearer", "basic ", "digest ", "pass", "pwd", "secret", "token", "api", "auth", "cookie", "sess", "credential",
    "key", "cvv", "cvc", "ssn", "iban", "pin", "otp", "signature", "salt", "mfa", "nonce", "creds", "social",
    "national", "license",
)  # fmt: skip
_hint = _Lazy("|".join(map(re.escape, _hints)))
_lower_hint = _Lazy("|".join(map(re.escape, _lower_hints)))


def _shapes(text: str) -> str:
    if "@" in text:
        text = _run.sub(_hide_userinfo, text)
    if _token_start.search(text):  # the expressions behind are many times dearer than these looks ahead
        text = _token.sub(mark, text)
    if _scheme_name.search(text.lower()):
        text = _scheme.sub(rf"\1 {mark}", text)
    if _many_digits.search(text):
        text = _card.sub(lambda m: mark if _is_card(m[0]) else m[0], text)
        text = _iban.sub(lambda m: mark if _is_iban(m[0]) else m[0], text)
    if "</" in text:
        text = _element.sub(_hide_named, text)
    if "-" in text:
        text = _option.sub(_hide_named, text)
        text = _user_option.sub(rf"\1{mark}", text)
    return text


# <password>value</password>, --password value, curl -u user:value
_element = _Lazy(r"(<(?P<name>[\w:.-]{1,60})>)(?P<value>[^<>]{1,500})(?=</)")
_option = _Lazy(r"((?<![\w-])--(?P<name>[A-Za-z][\w-]{1,60})[ ])(?P<value>(?!-)[^\s'\"]+)")
_user_option = _Lazy(r"((?<![\w-])(?:-u|--user)[ =][^\s:'\"]{1,60}:)[^\s'\"]+")


def _hide_named(found: re.Match[str]) -> str:
    return f"{found[1]}{mark}" if is_secret_name(found["name"]) else found[0]


_run = _Lazy(r"[^\s'\"<>]++")
_at_host = _Lazy(r"@(?=[\w\[.-])")


def _hide_userinfo(run: re.Match[str]) -> str:
    """In a run without blanks, up to the last @ before a host: looking for it from every scheme would be quadratic."""
    text = run[0]
    if "@" not in text or "://" not in text:
        return text
    end = max((found.end() for found in _at_host.finditer(text)), default=0)
    return (
        _userinfo.sub(lambda m: f"{m[1]}{m[2]}:{mark}@" if m[3] else _lone_user(m), text[: end + 1]) + text[end + 1 :]
    )


# scheme://user:password@host; the password ends at the last @ before a blank, a quote or the end
_userinfo = _Lazy(r"([a-zA-Z][a-zA-Z0-9+.-]{1,30}+://)([^\s:/@'\"<>]*)(?::([^\s'\"<>]*))?@(?=[\w\[.-])")


def _lone_user(found: re.Match[str]) -> str:
    return f"{found[1]}{mark}@" if len(found[2]) >= 20 else found[0]


_scheme_name = _Lazy("bearer|basic|token|apikey|negotiate|digest")
_scheme = _Lazy(
    r"\b(Bearer|Basic|Token|ApiKey|Negotiate|Digest)\s+(?=\S{6})(?:\w+=\\*\"[^\r\n]+|[A-Za-z0-9+/=._~\-]+)", re.I
)
_token = _Lazy(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"  # JWT
    r"|\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"  # AWS key id
    r"|\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{10,}"  # Google
    r"|\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9]{8,}"  # Stripe
    r"|\bsk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic
    r"|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{16,}|\bglpat-[A-Za-z0-9_-]{12,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}|hooks\.slack\.com/services/[A-Za-z0-9/]+"
    r"|\bSG\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|\bkey-[0-9a-f]{32}\b"  # SendGrid, Mailgun
    r"|\bnpm_[A-Za-z0-9]{20,}|\bpypi-[A-Za-z0-9_-]{20,}|\bdop_v1_[a-f0-9]{20,}|\bhv[sb]\.[A-Za-z0-9_-]{20,}"
    r"|\bEAA[A-Za-z0-9]{30,}|\bshpat_[a-fA-F0-9]{20,}"
    r"|(?<=AccountKey=)[A-Za-z0-9+/=]{20,}|(?<=[?&]sig=)[A-Za-z0-9%+/=]{20,}"  # Azure storage
    r"|\b1//0[A-Za-z0-9_-]{20,}|\bSK[0-9a-f]{32}\b|\bdapi[0-9a-f]{32}"  # Google's refresh tokens, Twilio, Databricks
    r"|\bdckr_pat_[A-Za-z0-9_-]{16,}|\bhf_[A-Za-z0-9]{20,}|(?<=/bot)\d{8,10}:AA[A-Za-z0-9_-]{20,}"  # ..., Telegram
    r"|\b\d{8,10}:AA[A-Za-z0-9_-]{30,}|discord(?:app)?\.com/api/webhooks/\d+/[\w-]+",
    re.DOTALL,
)
_token_start = _Lazy(
    r"eyJ|-----BEGIN|AKIA|ASIA|ABIA|ACCA|AIza|ya29\.|[srp]k_|whsec_|\bsk-|gh[pousr]_|github_pat_|glpat-|xox|hooks\.slack"
    r"|SG\.|\bkey-|npm_|pypi-|dop_v1_|hv[sb]\.|EAA|shpat_|AccountKey=|xapp-|sig=|1//0|\bSK[0-9a-f]|\bdapi|dckr_pat_|hf_"
    r"|:AA|/api/webhooks/"
)
_iban = _Lazy(r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b")
_card = _Lazy(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")


def _is_card(text: str) -> bool:
    """13 to 19 digits, the start of a card network, and Luhn's checksum."""
    digits = [int(d) for d in text if d.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6):
        return False
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    """The checksum of ISO 7064: what only looks like one is told."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


# name=value, "name": "value", name => value, name: value - in messages, reprs, DSNs, JSON inside of texts
# The name is possessive ("++") and begins where its word begins: no part of it could match where the whole does not,
# and trying them all made this the dearest expression of a digest.
_assignment = _Lazy(
    r"""(?P<quote>\\{0,7}["']|)(?<![A-Za-z_])(?P<name>[A-Za-z_][\w.\-]++)(?P=quote)
        (?P<between>\s{0,3}(?:=>|==|=|:)\s{0,3}|,\s(?=b?["']))
        (?P<value>\\{2,7}["'][^"'\\]{0,500}\\{2,7}["']|(?:b|r|u)?(?:\\?"(?:[^"\\]|\\(?!").)*\\?"|\\?'(?:[^'\\]|\\(?!').)*\\?')|(?![\w.\-]+:\s)[^\s,;&"'<>(){}\[\]]+)""",
    re.VERBOSE,
)


name_chars_max: Final = 61  # of a name before a value: the end of what is glued together says what the value is


def _assigned(text: str) -> str:
    """Behind a name that is no secret its value may hold another: ``error: password=...``, ``'lost', 'token=...'``."""
    parts: list[str] = []
    at = done = looks = 0
    while (found := _assignment.search(text, at)) is not None:
        hidden = _hide_assigned(found)
        if hidden is not None:
            parts += text[done : found.start()], hidden
            at = done = found.end()
        elif looks < limits.scrub_looks_inside_max:
            looks += 1
            at = found.start("value")
        else:
            at = found.end()
    return "".join((*parts, text[done:])) if parts else text


def _hide_assigned(found: re.Match[str]) -> str | None:
    """What stands there instead; None when it is no secret."""
    value, between = found["value"], found["between"]
    tells_nothing = value.strip("\\\"'") in _telling_nothing or value.startswith(mark[:5])
    if tells_nothing or not is_secret_name(found["name"][-name_chars_max:]):
        return None
    prose = between.strip() == ":" and not found["quote"] and value[:1] not in "\"'"
    if prose and not _strong_name(found["name"]) and not any(c.isdigit() for c in value):
        return None  # "unexpected token: end of file" is a sentence, "token: 8f3a9c" is not
    if between.startswith(",") and not found["quote"]:
        return None  # a list of words; a pair of quoted ones is a header
    return f"{found['quote']}{found['name']}{found['quote']}{between}{_requoted(value)}"


def _requoted(value: str) -> str:
    """The mark in the quotes that the value had, so that JSON and reprs in texts stay readable."""
    for quote in ('\\"', "\\'", '"', "'"):
        if value.endswith(quote):
            return f"{quote}{mark}{quote}"
    return mark


def _strong_name(name: str) -> bool:
    return any(part in _joined(name) for part in ("pass", "secret", "apikey", "pwd", "authorization"))


_telling_nothing: Final = frozenset({"", "None", "null", "True", "False", "true", "false", "undefined", "required"})
_literal = _Lazy(
    r"""([A-Za-z_][\w.\-]{1,60}+)(["']?\]?\s{0,3}(?:[=:]|,)\s{0,3})([bru]{0,2})(["'])((?:[^"'\\]|\\.)+)\4"""
)


def _hide_literal(found: re.Match[str]) -> str:
    if not is_secret_name(found[1]) or found[2].strip().endswith(","):
        return found[0]
    return f"{found[1]}{found[2]}{found[3]}{found[4]}{mark}{found[4]}"
