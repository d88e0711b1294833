import { readFileSync, writeFileSync } from 'node:fs';
import * as sdk from '@aws-sdk/client-kms';
import { KMS, type KMSClientConfig } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { operationShapes, type ShapeName, shapes } from '../../../lib/model/shapes.ts';
import type { OfferedOperation } from '../../../lib/operations/index.ts';
import type { Pairmint } from '../../../lib/service/pairmint.ts';
import {
  everyOperation,
  everyRequest,
  neverServed,
  newGrant,
  policyText,
  somebody,
} from '../../operations/every-request.ts';
import { newKey } from '../../operations/support.ts';
import { root, startServer } from '../../support/server-process.mjs';
import { everyFailure } from './every-failure.ts';

const modelFile = new URL('../../../lib/model/service-2.json', import.meta.url);
const model = JSON.parse(readFileSync(modelFile, 'utf8')) as { operations: object };

let server: Awaited<ReturnType<typeof startServer>>;
let credentials: Awaited<ReturnType<typeof server.accessKey>>;
let client: KMS;
/** The same client by the type of our own service, whose methods it has: requests are made with it. */
let kms: Pairmint;

beforeAll(async () => {
  server = await startServer();
  credentials = await server.accessKey();
  client = clientOf({ credentials });
  kms = client as unknown as Pairmint;
});
afterAll(async () => {
  client.destroy();
  expect(await server.stop()).toBe(0);
});

function clientOf(config: KMSClientConfig): KMS {
  return new KMS({ endpoint: server.url, region: 'us-east-1', ...config });
}

/** For one test. */
function otherClient(config: KMSClientConfig): KMS {
  const client = clientOf(config);
  onTestFinished(() => client.destroy());
  return client;
}

type Call = (request: object) => Promise<{ $metadata: sdk.KMSServiceException['$metadata'] }>;

function call(operation: OfferedOperation, request: object) {
  const method = `${operation.charAt(0).toLowerCase()}${operation.slice(1)}` as 'decrypt';
  return (client[method] as Call).call(client, request);
}

function caught(request: Promise<unknown>): Promise<sdk.KMSServiceException> {
  return request.then(
    () => Promise.reject(new Error('expected a failure')),
    (error) => error,
  );
}

const metadata = {
  attempts: 1,
  requestId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
};

const yearAndDay = 366 * 86_400_000;

/** Complains of members of a response that are not what the model says the SDK makes of them. */
function expectShape(name: ShapeName, value: unknown, path: string): void {
  const shape = shapes[name];
  if (shape.type === 'structure') {
    for (const [member, inner] of Object.entries(value as object)) {
      // The SDK's own, and members that it has and the service did not send.
      if (member === '$metadata' || inner === undefined) continue;
      const memberShape = shape.members[member];
      expect(memberShape, `${path}.${member}`).toBeDefined();
      expectShape(memberShape as ShapeName, inner, `${path}.${member}`);
    }
  } else if (shape.type === 'list') {
    for (const [i, inner] of (value as unknown[]).entries()) {
      expectShape(shape.member, inner, `${path}[${i}]`);
    }
  } else if (shape.type === 'timestamp') {
    expect(value, path).toBeInstanceOf(Date);
    // Far off where seconds and milliseconds are mistaken for one another.
    expect(Math.abs((value as Date).getTime() - Date.now()), path).toBeLessThan(yearAndDay);
  } else if (shape.type === 'blob') {
    expect(value, path).toBeInstanceOf(Uint8Array);
    expect((value as Uint8Array).length, path).toBeGreaterThan(0);
  } else {
    const type = {
      string: 'string',
      integer: 'number',
      boolean: 'boolean',
      map: 'object',
    } as const;
    expect(typeof value, path).toBe(type[shape.type]);
  }
}

describe('every operation of AWS’s model', () => {
  it('has a request that succeeds, one that fails, and a method of the SDK', () => {
    const names = Object.keys(model.operations);
    expect(Object.keys(everyRequest)).toEqual(names);
    expect(Object.keys(everyFailure).sort()).toEqual([...names].sort());
    for (const name of names) expect(sdk, name).toHaveProperty(`${name}Command`);
  });

  it.each(everyOperation.filter((name) => !neverServed.has(name)))(
    '%s is answered with the types of the SDK',
    async (name) => {
      const response = await call(name, await everyRequest[name](kms));
      expect(response.$metadata).toMatchObject({ httpStatusCode: 200, ...metadata });
      const { output } = operationShapes[name];
      if (output === undefined) expect(Object.keys(response)).toEqual(['$metadata']);
      else expectShape(output, response, name);
    },
  );

  it.each(everyOperation)('%s fails with an exception of the SDK, at once', async (name) => {
    const [expected, prepare] = everyFailure[name];
    const error = await caught(call(name, await prepare(kms)));
    expect(`${error.name}: ${error.message}`).toMatch(new RegExp(`^${expected}: .`));
    expect(error).toMatchObject({
      $fault: 'client',
      $metadata: { httpStatusCode: 400, ...metadata },
    });
    // Of those that the model names, the SDK has classes.
    const ErrorClass = new Map<string, unknown>(Object.entries(sdk)).get(expected);
    expect(error).toBeInstanceOf(ErrorClass ?? sdk.KMSServiceException);
  });
});

