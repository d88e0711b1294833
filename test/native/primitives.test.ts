import { describe, expect, it } from 'vitest';
import { internals } from '../support/internals.ts';
import { hex, readVectors } from '../support/vectors.ts';

interface WycheproofTest {
  tcId: number;
  comment: string;
  result: 'valid' | 'invalid' | 'acceptable';
  key: string;
  msg: string;
  ct: string;
  iv: string;
  aad: string;
  tag: string;
}

interface Wycheproof {
  testGroups: { keySize: number; ivSize: number; tagSize: number; tests: WycheproofTest[] }[];
}

function wycheproof(name: string, fits: (group: Wycheproof['testGroups'][number]) => boolean) {
  const { testGroups } = readVectors<Wycheproof>(`wycheproof/${name}_test.json`);
  return testGroups.filter(fits).flatMap(({ tests }) => tests);
}

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

describe('HMAC-SHA-256', () => {
  it('agrees with Wycheproof on every message and tag', () => {
    const tests = wycheproof('hmac_sha256', ({ tagSize }) => tagSize === 256);
    expect(tests.length).toBeGreaterThan(80);
    for (const { tcId, key, msg, tag, result } of tests) {
      expect(text(internals.hmac(hex(key), hex(msg))) === tag, `tcId ${tcId}`).toBe(
        result === 'valid',
      );
    }
  });
});

describe('the counter mode KDF', () => {
  it('gives the answers of ACVP for a 32-bit counter before the fixed data', () => {
    const { testGroups } = readVectors<{
      testGroups: {
        counterLength: number;
        keyOutLength: number;
        counterLocation: string;
        tests: { tcId: number; keyIn: string; fixedData: string; keyOut: string }[];
      }[];
    }>('acvp/kdf-ctr-hmac-sha256.json');
    // Ours derives whole bytes.
    const tests = testGroups
      .filter((g) => g.counterLength === 32 && g.counterLocation === 'before fixed data')
      .filter(({ keyOutLength }) => keyOutLength % 8 === 0)
      .flatMap((g) => g.tests);
    expect(tests.length).toBeGreaterThan(5);
    for (const { tcId, keyIn, fixedData, keyOut } of tests) {
      const out = internals.counterKdf(hex(keyIn), hex(fixedData), keyOut.length / 2);
      expect(text(out), `tcId ${tcId}`).toBe(keyOut.toLowerCase());
    }
  });
});

describe('AES-256-GCM', () => {
  it('agrees with Wycheproof on what to seal and what to open', () => {
    const tests = wycheproof(
      'aes_gcm',
      (g) => g.keySize === 256 && g.ivSize === 96 && g.tagSize === 128,
    );
    expect(tests.length).toBeGreaterThan(60);
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of tests) {
      const opened = internals.gcmOpen(hex(key), hex(iv), hex(aad), hex(ct + tag));
      expect(text(opened), `tcId ${tcId}`).toBe(result === 'valid' ? msg : undefined);
      if (result !== 'valid') continue;
      expect(text(internals.gcmSeal(hex(key), hex(iv), hex(aad), hex(msg)))).toBe(ct + tag);
    }
  });
});

describe('AES-256-KWP', () => {
  it('agrees with Wycheproof on what to wrap and what to unwrap', () => {
    const tests = wycheproof('aes_kwp', ({ keySize }) => keySize === 256);
    expect(tests.length).toBeGreaterThan(60);
    for (const { tcId, key, msg, ct, result } of tests) {
      const unwrapped = text(internals.kwpUnwrap(hex(key), hex(ct)));
      if (result === 'invalid') expect(unwrapped, `tcId ${tcId}`).toBeUndefined();
      if (result !== 'valid' || msg === '') continue;
      expect(unwrapped, `tcId ${tcId}`).toBe(msg);
      expect(text(internals.kwpWrap(hex(key), hex(msg)))).toBe(ct);
    }
  });

  it('gives the answers of ACVP and refuses what ACVP refuses', () => {
    const { testGroups } = readVectors<{
      testGroups: {
        direction: 'encrypt' | 'decrypt';
        payloadLen: number;
        tests: { tcId: number; key: string; pt?: string; ct: string; testPassed?: boolean }[];
      }[];
    }>('acvp/aes-kwp-256.json');
    let checked = 0;
    // KWP here is for whole bytes.
    for (const group of testGroups.filter(({ payloadLen }) => payloadLen % 8 === 0)) {
      for (const { tcId, key, pt, ct } of group.tests) {
        const out =
          group.direction === 'encrypt'
            ? internals.kwpWrap(hex(key), hex(pt as string))
            : internals.kwpUnwrap(hex(key), hex(ct));
        const wanted = group.direction === 'encrypt' ? ct : pt;
        expect(text(out), `tcId ${tcId}`).toBe(wanted?.toLowerCase());
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(200);
  });
});
