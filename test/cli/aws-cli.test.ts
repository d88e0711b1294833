import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from './run.ts';

interface Recorded {
  readonly args: readonly string[];
  readonly exitCode: number;
  readonly stderr: string;
  readonly request?: string;
}

const folder = new URL('recorded/', import.meta.url);
const recorded = JSON.parse(
  readFileSync(new URL('aws-cli.json', folder), 'utf8'),
) as readonly Recorded[];

const previousDirectory = process.cwd();
beforeAll(() => process.chdir(fileURLToPath(new URL('files', folder))));
afterAll(() => process.chdir(previousDirectory));

function asJson(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

describe('the command line does as AWS CLI 2.9 was recorded to do with', () => {
  it.each(recorded.map((known) => [known.args.join(' '), known] as const))(
    '%j',
    async (_, known) => {
      const { exitCode, stderr, calls } = await run(known.args);
      const request = calls[0] && JSON.stringify(calls[0].request, asJson);
      const expected = known.request && JSON.stringify(JSON.parse(known.request));
      expect({ exitCode, stderr, request }).toEqual({
        exitCode: known.exitCode,
        stderr: known.stderr,
        request: expected,
      });
    },
  );
});
