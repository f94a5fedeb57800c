// The sample of prompts that the sliders recompute, and how figures and names are shown.
// completion: [behaviour, draws, effective, scores by column, terms by reward column (null where they are the scores)].
const sample = JSON.parse(document.getElementById("sample").textContent);
const [BEHAVIOUR, DRAWS, EFFECTIVE, SCORES, TERMS] = [0, 1, 2, 3, 4];

const sumOf = (values) => values.reduce((sum, value) => sum + value, 0);
const meanOf = (values) => (values.length === 0 ? null : sumOf(values) / values.length);
const greatest = (values) => values.reduce((most, value) => Math.max(most, value), -Infinity);
const least = (values) => values.reduce((most, value) => Math.min(most, value), Infinity);

// As `policycliff.report.format.number`.
function numberText(value) {
  if (value === null) return "unknown";
  const size = Math.abs(value);
  if (size >= 1000 && size < 1e9) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return "0";
  const plain = Math.abs(rounded) >= 1e-4 && Math.abs(rounded) < 1000;
  const text = plain ? String(rounded) : String(rounded.toExponential());
  return text.replace("e+", "e");
}

const percentText = (value) => (value === null ? "unknown" : `${numberText(100 * value)} %`);

// Shows a figure in the element of this id; the whole number goes into its data, for whoever reads the page by program.
function show(id, text, value = null) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
  if (value === null) delete element.dataset.value;
  else element.dataset.value = String(value);
}

// An element with text that is never read as markup.
function made(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className !== undefined) element.className = className;
  return element;
}

function filled(parent, children) {
  parent.replaceChildren(...children);
}

// Runs at the next frame, once, however often it is asked for until then.
function atNextFrame(action) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      action();
    });
  };
}

function groupedBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (groups.has(key)) groups.get(key).push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

const drawsOf = (completions) => sumOf(completions.map((completion) => completion[DRAWS]));
