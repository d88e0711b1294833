import { timingSafeEqual } from 'node:crypto';
import type { Native, RootKey } from '../native/addon.ts';

const magic = Buffer.from('DKT\x01', 'latin1');
const sequenceAt = magic.length;
const bodyAt = sequenceAt + 8;
const macLength = 32;

/** State that the root key authenticates: all can read it, only the key's holder can change it. */
export interface SealedState {
  /** Counts the changes of this state. */
  readonly sequence: bigint;
  readonly state: unknown;
}

/**
 * Encodes state that belongs to the key or store `id` (16 bytes): "DKT", version 1, the sequence
 * number (8 bytes), JSON, and an HMAC of all of it (docs/envelope.md section 6).
 */
export function sealState(
  native: Native,
  rootKey: RootKey,
  id: Uint8Array,
  { sequence, state }: SealedState,
): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(sequence);
  const body = Buffer.concat([magic, number, Buffer.from(JSON.stringify(state), 'utf8')]);
  return Buffer.concat([body, native.stateMac(rootKey, id, body)]);
}

/** Decodes what `sealState` made; undefined if a byte of it, the id or the root key is another. */
export function openState(
  native: Native,
  rootKey: RootKey,
  id: Uint8Array,
  bytes: Uint8Array,
): SealedState | undefined {
  const sealed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (sealed.length < bodyAt + macLength || sealed.indexOf(magic) !== 0) return undefined;
  const body = sealed.subarray(0, -macLength);
  if (!timingSafeEqual(native.stateMac(rootKey, id, body), sealed.subarray(-macLength))) {
    return undefined;
  }
  return {
    sequence: sealed.readBigUInt64BE(sequenceAt),
    state: JSON.parse(body.toString('utf8', bodyAt)),
  };
}
