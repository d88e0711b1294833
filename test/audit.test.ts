// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { KmsError } from '../lib/model/errors.ts';
import { type AuditEvent, type AuditSink, auditFile } from '../lib/service/audit.ts';
import { Pairmint } from '../lib/service/pairmint.ts';
import { MemoryStore } from '../lib/store/memory-store.ts';
import { SqliteStore } from '../lib/store/sqlite/sqlite-store.ts';
import {
  everyOperation,
  everyRequest,
  neverServed,
  newGrant,
  nothingAllowed,
  outcomePattern,
  policyText,
  somebody,
} from './operations/every-request.ts';
import {
  absentKeyId,
  accountId,
  failureText,
  keyArn,
  newBlob,
  newKey,
  outcomeOf,
  region,
  caller as root,
} from './operations/support.ts';
import { temporaryFolder } from './support/folders.ts';

const notRecorded =
  'KMSInternalException: The audit could not record the request, which was therefore not carried out.';

/** A service in memory that is audited by `audit`. */
function openAudited(audit: AuditSink): Promise<Pairmint> {
  return Pairmint.open({ store: 'memory:', region, accountId, audit });
}

async function recording(): Promise<{ kms: Pairmint; events: AuditEvent[] }> {
  const events: AuditEvent[] = [];
  const kms = await openAudited((event) => void events.push(event));
  return { kms, events };
}

const prepareOf = (operation: (typeof everyOperation)[number]) =>
  everyRequest[operation] as (kms: Pairmint) => Promise<object>;

// CloudTrail's events say readOnly false of these [DG ct-*].
const changing = new Set([
  'CancelKeyDeletion',
  'ConnectCustomKeyStore',
  'CreateAlias',
  'CreateCustomKeyStore',
  'CreateGrant',
  'CreateKey',
  'DeleteAlias',
  'DeleteCustomKeyStore',
  'DeleteImportedKeyMaterial',
  'DisableKey',
  'DisableKeyRotation',
  'DisconnectCustomKeyStore',
  'EnableKey',
  'EnableKeyRotation',
  'ImportKeyMaterial',
  'PutKeyPolicy',
  'ReplicateKey',
  'RetireGrant',
  'RevokeGrant',
  'RotateKeyOnDemand',
  'ScheduleKeyDeletion',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateCustomKeyStore',
  'UpdateKeyDescription',
  'UpdatePrimaryRegion',
]);
const ofNoKey = /CustomKeyStore|^(GenerateRandom|ListAliases|ListKeys|ListRetirableGrants)$/;

/** Everything in a request or an answer that no line may have: bytes, tokens, passwords. */
function secretsOf(value: unknown, name = ''): Buffer[] {
  if (value instanceof Uint8Array) return [Buffer.from(value)];
  if (typeof value === 'string') return /Token|Password/.test(name) ? [Buffer.from(value)] : [];
  if (Array.isArray(value)) return value.flatMap((item) => secretsOf(item, name));
  if (value === null || typeof value !== 'object' || value instanceof Date) return [];
  return Object.entries(value).flatMap(([key, member]) => secretsOf(member, key));
}

function leaks(line: string, secrets: readonly Buffer[]): string[] {
  return secrets
    .flatMap((secret) => [
      secret.toString('base64').replaceAll('=', ''),
      secret.toString('base64url'),
      secret.toString('hex'),
      secret.toString('utf8'),
      JSON.stringify([...secret]).slice(1, -1),
      JSON.stringify(Uint8Array.from(secret)).slice(1, -1),
    ])
    .filter((spelling) => line.toLowerCase().includes(spelling.toLowerCase()));
}

