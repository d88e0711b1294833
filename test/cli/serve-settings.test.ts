import { expect, test } from 'vitest';
import { readSettings } from '../../lib/cli/settings/serve-settings.ts';

const proxies = (text: string) => readSettings(new Map([['--trusted-proxy', text]])).trustedProxies;

test('trusted proxies are addresses and networks; none by default', () => {
  expect(readSettings(new Map()).trustedProxies).toEqual([]);
  expect(proxies('10.0.0.7,2001:db8::/32')).toEqual(['10.0.0.7', '2001:db8::/32']);
  for (const text of ['', 'proxy', '10.0.0.0/33', '10.0.0.7,', '10.0.0.7, ::1']) {
    expect(() => proxies(text), text).toThrow(/--trusted-proxy/);
  }
});
