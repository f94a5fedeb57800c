"""CliffWalking: the safe distance to the cliff depends on the wind, and so does the distance to the policy's own cliff.

On dry ground the way along the edge is the only optimal one: 22 states are tied, none of them on it, and at a discount
of 0.99 some error just above 0.078 changes what happens from the start. On slippery ground no state is tied at all,
but at a discount of 0.9 an error just above 0.00029 changes the policy somewhere; a longer horizon makes it 80 (0.99)
and 140 times (0.999) steadier.
Run: python examples/mdp_cliff_walking.py
"""

import plotly.graph_objects as go

from policycliff import analyze_mdp, read_source

GAMMAS = (0.9, 0.95, 0.99, 0.999)


def main() -> None:
    """Print ties and radii at several discounts, and draw the radius of the slippery one."""
    radii = []
    for gamma in GAMMAS:
        dry = analyze_mdp(read_source("CliffWalking-v1", gamma=gamma), quick=True)
        wet = analyze_mdp(read_source("CliffWalkingSlippery-v1", gamma=gamma), quick=True)
        radii.append(wet.radius.radius)
        print(
            f"gamma {gamma}: dry {dry.counts()['tied']} tied, {dry.counts()['tied_and_reached']} on the way, an error "
            f"above {dry.reached_radius.bracket[1]:.2g} changes it; slippery {wet.counts()['tied']} tied, "
            f"radius {wet.radius.radius:.2g}"
        )
    state = wet.state(wet.radius.state)
    print(f"slippery, the nearest change is in {state['name']}, where {state['optimal_actions'][0]} is best now")
    line = go.Scatter(x=[1 / (1 - gamma) for gamma in GAMMAS], y=radii, mode="lines+markers")
    titles = {"title": "CliffWalking, slippery", "xaxis_title": "1 / (1 - gamma)", "yaxis_title": "stability radius"}
    figure = go.Figure(line, go.Layout(**titles))
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    figure.write_html("cliff_walking.html")
    print("Plot: cliff_walking.html")


if __name__ == "__main__":
    main()
