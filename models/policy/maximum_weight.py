"""Maximum-weight matching: what it does not carry, no scheduler of a plain crossbar does."""

from scipy.optimize import linear_sum_assignment

from models.cell_mode import Ints, Queues

__all__ = ["MaximumWeight"]


class MaximumWeight:
    """The matching whose queues hold the most cells in sum: carries whatever can be carried.

    No hardware computes it in a slot; it shows what is left to gain. Ties are as scipy breaks them:
    of equal sums any will do, also one with fewer pairs. Python, not compiled.

    Source: McKeown, Mekkittikul, Anantharam and Walrand, "Achieving 100% throughput in an
    input-queued switch", IEEE Transactions on Communications 47(8), 1999.
    """

    def __init__(self, ports: int):
        self.ports = ports

    def match(self, queues: Queues, input_of: Ints) -> None:
        """The input of each output in this slot."""
        inputs, outputs = linear_sum_assignment(queues.waiting, maximize=True)
        served = queues.waiting[inputs, outputs] > 0
        input_of[:] = -1
        input_of[outputs[served]] = inputs[served]
