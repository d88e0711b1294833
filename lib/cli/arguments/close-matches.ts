/** The most likely intended words, best first; at most three, and only close ones. */
export function closeMatches(word: string, possible: readonly string[]): string[] {
  // The measure takes cubic time, and no name is this long.
  if (word.length > 100) return [];
  return possible
    .map((candidate) => ({ candidate, similarity: similarity(candidate, word) }))
    .filter((match) => match.similarity >= 0.8)
    .sort((a, b) => b.similarity - a.similarity || (a.candidate < b.candidate ? 1 : -1))
    .slice(0, 3)
    .map((match) => match.candidate);
}

/** Ratcliff and Obershelp's measure, as in Python's difflib: twice what matches over both lengths. */
function similarity(a: string, b: string): number {
  const total = a.length + b.length;
  return total === 0 ? 1 : (2 * countMatching(a, b)) / total;
}

function countMatching(a: string, b: string): number {
  const block = longestCommonBlock(a, b);
  if (block.length === 0) return 0;
  const before = countMatching(a.slice(0, block.inA), b.slice(0, block.inB));
  const after = countMatching(a.slice(block.inA + block.length), b.slice(block.inB + block.length));
  return before + block.length + after;
}

function longestCommonBlock(a: string, b: string): { inA: number; inB: number; length: number } {
  let best = { inA: 0, inB: 0, length: 0 };
  for (let inA = 0; inA < a.length; inA++) {
    for (let inB = 0; inB < b.length; inB++) {
      const length = commonPrefixLength(a.slice(inA), b.slice(inB));
      if (length > best.length) best = { inA, inB, length };
    }
  }
  return best;
}

function commonPrefixLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) {
    length++;
  }
  return length;
}
