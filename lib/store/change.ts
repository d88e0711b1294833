/** One step of a commit: the value at `path` changes from `expected` to `next`; undefined is none. */
export interface Change {
  readonly path: string;
  readonly expected: Uint8Array | undefined;
  readonly next: Uint8Array | undefined;
}
