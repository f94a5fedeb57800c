// Moves the temperature beta: the policy of one prompt, and how far the sample's policies move between two rewards.
const betaInput = document.getElementById("temperature-beta");
const pairInput = document.getElementById("temperature-pair");
const scaledInput = document.getElementById("temperature-scaled");
const promptInput = document.getElementById("temperature-prompt");
const SHIFTS = ["variation", "sharp", "sup", "linear"];
const MOST_SHOWN = 12;
const FEWEST_SAMPLES = 5;

// A slider step is a twentieth of a power of ten; 0 is the beta in use, or 1 for scaled rewards.
const betaAt = (step) => (scaledInput.checked ? 1 : sample.beta) * 10 ** (step / 20);
const betaNow = () => betaAt(Number(betaInput.value));
const pairNow = () => sample.pairs[Number(pairInput?.value ?? 0)];
const rewardName = (reward) => (reward === EFFECTIVE_REWARD ? sample.effective : sample.columns[reward]);

function meanShift(scored, beta) {
  const shifts = scored.map((prompt) => shiftOf(prompt, beta));
  const means = SHIFTS.map((name) => [name, meanOf(shifts.map((shift) => shift[name]))]);
  return { ...Object.fromEntries(means), samples: medianOf(shifts.map((shift) => shift.samples)) };
}

function updateTemperature() {
  const beta = betaNow();
  show("temperature-beta-value", numberText(beta), beta);
  betaInput.setAttribute("aria-valuetext", `beta ${numberText(beta)}`);
  if (pairInput !== null) showShift(beta);
  showPolicy(beta);
}

function showShift(beta) {
  const figures = meanShift(pairScored, beta);
  const estimable = figures.samples !== null && figures.samples >= FEWEST_SAMPLES;
  for (const name of SHIFTS) show(`temperature-${name}`, numberText(figures[name]), figures[name]);
  const samples = `${estimable ? "estimated" : "not estimable for unseen completions"}: the median prompt is worth`;
  show("temperature-samples", `${samples} ${numberText(figures.samples)} completions`, figures.samples);
  show("temperature-prompts", `mean over ${numberText(pairScored.length)} sampled prompts`, pairScored.length);
  const line = { type: "line", x0: beta, x1: beta, yref: "paper", y0: 0, y1: 1, line: { color: "#d1603d", width: 2 } };
  Plotly.relayout("plot-temperature", { shapes: [line] });
}

// Of the pair in use; `drawCurves` sets them.
let pairScored = [];

// The curves of a pair: they change with the pair and with scaling, not with the slider.
function drawCurves() {
  if (pairInput === null) return;
  pairScored = sample.prompts.map((prompt) => scoredBy(prompt, pairNow(), scaledInput.checked)).filter(Boolean);
  const betas = Array.from({ length: 41 }, (_, place) => betaAt(2 * (place - 20)));
  const curves = betas.map((beta) => meanShift(pairScored, beta));
  const ys = SHIFTS.map((name) => curves.map((curve) => curve[name]));
  Plotly.restyle("plot-temperature", { x: SHIFTS.map(() => betas), y: ys });
  Plotly.relayout("plot-temperature", { "xaxis.range": [Math.log10(betas[0]), Math.log10(betas[40])] });
}

// The policy of the chosen prompt, under both rewards of the pair or under the one there is.
function showPolicy(beta) {
  const prompt = sample.prompts[Number(promptInput.value)];
  const rewards = pairInput === null ? [EFFECTIVE_REWARD] : pairNow();
  const scored = scoredBy(prompt, rewards, scaledInput.checked);
  const head = ["completion", "sampled", ...rewards.map((reward) => `optimal for ${rewardName(reward)}`)];
  filled(document.getElementById("temperature-head"), head.map(heading));
  const rows = scored === null ? [] : policyRows(prompt, scored, beta);
  filled(document.getElementById("temperature-policy"), rows.slice(0, MOST_SHOWN).map(policyRow));
  const more = rows.length - MOST_SHOWN;
  const rest = rows.slice(MOST_SHOWN).map((row) => greatest(row.shares.slice(1)));
  const left = more > 0 ? `and ${numberText(more)} more, none above ${percentText(greatest(rest))}` : "";
  show("temperature-more", scored === null ? "Fewer than two completions of this prompt have both rewards." : left);
}

function policyRows(prompt, scored, beta) {
  const count = sumOf(scored.draws);
  const sampled = byBehaviour(scored.draws.map((draws) => draws / count), scored.behaviours);
  const policies = scored.rewards.map((values) => byBehaviour(tilted(values, scored.draws, beta), scored.behaviours));
  const rows = [...sampled.keys()].map((behaviour) => ({
    label: prompt.behaviours[behaviour],
    shares: [sampled.get(behaviour), ...policies.map((policy) => policy.get(behaviour))],
  }));
  return rows.sort((one, other) => greatest(other.shares.slice(1)) - greatest(one.shares.slice(1)));
}

function heading(text) {
  const cell = made("th", text);
  cell.scope = "col";
  return cell;
}

function policyRow({ label, shares }) {
  const row = made("tr");
  const name = made("th", label);
  name.scope = "row";
  row.append(name, ...shares.map(shareCell));
  return row;
}

function shareCell(share) {
  const cell = made("td", percentText(share));
  const bar = made("span", undefined, "share-bar");
  bar.style.width = `${100 * share}%`;
  bar.setAttribute("aria-hidden", "true");
  cell.dataset.value = String(share);
  cell.append(bar);
  return cell;
}

const redrawTemperature = atNextFrame(updateTemperature);
const redrawCurves = atNextFrame(() => {
  drawCurves();
  updateTemperature();
});
betaInput.addEventListener("input", redrawTemperature);
promptInput.addEventListener("change", redrawTemperature);
for (const input of [pairInput, scaledInput]) input?.addEventListener("change", redrawCurves);
document.getElementById("temperature-reset").addEventListener("click", () => {
  betaInput.value = betaInput.defaultValue;
  redrawTemperature();
});
document.getElementById("temperature-sliders").hidden = false;
if (pairInput !== null) Plotly.Plots.resize("plot-temperature");
drawCurves();
updateTemperature();
