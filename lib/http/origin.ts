import { isIP } from 'node:net';
import { ConfigurationError } from '../core/configuration-error.ts';
import { type Network, networkOf } from '../core/ip-address.ts';
import type { RequestOrigin } from '../service/origins.ts';
import { fieldValue, type HeaderFields } from './message.ts';

/** The other end of a connection. */
export interface Peer {
  /** Undefined if the connection was reset before it was read: its requests are not served. */
  readonly address: string | undefined;
  /** Whether the connection is TLS. */
  readonly secure: boolean;
}

export type OriginOf = (peer: Peer, headers: HeaderFields) => RequestOrigin;

/**
 * Makes the function that says where requests come from. That is the peer or, if the peer is a
 * trusted proxy, the client that the proxy names in X-Forwarded-For, which each proxy adds to, and
 * X-Forwarded-Proto. Other peers could write anything there.
 *
 * @param trustedProxies addresses, or networks as CIDR writes them
 * @throws ConfigurationError if one of them is neither
 */
export function originReader(trustedProxies: readonly string[] = []): OriginOf {
  const networks = trustedProxies.map(readNetwork);
  const isTrusted = (address: string | undefined) =>
    address !== undefined && networks.some((holds) => holds(address));
  return (peer, headers) => new SeenOrigin(peer, headers, isTrusted);
}

/** Reads a fact when a policy asks for it: most policies ask for none. */
class SeenOrigin implements RequestOrigin {
  readonly #peer: Peer;
  readonly #headers: HeaderFields;
  readonly #isTrusted: (address: string | undefined) => boolean;

  constructor(
    peer: Peer,
    headers: HeaderFields,
    isTrusted: (address: string | undefined) => boolean,
  ) {
    this.#peer = peer;
    this.#headers = headers;
    this.#isTrusted = isTrusted;
  }

  get sourceIp(): string | undefined {
    const { address } = this.#peer;
    if (!this.#isTrusted(address)) return address;
    return clientOf(address, listOf(this.#headers, 'x-forwarded-for'), this.#isTrusted);
  }

  get secureTransport(): boolean {
    const { address, secure } = this.#peer;
    if (!this.#isTrusted(address)) return secure;
    return schemeOf(listOf(this.#headers, 'x-forwarded-proto')) ?? secure;
  }

  get userAgent(): string | undefined {
    return fieldValue(this.#headers, 'user-agent');
  }

  get referer(): string | undefined {
    return fieldValue(this.#headers, 'referer');
  }
}

/** The last address in the chain that is not a trusted proxy's. */
function clientOf(
  peer: string | undefined,
  forwarded: readonly string[],
  isTrusted: (address: string) => boolean,
): string | undefined {
  let client = peer;
  for (const hop of forwarded.toReversed()) {
    // A text that is not an address names no client: the proxy that wrote it is the last known hop.
    if (isIP(hop) === 0) break;
    client = hop;
    if (!isTrusted(hop)) break;
  }
  return client;
}

function schemeOf(schemes: readonly string[]): boolean | undefined {
  const scheme = schemes.at(-1)?.toLowerCase();
  return scheme === undefined ? undefined : scheme === 'https';
}

function listOf(headers: HeaderFields, name: string): readonly string[] {
  const values = headers.get(name)?.flatMap((value) => value.split(',')) ?? [];
  return values.map((value) => value.trim()).filter((value) => value !== '');
}

function readNetwork(text: string): Network {
  const network = networkOf(text);
  if (network !== undefined) return network;
  throw new ConfigurationError(`'${text}' is not an IP address or network`, {
    hint: 'name a trusted proxy as in 10.0.0.7, 10.0.0.0/8 or 2001:db8::/32',
  });
}
