import { keyIdBytes } from '../model/key-id.ts';
import type { Native, RootKey } from '../native/addon.ts';
import { openState, sealState } from './sealed-state.ts';
import { damaged } from './store-errors.ts';

/** Path of the note that a store has a part in a copy: authenticated, and never copied itself. */
export const movePath = 'move';

/**
 * What a copy has made of a store. Both stores have the copy's id: only the target whose id the source
 * has takes the source's place.
 */
export interface MoveMark {
  /**
   * `leaving`: the source, which may still be gone on with if the copy is given up; `left`: the source
   * for good; `arriving`: the target, until the source is left; `here`: the target then, or the source
   * if the copy was given up. The last one is not removed: each commit would have to lock what is gone.
   */
  readonly part: 'leaving' | 'left' | 'arriving' | 'here';
  readonly copyId: string;
  /**
   * While it is `leaving` or `arriving`: another one for each run of the copy, of which only the last
   * goes on. Marks that earlier versions set have none.
   */
  readonly attempt?: string;
  /** The other store, without a password. */
  readonly url: string;
}

interface Keys {
  readonly native: Native;
  readonly rootKey: RootKey;
  readonly identity: { readonly storeId: string };
}

export function sealMark({ native, rootKey, identity }: Keys, mark: MoveMark): Buffer {
  const state = { move: mark };
  return sealState(native, rootKey, keyIdBytes(identity.storeId), { sequence: 0n, state });
}

/** Reads what `sealMark` made. @throws KmsError if it is of another store or was changed */
export function openMark(
  { native, rootKey, identity }: Keys,
  bytes: Uint8Array | undefined,
): MoveMark | undefined {
  if (bytes === undefined) return undefined;
  const opened = openState(native, rootKey, keyIdBytes(identity.storeId), bytes);
  const { move } = (opened?.state ?? {}) as { move?: MoveMark };
  if (move === undefined) throw damaged(movePath);
  return move;
}

/** Whether a store that has a mark, or none, is not to be used. */
export function isAway(mark: MoveMark | undefined): mark is MoveMark {
  return mark !== undefined && mark.part !== 'here';
}

/** Why a store that has a mark is not used. */
export function reasonOf(store: string, { part, url }: MoveMark): string {
  if (part === 'left') return `the store ${store} was moved to ${url}`;
  if (part === 'leaving') return `the store ${store} is being moved to ${url}`;
  return `the store ${store} is an unfinished copy of ${url}`;
}

/** What to do about it. */
export function adviceOf(store: string, { part, url }: MoveMark): string {
  if (part === 'left') return `go on with --store ${url}`;
  const [from, to] = part === 'leaving' ? [store, url] : [url, store];
  const finish = `finish the copy: pairmint store copy --from ${from} --to ${to}`;
  return part === 'leaving' ? `${finish}; or give it up: pairmint store fence` : finish;
}
