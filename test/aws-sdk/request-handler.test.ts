// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import {
  CreateKeyCommand,
  DecryptCommand,
  DisableKeyCommand,
  EncryptCommand,
  GenerateDataKeyPairCommand,
  KMSClient,
  paginateListKeys,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pairmintRequestHandler } from '../../lib/aws-sdk/index.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { openKms } from '../operations/support.ts';

let kms: Pairmint;
let client: KMSClient;

beforeAll(async () => {
  kms = await openKms();
  client = clientOf(kms);
});
afterAll(() => kms.close());

function clientOf(service: Pairmint, region = 'us-east-1'): KMSClient {
  return new KMSClient({
    region,
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    requestHandler: pairmintRequestHandler(service),
  });
}

async function newKeyId(): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  return KeyMetadata?.KeyId ?? '';
}

describe('a KMSClient without a socket', () => {
  it('is served in its own region', async () => {
    const west = clientOf(kms, 'us-west-2');
    const { KeyMetadata } = await west.send(new CreateKeyCommand({}));
    expect(KeyMetadata?.Arn).toContain(':kms:us-west-2:');
  });

  it('takes and gives the types of the SDK', async () => {
    const KeyId = await newKeyId();
    const Plaintext = Buffer.from('attack at dawn');
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext }));
    expect(CiphertextBlob).toBeInstanceOf(Uint8Array);
    const decrypted = await client.send(new DecryptCommand({ CiphertextBlob }));
    expect(Buffer.from(decrypted.Plaintext ?? [])).toEqual(Plaintext);
    expect(decrypted.$metadata).toMatchObject({
      httpStatusCode: 200,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('gives the exceptions of the SDK', async () => {
    const KeyId = await newKeyId();
    await client.send(new DisableKeyCommand({ KeyId }));
    const failure = client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }));
    await expect(failure).rejects.toMatchObject({
      name: 'DisabledException',
      message: expect.stringMatching(/ is disabled\.$/),
      $fault: 'client',
      $metadata: { httpStatusCode: 400 },
    });
  });

  // [BC] the SDK finds no text in the body and says so.
  it('gives exceptions without a message', async () => {
    const CiphertextBlob = Buffer.from('no blob');
    await expect(client.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
      name: 'InvalidCiphertextException',
      message: 'UnknownError',
    });
  });

  it('reads lists page by page', async () => {
    const created = [await newKeyId(), await newKeyId(), await newKeyId()];
    const found: (string | undefined)[] = [];
    for await (const { Keys = [] } of paginateListKeys({ client, pageSize: 1 }, {})) {
      expect(Keys.length).toBeLessThanOrEqual(1);
      found.push(...Keys.map(({ KeyId }) => KeyId));
    }
    expect(found).toEqual(expect.arrayContaining(created));
  });

  it('acts as the caller of the service, not of its credentials', async () => {
    const stranger = clientOf(kms.as('arn:aws:iam::111122223333:user/mallory'));
    const KeyId = `arn:aws:kms:us-east-1:000000000000:key/${await newKeyId()}`;
    const request = new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') });
    await expect(stranger.send(request)).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('arn:aws:iam::111122223333:user/mallory'),
    });
  });

  it('abandons a request whose signal is aborted', async () => {
    const KeyId = await newKeyId();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 5);
    const request = new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: 'RSA_4096' });
    const sent = client.send(request, { abortSignal: controller.signal });
    await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('leaves the service open when it is destroyed', async () => {
    clientOf(kms).destroy();
    await expect(kms.listKeys({})).resolves.toBeDefined();
  });
});
