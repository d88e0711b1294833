export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function standardError(values) {
  const middle = mean(values);
  const variance = mean(values.map((value) => (value - middle) ** 2));
  return Math.sqrt(variance / Math.max(1, values.length - 1));
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
