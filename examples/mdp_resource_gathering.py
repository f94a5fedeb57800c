"""Resource gathering: a reward that leaves out death cannot tell a safe way from a deadly one.

With weight 0 on death, dying still costs the gold, so some danger is avoided anyway; but policies that are all optimal
have 0.0919 to 0.1400 (discounted) deaths, and chance decides which one is trained. A weight of 0.01 on death decides
for 0.0919; a weight of 0.6 avoids the enemies altogether. The ties that are left then are harmless: they decide 0
deaths.
Run: python examples/mdp_resource_gathering.py
"""

import plotly.graph_objects as go

from policycliff import analyze_mdp, read_source

WEIGHTS = (0.0, 0.01, 0.1, 0.3, 0.6)


def main() -> None:
    """Print what ties decide at several weights of death, and draw the deaths of the best and worst optimal policy."""
    source = read_source("resource-gathering-v0", gamma=0.9)
    ends = []
    for weight in WEIGHTS:
        found = analyze_mdp(source, weights=[weight, (1.0 - weight) / 2, (1.0 - weight) / 2], quick=True)
        price = next((price for price in found.tie_prices if price.name == "death"), None)
        decided = 0.0 if price is None else price.best - price.worst
        ends.append((0.0, 0.0) if price is None else (abs(price.best), abs(price.worst)))
        counts = found.counts()
        print(
            f"death {weight:.2f}: {counts['tied_and_reached']} tied states on the way decide {decided:.4f} deaths; "
            f"optimal policies die {ends[-1][0]:.4f} to {ends[-1][1]:.4f}"
        )
    found = analyze_mdp(source, weights=[0.0, 0.5, 0.5], quick=True)
    print(next(finding.text for finding in found.findings if finding.title == "What ties decide"))
    bars = [
        go.Bar(x=[str(weight) for weight in WEIGHTS], y=[end[k] for end in ends], name=name)
        for k, name in enumerate(("safest optimal policy", "deadliest optimal policy"))
    ]
    titles = {"title": "Resource gathering", "xaxis_title": "weight of death", "yaxis_title": "discounted deaths"}
    go.Figure(bars, go.Layout(**titles)).write_html("resource_gathering.html")
    print("Plot: resource_gathering.html")


if __name__ == "__main__":
    main()
