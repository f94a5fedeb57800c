"use strict";
// Draws the plots from the JSON block. The labels in it are escaped already.
const plots = JSON.parse(document.getElementById("plots").textContent);
const settings = { displayModeBar: false, responsive: true, showTips: false };
for (const [name, plot] of Object.entries(plots)) {
  const box = document.getElementById("plot-" + name);
  if (box !== null) Plotly.newPlot(box, plot.data, plot.layout, settings);
}
const refit = () => document.querySelectorAll(".plot").forEach((box) => Plotly.Plots.resize(box));
window.addEventListener("beforeprint", refit);
window.addEventListener("afterprint", refit);
