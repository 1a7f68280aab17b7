"""The repository keeps its promises (their counterexamples are in test_contracts_bite.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import CATALOGUE
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import LAST_PORT

from tests.unit.contracts import catalogue_checks, role_checks, source_checks

Check = Callable[[Path], list[str]]

CONTRACTS: tuple[Check, ...] = (
    role_checks.defaults_equal_specs,
    role_checks.other_entries_take_known_options,
    role_checks.roles_offer_every_verb,
    role_checks.called_entries_have_specs,
    role_checks.variables_carry_their_role,
    role_checks.roles_hand_over_known_inputs,
    role_checks.roles_know_only_themselves,
    role_checks.errors_are_not_silenced,
    role_checks.templates_say_who_manages_them,
    role_checks.scenarios_cover_every_role,
    role_checks.plays_keep_the_inventorys_order,
    role_checks.own_containers_are_known,
    role_checks.preparing_a_node_takes_few_tasks,
    role_checks.nothing_is_kept_within_an_inventory,
    source_checks.plugins_carry_the_licence,
    source_checks.node_code_needs_only_python,
    source_checks.honest_tests,
)


def assert_none(problems: list[str]) -> None:
    assert not problems, "\n".join(["broken promises:", *problems])


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_contract_holds(contract: Check, repository: Path) -> None:
    assert_none(contract(repository))


def test_catalogue_is_consistent() -> None:
    assert_none(catalogue_checks.catalogue_is_consistent(CATALOGUE))


def test_catalogue_equals_role_defaults(repository: Path) -> None:
    assert_none(catalogue_checks.catalogue_equals_defaults(repository, CATALOGUE))


def test_catalogue_variables_have_an_owner(repository: Path) -> None:
    assert_none(catalogue_checks.catalogue_variables_have_an_owner(repository, CATALOGUE))


def test_ports_stand_in_one_place(repository: Path) -> None:
    # The last of all ports is no service's own number.
    numbers = frozenset(n for port in CATALOGUE for n in (port.number, port.end)) - {LAST_PORT}
    assert_none(source_checks.ports_stand_in_one_place(repository, numbers))
