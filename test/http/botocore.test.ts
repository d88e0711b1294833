import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHandler, type Handler } from '../../lib/http/handler.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { openKms } from '../operations/support.ts';
import { type AccessKey, callHeaders, host, summaryOf, toRequest } from './support.ts';

// Signs, as boto3 and the AWS CLI do, what comes on standard input.
const signer = `
import json, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
given = json.load(sys.stdin)
request = AWSRequest('POST', given['url'], headers=given['headers'], data=given['body'].encode())
key = Credentials(given['accessKeyId'], given['secretAccessKey'], given.get('sessionToken'))
SigV4Auth(key, 'kms', 'us-east-1').add_auth(request)
json.dump(dict(request.headers), sys.stdout)
`;

const hasBotocore = spawnSync('python3', ['-c', 'import botocore']).status === 0;

let kms: Pairmint;
let handle: Handler;
let user: AccessKey;
let session: AccessKey;
beforeAll(async () => {
  kms = await openKms();
  handle = createHandler(kms);
  const principal = 'arn:aws:iam::000000000000:user/alice';
  user = await kms.credentials.create({ principal });
  session = (await kms.credentials.create({ principal, durationSeconds: 900 })) as AccessKey;
});
afterAll(() => kms.close());

// Where Python has no botocore there is nothing to compare with.
describe.runIf(hasBotocore)('signatures of botocore', () => {
  it.each([
    ['a plain request', '/', '{}'],
    ['a path', '/sub/path', '{}'],
    ['a path with what must be encoded', '/a%20b/c~d', '{}'],
    ['a query', '/?b=2&a=1', '{}'],
    ['a query with what must be encoded', '/?a=%2B%20%26', '{}'],
    ['a body that is no ASCII', '/', '{"Nonsense": "ü"}'],
  ])('of %s', async (_title, path, body) => {
    for (const key of [user, session]) {
      const { host: _, ...given } = callHeaders('ListKeys');
      const input = JSON.stringify({ url: `https://${host}${path}`, headers: given, body, ...key });
      const { stdout, stderr } = spawnSync('python3', ['-c', signer], { input, encoding: 'utf8' });
      expect(stderr).toBe('');
      const headers = { host, ...JSON.parse(stdout) };
      expect(summaryOf(await handle(toRequest({ path, headers, body })))).toMatch(/^200 /);
    }
  });
});
