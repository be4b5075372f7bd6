"""What is remembered of variables never changes what scrubbing makes of them, whatever their digits and ids are."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from fivehundred.console.digest_shapes import Shapes, shape_of
from fivehundred.scrub import scrub_variables

# A part that varies is written as a letter in guillemets; the rest is what secrets are made of.
fragments = [
    *(
        "«d»",
        "«dd»",
        "«u»",
        "«a»",
        "«m»",
        "«h»",
        "passco",
        "pass",
        "pwd",
        "token",
        "salt",
        "sid",
        "ya29.",
        "sk-",
        "key-",
    ),
    *(
        "Bearer ",
        "Negotiate ",
        "Token: ",
        "AKIA",
        "eyJhbGciOi",
        "ghp_",
        "://",
        "/",
        ".",
        "-",
        "_",
        "=",
        ": ",
        ", ",
        " ",
    ),
    *("'", '"', "(", ")", "<", ">", "[", "]", "@example.org", "https://", "hv", "\\", "&", "é", "SG.", "4111 1111 "),
    *("order ", "user", "id", "code", "None", "b'authorization', b'", "x" * 12, "de", "ssn", "dop_v1_", "\n"),
]
texts = st.lists(st.sampled_from(fragments), min_size=1, max_size=7).map("".join)
names = st.sampled_from(
    ["self", "path", "token", "user_id", "context_line", "cookies", "vars", "a«d»", "passco«u»", "é"]
)
leaves = texts | st.sampled_from(["«d»"]) | st.none() | st.booleans() | st.integers(0, 10**6) | st.floats(0, 1e20)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)


def filled(template: str, seed: int) -> str:
    """The template with its variable parts, which are other ones for each seed."""
    r = random.Random(seed)
    hexes = "0123456789" if r.random() < 0.2 else "abcdef" if r.random() < 0.2 else "0123456789abcdef"

    def some(many: int) -> str:
        return "".join(r.choice(hexes) for _ in range(many))

    parts = {
        "d": lambda: str(r.randint(0, 9)),
        "dd": lambda: str(r.randint(10**6, 10**7 - 1)),
        "u": lambda: "-".join(some(n) for n in (8, 4, 4, 4, 12)),
        "a": lambda: f"0x{some(12)}",
        "m": lambda: r.choice(["jo", "ann.lee", "max7", "pass", "key.x", "a" * 30, "salt", "pin9"]) + "@x.org",
        "h": lambda: some(8),
    }
    pieces = template.split("«")
    return pieces[0] + "".join(parts[p.partition("»")[0]]() + p.partition("»")[2] for p in pieces[1:])


def plainly(image: bytes) -> Any:
    return scrub_variables(msgspec.json.decode(image, type=dict[str, Any]))


@given(
    variables=st.dictionaries(names, values, min_size=1, max_size=3),
    seeds=st.lists(st.integers(), min_size=2, max_size=4),
)
@settings(max_examples=400, deadline=None)
def test_variables_are_scrubbed_as_if_nothing_were_remembered(variables: dict[str, Any], seeds: list[int]) -> None:
    shapes, template = Shapes(), json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    for seed in seeds:
        image = filled(template, seed).encode()
        assert msgspec.json.decode(shapes.scrub([image])[0]) == plainly(image)


def test_variables_that_differ_in_ids_and_addresses_have_one_shape() -> None:
    image = b"""{"self":"<Cart at 0x%s>","path":"'/orders/%s'","id":"UUID('%s')","mail":"'%s@example.org'"}"""
    one = image % (b"7f3a5c0d1e80", b"5150", b"86546ceb-a70f-4129-9612-944b76b18a4c", b"ann")
    other = image % (b"7fffffffffff", b"1234", b"00046ceb-aaaa-4129-9612-abcdefabcdef", b"maximilian")
    assert shape_of(one) == shape_of(other)


def test_what_is_remembered_is_kept_as_it_came_and_what_holds_a_secret_is_not() -> None:
    shapes = Shapes()
    plain = [b'{"path":"/orders/1"}', b'{"path":"/orders/2"}']
    assert shapes.scrub(plain) == shapes.scrub(plain) == plain
    told = [b'{"password":"hunter22"}', b'{"path":"/x?password=hunter22"}']
    assert shapes.scrub(told) == [b'{"password":"[scrubbed]"}', b'{"path":"/x?password=[scrubbed]"}']