describe.each(everyOperation)('%s', (operation) => {
  test('leaves one line, which says who did what to which key, and nothing secret', async () => {
    const { kms, events } = await recording();
    const request = await prepareOf(operation)(kms);
    events.length = 0;
    const requestId = 'a-request';
    const answer = await kms.call(operation, request, { requestId }).catch(() => ({}));
    expect(events).toHaveLength(1);
    const [event] = events as [AuditEvent];
    expect(event).toMatchObject({
      eventSource: 'kms.amazonaws.com',
      eventName: operation,
      requestID: requestId,
      awsRegion: region,
      recipientAccountId: accountId,
      userIdentity: { type: 'Root', arn: root, accountId },
      readOnly: !changing.has(operation),
      requestParameters: expect.any(Object),
    });
    expect(event.errorCode).toBe(neverServed.get(operation));
    expect(event.eventID).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Date(event.eventTime).toISOString()).toBe(event.eventTime);
    const type = 'AWS::KMS::Key';
    if (ofNoKey.test(operation)) expect(event.resources).toEqual([]);
    else
      expect(event.resources).toContainEqual({ ARN: expect.stringMatching(/^arn:.*:key\//), type });

    const line = JSON.stringify(event);
    expect(line).not.toContain('\n');
    const secrets = [...secretsOf(request), ...secretsOf(answer)];
    expect(leaks(line, secrets)).toEqual([]);
    for (const secret of secrets) {
      expect(leaks(line + secret.toString('base64'), secrets), 'the search itself').not.toEqual([]);
    }
  });

  test('leaves one line, with AccessDeniedException and the caller, if it is refused', async () => {
    const { kms, events } = await recording();
    const request = await prepareOf(operation)(kms);
    events.length = 0;
    const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
    const { length } = (await failureText(nobody.call(operation, request))).match(/.*/) ?? [];
    expect(length).toBe(1);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      eventName: operation,
      readOnly: !changing.has(operation),
      userIdentity: { type: 'IAMUser', arn: somebody, accountId, userName: 'somebody' },
      errorCode: 'AccessDeniedException',
      errorMessage: expect.stringContaining(`User: ${somebody} is not authorized to perform`),
    });
    expect(leaks(JSON.stringify(events), secretsOf(request))).toEqual([]);
  });
});

