import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ConfigurationError } from '../core/configuration-error.ts';
import { cpuShare } from '../core/cpu-share.ts';
import { dataKeyPairSpecs, keySpecs } from '../model/key-specs.ts';
import type {
  AlgorithmSpec,
  DataKeyPairSpec,
  EncryptionAlgorithmSpec,
  KeySpec,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
  WrappingKeySpec,
} from '../model/types.ts';
import { joined, type Packed, type Parts } from './joined.ts';

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
  /** "DKS" or "DKA", version, key id (16 bytes), key material id (32 bytes), attributes. */
  readonly header: Uint8Array;
  readonly wrapped: Uint8Array;
}

/** The record of an asymmetric KMS key; the private key never leaves it unwrapped. */
export interface PrivateKeyRecord extends MaterialRecord {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
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
  /** The kernel that searches RSA primes; `curveKernels` says what computes on curves. */
  readonly kernel: string;
  /** All kernels that this processor can run, best first. */
  readonly kernels: readonly string[];
  /** The values that PAIRMINT_KERNEL may have here: those kernels, and `portable` for no vectors. */
  readonly kernelNames: readonly string[];
  /** The value of PAIRMINT_KERNEL if it names no kernel that can run here; otherwise empty. */
  readonly kernelRefused: string;
  /** Why a kernel was switched off, if one was caught miscalculating; otherwise empty. */
  readonly kernelSwitchedOff: string;
  /**
   * The curves whose pairs are minted with our own arithmetic: in batches and, from the 33rd of a
   * process on (of Ed25519 the 257th), alone. OpenSSL mints those of the others.
   */
  readonly curves: readonly string[];
  /** What computes public keys on each curve here: `avx512ifma`, `portable` or `openssl`. */
  readonly curveKernels: Readonly<Record<string, string>>;
  /**
   * Why curves are left to OpenSSL, if our arithmetic was caught miscalculating; otherwise empty.
   */
  readonly curvesSwitchedOff: string;
  /** The OpenSSL inside Node.js. */
  readonly openssl: string;
  /** Whether the system let every secret be locked in memory and kept out of core dumps. */
  readonly lockedMemory: boolean;
  /** Whether that OpenSSL has ML-DSA (3.5 or later): KeySpec ML_DSA_*. */
  readonly mlDsa: boolean;
  /** Whether it has Ed25519ph of a given digest (3.4 or later): ED25519_PH_SHA_512. */
  readonly ed25519ph: boolean;
}

/** The error of a native function. */
export interface NativeError extends Error {
  readonly code: NativeErrorCode;
}

export type NativeErrorCode =
  | 'INVALID_ARGUMENT'
  /** A TypeError: the argument is not the kind of handle that is needed. */
  | 'INVALID_HANDLE'
  | 'INVALID_CIPHERTEXT'
  | 'INVALID_RECORD'
  | 'INVALID_TOKEN'
  | 'INVALID_KEY_MATERIAL'
  | 'ROOT_KEY_MISSING'
  | 'ROOT_KEY_REFUSED'
  | 'IO'
  | 'ENTROPY'
  | 'UNSUPPORTED'
  | 'ABORTED'
  | 'INTERNAL';

/**
 * Gets a function that abandons the work, which then rejects with ABORTED and wipes its secrets.
 */
export type OnStart = (abort: () => void) => void;

/** The record to make of new key material; `attributes` follow the material id in its header. */
export interface MaterialDestination {
  rootKey: RootKey;
  keyId: Uint8Array;
  attributes: Uint8Array;
}

/** One side of a re-encryption; SYMMETRIC_DEFAULT needs `material` and `context`. */
export interface ReEncryptSide {
  material?: KeyMaterial;
  /** Only for an asymmetric destination. */
  publicKey?: Uint8Array;
  algorithm: EncryptionAlgorithmSpec;
  context?: Uint8Array;
}

