import crypto from 'node:crypto';
import { buildClient, CommitmentPolicy, KMS, KmsKeyringNode } from '@aws-crypto/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer } from '../../support/server-process.mjs';

const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const context = { purpose: 'test', 'ü €': '😀' };
const message = crypto.randomBytes(100_000);

let server: Awaited<ReturnType<typeof startServer>>;
let client: KMS;
/** ARNs of two keys: the Encryption SDK takes nothing else to decrypt with. */
let first: string;
let second: string;

beforeAll(async () => {
  server = await startServer();
  const credentials = await server.accessKey();
  client = new KMS({ endpoint: server.url, region: 'us-east-1', credentials });
  [first = '', second = ''] = [await newKeyArn(), await newKeyArn()];
});
afterAll(async () => {
  client.destroy();
  expect(await server.stop()).toBe(0);
});

async function newKeyArn(): Promise<string> {
  return (await client.createKey({})).KeyMetadata?.Arn ?? '';
}

type KeyringInput = Required<NonNullable<ConstructorParameters<typeof KmsKeyringNode>[0]>>;

function keyring(input: Partial<KeyringInput>): KmsKeyringNode {
  // Its types are not for exactOptionalPropertyTypes.
  const clientProvider = (() => client) as unknown as KeyringInput['clientProvider'];
  return new KmsKeyringNode({ clientProvider, ...input });
}

describe('the Encryption SDK with a KMS keyring', () => {
  it('opens what it sealed, under the context that it was sealed with', async () => {
    const ring = keyring({ generatorKeyId: first });
    const { result } = await encrypt(ring, message, { encryptionContext: context });
    const { plaintext, messageHeader } = await decrypt(ring, result);
    expect(plaintext.equals(message)).toBe(true);
    expect(messageHeader.encryptionContext).toMatchObject(context);
    expect(messageHeader.encryptedDataKeys.map(({ providerInfo }) => providerInfo)).toEqual([
      first,
    ]);
  });

  it('seals for several keys, each of which opens it alone', async () => {
    const both = keyring({ generatorKeyId: first, keyIds: [second] });
    const { result } = await encrypt(both, message, { encryptionContext: context });
    for (const KeyId of [first, second]) {
      const { plaintext } = await decrypt(keyring({ keyIds: [KeyId] }), result);
      expect(plaintext.equals(message)).toBe(true);
    }
    await client.disableKey({ KeyId: first });
    expect((await decrypt(both, result)).plaintext.equals(message)).toBe(true);
    await client.enableKey({ KeyId: first });
  });

  it('finds the key by itself', async () => {
    const { result } = await encrypt(keyring({ generatorKeyId: second }), message);
    const { plaintext } = await decrypt(keyring({ discovery: true }), result);
    expect(plaintext.equals(message)).toBe(true);
  });

  it('does not open what was sealed for another key', async () => {
    const { result } = await encrypt(keyring({ generatorKeyId: first }), message);
    await expect(decrypt(keyring({ keyIds: [second] }), result)).rejects.toThrow(
      'unencryptedDataKey has not been set',
    );
  });

  it('does not open a message whose context was changed: the server refuses the data key', async () => {
    const ring = keyring({ generatorKeyId: first });
    const { result } = await encrypt(ring, message, { encryptionContext: context });
    const at = result.indexOf('purpose');
    result.write('Purpose', at);
    await expect(decrypt(ring, result)).rejects.toThrow('InvalidCiphertextException');
  });
});
