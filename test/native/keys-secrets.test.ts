import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeySpec } from '../../lib/model/types.ts';
import { internalsFile } from '../support/internals.ts';
import { generateWithNode, pkcs8Of, publicKeyOf, spkiOf, wrapHybrid } from '../support/kms-keys.ts';
import { countInMemory, needlesOf } from '../support/process-memory.ts';

const script = fileURLToPath(new URL('../support/signing-process.mjs', import.meta.url));

type Use = { operation: string; algorithm?: string };

const agreement = { operation: 'deriveSharedSecret' };
const signing = (algorithm: string) => ({ operation: 'sign', algorithm });
const decryption = (algorithm: string) => ({ operation: 'decryptWithPrivateKey', algorithm });

const uses: [KeySpec, Use[]][] = [
  [
    'RSA_2048',
    [
      signing('RSASSA_PSS_SHA_256'),
      signing('RSASSA_PKCS1_V1_5_SHA_512'),
      decryption('RSAES_OAEP_SHA_256'),
    ],
  ],
  ['ECC_NIST_P256', [signing('ECDSA_SHA_256'), agreement]],
  ['ECC_NIST_P384', [signing('ECDSA_SHA_384'), agreement]],
  ['ECC_NIST_P521', [signing('ECDSA_SHA_512'), agreement]],
  ['ECC_SECG_P256K1', [signing('ECDSA_SHA_256')]],
  ['ECC_NIST_EDWARDS25519', [signing('ED25519_SHA_512')]],
];

// Under AddressSanitizer a process has terabytes of memory, and what is freed is kept on purpose.
const searchable = process.platform === 'linux' && process.env.PAIRMINT_INTERNALS === undefined;

describe.runIf(searchable)('the memory of a process', () => {
  let child: ChildProcess;

  async function ask(task: string, args = {}): Promise<string> {
    child.send({ task, ...args });
    const [{ answer }] = await once(child, 'message');
    return answer;
  }

  beforeAll(async () => {
    child = fork(script, [internalsFile], { execArgv: ['--expose-gc'] });
    await once(child, 'message');
  });

  afterAll(() => {
    child.kill();
  });

  it.each(uses)('holds nothing of a key of %s that was imported and used', async (spec, use) => {
    const key = generateWithNode(spec);
    const wrappingKey = publicKeyOf(Buffer.from(await ask('createToken'), 'base64'));
    const wrapped = wrapHybrid(wrappingKey, 'sha256', pkcs8Of(key)).toString('base64');
    await ask('importAndUse', { spec, wrapped, uses: use });
    const needles = needlesOf(pkcs8Of(key));
    expect(countInMemory(child.pid as number, needles)).toEqual(needles.map(() => 0));
    // What was imported is found where it must be, so that this search finds what is there.
    const publicBytes = Buffer.from(spkiOf(key)).subarray(-24, -8);
    expect(countInMemory(child.pid as number, [publicBytes])).not.toEqual([0]);
  });
});
