import { BlockList, isIP, isIPv4 } from 'node:net';

/** Tells whether a text is an address in a network; another text is in none. */
export type Network = (address: string) => boolean;

/**
 * Reads an address, or a network as CIDR writes it: `203.0.113.0/24`, `2001:db8::/32`.
 *
 * @returns undefined if the text is neither
 */
export function networkOf(text: string): Network | undefined {
  const [, base = '', prefix] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(base);
  if (version === 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix);
  if (length > bits) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(base, length, family);
  return (address) => isIP(address) === version && list.check(address, family);
}

/** An address as policies compare it: one of IPv4 that came through IPv6 is one of IPv4. */
export function plainAddress(address: string): string {
  const [, mapped = ''] = /^::ffff:([\d.]+)$/i.exec(address) ?? [];
  if (isIPv4(mapped)) return mapped;
  // Which of this machine's links it came in by is no part of it.
  return address.replace(/%.*$/s, '');
}
