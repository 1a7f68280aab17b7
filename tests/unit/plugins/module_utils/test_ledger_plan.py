"""Claims about what is undone, given a record and how the node stands now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    DirectoryState,
    FileState,
    MountState,
    NodeState,
    RoleRecord,
    UnitState,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_action import (
    Action,
    Kind,
    Left,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_plan import (
    Home,
    Outlook,
    cut_block,
    danger,
    plan_restore,
)

ABSENT = FileState()
FILE = FileState("file", "0644", 0, 0, "aaa")
DIRECTORY = DirectoryState("directory", False, "0755")
EMPTY = DirectoryState("directory", True, "0755")
GONE = DirectoryState()
NO_UNIT = UnitState()
RUNNING = UnitState("loaded", "active", "enabled", "/system.slice/x.service")
STOPPED = UnitState("loaded", "inactive", "disabled")


def plan(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    declared: Declaration | None = None,
    outlook: Outlook | None = None,
    keep: tuple[str, ...] = (),
) -> tuple[list[str], tuple[Left, ...]]:
    record = RoleRecord("docker", declared or Declaration(), NodeState(**before))
    found = plan_restore(record, NodeState(**now), outlook or Outlook(), keep)
    return [action.sentence() for action in found.actions], found.left


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(ABSENT, ABSENT, [], id="never-written"),
        pytest.param(ABSENT, FILE, ["delete file /etc/a"], id="new"),
        pytest.param(ABSENT, FileState("link", target="/x"), ["delete file /etc/a"], id="link"),
        pytest.param(FILE, FILE, [], id="unchanged"),
        pytest.param(FILE, FileState("file", "0644", 0, 0, "aaa", "", 9), [], id="only-its-time"),
        pytest.param(
            FILE, FileState("file", "0644", 0, 0, "b"), ["restore file /etc/a"], id="text"
        ),
        pytest.param(
            FILE, FileState("file", "0600", 0, 0, "aaa"), ["restore file /etc/a"], id="mode"
        ),
        pytest.param(
            FILE, FileState("file", "0644", 7, 0, "aaa"), ["restore file /etc/a"], id="owner"
        ),
        pytest.param(FILE, ABSENT, ["restore file /etc/a"], id="deleted-by-us"),
        pytest.param(ABSENT, FileState("directory", "0755"), [], id="owner-made-a-directory-of-it"),
    ],
)
def test_files_get_back_what_they_were(
    before: FileState, now: FileState, expected: list[str]
) -> None:
    assert plan({"files": {"/etc/a": before}}, {"files": {"/etc/a": now}}) == (expected, ())


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(GONE, DIRECTORY, ["remove directory /opt/ray and what is in it"], id="new"),
        pytest.param(GONE, GONE, [], id="never-made"),
        pytest.param(DIRECTORY, DIRECTORY, [], id="owners"),
        pytest.param(EMPTY, DIRECTORY, ["empty directory /opt/ray"], id="empty-before"),
        pytest.param(EMPTY, GONE, ["create directory /opt/ray again"], id="removed-by-a-package"),
        pytest.param(
            DIRECTORY,
            DirectoryState("directory", False, "0710"),
            ["restore mode and owner of /opt/ray"],
            id="mode",
        ),
    ],
)
def test_directories_go_only_when_they_came_with_us(
    before: DirectoryState, now: DirectoryState, expected: list[str]
) -> None:
    states = {"directories": {"/opt/ray": before}}, {"directories": {"/opt/ray": now}}
    assert plan(*states) == (expected, ())


def test_a_directory_of_the_system_is_never_removed() -> None:
    actions, left = plan(
        {"directories": {"/var/lib": GONE}}, {"directories": {"/var/lib": DIRECTORY}}
    )
    assert actions == []
    assert left == (Left("/var/lib", "is a directory of the operating system"),)


@pytest.mark.parametrize(
    "path",
    ["/", "/etc", "/home", "/usr", "/var", "/var/lib", "/usr/local/bin", "/etc/systemd/system",
     "opt/ray", "/opt/../etc/x", "/opt//ray", "/opt/ray/", "/var/tmp", "/var/lib/rackforge"],
)  # fmt: skip
def test_path_is_dangerous(path: str) -> None:
    assert danger(path)


@pytest.mark.parametrize("path", ["/opt/ray", "/var/lib/docker", "/etc/docker", "/run/docker"])
def test_path_is_harmless(path: str) -> None:
    assert danger(path) == ""


def test_new_parents_go_from_the_inside_out_when_nothing_else_is_in_them() -> None:
    state = FileState(missing=("/etc/x", "/etc/x/y"))
    children = {"/etc/x": ("/etc/x/y",), "/etc/x/y": ("/etc/x/y/z",)}
    actions, _left = plan(
        {"files": {"/etc/x/y/z": state}},
        {"files": {"/etc/x/y/z": FILE}},
        outlook=Outlook(children=children),
    )
    assert actions == [
        "delete file /etc/x/y/z",
        "remove empty directory /etc/x/y",
        "remove empty directory /etc/x",
    ]


def test_a_new_parent_with_the_owners_file_stays() -> None:
    state = FileState(missing=("/etc/x",))
    actions, _left = plan(
        {"files": {"/etc/x/z": state}},
        {"files": {"/etc/x/z": FILE}},
        outlook=Outlook(children={"/etc/x": ("/etc/x/owners", "/etc/x/z")}),
    )
    assert actions == ["delete file /etc/x/z"]


@pytest.mark.parametrize(
    "keep",
    [
        pytest.param("/opt/ray", id="itself"),
        pytest.param("/opt", id="above"),
        pytest.param("/opt/ray/data", id="inside"),
    ],
)
def test_what_the_owner_keeps_is_not_touched(keep: str) -> None:
    states = {"directories": {"/opt/ray": GONE}}, {"directories": {"/opt/ray": DIRECTORY}}
    assert plan(*states, keep=(keep,)) == ([], ())


def test_a_similar_path_is_not_kept() -> None:
    states = {"directories": {"/opt/ray": GONE}}, {"directories": {"/opt/ray": DIRECTORY}}
    actions, _left = plan(*states, keep=("/opt/ray2",))
    assert actions == ["remove directory /opt/ray and what is in it"]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(
            NO_UNIT, RUNNING,
            ["stop unit x.service", "disable unit x.service", "reload systemd"],
            id="new-and-running",
        ),
        pytest.param(NO_UNIT, NO_UNIT, [], id="never-there"),
        pytest.param(RUNNING, RUNNING, [], id="owners-and-untouched"),
        pytest.param(STOPPED, RUNNING,
            ["stop unit x.service", "disable unit x.service", "reload systemd"],
            id="owners-was-stopped"),
        pytest.param(RUNNING, STOPPED,
            ["enable unit x.service again", "start unit x.service again"], id="owners-was-running"),
        pytest.param(NO_UNIT, UnitState("loaded", "failed", "disabled"),
            ["clear the failed state of x.service"], id="failed"),
        pytest.param(NO_UNIT, UnitState("not-found", "lingering"), ["stop unit x.service"],
            id="processes-of-a-stopped-unit"),
        pytest.param(STOPPED, UnitState("masked", "inactive", "masked"),
            ["unmask unit x.service"], id="masked-by-us"),
        pytest.param(UnitState("masked", "inactive", "masked"), STOPPED,
            ["mask unit x.service again"], id="unmasked-by-us"),
        pytest.param(UnitState("loaded", "active", "enabled"),
            UnitState("masked", "inactive", "masked"),
            ["unmask unit x.service", "enable unit x.service again", "start unit x.service again"],
            id="owners-masked-by-us"),
    ],
)  # fmt: skip
def test_units_run_and_start_as_before(
    before: UnitState, now: UnitState, expected: list[str]
) -> None:
    assert plan({"units": {"x.service": before}}, {"units": {"x.service": now}}) == (expected, ())


def test_a_target_is_left_but_never_reached_again() -> None:
    """Two roles whose units want it are taken out in whatever order: nothing of it stays."""
    up, down = UnitState("loaded", "active", "static"), UnitState("loaded", "inactive", "static")
    units = {"units": {"x.target": up}}
    assert plan({"units": {"x.target": down}}, units) == (["stop unit x.target"], ())
    assert plan(units, {"units": {"x.target": down}}) == ([], ())


def test_units_stop_in_declared_order_after_what_starts_them() -> None:
    declared = Declaration(
        units=("docker.service", "docker.socket", "containerd.service", "d-*.scope")
    )
    new = dict.fromkeys(
        ("containerd.service", "docker.service", "docker.socket", "d-1.scope"), RUNNING
    )
    actions, _left = plan({}, {"units": new}, declared)
    assert actions[:4] == [
        "stop unit docker.socket",
        "stop unit docker.service",
        "stop unit containerd.service",
        "stop unit d-1.scope",
    ]


def test_the_owners_service_restarts_when_its_settings_come_back() -> None:
    actions, _left = plan(
        {"files": {"/etc/a": FILE}, "units": {"x.service": RUNNING, "y.target": RUNNING}},
        {"files": {"/etc/a": ABSENT}, "units": {"x.service": RUNNING, "y.target": RUNNING}},
    )
    assert actions == ["restore file /etc/a", "restart unit x.service"]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param("0", "1", ["set sysctl n.x back to '0'"], id="changed"),
        pytest.param("", "6379", ["set sysctl n.x back to ''"], id="was-empty"),
        pytest.param("0", "0", [], id="unchanged"),
        pytest.param(None, "1", [], id="came-with-a-module"),
        pytest.param("0", None, [], id="went-with-a-module"),
    ],
)
def test_sysctls_get_their_value_back(
    before: str | None, now: str | None, expected: list[str]
) -> None:
    assert plan({"sysctls": {"n.x": before}}, {"sysctls": {"n.x": now}}) == (expected, ())


@pytest.mark.parametrize(
    ("was", "expected"),
    [
        pytest.param(False, ["delete user ray", "delete group ray"], id="new"),
        pytest.param(True, [], id="owners"),
    ],
)
def test_users_go_before_groups_and_only_new_ones(was: bool, expected: list[str]) -> None:
    before = {"users": {"ray": was}, "groups": {"ray": was}}
    assert plan(before, {"users": {"ray": True}, "groups": {"ray": True}}) == (expected, ())


def test_only_new_interfaces_that_match_are_deleted() -> None:
    actions, _left = plan(
        {"interfaces": ("lo", "eth0", "br-old")},
        {"interfaces": ("br-new", "br-old", "docker0", "eth0", "eth1", "lo")},
        Declaration(interfaces=("docker0", "br-*")),
    )
    assert actions == ["delete interface br-new", "delete interface docker0"]


def test_only_an_image_that_was_surely_absent_before_is_removed() -> None:
    actions, _left = plan(
        {"images": {"new": False, "old": True, "unknown": None, "gone": False}},
        {"images": {"new": True, "old": True, "unknown": True, "gone": False}},
        Declaration(images=("new", "old", "unknown", "gone")),
    )
    assert actions == ["remove container image new"]


DOCKER = Declaration(packages=("docker.io",))


def packages(
    before: dict[str, str], now: dict[str, str], outlook: Outlook, auto: tuple[str, ...] = ()
) -> tuple[list[str], tuple[Left, ...]]:
    return plan({"packages": before}, {"packages": now, "auto": auto}, DOCKER, outlook)


I = "installed"  # noqa: E741 - a column of tables


@pytest.mark.parametrize(
    ("before", "now", "outlook", "expected"),
    [
        pytest.param({}, {}, Outlook(), [], id="never-installed"),
        pytest.param({}, {"docker.io": I}, Outlook(),
            ["purge package docker.io", "reload systemd"], id="new"),
        pytest.param({"docker.io": I}, {"docker.io": I}, Outlook(), [], id="owners"),
        pytest.param({"docker.io": I}, {}, Outlook(),
            ["install package docker.io again"], id="owners-purged-by-us"),
        pytest.param({"docker.io": I}, {"docker.io": "config-files"}, Outlook(),
            ["install package docker.io again"], id="owners-removed-by-us"),
        pytest.param({"docker.io": "config-files"}, {"docker.io": I}, Outlook(),
            ["remove package docker.io", "reload systemd"], id="owners-configuration-stays"),
        pytest.param({}, {"docker.io": "config-files"}, Outlook(),
            ["purge package docker.io", "reload systemd"], id="half-purged"),
        pytest.param({}, {"docker.io": I, "runc": I},
            Outlook(unneeded=("runc",), closure=frozenset({"runc"})),
            ["purge package docker.io", "purge package runc", "reload systemd"], id="dependency"),
        pytest.param({"runc": I}, {"docker.io": I, "runc": I},
            Outlook(unneeded=("runc",), closure=frozenset({"runc"})),
            ["purge package docker.io", "reload systemd"], id="owners-orphan-in-our-closure"),
        pytest.param({}, {"docker.io": I, "orphan": I},
            Outlook(unneeded=("orphan",), closure=frozenset({"runc"})),
            ["purge package docker.io", "reload systemd"], id="owners-later-orphan"),
        pytest.param({}, {"docker.io": I, "runc": I, "podman": I},
            Outlook(unneeded=("runc",), closure=frozenset({"runc"}),
                    recommends={"podman": ("runc",)}),
            ["purge package docker.io", "reload systemd"], id="owners-new-package-recommends-it"),
        pytest.param({"podman": I}, {"docker.io": I, "runc": I, "podman": I},
            Outlook(unneeded=("runc",), closure=frozenset({"runc"}),
                    recommends={"podman": ("runc",)}),
            ["purge package docker.io", "purge package runc", "reload systemd"],
            id="owners-old-package-lived-without-it"),
        pytest.param({}, {"runc": "config-files"}, Outlook(closure=frozenset({"runc"})),
            ["purge package runc", "reload systemd"], id="half-purged-dependency"),
    ],
)  # fmt: skip
def test_packages_that_came_with_us_go(
    before: dict[str, str], now: dict[str, str], outlook: Outlook, expected: list[str]
) -> None:
    assert packages(before, now, outlook) == (expected, ())


def test_a_package_that_the_owners_needs_stays_and_is_named() -> None:
    outlook = Outlook(dependants=("compose",))
    reason = (
        "stays: without docker.io compose would go too, and that is not ours; "
        "remove it yourself and run reset again"
    )
    left = (Left("package docker.io", reason),)
    assert packages({}, {"docker.io": I, "compose": I}, outlook) == ([], left)


def test_a_dependency_that_needs_our_package_goes_with_it() -> None:
    outlook = Outlook(dependants=("docker-cli",), closure=frozenset({"docker-cli"}))
    now = {"docker.io": I, "docker-cli": I}
    assert packages({}, now, outlook, auto=("docker-cli",))[0][:2] == [
        "purge package docker-cli",
        "purge package docker.io",
    ]


def test_interrupted_packages_come_first_and_the_owners_are_finished() -> None:
    now = {"docker.io": "broken", "runc": "broken-reinstall", "libc-bin": "broken"}
    outlook = Outlook(closure=frozenset({"runc", "libc-bin"}))
    actions, _left = packages({"libc-bin": I}, now, outlook)
    assert actions[:3] == [
        "drop half-installed package docker.io",
        "drop half-installed package runc",
        "finish the interrupted update of libc-bin",
    ]


def test_a_package_becomes_automatic_again() -> None:
    record = RoleRecord(
        "docker", Declaration(packages=("runc",)), NodeState(packages={"runc": I}, auto=("runc",))
    )
    found = plan_restore(record, NodeState(packages={"runc": I}), Outlook())
    assert found.actions == (Action(Kind.MARK_AUTO, "runc"),)


BLOCK = "# BEGIN rackforge.gpu_cluster docker\n10.0.0.1 head\n# END rackforge.gpu_cluster docker\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\n" + BLOCK + "b\n", "a\nb\n", id="middle"),
        pytest.param(BLOCK + "b\n", "b\n", id="start"),
        pytest.param("a\n" + BLOCK, "a\n", id="end"),
        pytest.param(BLOCK + "a\n" + BLOCK, "a\n", id="twice"),
        pytest.param("a\n" + BLOCK.replace("docker", "ray"), "a\n" + BLOCK.replace("docker", "ray"),
            id="another-roles"),
        pytest.param("a\n# BEGIN rackforge.gpu_cluster docker\nb\n",
            "a\n# BEGIN rackforge.gpu_cluster docker\nb\n", id="end-marker-missing"),
        pytest.param("a\r\n" + BLOCK.replace("\n", "\r\n"), "a\r\n", id="carriage-returns"),
    ],
)  # fmt: skip
def test_only_our_block_is_cut(text: str, expected: str) -> None:
    assert cut_block(text, "docker") == expected


def test_a_file_without_last_line_feed_gets_back_without_it() -> None:
    digest = hashlib.sha256(b"a").hexdigest()
    assert cut_block("a\n" + BLOCK, "docker", digest) == "a"


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        pytest.param(FILE, "a\n" + BLOCK, ["cut our block out of /etc/hosts"], id="there-before"),
        pytest.param(FILE, BLOCK, ["cut our block out of /etc/hosts"], id="empty-before"),
        pytest.param(ABSENT, BLOCK, ["delete file /etc/hosts"], id="made-for-the-block"),
        pytest.param(
            ABSENT, BLOCK + "owner\n", ["cut our block out of /etc/hosts"], id="owner-added"
        ),
        pytest.param(FILE, "owner\n", [], id="owner-cut-it"),
    ],
)
def test_files_with_our_block_lose_only_that(
    before: FileState, text: str, expected: list[str]
) -> None:
    actions, _left = plan(
        {"blocks": {"/etc/hosts": before}}, {}, outlook=Outlook(texts={"/etc/hosts": text})
    )
    assert actions == expected


def test_a_restored_node_needs_nothing() -> None:
    state = NodeState(
        packages={"bash": I},
        files={"/etc/a": FILE},
        directories={"/opt/ray": GONE},
        units={"x.service": RUNNING},
        sysctls={"n.x": "0"},
        users={"ray": False},
        groups={"ray": False},
        interfaces=("lo",),
        firewall={"nft": ""},
    )
    record = RoleRecord("docker", DOCKER, state)
    assert plan_restore(record, state, Outlook()).actions == ()


def test_the_owners_engine_comes_back_after_ours_went() -> None:
    declared = Declaration(packages=("docker-ce", "docker.io"))
    actions, _left = plan({"packages": {"docker.io": I}}, {"packages": {"docker-ce": I}}, declared)
    assert actions == [
        "purge package docker-ce",
        "install package docker.io again",
        "reload systemd",
    ]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(MountState(), MountState(), [], id="never-mounted"),
        pytest.param(MountState(), MountState(True, True),
            ["unmount /mnt/a", "remove mount point /mnt/a if it is empty"], id="new"),
        pytest.param(MountState(), MountState(False, True, True),
            ["remove mount point /mnt/a if it is empty"], id="unmounted-meanwhile"),
        pytest.param(MountState(), MountState(False, True, False), [], id="owners-files-in-it"),
        pytest.param(MountState(False, True), MountState(True, True), ["unmount /mnt/a"],
            id="owners-directory"),
        pytest.param(MountState(True, True), MountState(True, True), [], id="owners-mount"),
    ],
)  # fmt: skip
def test_only_mounts_that_came_with_us_go(
    before: MountState, now: MountState, expected: list[str]
) -> None:
    states = {"mounts": {"/mnt/a": before}}, {"mounts": {"/mnt/a": now}}
    assert plan(*states) == (expected, ())


def test_inner_mounts_go_first_and_before_what_is_below_them() -> None:
    points = {"/mnt/a": MountState(missing=("/mnt",)), "/mnt/a/b": MountState()}
    now = dict.fromkeys(points, MountState(True, True))
    actions, _left = plan(
        {"mounts": points}, {"mounts": now}, outlook=Outlook(children={"/mnt/x": ()})
    )
    assert actions == [
        "unmount /mnt/a/b",
        "unmount /mnt/a",
        "remove mount point /mnt/a/b if it is empty",
        "remove mount point /mnt/a if it is empty",
    ]


def test_a_mount_that_the_owner_keeps_stays() -> None:
    states = {"mounts": {"/mnt/a": MountState()}}, {"mounts": {"/mnt/a": MountState(True, True)}}
    assert plan(*states, keep=("/mnt/a",)) == ([], ())


def test_systemd_forgets_a_mount_whose_line_goes() -> None:
    actions, _left = plan(
        {"blocks": {"/etc/fstab": FILE}}, {}, outlook=Outlook(texts={"/etc/fstab": "a\n" + BLOCK})
    )
    assert actions == ["cut our block out of /etc/fstab", "reload systemd"]


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        pytest.param(False, True, ["take user ada out of group video"], id="new"),
        pytest.param(True, True, [], id="owners"),
        pytest.param(False, False, [], id="gone-with-its-group"),
    ],
)
def test_only_new_memberships_end(was: bool, now: bool, expected: list[str]) -> None:
    states = {"memberships": {"video/ada": was}}, {"memberships": {"video/ada": now}}
    assert plan(*states) == (expected, ())


def homes(
    was: dict[str, bool], home: Home | None, keep: tuple[str, ...] = ()
) -> tuple[list[str], list[tuple[str, str]]]:
    record = RoleRecord("os_base", Declaration(), NodeState(users={"ada": False}, homes=was))
    outlook = Outlook(homes={"ada": home} if home else {})
    found = plan_restore(record, NodeState(users={"ada": True}), outlook, keep)
    return [a.sentence() for a in found.actions], [(s.path, s.reason) for s in found.stays]


ADA = "/home/ada"


@pytest.mark.parametrize(
    ("was", "home", "actions", "stays"),
    [
        pytest.param({ADA: False}, Home(ADA), ["delete user ada and the home /home/ada"], [],
            id="untouched"),
        pytest.param({ADA: False}, Home(ADA, "/home/ada/x"), ["delete user ada"],
            [(ADA, "holds /home/ada/x, which is its user's")], id="with-a-file"),
        pytest.param({ADA: True}, Home(ADA), ["delete user ada"],
            [(ADA, "was there before its user")], id="there-before"),
        pytest.param({}, Home(ADA), ["delete user ada"], [], id="record-of-an-older-version"),
        pytest.param({ADA: False}, Home("/opt/ray"), ["delete user ada"], [], id="another-home"),
        pytest.param({ADA: False}, None, ["delete user ada"], [], id="no-home"),
    ],
)  # fmt: skip
def test_a_home_goes_only_when_nothing_in_it_is_its_users(
    was: dict[str, bool], home: Home | None, actions: list[str], stays: list[tuple[str, str]]
) -> None:
    assert homes(was, home) == (actions, stays)


def test_a_home_that_the_owner_keeps_stays() -> None:
    assert homes({ADA: False}, Home(ADA), keep=("/home/ada",)) == (
        ["delete user ada"],
        [(ADA, "is to be kept")],
    )


REFRESH = Declaration(refresh={"/etc/a": "update-a --x", "/etc/b": "update-a --x", "/etc/c": "c"})


@pytest.mark.parametrize(
    ("now", "pending", "expected"),
    [
        pytest.param({"/etc/a": FILE, "/etc/b": FILE}, (),
            ["delete file /etc/a", "delete file /etc/b",
             "run 'update-a --x' for what was put back"], id="once-for-two-paths"),
        pytest.param({}, ("/etc/c",), ["run 'c' for what was put back"], id="owed-by-a-killed-run"),
        pytest.param({}, (), [], id="nothing-put-back"),
    ],
)  # fmt: skip
def test_a_command_follows_what_is_put_back(
    now: dict[str, FileState], pending: tuple[str, ...], expected: list[str]
) -> None:
    before = NodeState(files=dict.fromkeys(("/etc/a", "/etc/b", "/etc/c"), ABSENT))
    record = RoleRecord("os_base", REFRESH, before, pending)
    found = plan_restore(record, NodeState(files=now), Outlook())
    assert [action.sentence() for action in found.actions] == expected


def test_a_plan_tells_which_paths_need_a_command() -> None:
    record = RoleRecord("os_base", REFRESH, NodeState(files={"/etc/a": ABSENT, "/etc/z": ABSENT}))
    found = plan_restore(record, NodeState(files={"/etc/a": FILE, "/etc/z": FILE}), Outlook())
    assert found.due(REFRESH.refresh) == ("/etc/a",)


@pytest.mark.parametrize(
    ("action", "thing"),
    [
        pytest.param(
            Action(Kind.LEAVE_GROUP, "video", "ada"), "user ada in group video", id="member"
        ),
        pytest.param(Action(Kind.REFRESH, "update-a --x"), "command 'update-a --x'", id="command"),
        pytest.param(Action(Kind.INSTALL_PACKAGE, "git"), "package git", id="package"),
        pytest.param(Action(Kind.DELETE_ACCOUNT, "ada", "/home/ada"), "user ada", id="account"),
    ],
)
def test_a_thing_that_is_left_has_a_name(action: Action, thing: str) -> None:
    assert action.thing() == thing


MODELS = "/srv/models"


@pytest.mark.parametrize(
    ("before", "now", "actions", "stays"),
    [
        pytest.param(GONE, EMPTY, ["remove empty directory /srv/models"], [], id="new-and-empty"),
        pytest.param(GONE, DIRECTORY, [], [(MODELS, "holds data")], id="new-with-models"),
        pytest.param(GONE, GONE, [], [], id="never-made"),
        pytest.param(DIRECTORY, DIRECTORY, [], [], id="owners"),
        pytest.param(
            DIRECTORY,
            DirectoryState("directory", False, "0775", 0, 3000),
            ["restore mode and owner of /srv/models"],
            [],
            id="owners-with-our-mode",
        ),
        pytest.param(DIRECTORY, DirectoryState("directory", False), [], [], id="mounted-over"),
    ],
)
def test_a_directory_for_data_goes_only_when_it_is_empty(
    before: DirectoryState,
    now: DirectoryState,
    actions: list[str],
    stays: list[tuple[str, str]],
) -> None:
    record = RoleRecord("os_base", Declaration(data=(MODELS,)), NodeState(data={MODELS: before}))
    found = plan_restore(record, NodeState(data={MODELS: now}), Outlook())
    assert [action.sentence() for action in found.actions] == actions
    assert [(left.path, left.reason) for left in found.stays] == stays


@pytest.mark.parametrize(
    ("inside", "actions"),
    [
        pytest.param(
            {"/run/cd": ("/run/cd/runc", "/run/cd/s"), "/run/cd/runc": ("/run/cd/runc/ours",)},
            [
                "remove directory /run/cd/runc/ours and what is in it",
                "remove empty directory /run/cd/runc",
                "remove empty directory /run/cd/s",
                "remove empty directory /run/cd",
            ],
            id="nobody-else",
        ),
        pytest.param(
            {
                "/run/cd": ("/run/cd/runc", "/run/cd/s"),
                "/run/cd/runc": ("/run/cd/runc/ours", "/run/cd/runc/moby"),
            },
            [
                "remove directory /run/cd/runc/ours and what is in it",
                "remove empty directory /run/cd/s",
            ],
            id="an-engine-came-later",
        ),
    ],
)
def test_a_folder_that_engines_share_goes_with_the_last_of_them(
    inside: dict[str, tuple[str, ...]], actions: list[str]
) -> None:
    before = NodeState(
        directories={"/run/cd/runc/ours": DirectoryState(missing=("/run/cd/runc", "/run/cd"))},
        data={"/run/cd/s": DirectoryState(missing=("/run/cd",))},
    )
    now = NodeState(directories={"/run/cd/runc/ours": DIRECTORY}, data={"/run/cd/s": EMPTY})
    found = plan_restore(RoleRecord("k3s", Declaration(), before), now, Outlook(children=inside))
    assert [action.sentence() for action in found.actions] == actions
