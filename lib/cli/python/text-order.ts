/** Orders texts by their characters, as Python does. UTF-8 keeps that order; UTF-16 does not. */
export function compareText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
