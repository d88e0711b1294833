import { pairOf } from '../model/key-specs.ts';
import type { DataKeyPairSpec } from '../model/types.ts';

/** Pairs that were minted together and wait under one seal. */
export interface Lot {
  readonly sealed: Uint8Array;
  /** The index of the first waiting pair; those before it were taken. */
  readonly first: number;
  /** The index behind the last pair. */
  readonly end: number;
}

/** One pair of a lot. */
export interface WaitingPair {
  readonly sealed: Uint8Array;
  readonly index: number;
}

// One row with one MAC holds so many pairs, at most 23 KB for RSA_4096. Reading it costs a few
// microseconds per pair, and a process that is killed loses at most these pairs.
const pairsToAnEntry = 16;

/** How many pairs one entry of a store holds: a process claims them together. */
export function entrySize(target: number): number {
  return Math.min(pairsToAnEntry, Math.ceil(target / 4));
}

/** How many pairs of a spec are best minted under one seal. */
export function lotSize(spec: DataKeyPairSpec, target: number): number {
  const { lot } = pairOf(spec);
  return lot === 1 ? 1 : Math.min(lot, entrySize(target));
}

export function countPairs(lots: readonly Lot[]): number {
  return lots.reduce((sum, { first, end }) => sum + end - first, 0);
}

/** The pairs of lots, in their order. */
export function pairsOf(lots: readonly Lot[]): WaitingPair[] {
  return lots.flatMap(({ sealed, first, end }) =>
    Array.from({ length: end - first }, (_, i) => ({ sealed, index: first + i })),
  );
}

/** The lots of pairs in the order of `pairsOf`, of which some may have been taken from the end. */
export function lotsOf(pairs: readonly WaitingPair[]): Lot[] {
  const lots: Lot[] = [];
  for (const { sealed, index } of pairs) {
    const last = lots.at(-1);
    if (last?.sealed === sealed) lots[lots.length - 1] = { ...last, end: index + 1 };
    else lots.push({ sealed, first: index, end: index + 1 });
  }
  return lots;
}

/** Parts lots into entries of at most `size` pairs each, or of one lot. */
export function intoEntries(lots: readonly Lot[], size: number): Lot[][] {
  const entries: Lot[][] = [];
  let room = 0;
  for (const lot of lots) {
    const pairs = countPairs([lot]);
    if (pairs > room) {
      entries.push([]);
      room = size;
    }
    entries.at(-1)?.push(lot);
    room -= pairs;
  }
  return entries;
}

const headLength = 4;

/** Each lot: `first` and `end`, a byte each, the length of what is sealed (2 bytes), and that. */
export function encodeLots(lots: readonly Lot[]): Buffer {
  const parts = lots.flatMap(({ sealed, first, end }) => {
    const head = Buffer.from([first, end, 0, 0]);
    head.writeUInt16BE(sealed.byteLength, 2);
    return [head, sealed];
  });
  return Buffer.concat(parts);
}

/** Reads what `encodeLots` made; the bytes are authenticated. */
export function decodeLots(bytes: Buffer): Lot[] {
  const lots: Lot[] = [];
  for (let at = 0; at < bytes.length; ) {
    const sealedAt = at + headLength;
    const lotEnd = sealedAt + bytes.readUInt16BE(at + 2);
    const sealed = bytes.subarray(sealedAt, lotEnd);
    lots.push({ first: bytes.readUInt8(at), end: bytes.readUInt8(at + 1), sealed });
    at = lotEnd;
  }
  return lots;
}
