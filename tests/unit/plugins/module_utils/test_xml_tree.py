"""Claims about reading a small XML document."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.xml_tree import (
    XmlError,
    parse_xml,
)

DOCUMENT = "<a k='v'>one<b><c>2</c></b><b>three</b> four</a>"


def test_elements_are_found_by_their_path() -> None:
    root = parse_xml(DOCUMENT)
    assert (root.text_of("b/c"), root.text_of("b/d"), root.find("x/y")) == ("2", "", None)


def test_an_element_has_its_own_text_and_attributes() -> None:
    root = parse_xml(DOCUMENT)
    assert (root.text, root.attributes) == ("one four", {"k": "v"})


def test_all_texts_are_those_of_the_elements_inside_too() -> None:
    assert sorted(parse_xml(DOCUMENT).texts()) == ["", "2", "one four", "three"]


def test_control_characters_do_not_break_a_document() -> None:
    assert parse_xml("<a>\x00\x1b[31m\ufffe\ud800</a>").text == "\ufffd\ufffd[31m\ufffd?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no element found", id="empty"),
        pytest.param("<a><b></a>", "mismatched tag", id="mismatched"),
        pytest.param("<a>", "no element found", id="unfinished"),
        pytest.param("<a/><b/>", "junk after document element", id="two-roots"),
        pytest.param("<a>&b;</a>", "undefined entity", id="unknown-entity"),
        pytest.param(
            '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "it declares the entity b", id="entity"
        ),
        pytest.param(
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>',
            "it declares the entity b",
            id="external-entity",
        ),
        pytest.param("<a>" * 33, "more than 32 elements lie in one another", id="too-deep"),
    ],
)
def test_what_is_no_document_is_refused(text: str, message: str) -> None:
    with pytest.raises(XmlError, match=message):
        parse_xml(text)


def test_a_dtd_from_outside_is_not_fetched() -> None:
    text = '<!DOCTYPE a SYSTEM "nvsmi_device_v13.dtd"><a>one</a>'
    assert parse_xml(text).text == "one"
