export const anything = Symbol('*');
export const anyCharacter = Symbol('?');

/** Text that stands for itself, or a wildcard. */
export type GlobToken = string | typeof anything | typeof anyCharacter;

/** Compiles text with wildcards; a character is a UTF-16 unit. */
export function compileGlob(tokens: readonly GlobToken[]): (text: string) => boolean {
  const glob = globOf(tokens);
  return (text) => matchesGlob(glob, text);
}

/** The text between two asterisks: UTF-16 units, or -1 for any unit. */
type Segment = readonly number[];

interface Glob {
  readonly first: Segment;
  /** Finds the first place of each segment that stands between two asterisks. */
  readonly middle: readonly Search[];
  /** Undefined if there is no asterisk. */
  readonly last: Segment | undefined;
}

/** Returns the end of the first place of a segment at or after `start`, or -1. */
type Search = (text: string, start: number) => number;

function globOf(tokens: readonly GlobToken[]): Glob {
  let last: number[] = [];
  const segments = [last];
  for (const token of tokens) {
    if (token === anything) {
      last = [];
      segments.push(last);
    } else if (token === anyCharacter) last.push(-1);
    else for (let index = 0; index < token.length; index++) last.push(token.charCodeAt(index));
  }
  return {
    first: segments[0] as Segment,
    middle: segments
      .slice(1, -1)
      .filter(({ length }) => length > 0)
      .map(searchFor),
    last: segments.length > 1 ? last : undefined,
  };
}

// Taking the first place of each segment is enough: a later one leaves less text for the others.
function matchesGlob({ first, middle, last }: Glob, text: string): boolean {
  if (!isAt(first, text, 0)) return false;
  if (last === undefined) return text.length === first.length;
  let position = first.length;
  for (const search of middle) {
    position = search(text, position);
    if (position === -1) return false;
  }
  const end = text.length - last.length;
  return position <= end && isAt(last, text, end);
}

function isAt(segment: Segment, text: string, start: number): boolean {
  if (start + segment.length > text.length) return false;
  for (let index = 0; index < segment.length; index++) {
    const unit = segment[index];
    if (unit !== -1 && unit !== text.charCodeAt(start + index)) return false;
  }
  return true;
}

function searchFor(segment: Segment): Search {
  return segment.includes(-1) ? searchWithWildcards(segment) : searchLiteral(segment);
}

// Knuth, Morris and Pratt's algorithm: at most one step for each unit of text and segment.
function searchLiteral(segment: Segment): Search {
  const borders = bordersOf(segment);
  return (text, start) => {
    let matched = 0;
    for (let index = start; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      while (matched > 0 && segment[matched] !== unit) matched = borders[matched - 1] as number;
      if (segment[matched] === unit) matched++;
      if (matched === segment.length) return index + 1;
    }
    return -1;
  };
}

/**
 * For each prefix of the segment, the length of its longest proper prefix that is also its suffix.
 */
function bordersOf(segment: Segment): Uint32Array {
  const borders = new Uint32Array(segment.length);
  for (let index = 1, length = 0; index < segment.length; index++) {
    while (length > 0 && segment[length] !== segment[index]) {
      length = borders[length - 1] as number;
    }
    if (segment[length] === segment[index]) length++;
    borders[index] = length;
  }
  return borders;
}

// Shift-And: bit i of the state says that the segment's first i + 1 units end here. Wildcards cost
// nothing extra; the worst pattern takes text length times segment length / 32 steps.
function searchWithWildcards(segment: Segment): Search {
  const words = Math.ceil(segment.length / 32);
  const masks = masksOf(segment, words);
  const others = masks.get(-1) as Uint32Array;
  const lastBit = 1 << ((segment.length - 1) % 32);
  return (text, start) => {
    const state = new Uint32Array(words);
    for (let index = start; index < text.length; index++) {
      advance(state, masks.get(text.charCodeAt(index)) ?? others);
      if (((state[words - 1] as number) & lastBit) !== 0) return index + 1;
    }
    return -1;
  };
}

function advance(state: Uint32Array, mask: Uint32Array): void {
  let carry = 1;
  for (let word = 0; word < state.length; word++) {
    const bits = state[word] as number;
    state[word] = ((bits << 1) | carry) & (mask[word] as number);
    carry = bits >>> 31;
  }
}

/** For each unit, the bits of the places that it fits; -1 stands for units not in the segment. */
function masksOf(segment: Segment, words: number): ReadonlyMap<number, Uint32Array> {
  const others = new Uint32Array(words);
  for (const [place, unit] of segment.entries()) if (unit === -1) setBit(others, place);
  const masks = new Map([[-1, others]]);
  for (const [place, unit] of segment.entries()) {
    if (unit === -1) continue;
    const mask = masks.get(unit) ?? Uint32Array.from(others);
    masks.set(unit, mask);
    setBit(mask, place);
  }
  return masks;
}

function setBit(mask: Uint32Array, place: number): void {
  mask[place >>> 5] = (mask[place >>> 5] as number) | (1 << place);
}
