// Moves the weights of the effective reward, and recomputes for the sample which completions are best.
const weightBox = document.getElementById("weight-sliders");
const weightInputs = [...weightBox.querySelectorAll("input[type=range]")];
const MOST_LISTED = 12;

// The weights that the sliders say: a factor on a weight in use, or the weight of a column that is not trained on.
function weightsNow() {
  const weights = sample.weights.map((weight) => ({ value: weight, exact: decimal(weight) }));
  for (const input of weightInputs) {
    const column = Number(input.dataset.column);
    const given = sample.weights[column] === 0 ? 1 : sample.weights[column];
    const factor = Number(input.value);
    weights[column] = { value: factor * given, exact: product(decimal(factor), decimal(given)) };
  }
  return weights;
}

const weightsInUse = sample.weights.map((weight) => ({ value: weight, exact: decimal(weight) }));
const bestInUse = sample.prompts.map((prompt) => bestSet(usable(prompt, weightsInUse), weightsInUse));

const sameSet = (one, other) => one.length === other.length && one.every((item, place) => item === other[place]);

function updateWeights() {
  const weights = weightsNow();
  const best = sample.prompts.map((prompt) => bestSet(usable(prompt, weights), weights));
  const places = [...best.keys()].filter((place) => best[place] !== null);
  const changed = places.filter((place) => !sameSet(best[place], bestInUse[place]));
  const share = (some) => (places.length === 0 ? null : some.length / places.length);
  const tied = places.filter((place) => best[place].length > 1);
  show("weights-changed", percentText(share(changed)), share(changed));
  show("weights-changed-count", `${numberText(changed.length)} of ${numberText(places.length)} sampled prompts`);
  show("weights-tied", percentText(share(tied)), share(tied));
  showTruth(weights);
  showWhole();
  for (const input of weightInputs) showWeight(input);
  listChanged(changed, best);
}

function showWeight(input) {
  const column = Number(input.dataset.column);
  const given = sample.weights[column];
  const text = given === 0 ? input.value : `× ${input.value} = ${numberText(Number(input.value) * given)}`;
  show(`${input.id}-value`, text, Number(input.value));
  input.setAttribute("aria-valuetext", text);
}

// Truth of the best completions: picked at random among those tied, and what a tie-breaker can make of it.
function showTruth(weights) {
  if (sample.truth === null) return;
  const [worst, mean, highest] = [[], [], []];
  for (const prompt of sample.prompts) {
    const known = usable(prompt, weights).filter((completion) => completion[SCORES][sample.truth] !== null);
    const best = bestSet(known, weights);
    if (best === null) continue;
    const groups = groupedBy(known, (completion) => completion[BEHAVIOUR]);
    const truths = best.map((behaviour) => weightedTruth(groups.get(behaviour)));
    worst.push(least(truths.map(({ value }) => value)));
    highest.push(greatest(truths.map(({ value }) => value)));
    mean.push(sumOf(truths.map(({ value, draws }) => value * draws)) / sumOf(truths.map(({ draws }) => draws)));
  }
  show("weights-truth", numberText(meanOf(mean)), meanOf(mean));
  show("weights-truth-range", `${numberText(meanOf(worst))} to ${numberText(meanOf(highest))} by tie-breaker`);
}

function weightedTruth(completions) {
  const draws = drawsOf(completions);
  return { value: sumOf(completions.map((item) => item[DRAWS] * item[SCORES][sample.truth])) / draws, draws };
}

// The same share of all prompts, where one weight alone has moved; and where it stands in the plot of the walls.
function showWhole() {
  const moved = weightInputs.filter((input) => Number(input.value) !== Number(input.defaultValue));
  const curve = moved.length === 1 ? sample.curves[moved[0].dataset.column] : undefined;
  const place = curve === undefined ? -1 : curve.factor.indexOf(Number(moved[0].value));
  const known = place >= 0;
  const unknown = moved.length === 0 ? "" : "of all prompts: known where one weight in use moves alone";
  show("weights-whole", known ? wholeText(curve, place) : unknown, known ? curve.share[place] : null);
  const walls = document.getElementById("plot-walls");
  const here = known ? [wallAt(Number(moved[0].value))] : [];
  if (walls !== null) Plotly.relayout(walls, { shapes: [...wallShapes, ...here] });
}

function wholeText(curve, place) {
  const interval = `${numberText(100 * curve.low[place])} to ${numberText(100 * curve.high[place])}`;
  return `of all prompts ${percentText(curve.share[place])} (${interval})`;
}

const wallShapes = JSON.parse(document.getElementById("plots")?.textContent ?? "{}").walls?.layout.shapes ?? [];

function wallAt(factor) {
  return { type: "line", x0: factor, x1: factor, yref: "paper", y0: 0, y1: 1, line: { color: "#d1603d", width: 2 } };
}

function listChanged(changed, best) {
  const rows = changed.slice(0, MOST_LISTED).map((place) => {
    const prompt = sample.prompts[place];
    const row = made("tr");
    const name = made("th", prompt.label);
    name.scope = "row";
    row.append(name, made("td", bestText(prompt, bestInUse[place])), made("td", bestText(prompt, best[place])));
    return row;
  });
  filled(document.getElementById("weights-list"), rows);
  document.getElementById("weights-table").hidden = changed.length === 0;
  const more = changed.length - rows.length;
  show("weights-more", more > 0 ? `and ${numberText(more)} more` : "");
}

function bestText(prompt, best) {
  const first = prompt.behaviours[best[0]];
  return best.length === 1 ? first : `${first} (and ${numberText(best.length - 1)} tied with it)`;
}

const redrawWeights = atNextFrame(updateWeights);
for (const input of weightInputs) input.addEventListener("input", redrawWeights);
document.getElementById("weights-reset").addEventListener("click", () => {
  for (const input of weightInputs) input.value = input.defaultValue;
  redrawWeights();
});
weightBox.hidden = false;
updateWeights();
