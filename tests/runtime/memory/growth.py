"""Whether a server's memory grows with the requests it answers."""

from collections.abc import Callable
from itertools import pairwise
from statistics import quantiles

from tests.runtime.memory.footprint import footprint

# The rounds that one measurement is made of. A leak grows in each of them; what an allocator takes once, for
# a thread more or a heap in pieces, comes in some of them only.
ROUNDS = 8
_WARMING = 2
# Bytes by which a server may grow in a round without a leak: some pages.
_NOISE = 32 * 1024


def growth(session: int, requests: int, send: Callable[[int], None]) -> float:
    """Return by how many bytes each request made the server grow, beyond noise: the rounds' lower quartile.

    Args:
        session: the server's.
        requests: how many are sent; those of the first two rounds only warm it up.
        send: sends so many.
    """
    each_round = requests // (_WARMING + ROUNDS)
    send(_WARMING * each_round)
    sizes = [footprint(session).own]
    for _ in range(ROUNDS):
        send(each_round)
        sizes.append(footprint(session).own)
    grown = [after - before for before, after in pairwise(sizes)]
    return (quantiles(grown, n=4)[0] * 1024 - _NOISE) / each_round