describe('a line', () => {
  test('has the request, with the encryption context, as CloudTrail spells it', async () => {
    const { kms, events } = await recording();
    const { KeyId, Arn } = await newKey(kms);
    events.length = 0;
    const session = `arn:aws:sts::${accountId}:assumed-role/app/i-0448`;
    await kms.as(session).generateDataKeyPairWithoutPlaintext({
      KeyId,
      KeyPairSpec: 'ECC_NIST_P256',
      EncryptionContext: { Department: 'ümläute\n', __proto__: 'x' },
      GrantTokens: [(await newGrant(kms, KeyId)).GrantToken],
    });
    const event = events.at(-1);
    expect(event?.requestParameters).toEqual({
      keyId: KeyId,
      keyPairSpec: 'ECC_NIST_P256',
      encryptionContext: { Department: 'ümläute\n' },
    });
    expect(event?.resources).toEqual([{ ARN: Arn, type: 'AWS::KMS::Key' }]);
    expect(event?.userIdentity).toEqual({ type: 'AssumedRole', arn: session, accountId });
    expect(event).not.toHaveProperty('errorCode');
    expect(event).not.toHaveProperty('errorMessage');
  });

  test('is there for each pair of a batch, and for none that is minted to wait in a pool', async () => {
    const { kms, events } = await recording();
    const { KeyId, Arn } = await newKey(kms);
    const pool = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    await kms.pools.create({ ...pool, target: 20 });
    await kms.pools.fill({ pool });
    events.length = 0;
    for await (const _ of kms.mintDataKeyPairs(pool, { count: 40 }));
    expect(events).toHaveLength(40);
    for (const id of ['requestID', 'eventID'] as const) {
      expect(new Set(events.map((event) => event[id])).size).toBe(40);
    }
    for (const event of events) {
      expect(event).toMatchObject({
        eventName: 'GenerateDataKeyPairWithoutPlaintext',
        requestParameters: { keyId: KeyId, keyPairSpec: 'ECC_NIST_P256' },
        resources: [{ ARN: Arn }],
      });
    }
    await kms.generateDataKeyPair(pool);
    expect(events.slice(40).map(({ eventName }) => eventName)).toEqual(['GenerateDataKeyPair']);
  });

  test('names the key that CreateKey makes, and both of ReplicateKey and ReEncrypt', async () => {
    const { kms, events } = await recording();
    const { KeyId, Arn } = await newKey(kms, { MultiRegion: true });
    expect(events.at(-1)?.resources.map(({ ARN }) => ARN)).toEqual([Arn]);
    await kms.replicateKey({ KeyId, ReplicaRegion: 'eu-west-1' });
    const replica = Arn.replace(region, 'eu-west-1');
    expect(events.at(-1)?.resources.map(({ ARN }) => ARN)).toEqual([Arn, replica]);
    const other = await newKey(kms);
    const CiphertextBlob = await newBlob(kms, KeyId);
    await kms.reEncrypt({ CiphertextBlob, DestinationKeyId: other.KeyId });
    expect(events.at(-1)?.resources.map(({ ARN }) => ARN)).toEqual([Arn, other.Arn]);
  });

  test('names the key of an alias, of a ciphertext and of a grant token', async () => {
    const { kms, events } = await recording();
    const { KeyId, Arn } = await newKey(kms);
    await kms.createAlias({ AliasName: 'alias/a', TargetKeyId: KeyId });
    const CiphertextBlob = await newBlob(kms, KeyId);
    const { GrantToken } = await newGrant(kms, KeyId);
    for (const ask of [
      () => kms.describeKey({ KeyId: 'alias/a' }),
      () => kms.decrypt({ CiphertextBlob }),
      () => kms.retireGrant({ GrantToken }),
      () => kms.deleteAlias({ AliasName: 'alias/a' }),
    ]) {
      await ask();
      expect(events.at(-1)?.resources).toEqual([{ ARN: Arn, type: 'AWS::KMS::Key' }]);
    }
  });

  test.each<[string, (kms: Pairmint) => Promise<unknown>, object]>([
    [
      'that does not fit the model',
      (kms) => kms.call('Encrypt', { KeyId: 'x', Plaintext: Buffer.alloc(5000) }),
      { errorCode: 'ValidationException', requestParameters: null, resources: [] },
    ],
    [
      'of no operation',
      (kms) => kms.call('Enc\nrypt', { Plaintext: Buffer.from('secret') }),
      { eventName: 'Enc\nrypt', errorCode: 'UnknownOperationException', requestParameters: null },
    ],
    [
      'about no key',
      (kms) => kms.describeKey({ KeyId: absentKeyId }),
      {
        errorCode: 'NotFoundException',
        errorMessage: `Key '${keyArn(absentKeyId)}' does not exist`,
        requestParameters: { keyId: absentKeyId },
        resources: [],
      },
    ],
    [
      'that was dry',
      (kms) =>
        newKey(kms).then(({ KeyId }) =>
          kms.encrypt({ KeyId, Plaintext: Buffer.from('x'), DryRun: true }),
        ),
      { errorCode: 'DryRunOperationException', requestParameters: { dryRun: true } },
    ],
    [
      'whose error has no message',
      (kms) =>
        newKey(kms).then(async ({ KeyId }) =>
          kms.decrypt({ KeyId, CiphertextBlob: Buffer.alloc(200) }),
        ),
      { errorCode: 'InvalidCiphertextException' },
    ],
    [
      'that was abandoned',
      (kms) => kms.createKey({}, { abortSignal: AbortSignal.abort() }),
      { eventName: 'CreateKey', errorCode: 'AbortError', readOnly: false },
    ],
    [
      'that was abandoned for no reason',
      (kms) => kms.listKeys({}, { abortSignal: AbortSignal.abort(null) }),
      { eventName: 'ListKeys', errorCode: 'AbortError', readOnly: true },
    ],
  ])('tells of a request %s', async (_what, ask, expected) => {
    const { kms, events } = await recording();
    await ask(kms).catch(() => {});
    expect(events.at(-1)).toMatchObject(expected);
    expect(events.at(-1)?.errorMessage).not.toBe('');
    expect(JSON.stringify(events)).not.toContain('\n');
  });

  test('does not repeat a value that does not fit the model', async () => {
    const { kms, events } = await recording();
    const { KeyId } = await newKey(kms);
    const { GrantToken } = await newGrant(kms, KeyId);
    for (const request of [
      { KeyId, Plaintext: Buffer.from('x'), GrantTokens: Array(11).fill(GrantToken) },
      { KeyId: GrantToken.repeat(20), Plaintext: Buffer.from('x') },
    ]) {
      // The caller is told, in AWS's words.
      expect(await failureText(kms.encrypt(request))).toContain(GrantToken);
      expect(events.at(-1)).toMatchObject({ errorCode: 'ValidationException' });
      expect(JSON.stringify(events.at(-1))).not.toContain(GrantToken);
    }
  });

  test('has an id of its own, and the id of its request or a fresh one', async () => {
    const { kms, events } = await recording();
    await kms.listKeys({}, { requestId: 'mine' });
    await kms.listKeys({});
    await kms.listKeys({});
    const ids = events.map(({ requestID }) => requestID);
    expect(ids[0]).toBe('mine');
    expect(new Set(ids).size).toBe(3);
    for (const id of ids.slice(1)) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(events.map(({ eventID }) => eventID)).size).toBe(3);
  });

  test('is followed by another if the store fails after it', async () => {
    const { kms, events } = await recording();
    const failure = new KmsError('KMSInternalException', 'The key store failed.');
    const disk = vi.spyOn(MemoryStore.prototype, 'commit').mockRejectedValueOnce(failure);
    expect(await failureText(kms.createKey({}))).toMatch(/^KMSInternalException: The key store /);
    disk.mockRestore();
    expect(events.map(({ eventName, errorCode }) => [eventName, errorCode])).toEqual([
      ['CreateKey', undefined],
      ['CreateKey', 'KMSInternalException'],
    ]);
    expect(events[0]?.requestID).toBe(events[1]?.requestID);
  });

  test('is written once if a change has to be tried again', async () => {
    const { kms, events } = await recording();
    const { KeyId } = await newKey(kms);
    events.length = 0;
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        kms.tagResource({ KeyId, Tags: [{ TagKey: `t${i}`, TagValue: '' }] }),
      ),
    );
    expect(events).toHaveLength(20);
    expect((await kms.listResourceTags({ KeyId })).Tags).toHaveLength(20);
  });
});