/** The key that seals a secret, and whether the secret is also returned in the clear. */
interface SealingRequest {
  material: KeyMaterial;
  context: Uint8Array;
  plaintext: boolean;
}

/** The caller that work is done for: callers take turns. */
interface Called {
  caller?: string | undefined;
}

interface LotRequest extends SealingRequest {
  source: KeyMaterial;
  sourceContext: Uint8Array;
  lot: Uint8Array;
  index: number;
}

interface DataKey {
  readonly ciphertext: Uint8Array;
  /** Only when `plaintext` was asked for. */
  readonly plaintext?: Uint8Array;
}

/**
 * The addon's functions, nearly as the rows at the end of native/addon/*_functions.cc list them.
 * Minting, imports and the use of private keys run on threads of their own: RSA pairs and keys on
 * some, all else on the others.
 *
 * Functions that return no promise run at once: they take microseconds, less than a hand-over to a
 * thread and back. Data keys, pairs out of lots and lone pairs of brief specs (of some curves only
 * while `mintsQuickly` says so) are as quick, but half of their time goes into loading the code into
 * the processor's caches. So all that are asked for in one turn of the event loop run together at its
 * end; one that is alone runs at once.
 *
 * `context` is always a canonically encoded encryption context. A function fails with
 * INVALID_HANDLE if it is given another handle than it needs, and with INVALID_ARGUMENT if the
 * handle is of another kind of key.
 */
export interface Native {
  capabilities(): NativeCapabilities;
  /** How many threads may mint; only the first call counts. */
  setNumThreads(threads: number): void;

  /** Opens a root key: a file's path, 32 bytes (copied), or undefined for a fresh random one. */
  openRootKey(source: string | Uint8Array | undefined): RootKey;
  /** Makes a root key file of mode 0600; false if there is one already. */
  createRootKey(path: string): boolean;
  /** A fresh random secret of `length` bytes: 32 of a symmetric key, 28, 32, 48 or 64 of HMAC. */
  createKeyMaterial(
    rootKey: RootKey,
    keyId: Uint8Array,
    attributes: Uint8Array,
    length: number,
  ): MaterialRecord;
  /** Opens a record of any kind, but no import token. */
  openKeyMaterial(rootKey: RootKey, header: Uint8Array, wrapped: Uint8Array): KeyMaterial;
  /** The 32-byte MAC of state that belongs to the key or store of the 16-byte `id`. */
  stateMac(rootKey: RootKey, id: Uint8Array, state: Uint8Array): Uint8Array;
  /**
   * A live, read-only view of a file's first bytes, which shows what other processes write.
   * Undefined if the system has no such views.
   */
  viewFile(path: string, length: number): ArrayBuffer | undefined;

  /**
   * If the pair is minted in the calling thread, only the signal counts, until the pair's turn comes;
   * `onStart` is not called.
   */
  generateDataKeyPair(
    args: SealingRequest & Called & { spec: DataKeyPairSpec },
    onStart?: OnStart,
    signal?: AbortSignal,
  ): Promise<MintedPair>;
  /**
   * Up to 64 pairs, on one thread: for specs whose pairs take less time than a crossing, or less
   * than a pair alone.
   */
  generateDataKeyPairs(
    args: SealingRequest & Called & { spec: DataKeyPairSpec; count: number },
    onStart?: OnStart,
  ): Promise<readonly MintedPair[]>;
  /** Mints pairs for a pool, sealed together, as many as fit into 6,144 bytes; on one thread. */
  mintLot(
    args: { material: KeyMaterial; spec: DataKeyPairSpec; context: Uint8Array; count: number },
    onStart?: OnStart,
  ): Promise<Uint8Array>;
  /** Opens a lot and seals one of its pairs for a request. */
  takeFromLot(args: LotRequest): Promise<MintedPair>;
  generateDataKey(args: SealingRequest & { length: number }): Promise<DataKey>;
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

