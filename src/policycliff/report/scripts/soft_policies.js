// KL-optimal policies towards the sampling policy: completions reweighted by exp(reward / beta), self-normalised.
const EFFECTIVE_REWARD = -1;

// A reward of a completion: the effective one, or a column, a penalty as its negative; null where it has none.
function rewardOf(completion, reward) {
  if (reward === EFFECTIVE_REWARD) return completion[EFFECTIVE];
  const score = completion[SCORES][reward];
  return score === null ? null : sample.signs[reward] * score;
}

// Completions that have all these rewards, with the rewards; null where there are fewer than two.
function scoredBy(prompt, rewards, scaled) {
  const known = prompt.completions.filter((item) => rewards.every((reward) => rewardOf(item, reward) !== null));
  if (drawsOf(known) < 2) return null;
  const draws = known.map((item) => item[DRAWS]);
  const columns = rewards.map((reward) => known.map((item) => rewardOf(item, reward)));
  return {
    behaviours: known.map((item) => item[BEHAVIOUR]),
    draws,
    rewards: scaled ? columns.map((values) => standardised(values, draws)) : columns,
  };
}

// In units of the standard deviation over the prompt's completions (with n - 1); 0 where there is none.
function standardised(values, draws) {
  if (greatest(values) === least(values)) return values.map(() => 0);
  const count = sumOf(draws);
  const mean = sumOf(values.map((value, place) => draws[place] * value)) / count;
  const squares = sumOf(values.map((value, place) => draws[place] * (value - mean) ** 2));
  const spread = Math.sqrt(squares / (count - 1));
  return values.map((value) => value / spread);
}

// Probability of each completion entry, its draws together.
function tilted(values, draws, beta) {
  const top = greatest(values);
  const weights = values.map((value, place) => draws[place] * Math.exp((value - top) / beta));
  const whole = sumOf(weights);
  return weights.map((weight) => weight / whole);
}

// Kish's effective sample size.
function effectiveSamples(policy, draws) {
  return 1 / sumOf(policy.map((weight, place) => weight ** 2 / draws[place]));
}

function byBehaviour(values, behaviours) {
  const sums = new Map();
  values.forEach((value, place) => sums.set(behaviours[place], (sums.get(behaviours[place]) ?? 0) + value));
  return sums;
}

// How far the policy of a prompt moves when the second reward replaces the first, and its bounds (Prop 4.7, Result 4).
function shiftOf(scored, beta) {
  const { behaviours, draws } = scored;
  const [first, second] = scored.rewards.map((values) => tilted(values, draws, beta));
  const moved = byBehaviour(first.map((weight, place) => weight - second[place]), behaviours);
  const change = scored.rewards[1].map((value, place) => value - scored.rewards[0][place]);
  const largest = greatest(change.map(Math.abs));
  return {
    variation: 0.5 * sumOf([...moved.values()].map(Math.abs)),
    sharp: Math.tanh((greatest(change) - least(change)) / (4 * beta)),
    sup: Math.tanh(largest / (2 * beta)),
    linear: largest / (2 * beta),
    samples: Math.min(effectiveSamples(first, draws), effectiveSamples(second, draws)),
  };
}

function medianOf(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
