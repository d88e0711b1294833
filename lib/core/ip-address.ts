import { BlockList, isIP } from 'node:net';

/** Tells whether an address is in a network; false for a text that is not an address. */
export type Network = (address: string) => boolean;

// RFC 4291, section 2.5.5.2: an address of IPv4, written as one of IPv6, begins with so many bits.
const mappedBits = 96;

/**
 * Reads an address, or a network as CIDR writes it: `203.0.113.0/24`, `2001:db8::/32`. A network of
 * IPv4 mapped into IPv6 is one of IPv4: `::ffff:203.0.113.0/120` is `203.0.113.0/24`.
 *
 * @returns undefined if the text is neither, or is a mapped network larger than all of IPv4
 */
export function networkOf(text: string): Network | undefined {
  const [, written = '', prefix] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const base = plainAddress(written);
  const version = isIP(base);
  if (version === 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix) - (base === written ? 0 : mappedBits);
  if (length < 0 || length > bits) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(base, length, family);
  return (address) => {
    const plain = plainAddress(address);
    return isIP(plain) === version && list.check(plain, family);
  };
}

/** An address as policies compare it: one of IPv4 that came through IPv6 is one of IPv4. */
export function plainAddress(address: string): string {
  // The zone (%eth0) names a link of this machine and is not part of the address.
  const bare = address.replace(/%.*$/s, '');
  return mappedAddress(bare) ?? bare;
}

/** The address of IPv4 that is mapped into one of IPv6, however that is written. */
function mappedAddress(address: string): string | undefined {
  // A quick check: most addresses need not be parsed.
  if (!/^[0:]+:ffff:/i.test(address) || isIP(address) !== 6) return undefined;
  const groups = groupsOf(address);
  if (groups.slice(0, 5).some((group) => group !== 0) || groups[5] !== 0xffff) return undefined;
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.');
}

/** The eight groups of 16 bits of an address of IPv6. */
function groupsOf(address: string): number[] {
  const [left = [], right = []] = address
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').flatMap(groupsIn)));
  const omitted = 8 - left.length - right.length;
  return [...left, ...Array<number>(omitted).fill(0), ...right];
}

/** The groups between two colons: one, or the last two written as an address of IPv4. */
function groupsIn(text: string): number[] {
  if (!text.includes('.')) return [Number.parseInt(text, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d];
}
