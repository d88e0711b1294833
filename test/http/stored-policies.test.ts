import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHandler, type RequestEvent } from '../../lib/http/handler.ts';
import { CredentialDirectory } from '../../lib/keys/credential-directory.ts';
import { loadNative } from '../../lib/native/addon.ts';
import { closeCore, openCore } from '../../lib/service/core.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { policyText } from '../operations/every-request.ts';
import { caller as root } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { type AccessKey, callHeaders, type Sent, signed, summaryOf, toRequest } from './support.ts';

// Policies that an earlier version has taken, and that would be refused today.

const principal = 'arn:aws:iam::000000000000:user/alice';
const everything = { Effect: 'Allow', Action: 'kms:*', Resource: '*' };
const ofRoot = { ...everything, Principal: { AWS: root } };
const denies = (Condition: object) => ({
  Effect: 'Deny',
  Action: 'kms:*',
  Resource: '*',
  Condition,
});
const inAnotherOrganization = { StringNotEquals: { 'aws:PrincipalOrgID': 'o-1' } };
const refused: readonly [string, string][] = [
  ['by an unknown condition key', policyText(everything, denies(inAnotherOrganization))],
  ['with a variable that is not known', policyText({ ...everything, Resource: orgKeys() })],
  ['with a condition without a value', policyText(everything, denies({ StringLike: noValue() }))],
  ['with an element that no policy has', policyText({ ...everything, Conditions: {} })],
  ['that is cut off', '{"Version":"2012-10-17"'],
];

function orgKeys(): string {
  return `arn:aws:kms:*:*:key/\${aws:PrincipalOrgID}`;
}

function noValue(): object {
  return { 'kms:KeySpec': [] };
}

let options: { store: string; rootKey: { file: string } };
let kms: Pairmint | undefined;

beforeEach(() => {
  const folder = temporaryFolder();
  options = { store: `sqlite:${folder}/store.db`, rootKey: { file: `${folder}/root.key` } };
});
afterEach(async () => {
  await kms?.close();
  kms = undefined;
});

/** Makes an access key as if its policy had been valid then. */
async function storedKey(identityPolicy: string): Promise<AccessKey> {
  const native = loadNative();
  const core = await openCore(native, options);
  const { store, rootKey } = core.opened;
  const unchecked = { store, native, rootKey, now: Date.now, check: () => {} };
  const key = await new CredentialDirectory(unchecked).create({ principal, identityPolicy });
  await closeCore(core);
  return key;
}

const listKeys: Sent = { headers: callHeaders('ListKeys'), body: '{}' };

describe('an access key with a stored identity policy', () => {
  it.each(refused)('%s is of no use, and its requests say nothing of it', async (_what, policy) => {
    const key = await storedKey(policy);
    kms = await Pairmint.open(options);
    const events: RequestEvent[] = [];
    const handle = createHandler(kms, { onRequest: (event) => events.push(event) });
    // The second time, what is known of the access key might be remembered.
    for (let i = 0; i < 2; i++) {
      const answer = await handle(toRequest(await signed(listKeys, key)));
      expect(summaryOf(answer)).toBe('500 KMSInternalException: internal failure');
      expect(events[i]?.error?.cause).toMatchObject({
        message: expect.stringMatching(`^the identity policy of ${principal} cannot be used: `),
      });
      expect(events[i]?.principal).toBeUndefined();
    }
  });

  it('can be told apart, deleted and replaced', async () => {
    const [[, policy] = ['', '']] = refused;
    const { accessKeyId } = await storedKey(policy);
    kms = await Pairmint.open(options);
    const [record] = await kms.credentials.list({ limit: 10 });
    expect(record).toMatchObject({ accessKeyId, identityPolicy: policy });
    await expect(kms.credentials.create({ principal, identityPolicy: policy })).rejects.toThrow(
      `the identity policy of ${principal} cannot be used: `,
    );
    expect(await kms.credentials.delete(accessKeyId)).toBe(true);
    const key = await kms.credentials.create({ principal });
    const answer = await createHandler(kms)(toRequest(await signed(listKeys, key)));
    expect(answer.status).toBe(200);
  });
});

describe('a stored key policy', () => {
  /** Makes a key as if its policy had been valid then. */
  async function keyWith(policy: string): Promise<string> {
    const made = await Pairmint.open(options);
    const { KeyMetadata } = await made.createKey({});
    await made.close();
    const core = await openCore(loadNative(), options);
    const keyId = KeyMetadata?.KeyId ?? '';
    const { record } = await core.keys.find({
      kind: 'key',
      keyId,
      region: 'us-east-1',
      accountId: '000000000000',
    });
    await core.keys.change(record, async (key) => ({ record: { ...key.record, policy } }));
    await closeCore(core);
    return keyId;
  }

  it('by an unknown condition key stays in force, with the key absent', async () => {
    const deny = { ...denies(inAnotherOrganization), Principal: '*', Action: 'kms:Encrypt' };
    const KeyId = await keyWith(policyText(ofRoot, deny));
    kms = await Pairmint.open(options);
    const Plaintext = Buffer.from('a');
    await expect(kms.encrypt({ KeyId, Plaintext })).rejects.toThrow('with an explicit deny');
    expect((await kms.describeKey({ KeyId })).KeyMetadata?.Enabled).toBe(true);
    // It can be read, and must be mended before it is put again.
    const { Policy = '' } = await kms.getKeyPolicy({ KeyId });
    await expect(kms.putKeyPolicy({ KeyId, Policy })).rejects.toThrow('cannot be used');
    await kms.putKeyPolicy({ KeyId, Policy: policyText(ofRoot) });
    expect((await kms.encrypt({ KeyId, Plaintext })).KeyId).toContain(KeyId);
  });

  it('that is malformed refuses every request', async () => {
    const KeyId = await keyWith('{"Version":"2012-10-17"');
    kms = await Pairmint.open(options);
    await expect(kms.encrypt({ KeyId, Plaintext: Buffer.from('a') })).rejects.toMatchObject({
      name: 'MalformedPolicyDocumentException',
    });
  });
});
