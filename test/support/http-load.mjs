// Requests of many kinds over many connections, made by the JavaScript SDK, which signs them. Every
// answer is checked to be that of its request.
import { randomBytes, randomInt } from 'node:crypto';
import http from 'node:http';
import { KMS } from '@aws-sdk/client-kms';

const numKeys = 20;

/** @param {{ url: string, credentials: object, connections: number }} options */
export async function openLoad({ url, credentials, connections }) {
  const client = new KMS({
    endpoint: url,
    region: 'us-east-1',
    credentials,
    // So that what is lost is seen.
    maxAttempts: 1,
    requestHandler: { httpAgent: new http.Agent({ keepAlive: true, maxSockets: connections }) },
  });
  const keys = await Promise.all(
    Array.from({ length: numKeys }, async () => (await client.createKey({})).KeyMetadata),
  );
  const requestIds = new Set();

  /** One lane makes a request after another, so that as many are under way as there are lanes. */
  async function lane(state) {
    while (state.begun < state.count) {
      const kind = kinds[state.begun++ % kinds.length];
      try {
        const { $metadata } = await kind(client, keys[randomInt(numKeys)]);
        if (requestIds.has($metadata.requestId)) throw new Error('a request id came twice');
        requestIds.add($metadata.requestId);
        state.answered++;
      } catch (error) {
        state.failures.push(`${error.name}: ${error.message}`);
      }
    }
  }

  return {
    client,
    keys,
    /** Makes `count` requests. Resolves to how many were answered as they should, and the failures. */
    async run(count) {
      const state = { count, begun: 0, answered: 0, failures: [] };
      await Promise.all(Array.from({ length: connections }, () => lane(state)));
      const { answered, failures } = state;
      return { answered, failures };
    },
    close: () => client.destroy(),
  };
}

function mustEqual(actual, expected) {
  if (actual !== expected) throw new Error(`${actual} instead of ${expected}`);
}

const text = (bytes) => Buffer.from(bytes).toString('base64');

/** Each makes a request that no other one is like, and throws if the answer is another one's. */
const kinds = [
  async function describes(client, { KeyId, Arn }) {
    const response = await client.describeKey({ KeyId });
    mustEqual(response.KeyMetadata.Arn, Arn);
    return response;
  },
  async function sealsAndOpens(client, { KeyId, Arn }) {
    const Plaintext = randomBytes(randomInt(1, 4096));
    const EncryptionContext = { id: randomBytes(8).toString('hex') };
    const { CiphertextBlob } = await client.encrypt({ KeyId, Plaintext, EncryptionContext });
    const response = await client.decrypt({ CiphertextBlob, EncryptionContext });
    mustEqual(response.KeyId, Arn);
    mustEqual(text(response.Plaintext), text(Plaintext));
    return response;
  },
  async function asksForRandomBytes(client) {
    const NumberOfBytes = randomInt(1, 1024);
    const response = await client.generateRandom({ NumberOfBytes });
    mustEqual(response.Plaintext.length, NumberOfBytes);
    return response;
  },
  async function fails(client) {
    const KeyId = `alias/${randomBytes(8).toString('hex')}`;
    const error = await client.describeKey({ KeyId }).then(
      () => new Error('an alias was found that does not exist'),
      (thrown) => thrown,
    );
    if (error.name !== 'NotFoundException' || !error.message.includes(KeyId)) throw error;
    return error;
  },
  async function makesDataKey(client, { KeyId }) {
    const response = await client.generateDataKey({ KeyId, KeySpec: 'AES_256' });
    const { CiphertextBlob } = response;
    const { Plaintext } = await client.decrypt({ CiphertextBlob });
    mustEqual(text(Plaintext), text(response.Plaintext));
    return response;
  },
  async function mintsPair(client, { KeyId, Arn }) {
    const KeyPairSpec = 'ECC_NIST_P256';
    const response = await client.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec });
    mustEqual(response.KeyId, Arn);
    mustEqual(response.KeyPairSpec, KeyPairSpec);
    return response;
  },
];
