// Draws the plots from the JSON block. The labels in it are escaped already.
const plotSettings = { displayModeBar: false, responsive: true, showTips: false };
for (const [name, plot] of Object.entries(JSON.parse(document.getElementById("plots").textContent))) {
  const box = document.getElementById("plot-" + name);
  if (box !== null) Plotly.newPlot(box, plot.data, plot.layout, plotSettings);
}
const refit = () => document.querySelectorAll(".js-plotly-plot").forEach((box) => Plotly.Plots.resize(box));
window.addEventListener("beforeprint", refit);
window.addEventListener("afterprint", refit);
