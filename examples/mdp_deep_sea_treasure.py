"""Deep sea treasure: how much the weight of time may change before the submarine goes for another treasure.

Along the weights the discounted treasure falls from 19.78 (time counts nothing) to 0.70 (time counts most) in jumps.
At the weight 0.30 of time weights only 0.004 away make another action draw level, at 0.05 it takes 0.246. 13 to 42 of
the 62 states that go on are tied besides: right then down is as good as down then right, at all weights.
Run: python examples/mdp_deep_sea_treasure.py
"""

import numpy as np
import plotly.graph_objects as go

from policycliff import analyze_mdp, degeneracy_price, read_source

GAMMA, STEPS = 0.99, 41


def main() -> None:
    """Print which treasure is taken at which weight of time, and how far the next change is."""
    source = read_source("deep-sea-treasure-v0", gamma=GAMMA)
    treasure, _ = source.rewards
    weights, taken = np.linspace(0.0, 1.0, STEPS), []
    for weight in weights:
        mixed = source.mdp.with_rewards(np.array([1.0 - weight, weight]) @ source.rewards)
        price = degeneracy_price(mixed, treasure)
        taken.append((price.worst, price.best))
    for weight in (0.05, 0.3, 0.5, 0.7, 0.9):
        found = analyze_mdp(source, weights=[1.0 - weight, weight], quick=True)
        counts, high = found.counts(), found.weight_radius.bracket[1]
        print(
            f"time {weight:.2f}: {counts['tied']} states tied, {counts['tied_and_reached']} on the way; at weights "
            f"{high:.3g} away another action draws level"
        )
    jumps = int((np.abs(np.diff([pair[1] for pair in taken])) > 1e-6).sum())
    print(f"discounted treasure from {taken[0][1]:.2f} down to {taken[-1][0]:.2f}, in {jumps} jumps seen on the grid")
    lines = [
        go.Scatter(x=weights, y=[pair[k] for pair in taken], mode="lines", line_shape="hv", name=name)
        for k, name in enumerate(("worst optimal policy", "best optimal policy"))
    ]
    titles = {"title": "Deep sea treasure", "xaxis_title": "weight of time", "yaxis_title": "discounted treasure"}
    go.Figure(lines, go.Layout(**titles)).write_html("deep_sea_treasure.html")
    print("Plot: deep_sea_treasure.html")


if __name__ == "__main__":
    main()