describe('while the sink fails', () => {
  const warnings: Error[] = [];
  process.on('warning', (warning) => {
    if ((warning as { code?: string }).code === 'PAIRMINT_AUDIT') warnings.push(warning);
  });

  let broken = false;
  let folder: string;
  let kms: Pairmint;
  let store: SqliteStore;
  afterEach(() => {
    broken = false;
  });
  async function open(): Promise<void> {
    folder = temporaryFolder();
    kms = await Pairmint.open({
      store: `sqlite:${folder}/store.db`,
      rootKey: { file: `${folder}/root.key` },
      region,
      accountId,
      audit: () => {
        if (broken) throw new Error('the disk of the audit is full');
      },
    });
    store = await SqliteStore.open(`${folder}/store.db`);
  }
  async function close(): Promise<void> {
    await store.close();
    await kms.close();
  }
  const contents = () => store.list('', { limit: 100_000 });

  test('requests that change anything are refused, and no byte of the store changes', async () => {
    await open();
    for (const operation of everyOperation.filter((name) => changing.has(name))) {
      const request = await prepareOf(operation)(kms);
      const before = await contents();
      broken = true;
      expect(await failureText(kms.call(operation, request)), operation).toMatch(
        outcomePattern(operation, notRecorded),
      );
      expect(await contents(), operation).toEqual(before);
      broken = false;
      expect(await outcomeOf(kms.call(operation, request)), operation).toMatch(
        outcomePattern(operation, /^ok$/),
      );
    }
    await close();
  });

  test('requests that only read go on', async () => {
    await open();
    for (const operation of everyOperation.filter((name) => !changing.has(name))) {
      const request = await prepareOf(operation)(kms);
      const before = await contents();
      broken = true;
      expect(await outcomeOf(kms.call(operation, request)), operation).toMatch(
        outcomePattern(operation, /^ok$/),
      );
      expect(await contents(), operation).toEqual(before);
      broken = false;
    }
    await close();
  });

  test('the default key is not made by a request that names it', async () => {
    await open();
    broken = true;
    const KeyId = 'alias/pairmint/default';
    expect(await failureText(kms.describeKey({ KeyId }))).toBe(notRecorded);
    expect((await kms.listKeys({})).Keys).toEqual([]);
    broken = false;
    await kms.describeKey({ KeyId });
    await close();
  });

  test('a request that would be refused in any case is answered as before', async () => {
    await open();
    broken = true;
    expect(await failureText(kms.disableKey({ KeyId: absentKeyId }))).toMatch(
      /^NotFoundException: /,
    );
    const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
    expect(await failureText(nobody.createKey({}))).toMatch(/^AccessDeniedException: /);
    broken = false;
    await close();
  });

  test('the process is warned, once', () => {
    expect(warnings.map(({ message }) => message)).toEqual([
      'the audit sink failed: the disk of the audit is full',
    ]);
  });

  test('only now and then, what was refused is not there and what was not is recorded', async () => {
    const recorded: string[] = [];
    let turn = 0;
    const audited = await openAudited(async (event) => {
      await new Promise((resolve) => setTimeout(resolve, turn % 4));
      if (turn++ % 3 === 0) throw new Error('now and then');
      if (event.errorCode === undefined) recorded.push(event.requestID);
    });
    const outcomes = new Map<string, string>();
    await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const requestId = `request ${i}`;
        const outcome = await audited.createKey({ Description: requestId }, { requestId }).then(
          ({ KeyMetadata }) => KeyMetadata?.KeyId as string,
          ({ name, message }: Error) => `${name}: ${message}`,
        );
        if (outcome === notRecorded) expect(recorded).not.toContain(requestId);
        else outcomes.set(requestId, outcome);
      }),
    );
    expect(outcomes.size).toBeGreaterThan(20);
    expect(outcomes.size).toBeLessThan(60);
    expect(recorded.sort()).toEqual([...outcomes.keys()].sort());
    const { Keys = [] } = await audited.listKeys({});
    expect(Keys.map(({ KeyId }) => KeyId)).toEqual([...outcomes.values()].sort());
  });
});

