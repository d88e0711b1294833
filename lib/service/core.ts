import { BatchDirectory } from '../batch/batch-directory.ts';
import { ConfigurationError } from '../core/configuration-error.ts';
import { cpuShare } from '../core/cpu-share.ts';
import { messageOf } from '../core/error-message.ts';
import { UnderWay } from '../core/under-way.ts';
import { CredentialDirectory } from '../keys/credential-directory.ts';
import { GrantDirectory } from '../keys/grant-directory.ts';
import { KeyDirectory } from '../keys/key-directory.ts';
import { KmsError } from '../model/errors.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { Native } from '../native/addon.ts';
import { Drawn } from '../pool/drawn.ts';
import { Filler } from '../pool/filler.ts';
import { PoolDirectory } from '../pool/pool-directory.ts';
import { Pools } from '../pool/pools.ts';
import { Refill } from '../pool/refill.ts';
import { clockIsOff } from '../store/clock-bound.ts';
import { Fence } from '../store/fence.ts';
import { History } from '../store/history.ts';
import type { KeyStore } from '../store/key-store.ts';
import { type OpenedStore, openStore } from '../store/open-store.ts';
import { Admission } from './admission.ts';
import { type AuditSink, auditFile } from './audit.ts';
import { BatchCounts } from './batch-counts.ts';
import { checkCaller } from './callers.ts';
import type { OpenOptions } from './options.ts';
import { RequestQuotas } from './request-quotas.ts';

/** The parts that a service shares with its views for other callers and other regions. */
export interface Core {
  readonly native: Native;
  readonly opened: OpenedStore;
  readonly fence: Fence;
  readonly history: History;
  readonly drawn: Drawn;
  readonly keys: KeyDirectory;
  readonly grants: GrantDirectory;
  readonly credentials: CredentialDirectory;
  readonly poolDirectory: PoolDirectory;
  readonly batchDirectory: BatchDirectory;
  readonly batchCounts: BatchCounts;
  readonly filler: Filler;
  readonly pools: Pools;
  readonly audit: AuditSink | undefined;
  readonly admission: Admission;
  readonly quotas: RequestQuotas | undefined;
  /** Work that has started and not settled. */
  readonly underWay: UnderWay;
  /** Aborted when the service closes. */
  readonly stop: AbortController;
  closing: Promise<void> | undefined;
  /** Ends what looks at the clock. */
  stopWatching(): void;
  now(): number;
}

/** Work that may end early when the signal is aborted. */
export type Attended<T> = (signal: AbortSignal) => Promise<T>;

const lookAtClockEvery = 60_000;

/** Opens a store and what works on it. @throws ConfigurationError */
export async function openCore(native: Native, options: OpenOptions): Promise<Core> {
  const opened = await openStore(native, options, beginDrawing);
  if (opened.created && opened.rootKeyFile !== undefined) {
    options.onNotice?.(
      `made a new store at ${opened.store.url}, its root key in ${opened.rootKeyFile}`,
    );
  }
  const { store, rootKey, identity } = opened;
  const now = () => store.now?.() ?? Date.now();
  const stopWatching = watchClock(store, options.onNotice);
  const fence = new Fence({ store, native, rootKey, identity });
  const keys = new KeyDirectory({ store, native, rootKey, now, fence });
  await fence.follow();
  const { rootKeyFile } = opened;
  const file = rootKeyFile && `${rootKeyFile}.seen`;
  const history = new History({ store, native, rootKey, identity, fence, file });
  await history.follow().catch((error) => refuseHistory(opened, error));
  const storeId = keyIdBytes(identity.storeId);
  const drawn = new Drawn(opened.drawnFile, { storeId, fence: () => fence.last });
  const poolDirectory = new PoolDirectory({ store, native, rootKey, drawn });
  const needsFence = () => poolDirectory.needsFence;
  const filler = new Filler({ directory: poolDirectory, native });
  const { onDryPool = 'mint', refillPools = true } = options;
  const refill = refillPools ? new Refill({ directory: poolDirectory, keys, filler }) : undefined;
  return {
    native,
    opened,
    fence,
    history,
    drawn,
    keys,
    poolDirectory,
    batchDirectory: new BatchDirectory({ store, native, rootKey, needsFence }),
    batchCounts: new BatchCounts(),
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
    stopWatching,
    now,
  };
}

/** Refuses further requests, waits for those under way, and closes the store. */
export function closeCore(core: Core): Promise<void> {
  core.closing ??= end(core);
  return core.closing;
}

async function end({
  underWay,
  stop,
  pools,
  opened,
  drawn,
  history,
  stopWatching,
}: Core): Promise<void> {
  stop.abort(closed());
  await underWay.settled();
  try {
    await pools.close();
  } finally {
    drawn.close();
    history.close();
    stopWatching();
    await opened.store.close();
  }
}

/** @throws KmsError once the service is closed */
export function requireOpen({ closing }: Core): void {
  if (closing !== undefined) throw closed();
}

/**
 * Runs work that closing the service waits for. Its signal is aborted when the service closes or
 * when `callers` is. @throws KmsError once the service is closed
 */
export async function attend<T>(
  core: Core,
  work: Attended<T>,
  callers: AbortSignal | undefined,
): Promise<T> {
  requireOpen(core);
  const closing = core.stop.signal;
  const stop = new AbortController();
  const { signal } = stop;
  for (const source of callers === undefined ? [closing] : [closing, callers]) {
    source.addEventListener('abort', () => stop.abort(source.reason), { signal });
  }
  const end = core.underWay.begin();
  try {
    return await work(signal);
  } finally {
    end();
    // Removes the listeners on both signals.
    stop.abort();
  }
}

/** Tells people when this machine's clock begins to be too far from that of the store. */
function watchClock(store: KeyStore, onNotice: OpenOptions['onNotice']): () => void {
  if (store.now === undefined || onNotice === undefined) return () => {};
  let wasOff = false;
  const look = () => {
    const sentence = clockIsOff(Date.now() - (store.now?.() ?? Date.now()));
    if (sentence !== undefined && !wasOff)
      onNotice(`${sentence}: what falls due goes by the latter`);
    wasOff = sentence !== undefined;
  };
  look();
  const timer = setInterval(look, lookAtClockEvery).unref();
  return () => clearInterval(timer);
}

/** Without what it remembers of itself, a store cannot be told from a copy. */
async function refuseHistory({ store }: OpenedStore, cause: unknown): Promise<never> {
  await store.close();
  const reason = messageOf((cause as Error).cause ?? cause);
  throw new ConfigurationError(`the store ${store.url} cannot be opened: ${reason}`, { cause });
}

function closed(): KmsError {
  return new KmsError('KMSInternalException', 'this Pairmint is closed');
}

/** Makes the file of drawn pools for a store about to be made: its pools cannot have been used. */
function beginDrawing(file: string | undefined, id: string): void {
  const drawn = new Drawn(file, { storeId: keyIdBytes(id), fence: () => 0n });
  try {
    if (!drawn.isTrusted) drawn.reset();
  } catch {
    // If the disk is full, making the store fails next, and says why.
  } finally {
    drawn.close();
  }
}

function auditOfEnvironment(): AuditSink | undefined {
  const { PAIRMINT_AUDIT_FILE: file } = process.env;
  return file ? auditFile(file) : undefined;
}
