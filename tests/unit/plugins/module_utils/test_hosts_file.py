"""Claims about the block of names in /etc/hosts."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.hosts_file import with_block
from hypothesis import given
from hypothesis import strategies as st

BEGIN = "# BEGIN rackforge.gpu_cluster os_base\n"
END = "# END rackforge.gpu_cluster os_base\n"
HEAD = {"198.18.1.10": ["head"]}


@pytest.mark.parametrize(
    ("text", "entries", "keep", "expected"),
    [
        pytest.param("", HEAD, [], f"{BEGIN}198.18.1.10 head\n{END}", id="into-an-empty-file"),
        pytest.param(
            "127.0.0.1 localhost\n",
            HEAD,
            [],
            f"127.0.0.1 localhost\n{BEGIN}198.18.1.10 head\n{END}",
            id="behind-the-present-lines",
        ),
        pytest.param(
            "127.0.0.1 localhost",
            HEAD,
            [],
            f"127.0.0.1 localhost\n{BEGIN}198.18.1.10 head\n{END}",
            id="last-line-without-its-end",
        ),
        pytest.param(
            f"a\n{BEGIN}198.18.1.9 head\n{END}b\n\n  c",
            HEAD,
            [],
            f"a\n{BEGIN}198.18.1.10 head\n{END}b\n\n  c",
            id="replaced-in-its-place",
        ),
        pytest.param(f"a\n{BEGIN}198.18.1.9 head\n{END}b\n c", {}, [], "a\nb\n c", id="removed"),
        pytest.param("a\n\x0bb", {}, [], "a\n\x0bb", id="nothing-to-remove"),
        pytest.param(
            f"{BEGIN}198.18.1.10 head\n{END}",
            {"198.18.1.20": ["w2"], "198.18.1.3": ["w1", "gpu-01"]},
            [],
            f"{BEGIN}198.18.1.3 w1 gpu-01\n198.18.1.20 w2\n{END}",
            id="sorted-by-number",
        ),
        pytest.param(
            f"{BEGIN}198.18.1.10 head\n198.18.1.11 w1 gpu-01\n198.18.1.12 w2\n{END}",
            HEAD,
            ["head", "w1"],
            f"{BEGIN}198.18.1.10 head\n198.18.1.11 w1 gpu-01\n{END}",
            id="line-of-a-silent-member-kept",
        ),
        pytest.param(
            f"{BEGIN}198.18.1.11 w1\n{END}",
            {"198.18.1.21": ["w1"]},
            ["w1"],
            f"{BEGIN}198.18.1.21 w1\n{END}",
            id="kept-name-that-has-a-new-address",
        ),
        pytest.param(
            f"{BEGIN}198.18.1.11 w1\n{END}",
            {"198.18.1.11": ["w2"]},
            ["w1"],
            f"{BEGIN}198.18.1.11 w2\n{END}",
            id="kept-name-whose-address-is-another-member-now",
        ),
        pytest.param(
            f"{BEGIN}198.18.1.11 w1\n10.0.0.1 nas\n",
            HEAD,
            [],
            f"{BEGIN}198.18.1.10 head\n{END}198.18.1.11 w1\n10.0.0.1 nas\n",
            id="end-mark-cut-off",
        ),
        pytest.param(
            f"{BEGIN}10.0.0.1 nas\n{BEGIN}198.18.1.11 w1\n{END}",
            HEAD,
            [],
            f"{BEGIN}198.18.1.10 head\n{END}10.0.0.1 nas\n",
            id="end-mark-of-another-block-is-not-taken",
        ),
        pytest.param(
            "# BEGIN rackforge.gpu_cluster other\n1.2.3.4 x\n# END rackforge.gpu_cluster other\n",
            {},
            [],
            "# BEGIN rackforge.gpu_cluster other\n1.2.3.4 x\n# END rackforge.gpu_cluster other\n",
            id="another-owners-block-is-not-ours",
        ),
    ],
)
def test_the_block_is_made_replaced_and_removed(
    text: str, entries: dict[str, list[str]], keep: list[str], expected: str
) -> None:
    assert with_block(text, "os_base", entries, keep) == expected


OTHER_LINES = st.text(alphabet=st.sampled_from("ab #.1\t\x0b\x0c\r\x1c\u2028é"), max_size=12)
NAMES = st.sampled_from(["head", "w1", "w2", "w3"])
ADDRESSES = st.sampled_from(["198.18.1.1", "198.18.1.2", "198.18.1.30", "fd00::1"])
NAME_LISTS = st.lists(NAMES, min_size=1, max_size=2, unique=True)
ENTRIES = st.dictionaries(ADDRESSES, NAME_LISTS)
SOME_ENTRIES = st.dictionaries(ADDRESSES, NAME_LISTS, min_size=1)
LINES = st.lists(OTHER_LINES | st.sampled_from([BEGIN[:-1], END[:-1], "198.18.1.9 w1"]))


@given(st.builds("\n".join, LINES), ENTRIES, st.lists(NAMES))
def test_twice_is_as_good_as_once(
    text: str, entries: dict[str, list[str]], keep: list[str]
) -> None:
    once = with_block(text, "os_base", entries, keep)
    assert with_block(once, "os_base", entries, keep) == once


@given(st.lists(OTHER_LINES), st.lists(OTHER_LINES), SOME_ENTRIES, ENTRIES)
def test_text_around_the_block_is_untouched(
    before: list[str],
    after: list[str],
    first: dict[str, list[str]],
    second: dict[str, list[str]],
) -> None:
    head = "".join(f"{line}\n" for line in before)
    tail = "".join(f"{line}\n" for line in after)
    block = with_block("", "os_base", first)
    text = with_block(head + block + tail, "os_base", second)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert with_block(text, "os_base", {}) == head + tail
