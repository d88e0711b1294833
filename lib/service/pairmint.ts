import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { cpuShare } from '../core/cpu-share.ts';
import { requireKnown } from '../core/known-options.ts';
import type { CredentialDirectory } from '../keys/credential-directory.ts';
import { isRegionName, noRegion } from '../model/region-name.ts';
import { parseRequest } from '../model/request.ts';
import type { Requests, Responses } from '../model/types.ts';
import { loadNative, type NativeCapabilities } from '../native/addon.ts';
import { rootArn } from '../policy/principal.ts';
import type { StoreFigures } from '../store/store-figures.ts';
import type { Load } from './admission.ts';
import { BatchApi } from './batch-api.ts';
import type { BatchFigures } from './batch-counts.ts';
import { type BatchOptions, mintBatch, requireBatchOptions } from './batches.ts';
import { type CallerOptions, callerOf, callerOptions, type NamedCaller } from './callers.ts';
import { attend, type Core, closeCore, openCore, requireOpen } from './core.ts';
import { Dispatch } from './dispatch.ts';
import type { Minter } from './minter.ts';
import { WithOperationMethods } from './operation-methods.ts';
import {
  type OpenOptions,
  type RequestOptions,
  requireLimits,
  requireOpenOptions,
} from './options.ts';
import { PoolApi } from './pool-api.ts';
import { applySeedTo, loadSeed } from './seeding.ts';
import { StoreApi } from './store-api.ts';

export { ConfigurationError } from '../core/configuration-error.ts';
export type { BatchOptions } from './batches.ts';
export { type CallerOptions, checkCaller } from './callers.ts';
export type { OpenOptions, RequestOptions } from './options.ts';

/** Versions and features of this build and this machine. */
export interface Capabilities extends NativeCapabilities {
  readonly cpu: string;
  readonly node: string;
  /** How many threads mint at once. */
  readonly threads: number;
}

/** What a process did, and how it is now. */
export interface Figures {
  readonly store: StoreFigures;
  readonly batches: BatchFigures;
}

export interface StoreDescription {
  readonly url: string;
  /** Undefined if the root key was given as bytes, or belongs to a memory store. */
  readonly rootKeyFile: string | undefined;
  readonly region: string;
  readonly accountId: string;
}

/**
 * A key management service in this process: one method per KMS operation, named as in AWS's API
 * with a small first letter. Requests and responses have the members of `@aws-sdk/client-kms`
 * (blobs are Uint8Array, timestamps Date); failures reject with KmsError.
 */
export class Pairmint extends WithOperationMethods {
  readonly #core: Core;
  readonly #caller: NamedCaller;
  readonly #region: string;
  readonly #dispatch: Dispatch;
  /** Whether `close` closes the store; false for a view made by `as` or `inRegion`. */
  readonly #ownsCore: boolean;

  private constructor(
    core: Core,
    { caller, region, ownsCore }: { caller: NamedCaller; region: string; ownsCore: boolean },
  ) {
    super();
    this.#core = core;
    this.#caller = caller;
    this.#region = region;
    this.#dispatch = new Dispatch(core, caller, region);
    this.#ownsCore = ownsCore;
  }

