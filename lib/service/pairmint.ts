import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { ConfigurationError } from '../core/configuration-error.ts';
import { cpuShare } from '../core/cpu-share.ts';
import { inParallel } from '../core/in-parallel.ts';
import { requireKnown } from '../core/known-options.ts';
import { UnderWay } from '../core/under-way.ts';
import { requireWhole } from '../core/whole-number.ts';
import { CredentialDirectory, type NewCredential } from '../keys/credential-directory.ts';
import { GrantDirectory } from '../keys/grant-directory.ts';
import { KeyDirectory } from '../keys/key-directory.ts';
import { KmsError } from '../model/errors.ts';
import { keyArn, keyIdBytes } from '../model/key-id.ts';
import { type CheckedRequest, parseRequest } from '../model/request.ts';
import type { Requests, Responses } from '../model/types.ts';
import {
  isNativeError,
  loadNative,
  type Native,
  type NativeCapabilities,
} from '../native/addon.ts';
import {
  isOffered,
  loadedOperation,
  loadOperation,
  type OfferedOperation,
  operations,
} from '../operations/index.ts';
import type { Call, Caller, Services } from '../operations/rules/operation.ts';
import { defaultIdentityPolicy, parsePolicy } from '../policy/document.ts';
import { parsePrincipal, rootArn } from '../policy/principal.ts';
import type { RequestOrigin } from '../policy/request-facts.ts';
import { Drawn } from '../pool/drawn.ts';
import { Filler } from '../pool/filler.ts';
import { PoolDirectory } from '../pool/pool-directory.ts';
import { Pools } from '../pool/pools.ts';
import { Refill } from '../pool/refill.ts';
import type { Seed } from '../seed/seed.ts';
import { Fence } from '../store/fence.ts';
import { type OpenedStore, openStore, type StoreOptions } from '../store/open-store.ts';
import { isRegionName, noRegion } from '../store/region-name.ts';
import { Admission, type Load, workOf } from './admission.ts';
import { type AuditEvent, AuditRecorder, type AuditSink, auditEvent, auditFile } from './audit.ts';
import { type Attended, PoolApi } from './pool-api.ts';
import { type QuotaProfile, RequestQuotas, requireQuotaProfile } from './request-quotas.ts';
import { StoreApi } from './store-api.ts';

export { ConfigurationError };

/** Who requests are made as. */
export interface CallerOptions {
  /**
   * What an IAM policy of the caller would allow, as its JSON text. By default `kms:*` on everything
   * in the caller's account. An account's root has none: it may do what key policies let it.
   */
  readonly identityPolicy?: string | undefined;
  /**
   * When the caller's temporary credentials were issued, in milliseconds since the epoch. Sessions of
   * roles and federated users have such; if it is not said, they are issued now.
   */
  readonly tokenIssueTime?: number | undefined;
}

