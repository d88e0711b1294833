import { describe, expect, it } from 'vitest';
import { networkOf, plainAddress } from '../../lib/core/ip-address.ts';

const mapped = [
  '::ffff:10.1.2.3',
  '::FFFF:10.1.2.3',
  '::ffff:0a01:0203',
  '::ffff:a01:203',
  '::FFFF:A01:203',
  '0::ffff:a01:203',
  '::0:ffff:10.1.2.3',
  '0:0:0:0:0:ffff:a01:203',
  '0000:0000:0000:0000:0000:ffff:0a01:0203',
  '0:0:0:0:0:ffff:10.1.2.3',
  '0:0::0:0:ffff:a01:203',
  '::ffff:10.1.2.3%eth0',
];

const notMapped = [
  '::10.1.2.3',
  '::ffff:0:a01:203',
  '::fffe:a01:203',
  '64:ff9b::10.1.2.3',
  '1::ffff:a01:203',
  '2001:db8::ffff:a01:203',
  '::ffff',
  '::ffff:203',
  'ffff::',
];

describe('an address of IPv4 mapped into IPv6', () => {
  it.each(mapped)('is one of IPv4, written as %s', (address) => {
    expect(plainAddress(address)).toBe('10.1.2.3');
  });

  it.each([
    ['0:0:0:0:0:ffff::1', '0.0.0.1'],
    ['0:0:0:0:0:ffff:a01::', '10.1.0.0'],
    ['0:0:0:0:0:ffff::', '0.0.0.0'],
    ['::ffff:0:0', '0.0.0.0'],
    ['::ffff:ffff:ffff', '255.255.255.255'],
  ])('may leave out zeros behind the mark: %s is %s', (address, plain) => {
    expect(plainAddress(address)).toBe(plain);
  });

  it.each(notMapped)('is not %s', (address) => {
    expect(plainAddress(address)).toBe(address);
    expect(networkOf('0.0.0.0/0')?.(address)).toBe(false);
    expect(networkOf('::/0')?.(address)).toBe(true);
  });

  it.each(mapped)('is in the networks of IPv4 alone, as %s', (address) => {
    expect(networkOf('10.0.0.0/8')?.(address)).toBe(true);
    expect(networkOf('10.1.2.3')?.(address)).toBe(true);
    expect(networkOf('11.0.0.0/8')?.(address)).toBe(false);
    expect(networkOf('::/0')?.(address)).toBe(false);
  });
});

describe('a network of IPv4 mapped into IPv6', () => {
  it.each([
    '::ffff:10.0.0.0/104',
    '::ffff:a00:0/104',
    '0:0:0:0:0:FFFF:0A00:0000/104',
    '0:0:0:0:0:ffff:a00::/104',
  ])('is one of IPv4, written as %s', (network) => {
    const holds = networkOf(network);
    for (const address of ['10.1.2.3', ...mapped]) expect(holds?.(address), address).toBe(true);
    for (const address of ['11.1.2.3', '::ffff:b01:203', '::', '2001:db8::1', 'no address']) {
      expect(holds?.(address), address).toBe(false);
    }
  });

  it('is all of IPv4 with a prefix of 96 bits, and one address with 128 or without a prefix', () => {
    expect(networkOf('::ffff:0:0/96')?.('203.0.113.7')).toBe(true);
    expect(networkOf('::ffff:0:0/96')?.('2001:db8::1')).toBe(false);
    for (const one of ['::ffff:10.1.2.3', '::ffff:a01:203/128']) {
      expect(networkOf(one)?.('10.1.2.3')).toBe(true);
      expect(networkOf(one)?.('10.1.2.4')).toBe(false);
    }
  });

  it.each(['::ffff:10.0.0.0/8', '::ffff:10.0.0.0/95', '::ffff:10.0.0.0/129'])(
    'is not %s, whose length is none of a mapped network',
    (network) => expect(networkOf(network)).toBeUndefined(),
  );
});

describe('a network', () => {
  it.each(['', '10.0.0.0/33', '::/129', '10.0.0', '10.0.0.0/', 'fe80::1%eth0', '::ffff:10.0.0'])(
    'is not %o',
    (text) => expect(networkOf(text)).toBeUndefined(),
  );

  it('of IPv6 has the addresses of IPv6 with its bits', () => {
    const holds = networkOf('2001:db8::/32');
    expect(holds?.('2001:DB8:1::7')).toBe(true);
    expect(holds?.('2001:db8::7%eth0')).toBe(true);
    expect(holds?.('2001:db9::7')).toBe(false);
    expect(holds?.('10.1.2.3')).toBe(false);
  });
});
