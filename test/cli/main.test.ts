import { describe, expect, it } from 'vitest';
import { usage } from '../../lib/cli/arguments/usage.ts';
import { run, runWithout } from './run.ts';

const pairCommand = 'generate-data-key-pair-without-plaintext';
const describeKey = ['describe-key', '--key-id', 'k'] as const;

describe('the command word', () => {
  it('may follow the word kms, for the program to stand for aws', async () => {
    const [plain, prefixed] = [await run(describeKey), await run(['kms', ...describeKey])];
    expect(prefixed.calls).toEqual([{ operation: 'DescribeKey', request: { KeyId: 'k' } }]);
    expect(prefixed.calls).toEqual(plain.calls);
    expect(prefixed.stdout).toBe(plain.stdout);
  });

  it('is required', async () => {
    const { exitCode, stderr } = await run([]);
    expect(exitCode).toBe(252);
    expect(stderr).toBe(
      '\n<usage>\n\n<program>: error: the following arguments are required: command\n\n',
    );
  });

  it('is required after kms', async () => {
    const { exitCode, stderr } = await run(['kms']);
    expect(exitCode).toBe(252);
    expect(stderr).toBe(
      '\n<usage>\n\n<program>: error: the following arguments are required: operation\n\n',
    );
  });

  it('is refused with the valid ones in two columns and with a guess', async () => {
    const { exitCode, stderr } = await run(['kms', 'descrbe-key']);
    expect(exitCode).toBe(252);
    expect(stderr).toContain(
      '<program>: error: argument operation: Invalid choice, valid choices are:\n\n' +
        'cancel-key-deletion                      | connect-custom-key-store                \n' +
        'create-alias                             | create-custom-key-store                 \n',
    );
    expect(stderr).toMatch(
      /\n\n\nInvalid choice: 'descrbe-key', maybe you meant:\n\n {2}\* describe-key\n\n$/,
    );
  });

  it.each(['constructor', '__proto__', 'toString', ''])('is not %j', async (word) => {
    const { exitCode, stderr } = await run([word]);
    expect(exitCode).toBe(252);
    expect(stderr).toContain('argument command: Invalid choice');
  });
});

describe('our own options', () => {
  const store = ['--store', 'memory:'];
  const rootKey = ['--root-key-file=k'];
  it.each([
    [[...store, ...rootKey, ...describeKey]],
    [['kms', ...store, ...describeKey, ...rootKey]],
    [[...describeKey, ...store, ...rootKey]],
  ])('may stand anywhere: %j', async (args) => {
    const { exitCode, opened } = await run(args);
    expect(exitCode).toBe(0);
    expect(opened).toEqual([
      {
        store: 'memory:',
        rootKey: { file: 'k' },
        onNotice: expect.any(Function),
        refillPools: false,
      },
    ]);
  });

  it('leave the choice to the defaults when they are absent', async () => {
    const { opened } = await run(describeKey);
    expect(opened).toEqual([{ onNotice: expect.any(Function), refillPools: false }]);
  });

  it('need their value', async () => {
    const { exitCode, stderr } = await run([...describeKey, '--store']);
    expect(exitCode).toBe(252);
    expect(stderr).toContain('<program>: error: argument --store: expected one argument\n');
  });
});

describe('an option that is not there', () => {
  it('is unknown', async () => {
    const { exitCode, stderr } = await run([...describeKey, '--bogus', 'x']);
    expect(exitCode).toBe(252);
    expect(stderr).toBe('\n<usage>\n\nUnknown options: --bogus, x\n\n');
  });
});

describe('a command of our own', () => {
  it('is told apart from a request to a server', async () => {
    const { exitCode, stderr } = await run(['pool', 'list', '--endpoint-url', 'http://127.0.0.1']);
    expect(exitCode).toBe(252);
    expect(stderr).toContain(
      '<program>: error: pool works on a store, not on a server: leave --endpoint-url away\n',
    );
  });

  it.each([['--output', 'text'], ['--debug'], ['--region', 'eu-west-1']])(
    'does not know an option of operations: %s',
    async (...option) => {
      const { exitCode, stderr } = await run(['pool', 'list', ...option]);
      expect(exitCode).toBe(252);
      expect(stderr).toBe(`\n<usage>\n\nUnknown options: ${option[0]}\n\n`);
    },
  );

  it('keeps its own option if operations have one of that name', async () => {
    const { opened } = await run(['init', '--region', 'eu-west-1']);
    expect(opened[0]).toMatchObject({ region: 'eu-west-1' });
  });
});

