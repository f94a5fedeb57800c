"""Compiled passes over traces: sort them, find what neighbours share, where they branch.

A trace is a slice `codes[starts[i]:starts[i] + lengths[i]]` of numbers that are not negative; its end comes before
every token. Each pass is linear in the tokens; sorting adds n log n comparisons of single tokens.
"""

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Integers, compiled


@compiled
def _token(codes: Integers, starts: Integers, lengths: Integers, row: int, depth: int) -> int:
    return codes[starts[row] + depth] if depth < lengths[row] else -1


@compiled
def sort_traces(codes: Integers, starts: Integers, lengths: Integers, rows: Integers, offsets: Integers) -> Integers:
    """The rows, each segment of them in lexicographic order: quicksort by one token at a time (Bentley, Sedgewick)."""
    order = rows.copy()
    # Segments on the stack are disjoint and have two rows or more.
    lows = np.empty(len(rows) // 2 + 4, dtype=np.int64)
    highs, depths = np.empty_like(lows), np.empty_like(lows)
    for segment in range(len(offsets) - 1):
        lows[0], highs[0], depths[0], top = offsets[segment], offsets[segment + 1], 0, 1
        while top > 0:
            top -= 1
            low, high, depth = lows[top], highs[top], depths[top]
            if high - low < 2:
                continue
            pivot = _token(codes, starts, lengths, order[(low + high) // 2], depth)
            less, at, more = low, low, high
            while at < more:
                row = order[at]
                token = _token(codes, starts, lengths, row, depth)
                if token < pivot:
                    order[at], order[less] = order[less], row
                    less += 1
                    at += 1
                elif token > pivot:
                    more -= 1
                    order[at], order[more] = order[more], row
                else:
                    at += 1
            if less - low > 1:
                lows[top], highs[top], depths[top] = low, less, depth
                top += 1
            if pivot >= 0 and more - less > 1:
                lows[top], highs[top], depths[top] = less, more, depth + 1
                top += 1
            if high - more > 1:
                lows[top], highs[top], depths[top] = more, high, depth
                top += 1
    return order


@compiled
def shared_with_previous(
    codes: Integers, starts: Integers, lengths: Integers, order: Integers, offsets: Integers
) -> Integers:
    """How many tokens each row shares with the row before it in its segment; -1 for the first."""
    shared = np.full(len(order), -1, dtype=np.int64)
    for segment in range(len(offsets) - 1):
        for i in range(offsets[segment] + 1, offsets[segment + 1]):
            a, b = order[i - 1], order[i]
            most = min(lengths[a], lengths[b])
            depth = 0
            while depth < most and codes[starts[a] + depth] == codes[starts[b] + depth]:
                depth += 1
            shared[i] = depth
    return shared


@compiled
def branchings(
    shared: Integers, values: Floats, offsets: Integers
) -> tuple[Integers, Integers, Integers, Integers, Floats, Floats, Integers, Integers]:
    """Prefixes after which traces differ, from the greatest shared lengths of sorted, distinct traces.

    Returns:
        For each: its segment, its depth, its first trace and the one behind its last, the greatest value below, the
        greatest among the actions that are worse (-inf without one), the number of actions, and of best actions.
    """
    n = len(shared)
    segments, depths = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    firsts, lasts = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    best, worse = np.empty(n), np.empty(n)
    actions, best_actions = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    # Open branchings, the shallowest first.
    open_depth, open_first = np.empty(n + 1, dtype=np.int64), np.empty(n + 1, dtype=np.int64)
    open_best, open_worse = np.empty(n + 1), np.empty(n + 1)
    open_actions, open_ties = np.empty(n + 1, dtype=np.int64), np.empty(n + 1, dtype=np.int64)
    found = 0
    for segment in range(len(offsets) - 1):
        top = -1
        for i in range(offsets[segment] + 1, offsets[segment + 1] + 1):
            depth = shared[i] if i < offsets[segment + 1] else -1
            value, first = values[i - 1], i - 1
            while True:
                opens = top < 0 or open_depth[top] < depth
                if opens and depth < 0:
                    break
                if opens:
                    top += 1
                    open_depth[top], open_first[top], open_actions[top] = depth, first, 0
                    open_best[top], open_worse[top], open_ties[top] = -np.inf, -np.inf, 0
                # The subtree just completed is an action of the deepest open branching.
                if value > open_best[top]:
                    open_worse[top], open_best[top], open_ties[top] = open_best[top], value, 1
                elif value == open_best[top]:
                    open_ties[top] += 1
                else:
                    open_worse[top] = max(open_worse[top], value)
                open_actions[top] += 1
                if open_depth[top] <= depth:
                    break
                segments[found], depths[found] = segment, open_depth[top]
                firsts[found], lasts[found] = open_first[top], i
                best[found], worse[found] = open_best[top], open_worse[top]
                actions[found], best_actions[found] = open_actions[top], open_ties[top]
                value, first = open_best[top], open_first[top]
                found += 1
                top -= 1
    kept = slice(0, found)
    return (
        segments[kept],
        depths[kept],
        firsts[kept],
        lasts[kept],
        best[kept],
        worse[kept],
        actions[kept],
        best_actions[kept],
    )


@compiled
def shared_with_best(shared: Integers, best: Flags, offsets: Integers) -> Integers:
    """How many tokens each trace shares with the nearest best trace other than itself; -1 where there is none."""
    nearest = np.full(len(shared), -1, dtype=np.int64)
    for segment in range(len(offsets) - 1):
        first, end = offsets[segment], offsets[segment + 1]
        common = np.int64(-1)
        for i in range(first + 1, end):
            common = shared[i] if best[i - 1] else min(common, shared[i])
            nearest[i] = common
        common = np.int64(-1)
        for i in range(end - 2, first - 1, -1):
            common = shared[i + 1] if best[i + 1] else min(common, shared[i + 1])
            nearest[i] = max(nearest[i], common)
    return nearest


@compiled
def prefix_numbers(shared: Integers, lengths: Integers) -> Integers:
    """Number of the prefix that ends with each token, along the tokens of the sorted rows; equal prefixes share it."""
    total = 0
    for length in lengths:
        total += length
    numbers = np.empty(total, dtype=np.int64)
    start, previous, count = 0, 0, 0
    for i in range(len(lengths)):
        common = max(shared[i], 0)
        for depth in range(lengths[i]):
            if depth < common:
                numbers[start + depth] = numbers[previous + depth]
            else:
                numbers[start + depth] = count
                count += 1
        previous = start
        start += lengths[i]
    return numbers


@compiled
def step_radii(shared: Integers, lengths: Integers, values: Floats, best: Flags, offsets: Integers) -> Floats:
    """Least (best value - value) / (steps of both after they part), from the first best trace of each segment.

    inf where there is no other trace.
    """
    radii = np.full(len(offsets) - 1, np.inf)
    for segment in range(len(offsets) - 1):
        first, end = offsets[segment], offsets[segment + 1]
        top = first
        while not best[top]:
            top += 1
        for step in (1, -1):
            common = lengths[top]
            i = top + step
            while first <= i < end:
                common = min(common, shared[i] if step == 1 else shared[i + 1])
                steps = lengths[top] + lengths[i] - 2 * common
                radii[segment] = min(radii[segment], (values[top] - values[i]) / steps)
                i += step
    return radii
