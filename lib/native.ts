import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ConfigurationError } from './configuration-error.ts';
import { cpuShare } from './cpu-share.ts';
import type { DataKeyPairSpec } from './model/types.ts';

declare const handle: unique symbol;

/** The root key of a store, in locked native memory. */
export interface RootKey {
  readonly [handle]: 'RootKey';
}

/** A KMS key's material, unwrapped, in locked native memory. */
export interface KeyMaterial {
  readonly [handle]: 'KeyMaterial';
}

/** Key material at rest: a header in the clear and the material wrapped under a key bound to it. */
export interface MaterialRecord {
  /** "DKS", version, key id (16 bytes), key material id (32 bytes), attributes. */
  readonly header: Uint8Array;
  readonly wrapped: Uint8Array;
}

export interface MintedPair {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** The sealed PrivateKeyInfo. */
  readonly privateKeyCiphertext: Uint8Array;
  /** PrivateKeyInfo, DER; only when `plaintext` was asked for. */
  readonly privateKeyPlaintext?: Uint8Array;
}

export interface NativeCapabilities {
  /** The kernel that searches RSA primes. */
  readonly kernel: string;
  /** All kernels that this processor can run, best first. */
  readonly kernels: readonly string[];
  /** What PAIRMINT_KERNEL names, where it names no kernel that can run here; otherwise empty. */
  readonly kernelRefused: string;
  /** Why a kernel was switched off, where one was caught miscalculating; otherwise empty. */
  readonly kernelSwitchedOff: string;
  /** The OpenSSL inside Node.js. */
  readonly openssl: string;
  /** Whether the system let every secret be locked in memory and kept out of core dumps. */
  readonly lockedMemory: boolean;
}

/** What a failing native function throws or rejects with. */
export interface NativeError extends Error {
  readonly code: NativeErrorCode;
}

export type NativeErrorCode =
  | 'INVALID_ARGUMENT'
  | 'INVALID_CIPHERTEXT'
  | 'INVALID_RECORD'
  | 'ROOT_KEY_MISSING'
  | 'ROOT_KEY_REFUSED'
  | 'IO'
  | 'ENTROPY'
  | 'ABORTED'
  | 'INTERNAL';

/**
 * The addon's functions, as native/addon/exports.cc lists them. Minting runs on threads of its own.
 * The others take microseconds, less than handing them to a thread and back, and run at once.
 * `context` is always a canonically encoded encryption context.
 */
export interface Native {
  capabilities(): NativeCapabilities;
  /** How many threads may mint; the first call counts. */
  setNumThreads(threads: number): void;

  /** Opens a root key: a file's path, 32 bytes (copied), or undefined for a fresh random one. */
  openRootKey(source: string | Uint8Array | undefined): RootKey;
  /** Makes a root key file of mode 0600; false where there is one already. */
  createRootKey(path: string): boolean;
  createKeyMaterial(rootKey: RootKey, keyId: Uint8Array, attributes: Uint8Array): MaterialRecord;
  openKeyMaterial(rootKey: RootKey, header: Uint8Array, wrapped: Uint8Array): KeyMaterial;
  /** The 32-byte MAC of state that belongs to the key or store of the 16-byte `id`. */
  stateMac(rootKey: RootKey, id: Uint8Array, state: Uint8Array): Uint8Array;

  /** `onStart` gets a function that abandons the minting: it rejects with ABORTED and wipes. */
  generateDataKeyPair(
    args: {
      material: KeyMaterial;
      spec: DataKeyPairSpec;
      context: Uint8Array;
      plaintext: boolean;
    },
    onStart?: (abort: () => void) => void,
  ): Promise<MintedPair>;
  generateDataKey(args: {
    material: KeyMaterial;
    length: number;
    context: Uint8Array;
    plaintext: boolean;
  }): { readonly ciphertext: Uint8Array; readonly plaintext?: Uint8Array };
  generateRandom(length: number): Uint8Array;
  encrypt(args: { material: KeyMaterial; context: Uint8Array; plaintext: Uint8Array }): Uint8Array;
  decrypt(args: { material: KeyMaterial; context: Uint8Array; ciphertext: Uint8Array }): Uint8Array;
  reEncrypt(args: {
    source: KeyMaterial;
    sourceContext: Uint8Array;
    ciphertext: Uint8Array;
    destination: KeyMaterial;
    destinationContext: Uint8Array;
  }): Uint8Array;
}

let loaded: Native | undefined;

/**
 * Loads the addon, once a process.
 *
 * @throws ConfigurationError that says why it cannot be loaded and what to do
 */
export function loadNative(): Native {
  if (loaded === undefined) {
    loaded = load();
    loaded.setNumThreads(cpuShare());
  }
  return loaded;
}

/** Tells whether an error came out of the addon, and which. */
export function isNativeError(error: unknown, code?: NativeErrorCode): error is NativeError {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return code === undefined ? typeof error.code === 'string' : error.code === code;
}

function load(): Native {
  const root = fileURLToPath(new URL('..', import.meta.url));
  try {
    return createRequire(import.meta.url)('node-gyp-build')(root) as Native;
  } catch (cause) {
    throw explain(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function explain(reason: string, cause: unknown): ConfigurationError {
  if (reason.includes('undefined symbol')) {
    return new ConfigurationError(
      'the native addon needs the OpenSSL that Node.js exports, and this runtime has none ' +
        `(${runtimeName()})`,
      { hint: 'run pairmint with Node.js 20 or later, not with Bun, Deno or Electron', cause },
    );
  }
  if (reason.includes('No native build was found')) {
    return new ConfigurationError(
      `there is no native addon for ${process.platform}-${process.arch}`,
      { hint: 'build it with g++ 10 or later, make and python3: npm rebuild pairmint', cause },
    );
  }
  return new ConfigurationError(`the native addon cannot be loaded: ${reason}`, {
    hint: 'build it for this system: npm rebuild pairmint',
    cause,
  });
}

function runtimeName(): string {
  const { versions } = process;
  const other = (['bun', 'deno', 'electron'] as const).find((name) => name in versions);
  return other ? `${other} ${versions[other]}` : `Node.js ${versions.node}`;
}
