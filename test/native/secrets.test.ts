import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { countInMemory, needlesOf } from '../support/process-memory.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-secrets-'));
const store = `sqlite:${folder}/store.db`;
const file = `${folder}/root.key`;
const script = fileURLToPath(new URL('../support/minting-process.mjs', import.meta.url));

let kms: Pairmint;
let child: ChildProcess;

async function mintInChild(operation: string, spec: string): Promise<Buffer> {
  child.send({ operation, spec });
  const [{ blob }] = await once(child, 'message');
  const opened = await kms.decrypt({ CiphertextBlob: Buffer.from(blob, 'base64') });
  return Buffer.from(opened.Plaintext as Uint8Array);
}

beforeAll(async () => {
  kms = await Pairmint.open({ store, rootKey: { file } });
  await kms.describeKey({ KeyId: 'alias/pairmint/default' });
  child = fork(script, [store, file]);
  await once(child, 'message');
});

afterAll(async () => {
  child.kill();
  await kms.close();
  rmSync(folder, { recursive: true });
});

describe.runIf(process.platform === 'linux')('the memory of a process', () => {
  it.each([
    'ECC_NIST_P256',
    'ECC_NIST_P384',
    'ECC_NIST_P521',
    'ECC_SECG_P256K1',
    'ECC_NIST_EDWARDS25519',
    'RSA_2048',
  ])('holds nothing of a private key of %s that it minted without plaintext', async (spec) => {
    const pkcs8 = await mintInChild('GenerateDataKeyPairWithoutPlaintext', spec);
    const needles = needlesOf(pkcs8);
    expect(countInMemory(child.pid as number, needles)).toEqual(needles.map(() => 0));
  });

  // 64 pairs before them decide whether masks save time (native/ec/lone.cc).
  it.each(['ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'])(
    'holds nothing of a private key of %s that was checked under a mask',
    async (spec) => {
      for (let i = 0; i < 64; i++) await mintInChild('GenerateDataKeyPairWithoutPlaintext', spec);
      const pkcs8 = await mintInChild('GenerateDataKeyPairWithoutPlaintext', spec);
      const needles = needlesOf(pkcs8);
      expect(countInMemory(child.pid as number, needles)).toEqual(needles.map(() => 0));
    },
  );

  it('does hold a private key that it was asked to show, so that this search finds what is there', async () => {
    const pkcs8 = await mintInChild('GenerateDataKeyPair', 'ECC_NIST_P256');
    expect(countInMemory(child.pid as number, [needlesOf(pkcs8)[0] as Buffer])).not.toEqual([0]);
  });
});
