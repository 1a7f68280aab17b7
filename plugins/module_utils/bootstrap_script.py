# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell scripts that bootstrap.yml runs on a machine without Python, and what they answer.

They are for any POSIX shell. The variable p holds the sudo password or nothing; it is not exported,
and reaches sudo through a pipe from the shell's own printf.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MARK = "@rackforge "

#: Where the rule for password-free sudo lies. sudo reads the folder in the order of the names and
#: lets the last rule that fits decide, so ours sorts behind a folder full of people's names.
SUDOERS = "/etc/sudoers.d"
SUDOERS_NAME = "zz-rackforge-{user}"

_COMMON = r"""
say() { printf '@rackforge %s %s\n' "$1" "$(printf '%s' "$2" | tr '\r\n' '  ')"; }
LC_ALL=C; export LC_ALL
uid=$(id -u)
dir=$HOME/.ssh file=$HOME/.ssh/authorized_keys
has_key() {
  [ -n "$blob" ] && [ -f "$file" ] && grep -v '^[[:space:]]*#' "$file" | grep -qF -e "$blob"
}
# What becoming root takes: root, free, password, or none of these.
way=none refusal=
find_way() {
  if [ "$uid" = 0 ]; then way=root; return; fi
  if ! command -v sudo >/dev/null 2>&1; then refusal='sudo: command not found'; return; fi
  refusal=$(sudo -k -n sh -c 'echo rackforge-uid-$(id -u)' 2>&1 </dev/null)
  case $refusal in *rackforge-uid-0*) way=free refusal=; return;; esac
  [ -n "$p" ] || return 0
  refusal=$(printf '%s\n' "$p" |
    sudo -k -S -p '' sh -c 'exec </dev/null; echo rackforge-uid-$(id -u)' 2>&1)
  case $refusal in *rackforge-uid-0*) way=password refusal=;; esac
}
# Runs its arguments as root with nothing on standard input.
as_root() {
  case $way in
    root) "$@" </dev/null;;
    free) sudo -k -n "$@" </dev/null;;
    password) printf '%s\n' "$p" | sudo -k -S -p '' sh -c 'exec "$@" </dev/null' sh "$@";;
    *) return 1;;
  esac
}
"""

_LOOK = r"""
version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }
for each in $candidates; do
  found=$(command -v "$each" 2>/dev/null) || continue
  say python "$found $(version_of "$found")"
  break
done
if [ -n "$interpreter" ]; then
  say interpreter "$interpreter $(version_of "$interpreter")"
fi
PATH=$PATH:/usr/sbin:/sbin; export PATH
say user "$(id -un)"
say uid "$uid"
say os "$([ ! -r /etc/os-release ] || . /etc/os-release; echo "$ID ${VERSION_ID:-0} $ID_LIKE")"
for each in dnf apt-get; do command -v $each >/dev/null 2>&1 && say manager $each; done
say home "$(stat -c '%a %u' "$HOME" 2>/dev/null)"
say directory "$(stat -c '%a %u' "$dir" 2>/dev/null)"
say file "$(stat -L -c '%a %u' "$file" 2>/dev/null)"
if has_key; then say key present; else say key missing; fi
find_way
say way "$way"
say refusal "$refusal"
say rule "$(as_root sh -c 'cat "$1" 2>/dev/null' sh "$rule")"
say end end
"""

_STEPS = r"""
PATH=$PATH:/usr/sbin:/sbin; export PATH
umask 077
find_way
relabel() {
  ! command -v restorecon >/dev/null 2>&1 || restorecon -R "$1" 2>/dev/null || :
}
step() {
  if said=$("$1" 2>&1 </dev/null); then say ok "$2"
  else say failed "$2 $(printf '%s\n' "$said" | tail -n 3)"; fi
}
install_key() {
  mkdir -p "$dir" || return 1
  # A last line without its end would swallow ours.
  if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then printf '\n' >>"$file" || return 1; fi
  has_key || printf '%s\n' "$line" >>"$file" || return 1
  relabel "$dir"
}
repair_modes() {
  chmod 700 "$dir" && { [ ! -e "$file" ] || chmod 600 "$file"; } && relabel "$dir"
}
remove_key() {
  real=$(readlink -f "$file") || return 1
  draft=$real.rackforge-new
  { grep -vF -e "$blob" "$real" || [ $? = 1 ]; } >"$draft" || { rm -f "$draft"; return 1; }
  chmod "$(stat -c %a "$real")" "$draft" && mv -f "$draft" "$real" || { rm -f "$draft"; return 1; }
  relabel "$dir"
}
write_sudo() {
  as_root sh -c 'set -e; umask 077; draft=$1/.rackforge.new; trap "rm -f $draft" EXIT
    printf "%s\n" "$3" >"$draft"; chmod 0440 "$draft"; chown 0:0 "$draft"
    visudo -cqf "$draft"; mv -f "$draft" "$2"
    ! command -v restorecon >/dev/null 2>&1 || restorecon "$2"
    ' sh "${rule%/*}" "$rule" "$rule_text"
}
remove_sudo() { as_root rm -f "$rule"; }
# What packages bring is for everybody.
install_python() {
  case $manager in
    dnf)
      as_root sh -c 'umask 022
        for each do dnf -y -q install "$each" && exit 0; done; exit 1' sh $packages
      ;;
    *)
      as_root sh -c 'umask 022; DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND
        get() { apt-get -y -q -o DPkg::Lock::Timeout=120 "$@"; }
        add() { get install --no-install-recommends "$@"; }
        add "$@" || { get update && add "$@"; }' sh $packages
      ;;
  esac
}
"""


