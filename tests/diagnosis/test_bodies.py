"""Hostile bodies in events that do not hold the body: the parser's own text has to tell."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from tests.diagnosis.elsewhere import raised

from fivehundred.diagnosis.diagnose import diagnose


def _error_of(call: object, text: str) -> str:
    with pytest.raises((RecursionError, ElementTree.ParseError)) as caught:
        call(text)  # type: ignore[operator]
    return str(caught.value)


def test_a_decoder_that_ran_out_of_depth_on_a_request_is_an_attack() -> None:
    said = diagnose(
        raised(("", "RecursionError", _error_of(json.loads, "[" * 100_000)), line="json.loads(request.get_data())")
    )
    assert said.rule == "security.nested_body"


def test_a_decoder_that_ran_out_of_depth_on_a_file_of_ours_is_a_recursion() -> None:
    said = diagnose(raised(("", "RecursionError", _error_of(json.loads, "[" * 100_000)), line="json.load(rates)"))
    assert said.rule == "bug.recursion"


def test_an_entity_of_the_document_s_own_is_an_external_one() -> None:
    text = _error_of(ElementTree.fromstring, '<!DOCTYPE o [<!ENTITY x SYSTEM "file:///etc/passwd">]><o>&x;</o>')
    said = diagnose(
        raised(("xml.etree.ElementTree", "ParseError", text), line="ElementTree.fromstring(request.get_data())")
    )
    assert (said.rule, said.confidence) == ("security.external_entity", "possible")


def test_an_entity_of_html_in_xml_is_only_a_mistake() -> None:
    text = _error_of(ElementTree.fromstring, "<o>&nbsp;</o>")
    said = diagnose(
        raised(("xml.etree.ElementTree", "ParseError", text), line="ElementTree.fromstring(request.get_data())")
    )
    assert said.cause == "bug"