export interface OpenOptions extends StoreOptions, CallerOptions {
  /** The ARN of who requests are made as; the root of the store's account by default. */
  readonly caller?: string | undefined;
  /**
   * Told of every request; by default a file that PAIRMINT_AUDIT_FILE names. While it fails,
   * requests that change anything are refused with KMSInternalException.
   */
  readonly audit?: AuditSink | undefined;
  /** What a request does that finds its pool empty: mint, or fail with LimitExceededException. */
  readonly onDryPool?: 'mint' | 'fail' | undefined;
  /** Whether pools that requests have drawn low are filled in the background; by default they are. */
  readonly refillPools?: boolean | undefined;
  /**
   * Keys that shall be there: a seed file, YAML or JSON, or an object of the same form
   * (docs/seeding.md). What is there already stays as it is, and must be as the seed has it.
   */
  readonly seed?: string | object | undefined;
  /**
   * What the limits of work that waits are multiplied with (docs/server.md, Admission); 1 by default,
   * and Infinity lifts them.
   */
  readonly queueScale?: number | undefined;
  /** Keeps AWS's own quotas of requests per second, for tests of clients; by default there are none. */
  readonly quotaProfile?: QuotaProfile | undefined;
  /** Told, in a sentence for people, that a store, or what a seed has, was made. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

const callerOptions: Readonly<Record<keyof CallerOptions, true>> = {
  identityPolicy: true,
  tokenIssueTime: true,
};
const rootKeyOptions = { file: true, bytes: true };
const openOptions: Readonly<Record<keyof OpenOptions, true>> = {
  ...callerOptions,
  store: true,
  rootKey: true,
  region: true,
  accountId: true,
  caller: true,
  audit: true,
  onDryPool: true,
  refillPools: true,
  queueScale: true,
  quotaProfile: true,
  seed: true,
  onNotice: true,
};

/** What runs here. */
export interface Capabilities extends NativeCapabilities {
  readonly cpu: string;
  readonly node: string;
  /** How many threads mint at once. */
  readonly threads: number;
}

/** How many pairs are minted, and how. */
export interface BatchOptions {
  readonly count: number;
  /** Whether the responses have PrivateKeyPlaintext; without it they are those of
   * GenerateDataKeyPairWithoutPlaintext. */
  readonly plaintext?: boolean | undefined;
  /**
   * How many may be under way or wait to be taken at a time; by default as many as keep every thread
   * busy. It is the batch's only limit: the limits of work that waits (docs/server.md, Admission) do
   * not refuse it, and what it has under way counts for none of them. A quota profile counts it.
   */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const batchOptions: Readonly<Record<keyof BatchOptions, true>> = {
  count: true,
  plaintext: true,
  concurrency: true,
  signal: true,
};

/** How a single request is made. */
export interface RequestOptions {
  /** Abandons the request: it rejects with an AbortError, and minting stops within 10 ms. */
  readonly abortSignal?: AbortSignal | undefined;
  /** The id that the audit knows the request by; a fresh UUID by default. */
  readonly requestId?: string | undefined;
  /** Where a request came from that was taken from a network; policies may ask for it. */
  readonly origin?: RequestOrigin | undefined;
}

const requestOptions: Readonly<Record<keyof RequestOptions, true>> = {
  abortSignal: true,
  requestId: true,
  origin: true,
};

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

/** What a service has in common with those that act for other callers. */
interface Core {
  readonly native: Native;
  readonly opened: OpenedStore;
  readonly fence: Fence;
  readonly drawn: Drawn;
  readonly keys: KeyDirectory;
  readonly grants: GrantDirectory;
  readonly credentials: CredentialDirectory;
  readonly poolDirectory: PoolDirectory;
  readonly filler: Filler;
  readonly pools: Pools;
  readonly audit: AuditSink | undefined;
  readonly admission: Admission;
  readonly quotas: RequestQuotas | undefined;
  /** What was started and has not settled. */
  readonly underWay: UnderWay;
  /** Aborted when the service closes. */
  readonly stop: AbortController;
  closing: Promise<void> | undefined;
  now(): number;
}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the loop below defines every method
export class Pairmint {
  readonly #core: Core;
  readonly #caller: Caller;
  readonly #region: string;

  private constructor(core: Core, caller: Caller, region: string) {
    this.#core = core;
    this.#caller = caller;
    this.#region = region;
  }

  /**
   * Opens a store, and makes it with its root key where there is none.
   *
   * @throws ConfigurationError where the store, the root key, the caller, the seed or the native
   *   addon cannot be used, or there is no such option
   */
  static async open(options: OpenOptions = {}): Promise<Pairmint> {
    requireKnown('Pairmint.open', options, openOptions);
    if (options.rootKey !== undefined) {
      requireKnown('rootKey of Pairmint.open', options.rootKey, rootKeyOptions);
    }
    const native = loadNative();
    requireLimits(options);
    const given = options.caller === undefined ? undefined : callerOf(options.caller, options);
    // Before there is a store: a seed that is not valid makes none.
    const seed = options.seed === undefined ? undefined : await loadSeed(options.seed, native);
    const opened = await openStore(native, options, beginDrawing);
    if (opened.created && opened.rootKeyFile !== undefined) {
      options.onNotice?.(
        `made a new store at ${opened.store.url}, its root key in ${opened.rootKeyFile}`,
      );
    }
    const { store, rootKey, identity } = opened;
    const now = () => Date.now();
    const fence = new Fence({ store, native, rootKey, identity });
    const keys = new KeyDirectory({ store, native, rootKey, now, fence });
    await fence.follow();
    const storeId = keyIdBytes(identity.storeId);
    const drawn = new Drawn(opened.drawnFile, { storeId, fence: () => fence.last });
    const poolDirectory = new PoolDirectory({ store, native, rootKey, drawn });
    const filler = new Filler({ directory: poolDirectory, native });
    const { onDryPool = 'mint', refillPools = true } = options;
    const refill = refillPools ? new Refill({ directory: poolDirectory, keys, filler }) : undefined;
    const core: Core = {
      native,
      opened,
      fence,
      drawn,
      keys,
      poolDirectory,
      filler,
      pools: new Pools({ directory: poolDirectory, keys, native, onDryPool, refill }),
      grants: new GrantDirectory({ store, native, rootKey }),
      credentials: new CredentialDirectory({ store, native, rootKey, now, check: checkCaller }),
      audit: options.audit ?? auditOfEnvironment(),
      admission: new Admission({ threads: cpuShare(), scale: options.queueScale }),
      quotas: options.quotaProfile === undefined ? undefined : new RequestQuotas(),
      underWay: new UnderWay(),
      stop: new AbortController(),
      closing: undefined,
      now,
    };
    const caller = given ?? callerOf(rootArn(identity.accountId), {});
    const service = new Pairmint(core, caller, identity.region);
    if (seed !== undefined) await service.#seed(seed, options);
    return service;
  }

