"""What many backups at once say about many rewards: certificates and outcomes, reward by reward, from ranges alone."""
# Kernels take arrays one by one, by position.
# ruff: noqa: PLR0917, FBT001

from policycliff.mdp.compilation import Floats, Integers, compiled
from policycliff.values.certificate_kernels import Constants, span_certificate
from policycliff.values.many_kernels import AT_FLOOR, AT_LIMIT, DONE, RUNNING
from policycliff.values.sweep_kernels import EVALUATION_SHARE, NEAR, PATIENCE


@compiled
def judge_columns(
    ranges: Floats,
    reward_sizes: Floats,
    constants: Constants,
    tolerance: float,
    last: bool,
    patience: Integers,
    best: Floats,
    bounds: Floats,
    shifts: Floats,
    stalled: Integers,
    codes: Integers,
    spans: Floats,
) -> None:
    """Judge one backup of each reward; fills what follows `patience`.

    `ranges` (3, rewards) holds the least and the largest entry of T v - v, and the largest of abs(v). Where
    the best bound has not become better in `patience` backups, or in fewer near the floor, rounding is all that is
    left. `spans` are the changes at which sweeps under one policy may stop.
    """
    for column in range(codes.size):
        low, high, size = ranges[0, column], ranges[1, column], ranges[2, column]
        shift, bound, floor = span_certificate(low, high, size, reward_sizes[column], constants)
        stalled[column] = 0 if bound < best[column] else stalled[column] + 1
        bounds[column], shifts[column], best[column] = bound, shift, min(bound, best[column])
        if bound <= tolerance:
            codes[column] = DONE
        elif bound <= 1.25 * floor or stalled[column] >= (patience[column] if bound > NEAR * floor else PATIENCE):
            codes[column] = AT_FLOOR
        else:
            codes[column] = AT_LIMIT if last else RUNNING
        target = 0.75 * max(tolerance, floor) / max(constants.amplification, 1.0)
        spans[column] = max(EVALUATION_SHARE * (high - low), target)