@dataclass(frozen=True)
class Look:
    """How a machine stands."""

    user: str = ""
    uid: int = -1
    os_id: str = ""
    os_version: str = ""
    os_like: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    #: The interpreter that Ansible's discovery would take, and its version; "" when there is none.
    python: str = ""
    python_version: str = ""
    #: The same of the one that the inventory names.
    interpreter: str = ""
    interpreter_version: str = ""
    #: Mode and owner, "" for what is not there.
    home: str = ""
    directory: str = ""
    file: str = ""
    has_key: bool = False
    #: What becoming root takes (root, free, password), or none.
    way: str = "none"
    refusal: str = ""
    #: The text of our sudo rule, "" when there is none.
    rule: str = ""


class UnreadableError(ValueError):
    """A machine whose shell did not run the script to its end."""


def rule_path(user: str) -> str:
    """Return where the sudo rule for a user lies; sudo skips names with a dot."""
    return f"{SUDOERS}/{SUDOERS_NAME.format(user=user.replace('.', '_'))}"


def rule_text(user: str) -> str:
    """Return the sudo rule for a user."""
    return f"{user} ALL=(ALL:ALL) NOPASSWD: ALL"


def look_script(blob: str, user: str, candidates: Iterable[str], interpreter: str = "") -> str:
    """Return the script that looks and changes nothing."""
    values = {
        "blob": blob,
        "rule": rule_path(user),
        "candidates": " ".join(candidates),
        "interpreter": interpreter,
    }
    return _assign(values) + _COMMON + _LOOK


def step_script(
    steps: Sequence[str],
    blob: str,
    line: str,
    user: str,
    manager: str = "",
    packages: Iterable[str] = (),
) -> str:
    """Return the script that takes ``steps`` (names with hyphens) one after another."""
    values = {
        "blob": blob,
        "line": line,
        "rule": rule_path(user),
        "rule_text": rule_text(user),
        "manager": manager,
        "packages": " ".join(packages),
    }
    calls = "".join(f"step {name.replace('-', '_')} {name}\n" for name in steps)
    return _assign(values) + _COMMON + _STEPS + calls + "say end end\n"


def _assign(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _answers(text: str) -> list[tuple[str, str]]:
    """Return what the script said; a shell's greeting is none of it."""
    found = []
    for row in text.splitlines():
        if row.startswith(MARK):
            name, _blank, value = row[len(MARK) :].partition(" ")
            found.append((name, value.strip()))
    if ("end", "end") not in found:
        raise UnreadableError(
            "the login works, but its shell did not run a script to the end: "
            + (" ".join(text.split())[-200:] or "it said nothing")
        )
    return found


def parse_look(text: str) -> Look:
    """Return what the look script said; UnreadableError when it did not get to its end."""
    answers = _answers(text)
    values = dict(answers)
    python = values.get("python", "").split()
    interpreter = values.get("interpreter", "").split()
    system = values.get("os", "").split()
    return Look(
        user=values.get("user", ""),
        uid=int(values["uid"]) if values.get("uid", "").isdigit() else -1,
        os_id=system[0] if system else "",
        os_version=system[1] if len(system) > 1 else "",
        os_like=tuple(system[2:]),
        managers=tuple(value for name, value in answers if name == "manager"),
        python=python[0] if python else "",
        python_version=python[1] if len(python) > 1 else "",
        interpreter=interpreter[0] if interpreter else "",
        interpreter_version=interpreter[1] if len(interpreter) > 1 else "",
        home=values.get("home", ""),
        directory=values.get("directory", ""),
        file=values.get("file", ""),
        has_key=values.get("key") == "present",
        way=values.get("way", "none"),
        refusal=values.get("refusal", ""),
        rule=values.get("rule", ""),
    )


def parse_steps(text: str) -> tuple[list[str], dict[str, str]]:
    """Return the steps that were taken, and why others failed."""
    answers = _answers(text)
    taken = [value for name, value in answers if name == "ok"]
    failed = [value.partition(" ") for name, value in answers if name == "failed"]
    return taken, {name: reason.strip() or "no reason given" for name, _blank, reason in failed}