  /**
   * The same service acting for another principal, of this account or another. Closing it is not
   * needed and closes nothing: it ends with the service that it was made from.
   *
   * @param caller the ARN of a user, a role, a session of one, or an account's root
   * @throws ConfigurationError where that is none, or the identity policy is malformed
   */
  as(caller: string, options: CallerOptions = {}): Pairmint {
    requireKnown('as', options, callerOptions);
    return this.#view(callerOf(caller, options), this.#region);
  }

  /**
   * The same service, for the same caller, in another region of the store: keys are found and made
   * there. It is closed as one for another caller is.
   *
   * @throws ConfigurationError if `region` does not have the form of a region's name
   */
  inRegion(region: string): Pairmint {
    if (!isRegionName(region)) throw noRegion(region);
    return this.#view(this.#caller, region);
  }

  #view(caller: Caller, region: string): Pairmint {
    const view = new Pairmint(this.#core, caller, region);
    Object.defineProperty(view, 'close', { value: async () => {} });
    return view;
  }

  /**
   * Runs the operation called `name`; the doors that get names from outside come in here.
   *
   * @param request members as the operation's method takes them, unchecked
   * @param options as the operation's method takes them
   * @throws KmsError, as every method does; TypeError where `options` are none; ConfigurationError
   *   where there is no such option
   */
  call(name: string, request: unknown, options: RequestOptions = {}): Promise<object> {
    return this.#started(name, request, options);
  }

  async #started(
    name: string,
    request: unknown,
    options: RequestOptions,
    several?: Several,
  ): Promise<object> {
    const { underWay, audit } = this.#core;
    const abortSignal = signalOf(options);
    requireKnown('a request', options, requestOptions);
    const call: UncheckedCall = {
      operation: name,
      request: undefined,
      abortSignal,
      origin: options.origin,
      requestId: options.requestId ?? (audit === undefined ? '' : randomUUID()),
      keyArns: new Set(),
    };
    const end = underWay.begin();
    try {
      return audit === undefined
        ? await this.#checked(request, call, { several })
        : await this.#audited(request, call, { several, audit });
    } finally {
      end();
    }
  }

  /** Makes what a seed has; whoever opens the store may, whatever policies say. */
  async #seed(seed: Seed, { onNotice }: OpenOptions): Promise<void> {
    const { applySeed, describeSummary } = await import('../seed/apply-seed.ts');
    const { keys, grants, opened, audit, now } = this.#core;
    const { region, accountId } = opened.identity;
    try {
      const summary = await applySeed(seed, {
        keys,
        grants,
        region,
        accountId,
        now,
        record: async (operation, request, key) => {
          if (audit === undefined) return;
          await loadOperation(operation);
          const keyArns = new Set([keyArn(key)]);
          const call = { operation, request, requestId: randomUUID(), keyArns };
          await new AuditRecorder(audit, (error) => this.#event(call, error)).beforeCommit();
        },
      });
      const made = describeSummary(summary);
      if (made !== undefined) onNotice?.(made);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Runs a request and has it recorded: what changes anything before it is committed. */
  async #audited(
    request: unknown,
    call: UncheckedCall,
    { several, audit }: { several: Several | undefined; audit: AuditSink },
  ): Promise<object> {
    const name = call.operation;
    const recorder = new AuditRecorder(audit, (error) => this.#event(call, error));
    try {
      const answer = await this.#checked(request, call, {
        several,
        beforeCommit: () => recorder.beforeCommit(),
      });
      await recorder.succeeded({ mayFail: isReadOnly(name) });
      if (Array.isArray(answer)) await this.#recordOthers(audit, call, answer.length - 1);
      return answer;
    } catch (error) {
      // What does not fit the model was refused before its operation was loaded.
      if (isOffered(name)) await loadOperation(name).catch(() => undefined);
      await recorder.failed(error);
      throw error;
    }
  }

