import os from 'node:os';
import { ConfigurationError } from './configuration-error.ts';
import { cpuShare } from './cpu-share.ts';
import { KmsError } from './model/errors.ts';
import { type CheckedRequest, parseRequest } from './model/request.ts';
import type { Requests, Responses } from './model/types.ts';
import { isNativeError, loadNative, type Native, type NativeCapabilities } from './native.ts';
import { isOffered, type OfferedOperation, operations } from './operations/index.ts';
import type { Operation, Services } from './operations/operation.ts';
import { KeyDirectory } from './store/key-directory.ts';
import { type OpenedStore, openStore, type StoreOptions } from './store/open-store.ts';

export { ConfigurationError };

export interface OpenOptions extends StoreOptions {
  /** Told, in a sentence for people, that a store was made. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** What runs here. */
export interface Capabilities extends NativeCapabilities {
  readonly cpu: string;
  readonly node: string;
  /** How many threads mint at once. */
  readonly threads: number;
}

/** How a single request is made. */
export interface RequestOptions {
  /** Abandons the request: it rejects with an AbortError, and minting stops within 10 ms. */
  readonly abortSignal?: AbortSignal | undefined;
}

export interface StoreDescription {
  readonly url: string;
  /** Undefined where the root key was given as bytes, or lives and dies with a memory store. */
  readonly rootKeyFile: string | undefined;
  readonly region: string;
  readonly accountId: string;
}

type Operations = {
  [O in OfferedOperation as Uncapitalize<O>]: (
    request: Requests[O],
    options?: RequestOptions,
  ) => Promise<Responses[O]>;
};

/**
 * A key management service in this process: one method per KMS operation, named as in AWS's API
 * with a small first letter. Requests and responses have the members of `@aws-sdk/client-kms`
 * (blobs are Uint8Array, timestamps Date); failures reject with KmsError.
 */
export interface Pairmint extends Operations {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the loop below defines every method
export class Pairmint {
  readonly #services: Services;
  readonly #opened: OpenedStore;
  /** The requests that were started and have not settled. */
  readonly #underWay = new Set<Promise<object>>();
  #closing: Promise<void> | undefined;

  private constructor(native: Native, opened: OpenedStore) {
    const { store, rootKey, identity } = opened;
    const now = () => Date.now();
    this.#opened = opened;
    this.#services = {
      native,
      keys: new KeyDirectory({ store, native, rootKey, now }),
      region: identity.region,
      accountId: identity.accountId,
      now,
    };
  }

  /**
   * Opens a store, and makes it with its root key where there is none.
   *
   * @throws ConfigurationError where the store, the root key or the native addon cannot be used
   */
  static async open(options: OpenOptions = {}): Promise<Pairmint> {
    const native = loadNative();
    const opened = await openStore(native, options);
    if (opened.created && opened.rootKeyFile !== undefined) {
      options.onNotice?.(
        `made a new store at ${opened.store.url}, its root key in ${opened.rootKeyFile}`,
      );
    }
    return new Pairmint(native, opened);
  }

  /**
   * Runs the operation called `name`; the doors that get names from outside come in here.
   *
   * @param request members as the operation's method takes them, unchecked
   * @param options as the operation's method takes them
   * @throws KmsError, as every method does; TypeError where `options` are none
   */
  async call(name: string, request: unknown, options: RequestOptions = {}): Promise<object> {
    const abortSignal = signalOf(options);
    if (!isOffered(name)) throw new KmsError('UnknownOperationException');
    const checked = parseRequest(name, request) as CheckedRequest<OfferedOperation>;
    abortSignal?.throwIfAborted();
    if (this.#closing !== undefined) {
      throw new KmsError('KMSInternalException', 'this Pairmint is closed');
    }
    const work = this.#run(operations[name] as Operation<OfferedOperation>, checked, abortSignal);
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  async #run(
    operation: Operation<OfferedOperation>,
    request: CheckedRequest<OfferedOperation>,
    abortSignal: AbortSignal | undefined,
  ): Promise<object> {
    try {
      return await operation.run({ ...this.#services, abortSignal }, request);
    } catch (error) {
      if (error instanceof KmsError) throw error;
      if (
        abortSignal?.aborted &&
        (error === abortSignal.reason || isNativeError(error, 'ABORTED'))
      ) {
        throw abortSignal.reason;
      }
      throw new KmsError('KMSInternalException', 'internal failure', { cause: error });
    }
  }

  capabilities(): Capabilities {
    return {
      ...this.#services.native.capabilities(),
      cpu: os.cpus()[0]?.model ?? process.arch,
      node: process.versions.node,
      threads: cpuShare(),
    };
  }

  describeStore(): StoreDescription {
    const { store, rootKeyFile, identity } = this.#opened;
    const { region, accountId } = identity;
    return { url: store.url, rootKeyFile, region, accountId };
  }

  /** Refuses further requests, waits for those under way, and closes the store. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underWay).then(() => this.#opened.store.close());
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

for (const name of Object.keys(operations) as OfferedOperation[]) {
  Object.defineProperty(Pairmint.prototype, methodOf(name), {
    value(this: Pairmint, request: unknown, options?: RequestOptions) {
      return this.call(name, request ?? {}, options);
    },
    writable: true,
    configurable: true,
  });
}

function signalOf(options: RequestOptions): AbortSignal | undefined {
  const abortSignal = options === null ? null : options.abortSignal;
  if (abortSignal === undefined || abortSignal instanceof AbortSignal) return abortSignal;
  throw new TypeError('abortSignal must be an AbortSignal');
}

function methodOf(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
