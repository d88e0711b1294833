/** One step of a commit: the value at `path`, undefined if none, goes from `expected` to `next`. */
export interface Change {
  readonly path: string;
  readonly expected: Uint8Array | undefined;
  readonly next: Uint8Array | undefined;
}
