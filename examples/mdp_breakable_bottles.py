"""Breakable bottles: how far the weights of time, delivery and impact are from a change of behaviour.

No state is tied here, so the policy is stable; the question is by how much. At equal weights each weight may move by
0.0599, at the weights 0.3, 0.4, 0.3 only by 0.0179: the distance, not the tie, is what one needs to know. There the
delivery reward may be wrong by the least, 0.00596; with the weights 0.1, 0.1, 0.8 it is the impact, 0.00466.
Run: python examples/mdp_breakable_bottles.py
"""

import numpy as np
import plotly.graph_objects as go

from policycliff import analyze_mdp, read_source, stability_radius

IMPACTS = np.linspace(0.02, 0.96, 13)


def main() -> None:
    """Print distances at three mixtures, and draw the distance of the weights along the weight of impact."""
    source = read_source("breakable-bottles-v0", gamma=0.99)
    for weights in ([1 / 3, 1 / 3, 1 / 3], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8]):
        found = analyze_mdp(source, weights=weights, quick=True)
        alone = ", ".join(
            f"{name} {radius.radius:.3g}"
            for name, radius in zip(source.reward_names, found.component_radii, strict=True)
        )
        print(
            f"weights {', '.join(f'{weight:.2f}' for weight in weights)}: they may move by "
            f"{found.weight_radius.radius:.3g}; each reward alone by {alone}"
        )
    distances = []
    for impact in IMPACTS:
        rest = [(1.0 - impact) / 2, (1.0 - impact) / 2, impact]
        radius = stability_radius(source.mdp, rewards=source.rewards, weights=rest, moving="weights")
        distances.append(radius.radius)
    print(f"along the weight of impact the distance is {min(distances):.2g} to {max(distances):.2g}")
    line = go.Scatter(x=IMPACTS, y=distances, mode="lines+markers")
    titles = {"title": "Breakable bottles", "xaxis_title": "weight of impact", "yaxis_title": "distance of the weights"}
    go.Figure(line, go.Layout(**titles)).write_html("breakable_bottles.html")
    print("Plot: breakable_bottles.html")


if __name__ == "__main__":
    main()
