import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KeySpec } from '../../lib/model/types.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { unwrap } from '../support/envelope-oracle.ts';
import { generateWithNode, pkcs8Of, publicKeyOf, wrapHybrid } from '../support/kms-keys.ts';
import { countInMemory, needlesOf } from '../support/process-memory.ts';

const script = fileURLToPath(new URL('../support/kms-key-process.mjs', import.meta.url));

interface Use {
  readonly KeySpec: KeySpec;
  readonly KeyUsage: string;
  readonly algorithms: readonly string[];
}

const signing = (KeySpec: KeySpec, ...algorithms: string[]): Use => ({
  KeySpec,
  KeyUsage: 'SIGN_VERIFY',
  algorithms,
});
const agreement = (KeySpec: KeySpec): Use => ({
  KeySpec,
  KeyUsage: 'KEY_AGREEMENT',
  algorithms: ['ECDH'],
});

const uses: readonly Use[] = [
  signing('RSA_2048', 'RSASSA_PSS_SHA_256', 'RSASSA_PKCS1_V1_5_SHA_512'),
  {
    KeySpec: 'RSA_2048',
    KeyUsage: 'ENCRYPT_DECRYPT',
    algorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
  },
  signing('ECC_NIST_P256', 'ECDSA_SHA_256'),
  signing('ECC_NIST_P384', 'ECDSA_SHA_384'),
  signing('ECC_NIST_P521', 'ECDSA_SHA_512'),
  signing('ECC_SECG_P256K1', 'ECDSA_SHA_256'),
  signing('ECC_NIST_EDWARDS25519', 'ED25519_SHA_512'),
  agreement('ECC_NIST_P256'),
  agreement('ECC_NIST_P384'),
];

// Under AddressSanitizer a process has terabytes of memory, and what is freed is kept on purpose.
const searchable = process.platform === 'linux' && process.env.PAIRMINT_INTERNALS === undefined;

const headerLength = 72;

describe.runIf(searchable)('the memory of a process that serves KMS', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-private-keys-'));
  const file = `${folder}/root.key`;
  let child: ChildProcess;
  let store: SqliteStore;
  let rootKey: Buffer;

  async function ask(task: string, request: object): Promise<Record<string, string>> {
    child.send({ task, request });
    const [{ answer }] = await once(child, 'message');
    return answer;
  }

  /** The only material of a key, opened with the root key and no line of ours. */
  async function privateKeyOf(KeyId: string): Promise<Buffer> {
    const [entry] = await store.list(`material/${KeyId}/`, { limit: 2 });
    const record = Buffer.from(entry?.value ?? []);
    return unwrap(rootKey, record.subarray(0, headerLength), record.subarray(headerLength));
  }

  /** docs/envelope.md section 6: the length of the header, the header, the wrapped key. */
  function privateKeyOfToken(token: Buffer): Buffer {
    const end = 4 + token.readUInt32BE(0);
    return unwrap(rootKey, token.subarray(4, end), token.subarray(end));
  }

  function expectNothingOf(pkcs8: Buffer): void {
    const needles = needlesOf(pkcs8);
    expect(countInMemory(child.pid as number, needles)).toEqual(needles.map(() => 0));
  }

  // What may be kept for the next request is the encoded key, once, where secrets are kept; it is let go
  // when others may have changed the store.
  function expectSecretPagesOnly(pkcs8: Buffer): void {
    const needles = needlesOf(pkcs8);
    const pid = child.pid as number;
    expect(countInMemory(pid, needles, 'outside secret pages')).toEqual(needles.map(() => 0));
    const [encoded = 0, ...others] = countInMemory(pid, needles.slice(0, 2));
    expect(encoded).toBeLessThanOrEqual(1);
    expect(others).toEqual([0]);
  }

  beforeAll(async () => {
    child = fork(script, [`sqlite:${folder}/store.db`, file], { execArgv: ['--expose-gc'] });
    await once(child, 'message');
    store = await SqliteStore.open(`${folder}/store.db`);
    rootKey = readFileSync(file);
  });

  afterAll(async () => {
    child.kill();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  test.each(uses)(
    'holds a key of $KeySpec for $KeyUsage nowhere but in secret pages',
    async (use) => {
      const { KeyId = '' } = await ask('create', use);
      const pkcs8 = await privateKeyOf(KeyId);
      expectNothingOf(pkcs8);
      await ask('use', { ...use, KeyId });
      expectSecretPagesOnly(pkcs8);
    },
  );

  test.each([
    signing('RSA_2048', 'RSASSA_PSS_SHA_256'),
    signing('ECC_NIST_EDWARDS25519', 'ED25519_SHA_512'),
    agreement('ECC_NIST_P521'),
  ])('holds an imported key of $KeySpec in the same way', async (use) => {
    const pkcs8 = pkcs8Of(generateWithNode(use.KeySpec));
    const { KeyId = '' } = await ask('create', { ...use, Origin: 'EXTERNAL' });
    const { publicKey = '', token = '' } = await ask('parametersForImport', { KeyId });
    const wrappingKey = privateKeyOfToken(Buffer.from(token, 'base64'));
    const wrapped = wrapHybrid(publicKeyOf(Buffer.from(publicKey, 'base64')), 'sha256', pkcs8);
    await ask('import', { KeyId, token, wrapped: wrapped.toString('base64') });
    expectNothingOf(pkcs8);
    await ask('use', { ...use, KeyId });
    expectSecretPagesOnly(pkcs8);
    expectNothingOf(wrappingKey);
  });

  test('holds what JavaScript was shown, which proves that the search finds keys', async () => {
    const pkcs8 = pkcs8Of(generateWithNode('ECC_NIST_P256'));
    await ask('keep', { secret: pkcs8.toString('base64') });
    const [needle] = needlesOf(pkcs8) as [Buffer];
    const found = countInMemory(child.pid as number, [needle], 'outside secret pages');
    expect(found[0]).toBeGreaterThan(0);
  });
});
