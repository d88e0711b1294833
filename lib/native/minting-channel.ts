import { channel } from 'node:diagnostics_channel';
import type { DataKeyPairSpec } from '../model/types.ts';

/** A pair that was minted while its request waited for it. */
export interface Minting {
  readonly spec: DataKeyPairSpec;
  /** Until it was sealed; behind other requests, it waited for a thread first. */
  readonly milliseconds: number;
}

/** Where every service of the process tells of its mintings; who measures subscribes. */
export const mintings = channel('pairmint:minting');

/** Runs a minting and tells of it when it succeeded. */
export function timeMinting<T>(spec: DataKeyPairSpec, mint: () => Promise<T>): Promise<T> {
  return mintings.hasSubscribers ? timed(spec, mint) : mint();
}

async function timed<T>(spec: DataKeyPairSpec, mint: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const pair = await mint();
  mintings.publish({ spec, milliseconds: performance.now() - started } satisfies Minting);
  return pair;
}
