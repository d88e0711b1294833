import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseShorthand } from '../../lib/cli/arguments/shorthand.ts';
import { parseJson } from '../../lib/cli/python/json.ts';
import { toRequest } from '../../lib/cli/python/value.ts';
import { type Outcome, run } from './run.ts';

const pair = ['--key-id', 'k', '--key-pair-spec', 'SM2'] as const;

async function withContext(context: string): Promise<Outcome> {
  return run(['generate-data-key-pair', ...pair, '--encryption-context', context]);
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pairmint-parameters-'));
  writeFileSync(path.join(folder, 'v.txt'), 'from a file, verbatim=\n');
  writeFileSync(path.join(folder, 'v.bin'), Uint8Array.of(0, 255));
});
afterAll(() => rmSync(folder, { recursive: true }));

// `@=` came with AWS CLI 2.20, after the version that recorded/aws-cli.json is of.
describe('shorthand with @=', () => {
  it('takes the text of a file', async () => {
    const { calls } = await withContext(`a@=file://${folder}/v.txt,b=c`);
    expect(calls[0]?.request).toMatchObject({
      EncryptionContext: { a: 'from a file, verbatim=\n', b: 'c' },
    });
  });

  it('takes the bytes of a file', async () => {
    const { calls } = await run([
      'decrypt',
      '--recipient',
      `KeyEncryptionAlgorithm=x,AttestationDocument@=fileb://${folder}/v.bin`,
    ]);
    expect(calls[0]?.request).toMatchObject({
      Recipient: { AttestationDocument: Uint8Array.of(0, 255) },
    });
  });

  it('takes a text that is not a reference as it is', async () => {
    const { calls } = await withContext('a@=b');
    expect(calls[0]?.request).toMatchObject({ EncryptionContext: { a: 'b' } });
  });

  it('complains about a file that is not there', async () => {
    const { exitCode, stderr } = await withContext(`a@=file://${folder}/none`);
    expect(exitCode).toBe(252);
    expect(stderr).toBe(
      "\nError parsing parameter '--encryption-context': Unable to load paramfile " +
        `file://${folder}/none: [Errno 2] No such file or directory: '${folder}/none'\n`,
    );
  });
});

it.each(['--encryption-context', '--grant-tokens', '--recipient'])(
  // The AWS CLI exits with the same code for a map and a structure, but quotes an error of Python's.
  'the bytes of a file are no value of %s',
  async (option) => {
    const { exitCode, stderr, calls } = await run([
      'generate-data-key-pair',
      ...pair,
      option,
      `fileb://${folder}/v.bin`,
    ]);
    expect({ exitCode, calls }).toEqual({ exitCode: 255, calls: [] });
    expect(stderr).toBe(
      `\nError parsing parameter '${option}': fileb:// gives bytes; use file:// for text\n`,
    );
  },
);

describe('a path', () => {
  it('may begin at home', async () => {
    const { stderr } = await withContext('file://~/pairmint-is-not-here');
    expect(stderr).toContain(`'${homedir()}/pairmint-is-not-here'`);
  });

  it('may contain variables', async () => {
    const name = 'PAIRMINT_TEST_FOLDER';
    vi.stubEnv(name, folder);
    for (const form of [`$${name}`, `\${${name}}`]) {
      const { calls } = await run(['describe-key', '--key-id', `file://${form}/v.txt`]);
      expect(calls[0]?.request).toEqual({ KeyId: 'from a file, verbatim=\n' });
    }
    vi.unstubAllEnvs();
  });
});

