"""FrozenLake: how slippery the ice is decides where the optimum is tied, and how near the cliff is.

On the usual lake (1/3 of the moves succeed) exactly one state on the way is tied: from (1, 2) left and right are
equally good. At 60 % the tie is gone, but the radius is only 0.00042 and at 90 % only 0.0001: a reward error just
above that changes the policy. On dry ice two states are tied: several ways of equal length lead to the goal.
Run: python examples/mdp_frozen_lake.py
"""

import plotly.graph_objects as go

from policycliff import analyze_mdp, read_source

ARROWS = {"left": "←", "down": "↓", "right": "→", "up": "↑"}


def main() -> None:
    """Print the verdict at five success rates, and draw the lake with its optimal actions."""
    for rate in (1 / 3, 0.6, 0.8, 0.9, 1.0):
        found = analyze_mdp(read_source("FrozenLake-v1", gamma=0.99, options={"success_rate": rate}), quick=True)
        print(f"success rate {rate:.2f}: {found.counts()['tied']} states tied, radius {found.radius.radius:.2g}")
    found = analyze_mdp(read_source("FrozenLake-v1", gamma=0.99), quick=True)
    for line in found.advice:
        print("-", line)
    layout = found.source.layout
    values, signs = [[None] * 4 for _ in range(4)], [[""] * 4 for _ in range(4)]
    for state, (row, column) in enumerate(layout.cells.tolist()):
        shown = found.state(state)
        if not shown["terminal"]:
            values[row][column] = shown["value"]
        signs[row][column] = "".join(ARROWS[action] for action in shown["optimal_actions"]) or "end"
    heat = go.Heatmap(z=values, text=signs, texttemplate="%{text}", colorscale="Blues")
    figure = go.Figure(heat, go.Layout(title="FrozenLake: values and all optimal actions"))
    figure.update_yaxes(autorange="reversed")
    figure.write_html("frozen_lake.html")
    print("Plot: frozen_lake.html")


if __name__ == "__main__":
    main()
