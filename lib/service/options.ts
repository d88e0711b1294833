import { isIP } from 'node:net';
import { ConfigurationError } from '../core/configuration-error.ts';
import { plainAddress } from '../core/ip-address.ts';
import { requireKnown } from '../core/known-options.ts';
import type { RequestOrigin } from '../policy/request-facts.ts';
import type { StoreOptions } from '../store/open-store.ts';
import type { AuditSink } from './audit.ts';
import { type CallerOptions, callerOptions } from './callers.ts';
import { type QuotaProfile, requireQuotaProfile } from './request-quotas.ts';

/** The options with which a service is opened. */
export interface OpenOptions extends StoreOptions, CallerOptions {
  /** The ARN that requests are made as; the root of the store's account by default. */
  readonly caller?: string | undefined;
  /**
   * Gets an event for every request; by default appends to the file that PAIRMINT_AUDIT_FILE names.
   * While it fails, requests that change something are refused with KMSInternalException.
   */
  readonly audit?: AuditSink | undefined;
  /** What a request does if its pool is empty: mint, or fail with LimitExceededException. */
  readonly onDryPool?: 'mint' | 'fail' | undefined;
  /** Whether pools that run low are filled in the background; true by default. */
  readonly refillPools?: boolean | undefined;
  /**
   * Keys that must be there: a seed file, YAML or JSON, or an object of the same form
   * (docs/seeding.md). Keys that exist already are not changed, and must match the seed.
   */
  readonly seed?: string | object | undefined;
  /**
   * Multiplies the limits on waiting work (docs/server.md, Admission); 1 by default, Infinity lifts
   * them.
   */
  readonly queueScale?: number | undefined;
  /** Enforces AWS's quotas of requests per second, for tests of clients; no quotas by default. */
  readonly quotaProfile?: QuotaProfile | undefined;
  /** Gets a sentence for people when a store, or something that a seed describes, was made. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** How a single request is made. */
export interface RequestOptions {
  /** Abandons the request: it rejects with an AbortError, and minting stops within 10 ms. */
  readonly abortSignal?: AbortSignal | undefined;
  /** The id that the audit knows the request by; a fresh UUID by default. */
  readonly requestId?: string | undefined;
  /** Where the request came from, if it came over a network; policies may test it. */
  readonly origin?: RequestOrigin | undefined;
}

export const requestOptions: Readonly<Record<keyof RequestOptions, true>> = {
  abortSignal: true,
  requestId: true,
  origin: true,
};

const originOptions: Readonly<Record<keyof RequestOrigin, true>> = {
  sourceIp: true,
  secureTransport: true,
  userAgent: true,
  referer: true,
};

/**
 * Refuses an origin that policies would take for another: a Deny by a misspelt or misshapen fact
 * would not apply. The facts of an HTTP server's own origins are not its properties, and are not
 * read here: most policies ask for none.
 *
 * @throws ConfigurationError
 */
export function requireOrigin(origin: RequestOrigin): void {
  requireKnown('origin of a request', origin, originOptions);
  for (const name in origin) {
    if (!Object.hasOwn(origin, name)) continue;
    const value = origin[name as keyof RequestOrigin];
    if (value === undefined) continue;
    const expected = expectedOf(name, value);
    if (expected === undefined) continue;
    throw new ConfigurationError(
      `${name} of a request's origin must be ${expected}, not ${JSON.stringify(value)}`,
    );
  }
}

function expectedOf(name: string, value: string | boolean): string | undefined {
  if (name === 'secureTransport') return typeof value === 'boolean' ? undefined : 'true or false';
  if (typeof value !== 'string') return 'a string';
  const isAddress = name !== 'sourceIp' || isIP(plainAddress(value)) !== 0;
  return isAddress ? undefined : 'an IP address without a port';
}

const rootKeyOptions = { file: true, bytes: true };
const openOptions: Readonly<Record<keyof OpenOptions, true>> = {
  ...callerOptions,
  store: true,
  storePassword: true,
  create: true,
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

/** @throws ConfigurationError if there is no such option, or a policy has no caller to restrict */
export function requireOpenOptions(options: OpenOptions): void {
  requireKnown('Pairmint.open', options, openOptions);
  if (options.identityPolicy !== undefined && options.caller === undefined) {
    throw new ConfigurationError('identityPolicy is given without a caller', {
      hint: 'name the caller: requests are made as the root otherwise, which has no such policy',
    });
  }
  if (options.rootKey !== undefined) {
    requireKnown('rootKey of Pairmint.open', options.rootKey, rootKeyOptions);
  }
}

/** @throws ConfigurationError if an option that limits requests is not valid */
export function requireLimits({ queueScale, quotaProfile }: OpenOptions): void {
  if (queueScale !== undefined && !(typeof queueScale === 'number' && queueScale > 0)) {
    throw new ConfigurationError(`queueScale must be a number above 0, not ${queueScale}`);
  }
  if (quotaProfile !== undefined) requireQuotaProfile(quotaProfile);
}
