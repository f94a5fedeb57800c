// Which behaviours are best under given weights: the effective reward (Lemma 4.2) of each, and A*.
const UNIT = 2 ** -52;

const termsOf = (completion) => completion[TERMS] ?? completion[SCORES];

// Completions that have an effective reward under these weights; a column that is not trained on counts once it weighs.
function usable(prompt, weights) {
  const added = [...weights.keys()].filter((column) => sample.weights[column] === 0 && weights[column].value !== 0);
  return prompt.completions.filter(
    (completion) => completion[EFFECTIVE] !== null && added.every((column) => termsOf(completion)[column] !== null),
  );
}

// The best behaviours, in order; null where fewer than two completions are left.
function bestSet(completions, weights) {
  if (drawsOf(completions) < 2) return null;
  const behaviours = [...groupedBy(completions, (completion) => completion[BEHAVIOUR])];
  const valued = behaviours.map(([behaviour, members]) => ({ behaviour, members, ...rounded(members, weights) }));
  const floor = greatest(valued.map(({ value, error }) => value - error));
  const near = valued.filter(({ value, error }) => value + error >= floor);
  const best = near.length === 1 || sample.normalised ? near : exactlyBest(near, weights);
  return best.map(({ behaviour }) => behaviour).sort((one, other) => one - other);
}

// A behaviour's mean reward, and a bound on its rounding.
function rounded(members, weights) {
  const draws = drawsOf(members);
  let [sum, size] = [0, 0];
  for (const completion of members) {
    const parts = weights.map(({ value }, column) => (value === 0 ? 0 : value * termsOf(completion)[column]));
    sum += completion[DRAWS] * sumOf(parts);
    size += completion[DRAWS] * sumOf(parts.map(Math.abs));
  }
  const steps = sample.normalised ? draws + 8 : 8;
  return { value: sum / draws, error: (UNIT * (members.length + weights.length + steps) * size) / draws };
}

function exactlyBest(near, weights) {
  const known = new Map();
  let best = [];
  for (const item of near) {
    const key = JSON.stringify(item.members.map((completion) => [completion[DRAWS], termsOf(completion)]));
    if (!known.has(key)) known.set(key, exactMean(item.members, weights));
    const candidate = { ...item, ...known.get(key) };
    const sign = best.length === 0 ? 1 : comparedMeans(candidate, best[0]);
    if (sign > 0) best = [candidate];
    else if (sign === 0) best.push(candidate);
  }
  return best;
}

function exactMean(members, weights) {
  let sum = decimal(0);
  for (const completion of members) {
    let reward = decimal(0);
    for (const [column, { value, exact }] of weights.entries()) {
      if (value !== 0) reward = total(reward, product(exact, decimal(termsOf(completion)[column])));
    }
    sum = total(sum, product(decimal(completion[DRAWS]), reward));
  }
  return { sum, draws: decimal(drawsOf(members)) };
}

function comparedMeans(one, other) {
  return compared(product(one.sum, other.draws), product(other.sum, one.draws));
}
