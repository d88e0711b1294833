import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type Minting, mintings } from '../native/minting-channel.ts';

export type { Minting };

/** Calls `listener` for every minting of the process until the returned function is called. */
export function onMinting(listener: (minting: Minting) => void): () => void {
  const take = (message: unknown) => listener(message as Minting);
  subscribe(mintings.name, take);
  return () => void unsubscribe(mintings.name, take);
}