describe('a response', () => {
  it('is printed as JSON with four spaces, in the order of the model', async () => {
    const { exitCode, stdout, stderr } = await run(
      [pairCommand, '--key-id', 'k', '--key-pair-spec', 'RSA_2048'],
      async () => ({
        KeyMaterialId: 'é',
        KeyPairSpec: 'RSA_2048',
        KeyId: 'arn',
        PublicKey: Uint8Array.of(1, 2, 3),
        PrivateKeyCiphertextBlob: Uint8Array.of(255),
      }),
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe(`{
    "PrivateKeyCiphertextBlob": "/w==",
    "PublicKey": "AQID",
    "KeyId": "arn",
    "KeyPairSpec": "RSA_2048",
    "KeyMaterialId": "é"
}
`);
  });

  it('shows times in ISO 8601', async () => {
    const { stdout } = await run(describeKey, async () => ({
      KeyMetadata: { KeyId: 'k', CreationDate: new Date(1571767572317) },
    }));
    expect(stdout).toContain('"CreationDate": "2019-10-22T18:06:12.317000+00:00"');
  });

  it('prints nothing if the operation returns nothing', async () => {
    const { exitCode, stdout, stderr } = await run(['enable-key', '--key-id', 'k']);
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });
});

describe('a list', () => {
  const respond = async (_operation: string, request: object) =>
    'Marker' in request
      ? { Keys: [{ KeyId: 'b' }], Truncated: false }
      : { Keys: [{ KeyId: 'a' }], NextMarker: 'm', Truncated: true };

  it('is fetched to its end and printed without markers', async () => {
    const { stdout, calls } = await run(['list-keys'], respond);
    expect(JSON.parse(stdout)).toEqual({ Keys: [{ KeyId: 'a' }, { KeyId: 'b' }] });
    expect(calls.map(({ request }) => request)).toEqual([{}, { Marker: 'm' }]);
  });

  it('is printed by the page if --limit or --marker is given', async () => {
    const first = await run(['list-keys', '--limit', '1'], respond);
    expect(JSON.parse(first.stdout)).toEqual({
      Keys: [{ KeyId: 'a' }],
      NextMarker: 'm',
      Truncated: true,
    });
    const second = await run(['list-keys', '--marker', 'm'], respond);
    expect(JSON.parse(second.stdout)).toEqual({ Keys: [{ KeyId: 'b' }], Truncated: false });
  });

  it('is printed when it is empty', async () => {
    const { stdout } = await run(['list-keys'], async () => ({ Keys: [], Truncated: false }));
    expect(stdout).toBe('{\n    "Keys": []\n}\n');
  });
});

function failing(error: unknown): () => Promise<never> {
  return () => Promise.reject(error);
}

describe('a failure', () => {
  it('of the service is told in the words of AWS, after an empty line', async () => {
    const error = Object.assign(new Error('Key k does not exist'), {
      name: 'NotFoundException',
      $fault: 'client',
    });
    const { exitCode, stdout, stderr } = await run(describeKey, failing(error));
    expect({ exitCode, stdout }).toEqual({ exitCode: 254, stdout: '' });
    expect(stderr).toBe(
      '\nAn error occurred (NotFoundException) when calling the DescribeKey operation: ' +
        'Key k does not exist\n',
    );
  });

  it('without a message ends with a space', async () => {
    const error = Object.assign(new Error('to be emptied'), {
      name: 'InvalidCiphertextException',
      message: '',
      $fault: 'client',
    });
    const { stderr } = await run(['decrypt'], failing(error));
    expect(stderr).toBe(
      '\nAn error occurred (InvalidCiphertextException) when calling the Decrypt operation: \n',
    );
  });

  it('of the configuration exits 253 and gives its hint', async () => {
    const error = Object.assign(new Error('no root key'), {
      name: 'ConfigurationError',
      hint: 'name one with --root-key-file',
    });
    const { exitCode, stderr } = await runWithout(describeKey, error);
    expect(exitCode).toBe(253);
    expect(stderr).toBe('pairmint: no root key\nname one with --root-key-file\n');
  });

  it('that is unexpected is one line without a stack trace', async () => {
    const error = new Error('broken\n    at somewhere (file.js:1:1)');
    const { exitCode, stderr } = await run(describeKey, failing(error));
    expect(exitCode).toBe(255);
    expect(stderr).toBe('pairmint: internal failure: broken\n');
  });
});

describe('--version', () => {
  it.each([[['--version']], [['version']], [[pairCommand, '--key-id', '--version']]])(
    'is told by %j',
    async (args) => {
      const { exitCode, stdout, stderr, opened } = await run(args);
      expect({ exitCode, stderr, opened }).toEqual({ exitCode: 0, stderr: '', opened: [] });
      expect(stdout).toMatch(/^pairmint \d+\.\d+\.\d+\n$/);
    },
  );
});

it('shows how to get help before every complaint about the command', () => {
  expect(usage).toContain('pairmint help <operation>');
});
