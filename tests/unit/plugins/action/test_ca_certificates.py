"""Claims about the control node's half of ca_certificates."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.ca_certificates import (
    named,
    unreadable,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.x509 import CertificateError

from tests.unit.plugins.module_utils.test_x509 import HOUSE, LATE, NOW, SELF


def test_files_give_certificates_their_names() -> None:
    assert named({"files/House CA.pem": HOUSE, "late.crt": LATE}, NOW) == {
        "rackforge-House-CA": HOUSE,
        "rackforge-late": LATE,
    }


def test_several_in_one_file_are_counted_and_none_comes_twice() -> None:
    assert named({"a/all.pem": HOUSE + LATE, "b/all.pem": LATE + SELF}, NOW) == {
        "rackforge-all": HOUSE,
        "rackforge-all-2": LATE,
        "rackforge-all-3": SELF,
    }


def test_the_file_that_is_no_use_is_named() -> None:
    with pytest.raises(CertificateError) as caught:
        named({"house.pem": HOUSE, "other.pem": "hello"}, NOW)
    assert str(caught.value).startswith("other.pem: saw no '-----BEGIN CERTIFICATE-----', expected")
    assert str(caught.value).endswith("; nothing was changed")


def test_a_file_that_is_away_is_one_sentence() -> None:
    assert unreadable("ca.pem", OSError("Could not find ca.pem\nIf you are using a module")) == (
        "os_base_ca_files: ca.pem on the control node cannot be read (Could not find ca.pem),"
        " expected a PEM file; try 'ls -l ca.pem'; nothing was changed"
    )
