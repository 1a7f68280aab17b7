# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for the packages of NVIDIA's container toolkit."""

from __future__ import annotations

from .deb import LIBRARIES, Package
from .nvidia import FILES

VERSIONS = ("1.16.1", "1.17.8", "1.18.1")
#: From this version on the package brings units that keep the CDI specification fresh.
FIRST_WITH_UNITS = (1, 18)


#: Docker's `--gpus` needs this program; how it puts devices into a container is not simulated.
HOOK = """#!/bin/sh
# A stand-in for test nodes, made by tests/lab/gpu.
echo "nvidia-container-runtime-hook: a stand-in; use --device nvidia.com/gpu=all" >&2
exit 1
"""


def stand_in(name: str, **words: str) -> str:
    """Return a stand-in program with words filled in."""
    text = (FILES / name).read_text()
    for key, value in words.items():
        text = text.replace(f"@{key}@", value)
    return text


def runtime(name: str, variable: str) -> str:
    """Return the program that hands devices to containers and then is runc."""
    return stand_in("container_runtime.py", NAME=name, VARIABLE=variable)


def packages(version: str) -> list[Package]:
    """Return the packages of one version of the toolkit."""
    shown = f"{version}-1"
    breaks = {"Breaks": "nvidia-container-runtime (<= 3.5.0-1), nvidia-docker2"}
    return [
        Package("libnvidia-container1", shown, depends="libc6",
                files={f"{LIBRARIES}/libnvidia-container.so.{version}": "stand-in\n"}),
        Package("libnvidia-container-tools", shown,
                depends=f"libnvidia-container1 (>= {shown})",
                programs={"usr/bin/nvidia-container-cli":
                          f"#!/bin/sh\necho 'cli-version: {version} (stand-in)'\n"}),
        _base(version),
        Package("nvidia-container-toolkit", shown, fields=breaks, depends=(
                    f"nvidia-container-toolkit-base (= {shown}), libnvidia-container-tools "
                    f"(>= {shown}), libnvidia-container-tools (<< 2.0.0)"),
                programs={"usr/bin/nvidia-container-runtime-hook": HOOK}),
    ]  # fmt: skip


def _base(version: str) -> Package:
    programs = {
        "usr/bin/nvidia-ctk": stand_in("nvidia_ctk.py", VERSION=version),
        "usr/bin/nvidia-cdi-hook": stand_in("nvidia_cdi_hook.py"),
        "usr/bin/nvidia-container-runtime": runtime("nvidia-container-runtime",
                                                    "NVIDIA_VISIBLE_DEVICES"),
    }  # fmt: skip
    files = {"etc/nvidia-container-runtime/config.toml": "#accept-nvidia-visible-devices = true\n"}
    scripts: dict[str, str] = {}
    if tuple(int(word) for word in version.split(".")[:2]) >= FIRST_WITH_UNITS:
        files |= {f"usr/lib/systemd/system/{name}": text for name, text in UNITS.items()}
        files["etc/nvidia-container-toolkit/nvidia-cdi-refresh.env"] = "# settings of the unit\n"
        scripts = {
            "postinst": "systemctl daemon-reload || true\n"
            "systemctl enable --now nvidia-cdi-refresh.path nvidia-cdi-refresh.service || true\n",
            "prerm": '[ "$1" = remove ] || exit 0\n'
            "systemctl disable --now nvidia-cdi-refresh.path nvidia-cdi-refresh.service || true\n",
            "postrm": "systemctl daemon-reload || true\n",
        }
    return Package("nvidia-container-toolkit-base", f"{version}-1", depends="python3",
                   programs=programs, files=files, scripts=scripts)  # fmt: skip


UNITS = {
    "nvidia-cdi-refresh.path": (
        "[Unit]\nDescription=Trigger CDI refresh on NVIDIA driver install / uninstall events\n\n"
        "[Path]\nPathChanged=/lib/modules/%v/modules.dep\n"
        "PathChanged=/lib/modules/%v/modules.dep.bin\n\n[Install]\nWantedBy=multi-user.target\n"
    ),
    "nvidia-cdi-refresh.service": (
        "[Unit]\nDescription=Refresh NVIDIA CDI specification file\n"
        "ConditionPathExists=|/usr/bin/nvidia-smi\n"
        "ConditionPathExists=|/usr/sbin/nvidia-smi\nConditionPathExists=/usr/bin/nvidia-ctk\n\n"
        "[Service]\nType=oneshot\nEnvironmentFile=-/etc/nvidia-container-toolkit/"
        "nvidia-cdi-refresh.env\n"
        "ExecCondition=/usr/bin/grep -qE /nvidia.ko /lib/modules/%v/modules.dep\n"
        "ExecStart=/usr/bin/nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    ),
}


def predecessors() -> list[Package]:
    """Return the packages that the toolkit replaced, for nodes that still have them."""
    return [
        Package("nvidia-container-runtime", "3.13.0-1", machine="all",
                depends="nvidia-container-toolkit-base | nvidia-container-toolkit"),
        Package("nvidia-docker2", "2.13.0-1", machine="all",
                depends="nvidia-container-runtime",
                programs={"usr/bin/nvidia-docker": "#!/bin/sh\nexec docker \"$@\"\n"}),
    ]  # fmt: skip
