export const sum = (values) => values.reduce((total, value) => total + value, 0);

export const mean = (values) => sum(values) / values.length;

export function standardError(values) {
  const middle = mean(values);
  const variance = mean(values.map((value) => (value - middle) ** 2));
  return Math.sqrt(variance / Math.max(1, values.length - 1));
}

/**
 * The ratio of two sums of measurements that were taken in turns, and its standard error by leaving
 * out one turn after the other (the jackknife): what slows both sides of a turn alike cancels out.
 */
export function ratioOf(numerators, denominators) {
  const [above, below] = [sum(numerators), sum(denominators)];
  const without = numerators.map((value, i) => (above - value) / (below - denominators[i]));
  return { ratio: above / below, error: standardError(without) * (without.length - 1) };
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
