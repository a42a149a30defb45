import pytest

from models.arbiter import ArbiterModel
from models.config import NAMED
from rtl.arbiter import Arbiter
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.arbiter import ArbiterProof


def winners(model: ArbiterModel, request: int, advance: bool, cycles: int) -> list[int]:
    grants = []
    for _ in range(cycles):
        model.inputs.request[0, 0], model.inputs.advance[0] = request, advance
        model.step()
        grants.append(int(model.outputs.grant[0, 0]).bit_length() - 1)
    return grants


def test_model_serves_all_in_turn():
    assert winners(ArbiterModel(4), 0b1111, True, 8) == [0, 1, 2, 3, 0, 1, 2, 3]


def test_model_keeps_priority_until_used():
    assert winners(ArbiterModel(3), 0b110, False, 3) == [1, 1, 1]


def test_model_grants_nothing_without_requests():
    assert winners(ArbiterModel(3), 0, True, 2) == [-1, -1]


@pytest.mark.verilator
@pytest.mark.parametrize("config", ["TINY", "NODE", "RACK", "LINGYUN"])  # one word, a full one, two
def test_rtl_matches_model(config):
    run_bench("arbiter", Arbiter(NAMED[config].ports), config)


@pytest.mark.formal
@pytest.mark.parametrize("ports", [2, 3, 4, 8])
def test_proof(ports):
    prove(ArbiterProof(ports), f"arbiter-{ports}", depth=2)