describe('lists are read page by page:', () => {
  const paginators = Object.entries(sdk).flatMap(([name, read]) =>
    /^paginateList/.test(name) ? [[name, read as typeof sdk.paginateListKeys] as const] : [],
  );
  const count = 3;
  let KeyId: string;

  beforeAll(async () => {
    const Tags = Array.from({ length: count }, (_, i) => ({ TagKey: `${i}`, TagValue: 'x' }));
    KeyId = (await newKey(kms, { Tags })).KeyId;
    for (let i = 0; i < count; i++) {
      await kms.createAlias({ AliasName: `alias/page-${i}`, TargetKeyId: KeyId });
      await newGrant(kms, KeyId, { RetiringPrincipal: somebody });
      await newKey(kms);
      await kms.rotateKeyOnDemand({ KeyId });
    }
  });

  it.each(paginators)('%s', async (name, paginate) => {
    const request: object =
      name === 'paginateListRetirableGrants' ? { RetiringPrincipal: somebody } : { KeyId };
    const pages: unknown[][] = [];
    for await (const page of paginate({ client, pageSize: 1 }, request)) {
      pages.push(Object.values(page).find(Array.isArray) ?? []);
    }
    const found = pages.flat().map((item) => JSON.stringify(item));
    expect(new Set(found).size).toBe(found.length);
    // A key has one policy, called default.
    const least = name === 'paginateListKeyPolicies' ? 1 : count;
    expect(found.length).toBeGreaterThanOrEqual(least);
    for (const page of pages) expect(page.length).toBeLessThanOrEqual(1);
  });

  it('every list has a test of its own', () => {
    const lists = Object.keys(model.operations).filter((name) => /^List/.test(name));
    expect(paginators.map(([name]) => name).sort()).toEqual(lists.map((name) => `paginate${name}`));
  });
});

describe('access keys', () => {
  it('of sessions are good with their token until they expire', async () => {
    const session = await server.accessKey(root, '--duration-seconds', '3');
    const until = Date.now() + 3000;
    const own = otherClient({ credentials: session });
    await own.listKeys({});
    const { sessionToken, ...withoutToken } = session;
    for (const wrong of [withoutToken, { ...session, sessionToken: 'x' }]) {
      const error = await caught(otherClient({ credentials: wrong }).listKeys({}));
      expect(error.name).toBe('UnrecognizedClientException');
    }
    await new Promise((resolve) => setTimeout(resolve, until - Date.now() + 100));
    expect(await caught(own.listKeys({}))).toMatchObject({
      name: 'ExpiredTokenException',
      $metadata: { httpStatusCode: 400, ...metadata },
    });
  });

  it.each([
    ['a wrong secret', { secretAccessKey: 'x' }, 'InvalidSignatureException'],
    ['an unknown id', { accessKeyId: 'AKIAIOSFODNN7EXAMPLE' }, 'UnrecognizedClientException'],
    ['a foreign session token', { sessionToken: 'x' }, 'UnrecognizedClientException'],
  ])('with %s are refused, and the SDK does not try again', async (_title, wrong, name) => {
    const own = otherClient({ credentials: { ...credentials, ...wrong } });
    expect(await caught(own.listKeys({}))).toMatchObject({
      name,
      $metadata: { httpStatusCode: 400, ...metadata },
    });
  });

  it('are refused if the region is malformed', async () => {
    const own = otherClient({ credentials, region: 'local' });
    expect(await caught(own.listKeys({}))).toMatchObject({
      name: 'InvalidSignatureException',
      message: "Credential should be scoped to a valid region, not 'local'.",
    });
  });

  it('act as their principal, within its policies', async () => {
    const allowed = { Effect: 'Allow', Action: ['kms:CreateKey', 'kms:Encrypt'], Resource: '*' };
    const file = `${server.home}/policy.json`;
    writeFileSync(file, policyText(allowed));
    const own = otherClient({
      credentials: await server.accessKey(somebody, '--identity-policy', file),
    });
    const { KeyMetadata: { KeyId } = {} } = await own.createKey({});
    const { CiphertextBlob } = await own.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    expect(await caught(own.decrypt({ CiphertextBlob }))).toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining(`User: ${somebody} is not authorized to perform`),
    });
  });
});

