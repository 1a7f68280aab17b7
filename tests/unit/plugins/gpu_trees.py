"""PCI devices of the fixtures, as values and as a file tree like the kernel's."""

from __future__ import annotations

import configparser
from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import RawDevice

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "gpu"
_LINKS = ("parent", "driver", "physfn", "config")


def read_fixture(name: str) -> list[RawDevice]:
    """Return the devices of a fixture of the folder pci."""
    parser = configparser.ConfigParser(interpolation=None, default_section="no default")
    parser.read(FIXTURES / "pci" / name / "devices.ini", encoding="utf-8")
    return [_device(address, dict(parser[address])) for address in parser.sections()]


def _device(address: str, values: dict[str, str]) -> RawDevice:
    return RawDevice(
        address=address,
        attributes={k: v.lstrip("\n") for k, v in values.items() if k not in _LINKS},
        config=bytes.fromhex(values.get("config", "")),
        driver=values.get("driver"),
        parent=values.get("parent"),
        physical_function=values.get("physfn"),
    )


def plant_devices(root: Path, devices: list[RawDevice]) -> None:
    """Write the devices below ``root`` as sysfs has them: links into a tree of ports."""
    by_address = {each.address: each for each in devices}
    listing = root / "sys/bus/pci/devices"
    listing.mkdir(parents=True, exist_ok=True)
    for device in devices:
        folder = root / "sys/devices" / _real_place(device, by_address)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in device.attributes.items():
            (folder / name).write_text(f"{text}\n", encoding="utf-8")
        if device.config:
            (folder / "config").write_bytes(device.config)
        if device.driver:
            (folder / "driver").symlink_to(f"../../../bus/pci/drivers/{device.driver}")
        if device.physical_function:
            (folder / "physfn").symlink_to(f"../{device.physical_function}")
        place = _real_place(device, by_address)
        (listing / device.address).symlink_to(Path("../../../devices", place))


def _real_place(device: RawDevice, others: dict[str, RawDevice]) -> Path:
    if device.parent in others:
        return _real_place(others[device.parent], others) / device.address
    return Path(f"pci{device.address[:7]}") / device.address
