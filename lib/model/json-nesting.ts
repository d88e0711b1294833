// Deeper than any request of the model or any policy, even with members that AWS may add.
const deepest = 64;

const quote = 0x22;
const backslash = 0x5c;
const openers: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const closers: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/**
 * Tells whether a JSON text, valid or not, nests arrays and objects deeper than anyone has reason
 * to. JSON.parse takes hundreds of nanoseconds for each level, and holds up everything meanwhile.
 */
export function isNestedTooDeep(text: string): boolean {
  if (text.length <= deepest) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === quote) i = endOfString(text, i);
    else if (openers.has(unit) && ++depth > deepest) return true;
    else if (closers.has(unit)) depth--;
  }
  return false;
}

/** The end of the string whose opening quote is at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === quote) return i;
    if (unit === backslash) i++;
  }
  return text.length;
}
