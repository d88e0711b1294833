import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const seedKey = '1234abcd-12ab-34cd-56ef-1234567890ab';

let home: string;
beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'pairmint-scripts-'));
  mkdirSync(path.join(home, 'bin'));
  const command = path.join(home, 'bin', 'pairmint');
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`);
  chmodSync(command, 0o755);
});
afterEach(() => rmSync(home, { recursive: true }));

/** Runs a script in bash, in a folder of its own, with pairmint in the PATH and nothing of AWS's. */
async function bash(script: string): Promise<{ stdout: string; stderr: string }> {
  const env = { HOME: home, PATH: `${home}/bin:${path.dirname(process.execPath)}:/usr/bin:/bin` };
  return promisify(execFile)('bash', ['-c', script], { env, cwd: home });
}

const alias = 'shopt -s expand_aliases\nalias aws=pairmint\n';

describe('where aws is an alias of pairmint,', () => {
  it('a script of a key from its making to its end runs as it is', {
    timeout: 180_000,
  }, async () => {
    const script = readFileSync(new URL('kms-script.sh', import.meta.url), 'utf8');
    const { stdout } = await bash(alias + script);
    expect(stdout).toBe(
      'alias/documents\nPendingDeletion\nPendingDeletion\tFalse\n1 other keys, exit code 254\n',
    );
    expect(readFileSync(path.join(home, 'refusal.txt'), 'utf8')).toBe(
      '\nAn error occurred (InvalidCiphertextException) when calling the Decrypt operation: \n',
    );
  });

  it.each([
    ['generate-data-key-pair-without-plaintext', 'ECC_NIST_P384'],
    ['generate-data-key-pair', 'RSA_2048'],
  ])("AWS's example of %s does what its page says", async (operation, spec) => {
    writeFileSync(path.join(home, 'seed.yaml'), `version: 1\nkeys: [{ KeyId: ${seedKey} }]\n`);
    const { stdout } = await bash(`${alias}
pairmint init --seed seed.yaml > made.json
aws kms ${operation} \\
    --key-id ${seedKey} \\
    --key-pair-spec ${spec}
`);
    expect(JSON.parse(stdout)).toMatchObject({
      KeyId: `arn:aws:kms:us-east-1:000000000000:key/${seedKey}`,
      KeyPairSpec: spec,
      PrivateKeyCiphertextBlob: expect.any(String),
      PublicKey: expect.any(String),
    });
    expect('PrivateKeyPlaintext' in JSON.parse(stdout)).toBe(operation.endsWith('pair'));
  });
});

it('runs the examples of docs/cli.md in their order', async () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const section = page.slice(page.indexOf('\n## Examples'), page.indexOf('\n## Differences'));
  const blocks = [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block);
  expect(blocks).toHaveLength(2);
  const examples = blocks.join('').replaceAll('4599', String(await freePort()));
  const { stdout } = await bash(`set -euo pipefail\ntrap 'kill $!' EXIT\n${examples}`);
  expect(stdout).toContain('alias/pairmint/default');
  expect(stdout).toMatch(/"KeyState": "Enabled"/);
  expect(readFileSync(path.join(home, 'key.der'))[0]).toBe(0x30);
  expect(readFileSync(path.join(home, 'request.yaml'), 'utf8')).toContain('KeyPairSpec: RSA_2048');
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
