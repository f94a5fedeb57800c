"""No wrong certificate on 10,000 small MDPs, most of them degenerate on purpose; `benchmarks/exactness_check.py`."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
from benchmark_modules import load

from policycliff import MDP, solve

exactness = load("exactness_check")


def test_no_certificate_is_wrong(tmp_path):
    # In a process of its own: checks of array shapes, on in the tests, would take most of the time.
    script, result = exactness.__file__, tmp_path / "result.json"
    command = [sys.executable, script, "--instances", "10000", "--seed", "1", "--json", str(result)]
    subprocess.run(command, check=False, capture_output=True)
    found = json.loads(result.read_text(encoding="utf-8"))
    tallies = {kind: exactness.Tally(**counts) for kind, counts in found.items()}
    assert sum(tally.instances for tally in tallies.values()) == 10_000
    assert [line for tally in tallies.values() for line in tally.wrong] == []
    # What is left open, by kind: ties that floating point can prove are proven, and nothing else hides there.
    shares = {kind: tally.share for kind, tally in tallies.items()}
    for kind in ("real numbers", "duplicated actions", "copied rows", "symmetric states"):
        assert shares[kind] == 0.0
    for kind in ("near ties", "acyclic", "trees", "integer rewards", "grids"):
        assert shares[kind] < 0.1
    for kind in ("rows in eighths", "deterministic, 0 or 1", "permuted rows"):
        assert shares[kind] < 0.01
    assert tallies["constant rewards"].unresolved_ties < 20
    ties = sum(tally.tied + tally.unresolved_ties for tally in tallies.values())
    assert ties > 5_000


def test_the_check_finds_wrong_certificates(monkeypatch):
    def too_confident(mdp, **options):
        return replace(solve(mdp, **options), error_bound=1e-18)

    def off(mdp, **options):
        found = solve(mdp, **options)
        return replace(found, q_values=found.q_values + 1e-6 * np.arange(mdp.n_pairs))

    mdp = MDP.from_arrays(np.full((1, 2, 1), 1.0), [[0.1, 0.1]], 0.99)
    for wrong in (too_confident, off):
        monkeypatch.setattr(exactness, "solve", wrong)
        tally = exactness.Tally()
        exactness.check_instance(mdp, "auto", tally, "planted")
        assert tally.wrong