describe('a sink that takes its time', () => {
  test('is waited for before anything is changed, and before anything is answered', async () => {
    let release = () => {};
    const slow = await openAudited(
      () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    );
    const commit = vi.spyOn(MemoryStore.prototype, 'commit');
    let answered = false;
    const making = slow.createKey({}).then(() => {
      answered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(commit).not.toHaveBeenCalled();
    release();
    await making;
    expect(commit).toHaveBeenCalledTimes(1);
    commit.mockRestore();

    answered = false;
    const listing = slow.listKeys({}).then(() => {
      answered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    release();
    await listing;
  });

  test('is waited for when the service is closed', async () => {
    const taken: string[] = [];
    const slow = await openAudited(async ({ eventName }) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      taken.push(eventName);
    });
    const requests = [
      slow.createKey({}),
      slow.listKeys({}),
      slow.generateRandom({ NumberOfBytes: 1 }),
    ];
    await slow.close();
    expect(taken).toHaveLength(3);
    await Promise.all(requests);
  });
});

describe('an audit file', () => {
  const linesOf = (file: string) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AuditEvent);

  afterEach(() => vi.unstubAllEnvs());

  test('is named by PAIRMINT_AUDIT_FILE, and readable by its owner alone', async () => {
    const file = `${temporaryFolder()}/audit.jsonl`;
    vi.stubEnv('PAIRMINT_AUDIT_FILE', file);
    const kms = await Pairmint.open({ store: 'memory:' });
    const { KeyId, Arn } = await newKey(kms);
    await newBlob(kms, KeyId, { a: 'ümläute\n' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(linesOf(file)).toMatchObject([
      { eventName: 'CreateKey', readOnly: false, resources: [{ ARN: Arn }] },
      { eventName: 'Encrypt', requestParameters: { encryptionContext: { a: 'ümläute\n' } } },
    ]);
    expect(readFileSync(file, 'utf8')).not.toContain(
      Buffer.from('attack at dawn').toString('base64'),
    );
  });

  test('is not written if a sink is given, or the variable is empty', async () => {
    const file = `${temporaryFolder()}/audit.jsonl`;
    vi.stubEnv('PAIRMINT_AUDIT_FILE', file);
    const { kms, events } = await recording();
    await kms.listKeys({});
    expect(events).toHaveLength(1);
    expect(() => statSync(file)).toThrow('ENOENT');
    vi.stubEnv('PAIRMINT_AUDIT_FILE', '');
    await (await Pairmint.open({ store: 'memory:' })).createKey({});
  });

  test('is appended to, a line for a line, however long', async () => {
    const file = `${temporaryFolder()}/audit.jsonl`;
    const Policy = policyText({ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' });
    for (let i = 0; i < 2; i++) {
      const kms = await openAudited(auditFile(file));
      await kms.createKey({ Policy: Policy.padEnd(32_000) });
    }
    const lines = linesOf(file);
    expect(lines).toHaveLength(2);
    for (const { requestParameters } of lines) {
      expect(requestParameters?.policy).toHaveLength(32_000);
    }
  });

  test('that cannot be opened refuses all requests that change anything, until it can', async () => {
    const file = `${temporaryFolder()}/audit.jsonl`;
    mkdirSync(file);
    vi.stubEnv('PAIRMINT_AUDIT_FILE', file);
    const kms = await Pairmint.open({ store: 'memory:' });
    expect(await failureText(kms.createKey({}))).toBe(notRecorded);
    expect(await kms.listKeys({})).toMatchObject({ Keys: [] });
    rmdirSync(file);
    await kms.createKey({});
    expect(linesOf(file).map(({ eventName }) => eventName)).toEqual(['CreateKey']);
  });

  test('that exists keeps its mode and its contents', async () => {
    const file = `${temporaryFolder()}/audit.jsonl`;
    writeFileSync(file, '{"eventName":"Earlier"}\n');
    chmodSync(file, 0o640);
    const kms = await openAudited(auditFile(file));
    await kms.listKeys({});
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(linesOf(file).map(({ eventName }) => eventName)).toEqual(['Earlier', 'ListKeys']);
  });

  test('is shared by several processes, and no line of one cuts that of another', async () => {
    const folder = temporaryFolder();
    const file = `${folder}/audit.jsonl`;
    const script = fileURLToPath(new URL('support/store-process.mjs', import.meta.url));
    const args = [script, `sqlite:${folder}/store.db`, `${folder}/root.key`, 'createKeys', '60'];
    const env = { ...process.env, PAIRMINT_AUDIT_FILE: file };
    const ends = await Promise.all(
      Array.from({ length: 3 }, () => promisify(execFile)(process.execPath, args, { env })),
    );
    expect(ends.map(({ stderr }) => stderr)).toEqual(['', '', '']);
    const lines = linesOf(file);
    const keyIds = ends.flatMap(({ stdout }) => stdout.trim().split('\n'));
    expect(keyIds).toHaveLength(180);
    expect(lines.map(({ resources }) => resources[0]?.ARN.split('/')[1]).sort()).toEqual(
      keyIds.sort(),
    );
    expect(new Set(lines.map(({ eventID }) => eventID)).size).toBe(180);
  });
});
