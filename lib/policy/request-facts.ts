import type { Tag } from '../model/types.ts';
import type { Principal } from './principal.ts';

/** The facts that the values of condition keys come from. */
export interface RequestFacts {
  /** As in its action: ReEncryptFrom and ReEncryptTo apart. */
  readonly operation: string;
  /** The checked request, its members as in the model. */
  readonly request: Readonly<Record<string, unknown>>;
  /**
   * The key that the operation is authorised for; for CreateKey, the replica that it makes.
   */
  readonly key?: KeyFacts | undefined;
  /** The name of the alias that the request named the key by. */
  readonly requestAlias?: string | undefined;
  readonly caller: Principal;
  /**
   * When the caller's temporary credentials were issued, in milliseconds; undefined if it has none.
   */
  readonly tokenIssueTime?: number | undefined;
  /** Where the request is served. */
  readonly region: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly reEncryptOnSameKey?: boolean | undefined;
  /** Undefined if the request came over no network. */
  readonly origin?: RequestOrigin | undefined;
}

export interface KeyFacts {
  readonly accountId: string;
  readonly spec: string;
  readonly usage: string;
  readonly origin: string;
  readonly multiRegion: boolean;
  readonly multiRegionKeyType?: string | undefined;
  /** With their prefix `alias/`. */
  readonly aliases: readonly string[];
  readonly tags: readonly Tag[];
}

/** Where a request came from over a network, as the server saw it. */
export interface RequestOrigin {
  /** The client's IP address. */
  readonly sourceIp?: string | undefined;
  /** Whether it came over TLS. */
  readonly secureTransport?: boolean | undefined;
  readonly userAgent?: string | undefined;
  readonly referer?: string | undefined;
}

export type Value = string | number | boolean | Date | readonly string[] | undefined;

/** Finds the value of a condition key; undefined if the request has none. */
export type Read = (facts: RequestFacts) => Value;
