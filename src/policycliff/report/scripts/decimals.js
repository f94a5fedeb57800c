// Exact sums of decimals, so that ties of weighted sums are decided as the audit decides them, and not by rounding.
// A decimal is digits * 10^power; a number stands for the shortest decimal that identifies it, as in the audit.
const decimals = new Map();

function decimal(value) {
  if (!decimals.has(value)) decimals.set(value, parsedDecimal(String(value)));
  return decimals.get(value);
}

function parsedDecimal(text) {
  const [mantissa, exponent = "0"] = text.toLowerCase().split("e");
  const [whole, fraction = ""] = mantissa.split(".");
  return { digits: BigInt(whole + fraction), power: Number(exponent) - fraction.length };
}

function product(one, other) {
  return { digits: one.digits * other.digits, power: one.power + other.power };
}

function total(one, other) {
  const power = Math.min(one.power, other.power);
  return { digits: shifted(one, power) + shifted(other, power), power };
}

// Positive where the first is the larger one, negative where it is the smaller one, 0 where they are equal.
function compared(one, other) {
  const power = Math.min(one.power, other.power);
  const difference = shifted(one, power) - shifted(other, power);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

function shifted(value, power) {
  return value.digits * 10n ** BigInt(value.power - power);
}
