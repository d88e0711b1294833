import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Addon, joinCalls } from '../../lib/native/addon.ts';
import type { MathInternals } from './math-internals.ts';

export type { Fault, SearchOptions } from './math-internals.ts';

export interface EncodedPair {
  spki: Uint8Array;
  pkcs8: Uint8Array;
}

/** test/native/internals_envelope.cc. Functions give undefined if the native status is an error. */
export interface Internals extends Addon, MathInternals {
  counterKdf(key: Uint8Array, fixedData: Uint8Array, length: number): Uint8Array | undefined;
  deriveKey(
    key: Uint8Array,
    label: string,
    context: Uint8Array,
    length: number,
  ): Uint8Array | undefined;
  hmac(key: Uint8Array, message: Uint8Array): Uint8Array | undefined;
  gcmSeal(
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
  ): Uint8Array | undefined;
  gcmOpen(
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    ciphertextAndTag: Uint8Array,
  ): Uint8Array | undefined;
  kwpWrap(kek: Uint8Array, plaintext: Uint8Array): Uint8Array | undefined;
  kwpUnwrap(kek: Uint8Array, wrapped: Uint8Array): Uint8Array | undefined;
  materialId(material: Uint8Array, keyId: Uint8Array): Uint8Array | undefined;
  wrapMaterial(
    rootKey: Uint8Array,
    header: Uint8Array,
    material: Uint8Array,
  ): Uint8Array | undefined;
  seal(args: {
    material: Uint8Array;
    keyId: Uint8Array;
    kind: number;
    nonce: Uint8Array;
    iv: Uint8Array;
    context: Uint8Array;
    plaintext: Uint8Array;
  }): Uint8Array | undefined;
  open(args: {
    material: Uint8Array;
    keyId: Uint8Array;
    context: Uint8Array;
    blob: Uint8Array;
  }): Uint8Array | undefined;
  encodeEc(curve: string, d: string): EncodedPair | undefined;
  encodeEd25519(seed: Uint8Array): EncodedPair | undefined;
  encodeRsa(
    key: Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qinv', string>,
  ): EncodedPair | undefined;
  /** Makes the random generator fail after so many more calls; negative mends it. */
  failRandomAfter(calls: number): void;
  /** Has OpenSSL's generator fail, of which short outputs hear when the stock is used up. */
  failDraws(fail: boolean): void;
  /** How often OpenSSL's generator was asked so far. */
  countDraws(): number;
  /** What a process that is forked off draws, and what this one draws next; not on Windows. */
  randomAcrossFork(length: number): [Uint8Array, Uint8Array] | undefined;
  /** Spoils every signature before it is verified. */
  spoilSignatures(spoil: boolean): void;
}

const built = fileURLToPath(new URL('../native/build/Release/internals.node', import.meta.url));

/** PAIRMINT_INTERNALS names another build of the tests' addon, such as a sanitized one. */
export const internalsFile = process.env.PAIRMINT_INTERNALS ?? built;

/** The tests' addon. */
export const internals = joinCalls(createRequire(import.meta.url)(internalsFile) as Internals);

/** The kernels that this machine can run, best first. */
export const kernels = internals
  .kernelReport()
  .kernels.filter(({ capable }) => capable)
  .map(({ name }) => name);