  /** Mints the private key of an asymmetric KMS key. */
  createPrivateKeyMaterial(
    args: MaterialDestination & Called & { spec: string },
    onStart?: OnStart,
  ): Promise<PrivateKeyRecord>;
  /** A DIGEST or EXTERNAL_MU of the wrong length is an INVALID_ARGUMENT with AWS's message. */
  sign(
    args: Called & {
      material: KeyMaterial;
      algorithm: SigningAlgorithmSpec;
      message: Uint8Array;
      messageType: MessageType;
    },
  ): Promise<Uint8Array>;
  verify(
    args: Called & {
      publicKey: Uint8Array;
      algorithm: SigningAlgorithmSpec;
      message: Uint8Array;
      messageType: MessageType;
      signature: Uint8Array;
    },
  ): Promise<boolean>;
  /** AWS4_HMAC_SHA_256 takes a key of 64 bytes, to which HMAC pads a shorter one with zeros. */
  generateMac(args: {
    material: KeyMaterial;
    algorithm: MacAlgorithmSpec | 'AWS4_HMAC_SHA_256';
    message: Uint8Array;
  }): Uint8Array;
  verifyMac(args: {
    material: KeyMaterial;
    algorithm: MacAlgorithmSpec;
    message: Uint8Array;
    mac: Uint8Array;
  }): boolean;
  /**
   * Tells whether a signature of AWS Signature Version 4 is that of a request under a signing key
   * of 32 bytes. The heads are the string to sign and the canonical request, each up to the hash
   * that ends it; their characters are bytes.
   */
  verifyRequest(
    signingKey: Uint8Array,
    scopeHead: string,
    canonicalHead: string,
    body: Uint8Array,
    signature: string,
  ): boolean;
  /** The x coordinate of the shared point, in the field's full length. */
  deriveSharedSecret(
    args: Called & { material: KeyMaterial; publicKey: Uint8Array },
  ): Promise<Uint8Array>;
  /** A plaintext that is too long is an INVALID_ARGUMENT. */
  encryptWithPublicKey(
    args: Called & {
      publicKey: Uint8Array;
      algorithm: EncryptionAlgorithmSpec;
      plaintext: Uint8Array;
    },
  ): Promise<Uint8Array>;
  /** Any fault of the ciphertext is an INVALID_CIPHERTEXT. */
  decryptWithPrivateKey(
    args: Called & {
      material: KeyMaterial;
      algorithm: EncryptionAlgorithmSpec;
      ciphertext: Uint8Array;
    },
  ): Promise<Uint8Array>;
  /** A blob that is sealed again keeps its kind; a plaintext from an asymmetric key is data. */
  reEncryptAcross(
    args: Called & {
      source: ReEncryptSide;
      ciphertext: Uint8Array;
      destination: ReEncryptSide;
    },
  ): Promise<Uint8Array>;

  /** Mints a wrapping key, whose private half goes into the token, and forgets it. */
  createImportToken(
    args: MaterialDestination & Called & { wrappingKeySpec: WrappingKeySpec },
    onStart?: OnStart,
  ): Promise<{ readonly publicKey: Uint8Array; readonly token: Uint8Array }>;
  /** The attributes of a token; INVALID_TOKEN if the token was not made here for this key. */
  openImportToken(args: { rootKey: RootKey; keyId: Uint8Array; token: Uint8Array }): Uint8Array;
  /**
   * Fails with INVALID_CIPHERTEXT if the token's private key does not unwrap it, and with
   * INVALID_KEY_MATERIAL if the unwrapped bytes are not a key of `spec`; for RSAES_PKCS1_V1_5 both
   * are INVALID_CIPHERTEXT.
   */
  importKeyMaterial(
    args: MaterialDestination &
      Called & {
        token: Uint8Array;
        algorithm: AlgorithmSpec;
        encryptedKeyMaterial: Uint8Array;
        spec: KeySpec;
      },
    onStart?: OnStart,
  ): Promise<MaterialRecord & { readonly publicKey?: Uint8Array }>;
  /** Imports the bytes of a secret, or a PKCS#8 key, given in the clear. */
  importPlainKeyMaterial(
    args: MaterialDestination & Called & { spec: KeySpec; plaintext: Uint8Array },
    onStart?: OnStart,
  ): Promise<MaterialRecord & { readonly publicKey?: Uint8Array }>;
}

