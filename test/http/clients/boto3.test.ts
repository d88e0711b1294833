import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer } from '../../support/server-process.mjs';

// A program's use of a pair: it seals it under a context, opens it, and is refused another context.
const program = `
import boto3, datetime, json, sys
given = json.load(sys.stdin)
kms = boto3.client('kms', endpoint_url=given['url'], region_name='us-east-1',
                   aws_access_key_id=given['accessKeyId'],
                   aws_secret_access_key=given['secretAccessKey'])
key = kms.create_key(Description='ü', Tags=[{'TagKey': 'stage', 'TagValue': 'test'}])['KeyMetadata']
assert abs(key['CreationDate'] - datetime.datetime.now(datetime.timezone.utc)).total_seconds() < 600
context = {'purpose': 'test'}
pair = kms.generate_data_key_pair(KeyId=key['KeyId'], KeyPairSpec='ECC_NIST_P256',
                                  EncryptionContext=context)
blob = pair['PrivateKeyCiphertextBlob']
opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
assert opened['Plaintext'] == pair['PrivateKeyPlaintext'] and opened['KeyId'] == key['Arn']
assert opened['ResponseMetadata']['RetryAttempts'] == 0
try:
    kms.decrypt(CiphertextBlob=blob)
    raise AssertionError('opened without its context')
except kms.exceptions.InvalidCiphertextException as error:
    assert error.response['ResponseMetadata']['HTTPStatusCode'] == 400
for _ in range(2):
    kms.create_key()
pages = kms.get_paginator('list_keys').paginate(PaginationConfig={'PageSize': 1})
found = [item['KeyId'] for page in pages for item in page['Keys']]
assert key['KeyId'] in found and len(set(found)) == len(found) == 3
assert kms.schedule_key_deletion(KeyId=key['KeyId'], PendingWindowInDays=7)['KeyState']
print(opened['KeyId'])
`;

const hasBoto3 = spawnSync('python3', ['-c', 'import boto3']).status === 0;

let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

// Where Python has no boto3 there is nothing to try.
describe.runIf(hasBoto3)('boto3', () => {
  it('makes keys and pairs, reads lists, and raises the exceptions of the service', async () => {
    const { url, accessKey } = server;
    const running = promisify(execFile)('python3', ['-c', program]);
    running.child.stdin?.end(JSON.stringify({ url, ...(await accessKey()) }));
    const { stdout, stderr } = await running;
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^arn:aws:kms:us-east-1:000000000000:key\/[0-9a-f-]{36}\n$/);
  });
});