  /**
   * Opens a store, or makes it, with its root key, if it does not exist.
   *
   * @throws ConfigurationError if the store, the root key, the caller, the seed or the native addon
   *   cannot be used, or there is no such option
   */
  static async open(options: OpenOptions = {}): Promise<Pairmint> {
    requireOpenOptions(options);
    const native = loadNative();
    requireLimits(options);
    const named = options.caller === undefined ? undefined : callerOf(options.caller, options);
    // Before the store is made: an invalid seed must not leave one behind.
    const seed = options.seed === undefined ? undefined : await loadSeed(options.seed, native);
    const core = await openCore(native, options);
    const { region, accountId } = core.opened.identity;
    const caller = named ?? callerOf(rootArn(accountId), options);
    const service = new Pairmint(core, { caller, region, ownsCore: true });
    if (seed === undefined) return service;
    try {
      const notice = await applySeedTo(core, seed, service.#dispatch.trail);
      if (notice !== undefined) options.onNotice?.(notice);
    } catch (error) {
      await service.close();
      throw error;
    }
    return service;
  }

  /**
   * The same service acting for another principal, of this account or another. It need not be
   * closed: it ends with the service that it was made from, and closing it closes nothing.
   *
   * @param caller the ARN of a user, a role, a session of one, or an account's root
   * @throws ConfigurationError if it names no caller, or the identity policy is malformed
   */
  as(caller: string, options: CallerOptions = {}): Pairmint {
    requireKnown('as', options, callerOptions);
    const region = this.#region;
    return new Pairmint(this.#core, { caller: callerOf(caller, options), region, ownsCore: false });
  }

  /**
   * The same service, for the same caller, in another region of the store: it finds and makes keys
   * there. Like a service made by `as`, it need not be closed.
   *
   * @throws ConfigurationError if `region` does not have the form of a region's name
   */
  inRegion(region: string): Pairmint {
    if (!isRegionName(region)) throw noRegion(region);
    return new Pairmint(this.#core, { caller: this.#caller, region, ownsCore: false });
  }

  /**
   * Runs the operation called `name`, for callers that get names from outside, such as the server.
   *
   * @param request members as the operation's method takes them, unchecked
   * @param options as the operation's method takes them
   * @throws KmsError, as every method does; TypeError if `options` has a signal that is not one
   */
  call(name: string, request: unknown, options: RequestOptions = {}): Promise<object> {
    return this.#dispatch.serve(name, request, options);
  }

  /**
   * Mints many pairs, keeping every core busy, and yields the responses in any order. A slow
   * consumer slows the minting down; memory does not grow with `count`.
   *
   * @param request as GenerateDataKeyPairWithoutPlaintext takes it
   * @throws KmsError, as the operation does; the signal's reason, within 50 ms of its abort
   */
  mintDataKeyPairs(
    request: Requests['GenerateDataKeyPairWithoutPlaintext'],
    options: BatchOptions,
  ): AsyncGenerator<Responses['GenerateDataKeyPair'], void, undefined> {
    requireBatchOptions(options);
    return mintBatch(this.#dispatch, request, options);
  }

  capabilities(): Capabilities {
    return {
      ...this.#core.native.capabilities(),
      cpu: os.cpus()[0]?.model ?? process.arch,
      node: process.versions.node,
      threads: cpuShare(),
    };
  }

  /** The work that was admitted and is not answered yet, and the requests refused so far. */
  load(): Load {
    return this.#core.admission.load();
  }

  /** What this process did with the store and for batches, for monitoring. */
  figures(): Figures {
    const { opened, batchCounts } = this.#core;
    return { store: opened.store.figures(), batches: batchCounts.figures() };
  }

  /**
   * How many sessions of the store's database wait for another one's lock, of all processes; undefined if
   * the store cannot tell. @throws KmsError KMSInternalException
   */
  async lockWaits(): Promise<number | undefined> {
    return this.#core.opened.store.lockWaits?.();
  }

  /** The ARN that requests are made as. */
  get principal(): string {
    return this.#caller.principal.arn;
  }

  /** The access keys that HTTP requests are signed with. */
  get credentials(): CredentialDirectory {
    return this.#core.credentials;
  }

  /**
   * Checks within two seconds that the store can be read and written to, without writing anything.
   * Pools are refused until a store that was copied or put back is fenced; all else is served meanwhile.
   *
   * @throws KmsError KMSInternalException, whose cause says why
   */
  async checkStore(): Promise<{ readonly poolsAreRefused: boolean }> {
    requireOpen(this.#core);
    await this.#core.opened.store.probe();
    return { poolsAreRefused: this.#core.poolDirectory.needsFence };
  }

  /** Copies, checks and fences the store. */
  get store(): StoreApi {
    const { native, opened, keys, grants, credentials, fence, history } = this.#core;
    const { store, rootKey, identity } = opened;
    const { poolDirectory: pools, batchDirectory: batches } = this.#core;
    const records = { keys, grants, credentials, pools, batches };
    const readers = { store, native, rootKey, identity, fence, ...records };
    return new StoreApi(readers, { keepsRootKey: opened.keepsRootKey, history });
  }

  describeStore(): StoreDescription {
    const { store, rootKeyFile, identity } = this.#core.opened;
    return { url: store.url, rootKeyFile, region: this.#region, accountId: identity.accountId };
  }

  /** The pools of waiting pairs of this caller's account, in this region. */
  get pools(): PoolApi {
    const core = this.#core;
    return new PoolApi({
      ...this.#minter(),
      directory: core.poolDirectory,
      pools: core.pools,
      filler: core.filler,
    });
  }

  /** The batches of this caller's account, in this region, which any number of processes mint. */
  get batches(): BatchApi {
    const core = this.#core;
    return new BatchApi({
      ...this.#minter(),
      directory: core.batchDirectory,
      submitter: this.#caller.named,
      counts: core.batchCounts,
      trail: this.#dispatch.trail,
      dispatchAs: ({ principal, ...options }, region) =>
        new Dispatch(core, callerOf(principal, options), region),
      now: core.now,
    });
  }

  #minter(): Minter {
    const core = this.#core;
    const dispatch = this.#dispatch;
    const operation = 'GenerateDataKeyPairWithoutPlaintext' as const;
    return {
      attend: (work, signal) => attend(core, work, signal),
      services: (given) => {
        const request = parseRequest(operation, given);
        const call = { operation, request, keyArns: new Set<string>() };
        // This is no request: the audit records it only if it makes a key.
        return dispatch.services(
          call,
          dispatch.trail?.onlyChanges({ ...call, requestId: randomUUID() }),
        );
      },
      place: { region: this.#region, accountId: this.#caller.principal.accountId },
    };
  }

  /** Refuses further requests, waits for those under way, and closes the store. */
  async close(): Promise<void> {
    if (this.#ownsCore) await closeCore(this.#core);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