describe('one endpoint serves every region:', () => {
  const regions = ['us-east-1', 'us-west-2', 'eu-central-1'] as const;
  const clients = () => regions.map((region) => otherClient({ credentials, region }));

  it('each has keys and aliases of its own', async () => {
    const AliasName = 'alias/of-every-region';
    const keys = await Promise.all(
      clients().map(async (own) => {
        const { KeyMetadata: { KeyId, Arn } = {} } = await own.createKey({});
        await own.createAlias({ AliasName, TargetKeyId: KeyId });
        return { KeyId, Arn };
      }),
    );
    for (const [i, own] of clients().entries()) {
      const { KeyMetadata } = await own.describeKey({ KeyId: AliasName });
      expect(KeyMetadata?.Arn).toBe(keys[i]?.Arn);
      expect(KeyMetadata?.Arn).toContain(`:kms:${regions[i]}:`);
      const { KeyId, Arn } = keys[(i + 1) % regions.length] ?? {};
      expect(await caught(own.describeKey({ KeyId }))).toMatchObject({
        name: 'NotFoundException',
      });
      expect(await caught(own.describeKey({ KeyId: Arn }))).toMatchObject({
        message: `Invalid arn ${regions[(i + 1) % regions.length]}`,
      });
    }
  });

  it('a multi-Region key is replicated, opens what its primary sealed, and becomes the primary', async () => {
    const [east, west, central] = clients() as [KMS, KMS, KMS];
    const { KeyMetadata: { KeyId } = {} } = await east.createKey({ MultiRegion: true });
    for (const ReplicaRegion of regions.slice(1)) await east.replicateKey({ KeyId, ReplicaRegion });
    const Plaintext = Uint8Array.from([1, 2, 3]);
    const { CiphertextBlob } = await east.encrypt({ KeyId, Plaintext });
    for (const own of [west, central]) {
      const opened = await own.decrypt({ CiphertextBlob, KeyId });
      expect(opened.Plaintext).toEqual(Plaintext);
    }
    await east.updatePrimaryRegion({ KeyId, PrimaryRegion: 'us-west-2' });
    const { KeyMetadata } = await west.describeKey({ KeyId });
    expect(KeyMetadata?.MultiRegionConfiguration).toMatchObject({
      MultiRegionKeyType: 'PRIMARY',
      PrimaryKey: { Region: 'us-west-2' },
      ReplicaKeys: expect.arrayContaining([expect.objectContaining({ Region: 'us-east-1' })]),
    });
  });

  it('unless it is to serve one', async () => {
    const one = await startServer('--region', 'eu-central-1');
    onTestFinished(() => one.stop().then(() => undefined));
    const own = (region: string) =>
      one.accessKey().then((key) => otherClient({ endpoint: one.url, credentials: key, region }));
    const { KeyMetadata } = await (await own('eu-central-1')).createKey({});
    expect(KeyMetadata?.Arn).toContain(':kms:eu-central-1:');
    expect(await caught((await own('us-east-1')).listKeys({}))).toMatchObject({
      name: 'InvalidSignatureException',
      message: "Credential should be scoped to a valid region, not 'us-east-1'.",
    });
  });

  it('without authentication, too', async () => {
    const open = await startServer('--no-auth');
    onTestFinished(() => open.stop().then(() => undefined));
    for (const region of regions) {
      const own = otherClient({
        endpoint: open.url,
        region,
        credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
      });
      const { KeyMetadata } = await own.createKey({});
      expect(KeyMetadata?.Arn).toContain(`:kms:${region}:`);
    }
  });
});

describe('the SDK', () => {
  it('corrects a clock that is wrong by the server’s, and tries again', async () => {
    const own = otherClient({ credentials, systemClockOffset: -3_600_000 });
    expect((await own.listKeys({})).$metadata.attempts).toBe(2);
    expect((await own.listKeys({})).$metadata.attempts).toBe(1);
  });

  it('waits for nothing: KMS has no waiters', () => {
    expect(Object.keys(sdk).filter((name) => /^waitFor/.test(name))).toEqual([]);
  });

  it('reads texts and blobs as they were written', async () => {
    const Description = 'ü € 😀 "\\\n';
    const { KeyMetadata } = await client.createKey({ Description });
    expect(KeyMetadata?.Description).toBe(Description);
    const Plaintext = Uint8Array.from({ length: 256 }, (_, i) => i);
    const EncryptionContext = { 'ü €': '😀', '': 'empty' };
    const { KeyId } = KeyMetadata ?? {};
    const sealed = await client.encrypt({ KeyId, Plaintext, EncryptionContext });
    const { CiphertextBlob } = sealed;
    const opened = await client.decrypt({ CiphertextBlob, EncryptionContext });
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Buffer.from(Plaintext));
  });

  it('gives every answer to its request when many are made at once', async () => {
    const { KeyId } = await newKey(kms);
    const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`);
    const opened = texts.map(async (text) => {
      const { CiphertextBlob } = await client.encrypt({ KeyId, Plaintext: Buffer.from(text) });
      const { Plaintext = [] } = await client.decrypt({ CiphertextBlob });
      return Buffer.from(Plaintext).toString();
    });
    expect(await Promise.all(opened)).toEqual(texts);
  });
});
