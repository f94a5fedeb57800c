"""Taxi: one optimal return, and 10^48 optimal policies.

160 of the 400 states that go on are tied, 144 of them on the way of an optimal policy: south then east is as good as
east then south. All these policies earn the same, so it is harmless; but two runs that differ in most of their actions
are no evidence that anything went wrong. Compare returns, not actions.
Run: python examples/mdp_taxi.py
"""

import math

import plotly.graph_objects as go

from policycliff import analyze_mdp, read_source


def main() -> None:
    """Print the number of optimal policies, and draw how many optimal actions the states have."""
    found = analyze_mdp(read_source("Taxi-v4", gamma=0.99))
    counts = found.counts()
    print(f"{counts['tied']} states are tied, {counts['tied_and_reached']} of them on the way of an optimal policy")
    print(f"10^{found.actions.log_optimal_policies / math.log(10):.0f} deterministic policies are optimal everywhere")
    alive = [found.state(s) for s in range(found.source.mdp.n_states) if not found.source.mdp.terminal[s]]
    unique = sorted(state["gap"] for state in alive if state["status"] == "unique")
    print(f"where the action is unique it is so by {unique[0]:.2f} at least (a step costs 1)")
    sizes = [len(state["optimal_actions"]) for state in alive]
    bars = go.Bar(x=sorted(set(sizes)), y=[sizes.count(size) for size in sorted(set(sizes))])
    titles = {"title": "Taxi", "xaxis_title": "optimal actions of a state", "yaxis_title": "states"}
    go.Figure(bars, go.Layout(**titles)).write_html("taxi.html")
    print("Plot: taxi.html")


if __name__ == "__main__":
    main()