describe('a file', () => {
  async function load(reference: string): Promise<Outcome & { readonly seconds: number }> {
    const started = performance.now();
    const outcome = await run(['encrypt', '--key-id', 'k', '--plaintext', reference]);
    return { ...outcome, seconds: (performance.now() - started) / 1000 };
  }

  it('may be as large as a request', async () => {
    const file = path.join(folder, 'large');
    writeFileSync(file, Buffer.alloc(1_048_576, 'a'));
    const { calls } = await load(`fileb://${file}`);
    expect(calls[0]?.request).toMatchObject({ Plaintext: { length: 1_048_576 } });
    writeFileSync(file, 'a', { flag: 'a' });
    const { exitCode, stderr } = await load(`fileb://${file}`);
    expect(exitCode).toBe(252);
    expect(stderr).toBe(
      `\nError parsing parameter '--plaintext': Unable to load paramfile fileb://${file}: ` +
        `'${file}' has more than the 1048576 bytes of a request\n`,
    );
  });

  it.each(['file:///dev/zero', 'fileb:///dev/zero', 'fileb:///dev/urandom'])(
    'that never ends is refused at once: %s',
    async (reference) => {
      const { exitCode, stderr, seconds } = await load(reference);
      expect(exitCode).toBe(252);
      expect(stderr).toContain(' has more than the 1048576 bytes of a request\n');
      expect(seconds).toBeLessThan(2);
    },
  );

  it('that is a folder is refused as the AWS CLI does', async () => {
    const { exitCode, stderr } = await load(`file://${folder}`);
    expect(exitCode).toBe(252);
    expect(stderr).toContain(`[Errno 21] Is a directory: '${folder}'\n`);
  });

  it('may be a pipe whose writer takes its time', async () => {
    const pipe = makePipe('slow');
    // Opened for both directions it does not wait for a reader.
    spawn('sh', ['-c', `exec 3<>"$0"; sleep 1; printf AQID >&3; sleep 1`, pipe]);
    execFileSync('sleep', ['0.5']);
    const { calls } = await load(`file://${pipe}`);
    expect(calls[0]?.request).toMatchObject({ Plaintext: Uint8Array.of(1, 2, 3) });
  });

  it('may be a pipe whose writer is late', async () => {
    const pipe = makePipe('late');
    spawn('sh', ['-c', 'sleep 1; printf AQID > "$0"', pipe]);
    const { calls } = await load(`file://${pipe}`);
    expect(calls[0]?.request).toMatchObject({ Plaintext: Uint8Array.of(1, 2, 3) });
  });

  it('that is an endless pipe does not block', async () => {
    const silent = makePipe('silent');
    const writer = spawn('sh', ['-c', 'exec 3<>"$0"; sleep 60', silent]);
    execFileSync('sleep', ['0.5']);
    const { exitCode, stderr, seconds } = await load(`file://${silent}`);
    writer.kill();
    expect(exitCode).toBe(252);
    expect(stderr).toContain(`nothing came from '${silent}' for 10 seconds\n`);
    expect(seconds).toBeLessThan(15);
  });

  function makePipe(name: string): string {
    const pipe = path.join(folder, name);
    execFileSync('mkfifo', [pipe]);
    return pipe;
  }
});

it('a plaintext that is not base64 is not repeated, as the AWS CLI would', async () => {
  const { exitCode, stderr } = await run(['encrypt', '--key-id', 'k', '--plaintext', 'hello']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 255, stderr: '\nInvalid base64\n' });
});

describe('hostile input', () => {
  it.each([
    ['a='.padEnd(5000, '['), 255],
    [`a=${'{a='.repeat(2000)}`, 255],
    [`{"a":${'['.repeat(5000)}`, 255],
    [`a="${'\\'.repeat(5000)}`, 252],
    [`a='${"\\'\\\\".repeat(2000)}x`, 252],
  ])('is refused at once: %#', async (context, exitCode) => {
    const started = performance.now();
    const outcome = await withContext(context);
    expect(outcome.exitCode).toBe(exitCode);
    expect(outcome.stderr).not.toContain('internal failure');
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('cannot reach a prototype', async () => {
    const { calls } = await withContext('{"__proto__":"x","constructor":"y"}');
    const request = calls[0]?.request as { EncryptionContext: object };
    expect(Object.entries(request.EncryptionContext)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });
});

const keyName = fc.stringMatching(/^[A-Za-z0-9_.#/:-]+$/).filter((key) => key !== '__proto__');
const anyText = fc.string({ unit: 'binary' });

it('reads every text in quotes as it was meant', () => {
  // Undoing `\"` before `\\` cannot tell a backslash before a quote from an escaped quote: such
  // texts, and those that end so, have no form in shorthand.
  const text = anyText.filter((value) => !/\\("|$|\\)/.test(value));
  fc.assert(
    fc.property(fc.dictionary(keyName, text, { minKeys: 1, noNullPrototype: true }), (entries) => {
      const pairs = Object.entries(entries);
      const written = pairs.map(([key, value]) => `${key}="${value.replaceAll('"', '\\"')}"`);
      expect([...parseShorthand(written.join(','))]).toEqual(pairs);
    }),
  );
});

it('reads JSON as JavaScript does', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      // A whole number too large for a double to hold exactly is the one difference.
      expect(toRequest(parseJson(json))).toEqual(JSON.parse(json));
    }),
  );
});