  /** A batch is as many requests as it has answers: the audit, as CloudTrail, has an event of each. */
  async #recordOthers(audit: AuditSink, call: UncheckedCall, count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const other = { ...call, requestId: randomUUID() };
      const recorder = new AuditRecorder(audit, (error) => this.#event(other, error));
      await recorder.succeeded({ mayFail: isReadOnly(call.operation) });
    }
  }

  #event(call: UncheckedCall, error: Error | undefined): AuditEvent {
    const { principal } = this.#caller;
    return auditEvent({
      ...call,
      region: this.#region,
      accountId: principal.accountId,
      caller: principal,
      readOnly: isReadOnly(call.operation),
      now: this.#core.now(),
      error,
    });
  }

  async #checked(
    request: unknown,
    call: UncheckedCall,
    { several, beforeCommit }: { several: Several | undefined; beforeCommit?: () => Promise<void> },
  ): Promise<object> {
    const { operation: name, abortSignal } = call;
    if (!isOffered(name)) throw new KmsError('UnknownOperationException');
    const checked = parseRequest(name, request) as CheckedRequest<OfferedOperation>;
    call.request = checked;
    abortSignal?.throwIfAborted();
    if (this.#core.closing !== undefined) throw closed();
    // For those that read, too: the first to name the default alias makes its key.
    const services = this.#services(call as Call, beforeCommit);
    const leave = this.#admit(name, checked, several);
    try {
      const operation = loadedOperation(name) ?? (await loadOperation(name));
      return await (several?.run ?? operation.run)(services, checked);
    } catch (error) {
      if (error instanceof KmsError) throw error;
      if (
        abortSignal?.aborted &&
        (error === abortSignal.reason || isNativeError(error, 'ABORTED'))
      ) {
        throw abortSignal.reason;
      }
      throw new KmsError('KMSInternalException', 'internal failure', { cause: error });
    } finally {
      leave?.();
    }
  }

  /** @throws KmsError ThrottlingException where a quota is used up, or too much work waits */
  #admit(
    operation: OfferedOperation,
    request: object,
    several: Several | undefined,
  ): (() => void) | undefined {
    const { admission, quotas } = this.#core;
    const { arn, accountId } = this.#caller.principal;
    if (quotas !== undefined) {
      try {
        const count = several?.count ?? 1;
        quotas.admit({ operation, request, region: this.#region, accountId, count });
      } catch (error) {
        admission.countQuota();
        throw error;
      }
    }
    const work = workOf(operation, request);
    if (work === undefined) return undefined;
    // A batch has no more under way than its concurrency, which whoever runs it has chosen.
    return several === undefined ? admission.enter(arn, work) : admission.count(work.kind);
  }

  #services(call: Call, beforeCommit: (() => Promise<void>) | undefined): Services {
    const { native, keys, grants, pools, now } = this.#core;
    return {
      native,
      keys: beforeCommit === undefined ? keys : keys.beforeCommit(beforeCommit),
      grants,
      pools,
      region: this.#region,
      accountId: this.#caller.principal.accountId,
      caller: this.#caller,
      call,
      now,
    };
  }

  capabilities(): Capabilities {
    return {
      ...this.#core.native.capabilities(),
      cpu: os.cpus()[0]?.model ?? process.arch,
      node: process.versions.node,
      threads: cpuShare(),
    };
  }

  /** The work that was admitted and is not answered, and the requests that were refused. */
  load(): Load {
    return this.#core.admission.load();
  }

  /** The ARN of who requests are made as. */
  get principal(): string {
    return this.#caller.principal.arn;
  }

  /** The access keys that requests through the HTTP door are signed with. */
  get credentials(): CredentialDirectory {
    return this.#core.credentials;
  }

  /**
   * Looks whether the store can be read and written to, and writes nothing: within two seconds.
   *
   * @throws KmsError KMSInternalException, and why as its cause
   */
  async checkStore(): Promise<void> {
    if (this.#core.closing !== undefined) throw closed();
    await this.#core.opened.store.probe();
  }

  /** Copies, checks and fences the store. */
  get store(): StoreApi {
    const { native, opened, keys, grants, credentials, poolDirectory, fence } = this.#core;
    const { store, rootKey, identity } = opened;
    const records = { keys, grants, credentials, pools: poolDirectory };
    return new StoreApi({ store, native, rootKey, identity, fence, ...records });
  }

  describeStore(): StoreDescription {
    const { store, rootKeyFile, identity } = this.#core.opened;
    return { url: store.url, rootKeyFile, region: this.#region, accountId: identity.accountId };
  }

  /** The pools of waiting pairs of this caller's account, in this region. */
  get pools(): PoolApi {
    const { poolDirectory: directory, pools, filler } = this.#core;
    const { accountId } = this.#caller.principal;
    const operation = 'GenerateDataKeyPairWithoutPlaintext' as const;
    return new PoolApi({
      attend: (work, given) => this.#attend(work, given),
      services: ({ KeyId, KeyPairSpec }) => {
        const request = parseRequest(operation, { KeyId, KeyPairSpec });
        const call = { operation, request, requestId: randomUUID(), keyArns: new Set<string>() };
        return this.#services(call, this.#recordingOf(call));
      },
      place: { region: this.#region, accountId },
      directory,
      pools,
      filler,
    });
  }

  /** Of a call that is no request: the audit hears of it only where it makes a key. */
  #recordingOf(call: Call): (() => Promise<void>) | undefined {
    const { audit } = this.#core;
    if (audit === undefined) return undefined;
    const recorder = new AuditRecorder(audit, (error) => this.#event(call, error));
    return async () => {
      await loadOperation(call.operation);
      await recorder.beforeCommit();
    };
  }

  async #attend<T>(work: Attended<T>, given: AbortSignal | undefined): Promise<T> {
    if (this.#core.closing !== undefined) throw closed();
    const closing = this.#core.stop.signal;
    const stop = new AbortController();
    const { signal } = stop;
    for (const source of given === undefined ? [closing] : [closing, given]) {
      source.addEventListener('abort', () => stop.abort(source.reason), { signal });
    }
    const { underWay } = this.#core;
    const end = underWay.begin();
    try {
      return await work(signal);
    } finally {
      end();
      // Takes the listeners away.
      stop.abort();
    }
  }

  /**
   * Mints many pairs, keeping every core busy, and yields the responses in any order. Whoever takes
   * them slowly slows the minting down; memory does not grow with `count`.
   *
   * @param request as GenerateDataKeyPairWithoutPlaintext takes it
   * @throws KmsError, as the operation does; the signal's reason, within 50 ms of its abort
   */
  mintDataKeyPairs(
    request: Requests['GenerateDataKeyPairWithoutPlaintext'],
    options: BatchOptions,
  ): AsyncGenerator<Responses['GenerateDataKeyPair'], void, undefined> {
    requireKnown('mintDataKeyPairs', options, batchOptions);
    for (const name of ['count', 'concurrency'] as const) {
      const value = options[name];
      if (name === 'concurrency' && value === undefined) continue;
      requireWhole(name, value);
    }
    return this.#mintSeveral(request, options);
  }

  async *#mintSeveral(
    request: Requests['GenerateDataKeyPairWithoutPlaintext'],
    { count, plaintext = false, concurrency, signal }: BatchOptions,
  ): AsyncGenerator<Responses['GenerateDataKeyPair'], void, undefined> {
    const name = plaintext ? 'GenerateDataKeyPair' : 'GenerateDataKeyPairWithoutPlaintext';
    const { KeyPairSpec } = parseRequest(name, request);
    const { generateSeveral, pairsToACrossing } = await import(
      '../operations/generate-data-key-pair.ts'
    );
    const best = pairsToACrossing(KeyPairSpec);
    const most = concurrency ?? 4 * cpuShare() * best;
    // Two crossings for each thread keep it busy.
    const size = Math.max(1, Math.min(best, Math.floor(most / (2 * cpuShare()))));
    let left = count;
    const mint = (abortSignal: AbortSignal) => {
      const several = Math.min(size, left);
      left -= several;
      return this.#started(
        name,
        request,
        { abortSignal },
        {
          count: several,
          run: (services, checked) =>
            generateSeveral(services, checked as CheckedRequest<typeof name>, {
              plaintext,
              count: several,
            }),
        },
      );
    };
    const crossings = { count: Math.ceil(count / size), concurrency: Math.floor(most / size) };
    for await (const pairs of inParallel(mint, { ...crossings, signal })) {
      yield* pairs as Responses['GenerateDataKeyPair'][];
    }
  }

  /** Refuses further requests, waits for those under way, and closes the store. */
  close(): Promise<void> {
    this.#core.closing ??= end(this.#core);
    return this.#core.closing;
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

/** A request that is made `count` times at once: `run` instead of the operation's own. */
interface Several {
  readonly count: number;
  run(services: Services, request: CheckedRequest<OfferedOperation>): Promise<object>;
}

/** A call whose operation may be none, and whose request is known once it was checked. */
type UncheckedCall = Omit<Call, 'operation' | 'request'> & {
  readonly operation: string;
  request: object | undefined;
};

async function end({ underWay, stop, pools, opened, drawn }: Core): Promise<void> {
  stop.abort(closed());
  await underWay.settled();
  try {
    await pools.close();
  } finally {
    drawn.close();
    await opened.store.close();
  }
}

/** Whether an operation, which has been loaded where there is one, changes nothing. */
function isReadOnly(name: string): boolean {
  return loadedOperation(name)?.readOnly ?? false;
}

/** @throws ConfigurationError where an option that limits requests is none */
function requireLimits({ queueScale, quotaProfile }: OpenOptions): void {
  if (queueScale !== undefined && !(typeof queueScale === 'number' && queueScale > 0)) {
    throw new ConfigurationError(`queueScale must be a number above 0, not ${queueScale}`);
  }
  if (quotaProfile !== undefined) requireQuotaProfile(quotaProfile);
}

async function loadSeed(source: string | object, native: Native): Promise<Seed> {
  const { readSeed } = await import('../seed/seed.ts');
  return readSeed(source, native);
}

/** For a store that is about to be made: nothing can have been drawn from it. */
function beginDrawing(file: string | undefined, id: string): void {
  const drawn = new Drawn(file, { storeId: keyIdBytes(id), fence: () => 0n });
  try {
    if (!drawn.isTrusted) drawn.reset();
  } catch {
    // A disk that is full refuses the store as well, in a sentence.
  } finally {
    drawn.close();
  }
}

function auditOfEnvironment(): AuditSink | undefined {
  const { PAIRMINT_AUDIT_FILE: file } = process.env;
  return file ? auditFile(file) : undefined;
}

function closed(): KmsError {
  return new KmsError('KMSInternalException', 'this Pairmint is closed');
}

/** @throws ConfigurationError where nobody can act as this, or the policy would do nothing */
export function checkCaller({ principal, identityPolicy }: NewCredential): void {
  const caller = callerOf(principal, { identityPolicy });
  if (caller.principal.isRoot && identityPolicy !== undefined) {
    throw new ConfigurationError(`${principal} is a root, which identity policies do not bind`);
  }
}

/** A misspelt policy would not bind the caller. @throws ConfigurationError */
function callerOf(arn: string, { identityPolicy, tokenIssueTime }: CallerOptions): Caller {
  const principal = parsePrincipal(arn);
  if (principal === undefined || principal.kind === 'service') {
    throw new ConfigurationError(`'${arn}' is not the ARN of a caller`, {
      hint: 'name a user, role, session or root, as in arn:aws:iam::000000000000:user/alice',
    });
  }
  const isSession = principal.kind === 'assumed-role' || principal.kind === 'federated-user';
  const issued = { tokenIssueTime: tokenIssueTime ?? (isSession ? Date.now() : undefined) };
  if (principal.isRoot) return { principal, identityPolicy: undefined, ...issued };
  return {
    principal,
    ...issued,
    identityPolicy:
      identityPolicy === undefined
        ? defaultIdentityPolicy(principal.accountId)
        : parseIdentityPolicy(arn, identityPolicy),
  };
}

function parseIdentityPolicy(arn: string, text: string) {
  try {
    return parsePolicy(text, 'identity');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigurationError(`the identity policy of ${arn} cannot be used: ${reason}`, {
      cause,
    });
  }
}

function signalOf(options: RequestOptions): AbortSignal | undefined {
  const abortSignal = options === null ? null : options.abortSignal;
  if (abortSignal === undefined || abortSignal instanceof AbortSignal) return abortSignal;
  throw new TypeError('abortSignal must be an AbortSignal');
}

function methodOf(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
