"""Plot of the policy shift against the temperature, with its bounds; the page's script fills in the curves."""

from policycliff.report.plots.layout import BLUE, GREEN, GREY, ORANGE, Plot, Trace, axis, plot

_CURVES = (
    ("policy shift", BLUE, "solid"),
    ("sharp bound", GREEN, "dash"),
    ("sup-norm bound", ORANGE, "dashdot"),
    ("linear bound", GREY, "dot"),
)


def shift_curves() -> Plot:
    """Four empty curves over a logarithmic axis of beta."""
    return plot(
        [_curve(*curve) for curve in _CURVES],
        height=340,
        xaxis=axis("beta", type="log", dtick=1),
        yaxis=axis("total variation, mean over the sample", range=[-0.02, 1.05]),
    )


def _curve(name: str, colour: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [],
        "y": [],
        "name": name,
        "line": {"color": colour, "width": 2.2, "dash": dash},
        "hovertemplate": f"beta %{{x:.3g}}: {name} %{{y:.3g}}<extra></extra>",
    }
