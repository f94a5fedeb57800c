// Draws the plots from the JSON block, at their heights, and colours the signs of their legends. The labels in the block
// are escaped already; styles are set here, for the page's policy allows no style attributes.
const plotSettings = { displayModeBar: false, responsive: true, showTips: false };
const plots = JSON.parse(document.getElementById("plots").textContent);

// A title in two lines, parted at the space nearest its middle.
function inTwo(text) {
  const away = (place) => Math.abs(2 * place - text.length);
  const spaces = [...text.matchAll(/ /g)].map((found) => found.index).sort((a, b) => away(a) - away(b));
  return spaces.length ? `${text.slice(0, spaces[0])}<br>${text.slice(spaces[0] + 1)}` : text;
}

// Titles of the horizontal axes, for a plot of this width: letters are about 7 pixels wide, labels beside it up to 110.
function titles(layout, width) {
  const axes = Object.keys(layout).filter((name) => /^xaxis\d*$/.test(name) && layout[name].title?.text);
  const fitting = (text) => (7 * text.length > width - 110 ? inTwo(text) : text);
  return axes.map((name) => [name, fitting(layout[name].title.text)]);
}

function draw(box, plot) {
  const layout = { ...plot.layout };
  for (const [name, text] of titles(layout, box.clientWidth)) {
    layout[name] = { ...layout[name], title: { ...layout[name].title, text } };
  }
  box.style.minHeight = `${layout.height}px`;
  Plotly.newPlot(box, plot.data, layout, plotSettings);
}

// For paper, and back.
function refit() {
  for (const [name, plot] of Object.entries(plots)) {
    const box = document.getElementById("plot-" + name);
    if (box === null) continue;
    Plotly.Plots.resize(box);
    const fitting = titles(plot.layout, box.clientWidth).map(([axis, text]) => [`${axis}.title.text`, text]);
    Plotly.relayout(box, Object.fromEntries(fitting));
  }
}

for (const [name, plot] of Object.entries(plots)) {
  const box = document.getElementById("plot-" + name);
  if (box !== null) draw(box, plot);
}
document.querySelectorAll("[data-colour]").forEach((sign) => (sign.style.color = sign.dataset.colour));
window.addEventListener("beforeprint", refit);
window.addEventListener("afterprint", refit);
