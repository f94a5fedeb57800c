"""Arguments of a wrong kind are named before any work, not met by an error from inside.

Run as a program of its own: in the test session the types of arguments are checked before.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from policycliff import (
    MDP,
    analyze_mdp,
    degeneracy_price,
    design_tie_breaker,
    feasible_rewards,
    mixture_gap,
    mixture_phases,
    occupancy,
    phases_figure,
    read_source,
    regret,
    reward_distance,
    write_source,
)
from policycliff.errors import InvalidInputError

BANDIT = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0, initial=[1.0])
FIRST, SECOND = [[1.0, 0.0]], [[0.0, 1.0]]


NO_MDPS = [None, "bandit", True, np.inf, [[1.0, 0.0]]]
TAKES_MDP: list[Callable] = [
    lambda mdp: mixture_phases(mdp, [FIRST, SECOND]),
    lambda mdp: mixture_gap(mdp, [FIRST, SECOND], starts=[[1.0], [1.0]], proportions=[0.5, 0.5]),
    lambda mdp: design_tie_breaker(mdp, [1.0, 0.0]),
    lambda mdp: feasible_rewards(mdp, [1.0, 0.0]),
    lambda mdp: reward_distance(mdp, FIRST, SECOND, kind="sup"),
    lambda mdp: occupancy(mdp, [1.0, 0.0]),
    lambda mdp: regret(mdp, FIRST, SECOND),
    analyze_mdp,
    lambda mdp: write_source(mdp, "never.json"),
]
NO_FLAGS = [None, "yes", 3, np.ones(3), []]
TAKES_FLAG: list[tuple[str, Callable]] = [
    ("exact", lambda flag: mixture_phases(BANDIT, [FIRST, SECOND], exact=flag)),
    ("reachable_only", lambda flag: design_tie_breaker(BANDIT, [1.0, 0.0], reachable_only=flag)),
    ("exact", lambda flag: feasible_rewards(BANDIT, [1.0, 0.0]).contains(FIRST, exact=flag)),
    ("exact", lambda flag: regret(BANDIT, FIRST, SECOND, exact=flag)),
    ("exact", lambda flag: degeneracy_price(BANDIT, SECOND, exact=flag)),
    ("exact", lambda flag: analyze_mdp(BANDIT, exact=flag)),
]
OTHERS: list[tuple[str, Callable]] = [
    ("3 entries in `names`", lambda: phases_figure(mixture_phases(BANDIT, [FIRST, SECOND]), names=["a", "b", "c"])),
    ("names = 3", lambda: phases_figure(mixture_phases(BANDIT, [FIRST, SECOND]), names=3)),
    ("`phases` of type dict", lambda: phases_figure({})),
    ("reward_names = 7", lambda: analyze_mdp(BANDIT, reward_names=7)),
    ("'a' twice", lambda: analyze_mdp(BANDIT, rewards=[FIRST, SECOND], reward_names=["a", "a"])),
    ("canonical = ''", lambda: reward_distance(BANDIT, FIRST, SECOND, kind="starc", canonical="")),
    ("norm = 0", lambda: reward_distance(BANDIT, FIRST, SECOND, kind="starc", norm=0)),
    ("metric = False", lambda: reward_distance(BANDIT, FIRST, SECOND, kind="starc", metric=False)),
    ("max_states = 0", lambda: read_source("FrozenLake-v1", max_states=0)),
    ("max_states = 'many'", lambda: read_source("FrozenLake-v1", max_states="many")),
    ("options = 'slippery'", lambda: read_source("FrozenLake-v1", options="slippery")),
    ("`path` of type NoneType", lambda: write_source(BANDIT, None)),
]


def calls():
    """What the message must say, and the call."""
    for call in TAKES_MDP:
        for wrong in NO_MDPS:
            yield f"of type {type(wrong).__name__}; expected MDP", lambda call=call, wrong=wrong: call(wrong)
    for name, call in TAKES_FLAG:
        for wrong in NO_FLAGS:
            yield f"{name} = .*; expected True", lambda call=call, wrong=wrong: call(wrong)
    yield from OTHERS


def not_named():
    """Calls whose errors do not say what is wrong."""
    for message, call in calls():
        try:
            call()
            yield f"{message}: no error"
        except InvalidInputError as error:
            if not re.search(message, str(error)):
                yield f"{message}: {error}"
        except Exception as error:  # noqa: BLE001 - that there is none is what is tested
            yield f"{message}: {error!r}"


def test_each_wrong_kind_is_named():
    script = "import test_argument_kinds as here; print(*here.not_named(), sep='\\n')"
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", script], cwd=here, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
