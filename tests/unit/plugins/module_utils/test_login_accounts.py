"""Claims about which accounts are made, and which lists of them are refused."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.login_accounts import (
    Account,
    Group,
    Known,
    User,
    finds_keys,
    includes_rules,
    keys_elsewhere,
    plan_accounts,
    problems,
    sudo_rule,
    sudoers_path,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxWb1v0m5v1 ada@laptop"
KNOWN = Known(
    groups={"root": 0, "video": 44, "ada": 1000, "gpu": 3000},
    members={"video": frozenset({"ada"})},
    users={
        "root": Account(0, 0, "/root", "/bin/bash"),
        "ada": Account(1000, 1000, "/home/ada", "/bin/bash"),
    },
)


@pytest.mark.parametrize(
    ("groups", "users", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([Group("gpu")], [User("ada", groups=("video",))], [], id="all-there"),
        pytest.param([Group("ml", 3001)], [], [("groupadd", "--gid", "3001", "ml")], id="group"),
        pytest.param([], [User("eve")],
            [("useradd", "--create-home", "--shell", "/bin/bash", "--user-group", "eve")],
            id="user"),
        pytest.param([Group("eve")], [User("eve", 2000, (), "/bin/sh")],
            [("groupadd", "eve"),
             ("useradd", "--create-home", "--shell", "/bin/sh", "--uid", "2000", "--gid", "eve",
              "eve")],
            id="user-with-a-group-of-its-name"),
        pytest.param([], [User("ada", groups=("gpu", "video", "ada"))],
            [("usermod", "--append", "--groups", "gpu", "ada")], id="only-missing-memberships"),
        pytest.param([Group("ml")], [User("eve", groups=("ml", "gpu"))],
            [("groupadd", "ml"),
             ("useradd", "--create-home", "--shell", "/bin/bash", "--user-group", "eve"),
             ("usermod", "--append", "--groups", "ml,gpu", "eve")], id="all-new"),
        pytest.param([], [User("ada", 1000, (), "/bin/bash")], [], id="named-as-it-is"),
    ],
)  # fmt: skip
def test_only_what_is_missing_is_made(
    groups: list[Group], users: list[User], expected: list[tuple[str, ...]]
) -> None:
    assert [step.argv for step in plan_accounts(groups, users, KNOWN)] == expected


def test_a_home_that_outlived_its_user_gets_it_back() -> None:
    known = Known(homes={"carl": ("/home/carl", 1004)})
    steps = plan_accounts([], [User("carl")], known)
    assert steps[0].argv[-4:] == ("--uid", "1004", "--user-group", "carl")


@pytest.mark.parametrize(
    ("groups", "users", "expected"),
    [
        pytest.param([Group("gpu", 3000)], [], [], id="same-number"),
        pytest.param([Group("gpu", 7)], [], ["group gpu has the number 3000 already, expected 7"],
            id="group-with-another-number"),
        pytest.param([Group("ml", 44)], [], ["group ml: the number 44 belongs to video"],
            id="number-of-another-group"),
        pytest.param([], [User("ada", 5)], ["user ada has the number 1000 already, expected 5"],
            id="user-with-another-number"),
        pytest.param([], [User("ada", None, (), "/bin/sh")],
            ["user ada has the shell /bin/bash already, expected /bin/sh; take the shell out of "
             "the list, or change it with 'chsh' on the node"], id="user-with-another-shell"),
        pytest.param([], [User("eve", 1000)], ["user eve: the number 1000 belongs to ada"],
            id="number-of-another-user"),
        pytest.param([], [User("ada", groups=("nix",))],
            ["user ada: there is no group nix; add it to the groups, or take it out"],
            id="no-such-group"),
        pytest.param([Group("ml")], [User("ada", groups=("ml",))], [], id="group-to-come"),
        pytest.param([], [User("a b")], ["user 'a b' is no name for one"], id="space"),
        pytest.param([], [User("../x")], ["user '../x' is no name for one"], id="path"),
        pytest.param([], [User("eve"), User("eve")], ["user eve is listed twice"], id="twice"),
        pytest.param([], [User("ada", keys=(KEY, "from=\"10.0.0.0/8\" " + KEY))], [], id="keys"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_had_is_explained(
    groups: list[Group], users: list[User], expected: list[str]
) -> None:
    assert problems(groups, users, KNOWN) == expected


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("ada@laptop", id="no-key"),
        pytest.param("-----BEGIN OPENSSH PRIVATE KEY-----", id="private-key"),
        pytest.param(KEY + "\nssh-rsa AAAA x", id="two-lines"),
        pytest.param("ssh-ed25519 /home/ada/.ssh/id_ed25519.pub", id="path"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(key: str) -> None:
    assert problems([], [User("ada", keys=(KEY, key))], KNOWN) == [
        "user ada: key 2 is no public key of one line, such as 'ssh-ed25519 AAAA... name'"
    ]


@pytest.mark.parametrize(
    ("user", "owner", "expected"),
    [
        pytest.param(User("eve", 2000), 2000, [], id="its-own"),
        pytest.param(User("eve"), 1000,
            ["user eve: /home/eve is there already and belongs to user 1000 (ada), expected "
             "nobody; move it away or give it to that number"], id="another-users"),
        pytest.param(User("eve", 2000), 2001,
            ["user eve: /home/eve is there already and belongs to user 2001, expected 2000; "
             "move it away or give it to that number"], id="another-number"),
    ],
)  # fmt: skip
def test_a_home_of_somebody_else_is_not_taken(user: User, owner: int, expected: list[str]) -> None:
    known = Known(users=KNOWN.users, homes={"eve": ("/home/eve", owner)})
    assert problems([], [user], known) == expected


@pytest.mark.parametrize(
    ("sshd", "finds", "place"),
    [
        pytest.param("port 22\nauthorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\n",
            True, ".ssh/authorized_keys .ssh/authorized_keys2", id="debian"),
        pytest.param("authorizedkeysfile .ssh/authorized_keys\n", True, ".ssh/authorized_keys",
            id="el"),
        pytest.param("authorizedkeysfile %h/.ssh/authorized_keys\n", True,
            "%h/.ssh/authorized_keys", id="spelt-out"),
        pytest.param("authorizedkeysfile /etc/ssh/keys/%u\n", False, "/etc/ssh/keys/%u",
            id="elsewhere"),
        pytest.param("port 22\n", True, ".ssh/authorized_keys", id="not-said"),
    ],
)  # fmt: skip
def test_it_is_known_where_sshd_looks_for_keys(sshd: str, finds: bool, place: str) -> None:
    assert (finds_keys(sshd), keys_elsewhere(sshd)) == (finds, place)


@pytest.mark.parametrize(
    ("sudoers", "expected"),
    [
        pytest.param("Defaults x\n@includedir /etc/sudoers.d\n", True, id="debian-and-el9"),
        pytest.param("#includedir /etc/sudoers.d\n", True, id="el8"),
        pytest.param("root ALL=(ALL) ALL\n", False, id="none"),
        pytest.param("# @includedir /etc/sudoers.d\n", False, id="commented"),
    ],
)
def test_it_is_known_whether_sudo_reads_our_rules(sudoers: str, expected: bool) -> None:
    assert includes_rules(sudoers) is expected


def test_sudo_does_not_skip_the_file_of_a_user_with_a_dot() -> None:
    assert sudoers_path("ada.l") == "/etc/sudoers.d/60-rackforge-ada_l"
    assert sudo_rule("ada.l").endswith("\nada.l ALL=(ALL:ALL) NOPASSWD: ALL\n")