/** The addon's own functions; some of `Native`'s are built from them. */
export interface Addon extends Omit<Native, 'takeFromLot' | 'generateDataKey'> {
  /** Mints pairs of a brief spec in the calling thread. */
  generateDataKeyPairsHere(spec: DataKeyPairSpec, requests: readonly SealingRequest[]): Packed;
  /** Whether a pair of the spec takes less time now than the way to another thread and back. */
  mintsQuickly(spec: DataKeyPairSpec): boolean;
  takeFromLots(requests: readonly LotRequest[]): Packed;
  generateDataKeys(requests: readonly (SealingRequest & { length: number })[]): Packed;
}

let loaded: Native | undefined;

/**
 * Loads the addon, once a process.
 *
 * @throws ConfigurationError that says why it cannot be loaded and what to do
 */
export function loadNative(): Native {
  if (loaded === undefined) {
    const native = load();
    requireKernel(native.capabilities());
    native.setNumThreads(cpuShare());
    loaded = native;
  }
  return loaded;
}

/** @throws ConfigurationError if PAIRMINT_KERNEL names a kernel that cannot run here */
export function requireKernel({ kernelRefused, kernelNames }: NativeCapabilities): void {
  if (kernelRefused === '') return;
  throw new ConfigurationError(
    `PAIRMINT_KERNEL is '${kernelRefused}', which is no kernel that can run here`,
    { hint: `set it to one of ${kernelNames.join(', ')}, or leave it out` },
  );
}

/** Whether an error came from the addon and, if `code` is given, has that code. */
export function isNativeError(error: unknown, code?: NativeErrorCode): error is NativeError {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return code === undefined ? typeof error.code === 'string' : error.code === code;
}

function load(): Native {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  try {
    return joinCalls(createRequire(import.meta.url)('node-gyp-build')(root) as Addon);
  } catch (cause) {
    throw explain(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Turns the addon's functions for many requests into functions for one request. */
export function joinCalls<T extends Addon>(addon: T): T & Native {
  const mintBrief = (spec: DataKeyPairSpec) =>
    joined(
      (requests: readonly SealingRequest[]) => addon.generateDataKeyPairsHere(spec, requests),
      toPair,
    );
  const brief = new Map<DataKeyPairSpec, ReturnType<typeof mintBrief>>(
    dataKeyPairSpecs()
      .filter((spec) => keySpecs[spec].pair?.here !== undefined)
      .map((spec) => [spec, mintBrief(spec)]),
  );
  return {
    ...addon,
    generateDataKeyPair: (args, onStart, signal) => {
      const { spec } = args;
      const mint = brief.get(spec);
      const isHere = mint && (keySpecs[spec].pair?.here === 'always' || addon.mintsQuickly(spec));
      return isHere ? mint(args, signal) : addon.generateDataKeyPair(args, onStart);
    },
    takeFromLot: joined(addon.takeFromLots, toPair),
    generateDataKey: joined(addon.generateDataKeys, toDataKey),
  };
}

function toPair([publicKey, privateKeyCiphertext, privateKeyPlaintext]: Parts): MintedPair {
  const pair: { -readonly [K in keyof MintedPair]: MintedPair[K] } = {
    publicKey,
    privateKeyCiphertext: privateKeyCiphertext as Uint8Array,
  };
  if (privateKeyPlaintext !== undefined) pair.privateKeyPlaintext = privateKeyPlaintext;
  return pair;
}

function toDataKey([ciphertext, plaintext]: Parts): DataKey {
  return plaintext === undefined ? { ciphertext } : { ciphertext, plaintext };
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
