/**
 * Ranges of characters that East Asian terminals draw in two columns: wide, full-width and ambiguous
 * ones in Unicode 14's EastAsianWidth.txt, together with unassigned ones between them. Each range is
 * its distance from the end of the one before, and its length less one, in base 36.
 */
const doubleWidthRanges = `
4h,0 3,0 3,1 2,0 3,1 2,4 2,4 2,3 7,0 a,0 7,1 6,3 5,0 2,2 2,1 3,0 2,1 4,3 2,0 2,0 3,0 g,0 2,0
8,0 b,1 4,0 6,2 5,0 7,3 2,0 4,3 2,0 5,1 j,1 4,0 2r,0 2,0 2,0 2,0 2,0 2,0 2,0 2,0 39,0 g,0 2r,0
3,0 2,2 2,0 3,0 8,3 2,0 2,0 x,33 y,o 8,g 2,6 1k,0 f,1r 2,0 2i7,2n 2wh,0 3,3 2,1 3,1 3,2 2,3
9,0 2,1 2,0 6,0 3,0 1i,0 b,0 2,3 14,0 2f,0 2,0 4,0 a,0 3,0 b,1 4,0 5,0 14,1 7,3 2,b 5,9 g,0
7,9 v,1 p,0 2,0 j,0 p,0 2,1 4,1 3,0 4,0 2,0 4,0 5,0 3,3 3,0 2,0 2,5 2,0 6,3 5,1 b,0 4,0 6,0
e,1 3,3 3,1 3,1 j,1 3,1 e,0 4,0 c,0 q,0 2b,0 8,1 e,1 5b,3 4,0 3,0 31,3t 2,2o 5,z d,f 3,3 b,1
2,6 9,1 3,1 5,1 3,1 5,2 3,0 3,3 h,3 a,0 e,1 7,1 3,0 5,1 5,1 7,0 2,0 y,0 2,0 6,b d,1 2,2 2,3
2,1 2,0 g,0 k,0 b,1 2,0 9,1 i,2 5,t 2,0 5,n 6,0 5,1 t,0 l,0 f,0 2,0 5,2 2,0 v,9 m,2 p,0 f,0
nw,1 1g,0 5,4 mf,ce 3,5tq 1t,h52 wq,s hw,8mb 1nh,5ax mf,p n,1n 46,2n 3k,6 n,0 m3n,d97 c21,0
5n,0 1d,a 6,t 3,1l 7,1o 2c,80 d,8 2,1x 2,l d,16 5,4 d,g 4,0 4,1y 2,0 2,56 3,1q e,3 2,n j,0 r,1
e,0 2f,2c 1d,1x 7,0 4,2 3,a c,1 8,8 6c,g 7w,1a 2,9 2,54 35,3q zu,1idm fcmu,47i5
`;

const doubleWidth = readRanges(doubleWidthRanges);

/** How many columns the AWS CLI reserves for a text in its tables. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) {
    columns += isDoubleWidth(character.codePointAt(0) ?? 0) ? 2 : 1;
  }
  return columns;
}

function isDoubleWidth(code: number): boolean {
  // The first such character is U+00A1.
  return code > 0xa0 && doubleWidth.some(([first, last]) => first <= code && code <= last);
}

function readRanges(text: string): readonly (readonly [number, number])[] {
  let end = 0;
  return text
    .trim()
    .split(/\s/)
    .map((range) => {
      const [distance = 0, length = 0] = range.split(',').map((part) => Number.parseInt(part, 36));
      const start = end + distance;
      end = start + length;
      return [start, end] as const;
    });
}
