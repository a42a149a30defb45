import numpy as np
import pytest

from models.class_arbiter import ClassArbiterModel
from models.config import NODE, PROTO, TINY
from rtl.class_arbiter import ClassArbiter
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.class_arbiter import ClassArbiterProof

WEIGHTED = PROTO.with_(class_policy="weighted")
MANY = NODE.with_(name="MANY", classes=8, egress_flits=1024, iterations=4).with_(
    class_weights=(3, 1, 5, 2, 1, 1, 9, 1)
)


def test_strict_model_grants_the_most_urgent():
    model = ClassArbiterModel(PROTO, picks=2)
    model.inputs.request[0] = 0b0101, 0b0000
    model.step()
    assert model.outputs.grant[0].tolist() == [0b0100, 0b0000]


@pytest.mark.parametrize("weights", [(1, 2, 4, 8), (5, 1, 1, 3)])
def test_saturated_classes_share_by_weight(weights):
    config = WEIGHTED.with_(class_weights=weights)
    model = ClassArbiterModel(config, picks=1)
    rng = np.random.default_rng(1)
    flits = np.zeros(4, dtype=np.int64)
    model.inputs.request[0] = 0b1111
    for length in rng.integers(1, config.limit + 1, 3000):
        # The grant depends on the state only, so that it can be asked before it is charged.
        before = model.state.deficit.copy()
        model.inputs.charge[:] = model.inputs.refill[:] = 0
        model.step()
        model.state.deficit[:] = before
        winner, model.inputs.refill[:] = model.outputs.grant[0, 0], model.outputs.spent[0]
        model.inputs.charge[0] = winner
        for _ in range(length):
            model.step()
            model.inputs.refill[0] = 0
        flits[int(winner).bit_length() - 1] += length
    share = flits / flits.sum() * sum(weights) / np.array(weights)
    assert np.all(np.abs(share - 1) < 0.02), share


def test_wrong_picks_are_refused():
    with pytest.raises(ValueError, match="not 0"):
        ClassArbiter(PROTO, picks=0)


@pytest.mark.verilator
@pytest.mark.parametrize("policy", ["strict", "weighted"])
@pytest.mark.parametrize("config", [TINY, PROTO, MANY], ids=lambda config: config.name)
def test_rtl_matches_model(config, policy):
    config = config.with_(class_policy=policy)
    run_bench("class_arbiter", ClassArbiter(config, picks=config.iterations), config)


@pytest.mark.formal
@pytest.mark.parametrize("config", [TINY, PROTO], ids=lambda config: config.name)
@pytest.mark.parametrize("policy", ["strict", "weighted"])
def test_proof(config, policy):
    proof = ClassArbiterProof(config.with_(class_policy=policy), picks=2)
    prove(proof, f"class_arbiter-{config.name}-{policy}", depth=2)


@pytest.mark.formal
def test_proof_that_honest_charges_are_never_forgiven():
    proof = ClassArbiterProof(WEIGHTED, picks=1, honest=True)
    prove(proof, "class_arbiter-honest", depth=2)
