import { channel } from 'node:diagnostics_channel';
import type { DataKeyPairSpec } from '../model/types.ts';

/** A pair that was minted while its request waited for it. */
export interface Minting {
  readonly spec: DataKeyPairSpec;
  /** From the request until the pair was sealed, including the wait for a thread. */
  readonly milliseconds: number;
}

/** Every service of the process publishes its mintings here; metrics subscribe. */
export const mintings = channel('pairmint:minting');

/** Runs a minting and publishes its time if it succeeds. */
export function timeMinting<T>(spec: DataKeyPairSpec, mint: () => Promise<T>): Promise<T> {
  return mintings.hasSubscribers ? timed(spec, mint) : mint();
}

async function timed<T>(spec: DataKeyPairSpec, mint: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const pair = await mint();
  mintings.publish({ spec, milliseconds: performance.now() - started } satisfies Minting);
  return pair;
}
