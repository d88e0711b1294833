import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mergeInput } from '../../lib/cli/arguments/cli-input.ts';
import { parseYaml } from '../../lib/cli/arguments/yaml-input.ts';
import { pythonRepr } from '../../lib/cli/python/python-text.ts';
import { Dictionary, toRequest, type Value } from '../../lib/cli/python/value.ts';

const recordedYaml = JSON.parse(
  readFileSync(new URL('recorded/yaml.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, string | null>>;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pairmint-cli-input-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

type Input = { readonly json?: string; readonly yaml?: string };

async function merge({ json, yaml }: Input, members: [string, Value][] = []): Promise<Dictionary> {
  const given = new Map<string, string>();
  if (json !== undefined) given.set('cliInputJson', json);
  if (yaml !== undefined) given.set('cliInputYaml', yaml);
  return mergeInput(given, new Dictionary(members));
}

async function refusal(input: Input): Promise<string> {
  const error = await merge(input).catch((reason: unknown) => reason);
  return error instanceof Error ? `${error.name}: ${error.message}` : 'none';
}

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(path.join(folder, name), content);
  return path.join(folder, name);
}

describe('a whole request', () => {
  it('changes nothing on a command line without it', async () => {
    expect([...(await merge({}, [['KeyId', 'k']]))]).toEqual([['KeyId', 'k']]);
  });

  it.each(['json', 'yaml'] as const)('loses whole members to the options: %s', async (kind) => {
    const text = '{"EncryptionContext": {"a": "b"}, "KeyId": "x", "DryRun": true, "Limit": 7}';
    const options: [string, Value][] = [
      ['DryRun', false],
      ['EncryptionContext', new Dictionary([['c', 'd']])],
    ];
    const merged = await merge({ [kind]: text }, options);
    // The members of the command line come first, as the AWS CLI sends them.
    expect(JSON.stringify(toRequest(merged))).toBe(
      '{"DryRun":false,"EncryptionContext":{"c":"d"},"KeyId":"x","Limit":7}',
    );
  });

  it('may be in a file', async () => {
    const json = file('request.json', '{"KeyId": "é"}');
    const yaml = file('request.yaml', 'KeyId: é\nPlaintext: !!binary AQID\n');
    for (const prefix of ['file://', 'fileb://']) {
      expect(toRequest(await merge({ json: prefix + json }))).toEqual({ KeyId: 'é' });
      expect(toRequest(await merge({ yaml: prefix + yaml }))).toEqual({
        KeyId: 'é',
        Plaintext: Uint8Array.of(1, 2, 3),
      });
    }
  });

  it('has dates in the places of the AWS CLI', async () => {
    const { ValidTo } = toRequest(await merge({ yaml: 'ValidTo: 2030-01-02 03:04:05+02:00' })) as {
      ValidTo: Date;
    };
    expect(ValidTo.toISOString()).toBe('2030-01-02T01:04:05.000Z');
  });
});

describe('refused in the words of AWS CLI 2.9', () => {
  const notJson =
    "ParameterError: Error parsing parameter 'cli-input-json': Invalid JSON received.";
  const notYaml =
    "ParameterError: Error parsing parameter 'cli-input-yaml': Invalid YAML received.";

  it('are both options together', async () => {
    const text = 'ParameterError: Only one --cli-input- parameter may be specified.';
    expect(await refusal({ json: '{}', yaml: '{}' })).toBe(text);
    expect(await refusal({ json: '[', yaml: '[' })).toBe(text);
  });

  it.each(['[1', '', '{"KeyId":"a"', "{'a': 1}", '\0'])('is %j as JSON', async (json) => {
    expect(await refusal({ json })).toBe(notJson);
  });

  it.each(['[1', '{a: b', '{a: 1, a: 2}', '!foo bar', '\0', '--- a\n--- b', '&x {a: *x}'])(
    'is %j as YAML',
    async (yaml) => {
      expect(await refusal({ yaml })).toMatch(
        /^ParameterError: .*Invalid YAML received\.$|recursion/,
      );
    },
  );

  it('are bytes that are not UTF-8', async () => {
    const binary = file('binary', Uint8Array.of(0xff));
    expect(await refusal({ json: `fileb://${binary}` })).toBe(notJson);
    expect(await refusal({ yaml: `fileb://${binary}` })).toBe(notYaml);
    expect(await refusal({ json: `file://${binary}` })).toContain(
      "Error parsing parameter '--cli-input-json': Unable to load paramfile " +
        `(${binary}), text contents could not be decoded.`,
    );
  });

  it('is a file that is not there', async () => {
    expect(await refusal({ yaml: 'file://missing' })).toBe(
      "ParameterError: Error parsing parameter '--cli-input-yaml': Unable to load paramfile " +
        "file://missing: [Errno 2] No such file or directory: 'missing'",
    );
  });

  it.each([
    [{ json: '[1]' }, 'list'],
    [{ json: 'null' }, 'NoneType'],
    [{ json: '"a"' }, 'str'],
    [{ json: '1' }, 'int'],
    [{ json: '1.5' }, 'float'],
    [{ json: 'true' }, 'bool'],
    [{ yaml: '' }, 'NoneType'],
    [{ yaml: 'yes' }, 'str'],
    [{ yaml: '2020-01-01' }, 'datetime.date'],
    [{ yaml: '2020-01-01 00:00:00' }, 'datetime.datetime'],
    [{ yaml: '!!binary AQID' }, 'bytes'],
  ])('is a value that is not a map: %j', async (input, type) => {
    const option = 'json' in input ? '--cli-input-json' : '--cli-input-yaml';
    expect(await refusal(input)).toBe(
      `ParameterError: Error parsing parameter '${option}': ` +
        `Invalid type: expecting map, received <class '${type}'>`,
    );
  });

  it('are names that are no texts', async () => {
    expect(await refusal({ yaml: '1: a' })).toBe('GeneralError: keywords must be strings');
    expect(await refusal({ yaml: 'EncryptionContext: {2020-01-01: a}' })).toBe(
      'ParameterError: Parameter validation failed:\nInvalid type for parameter ' +
        'EncryptionContext (key: 2020-01-01), value: 2020-01-01, ' +
        "type: <class 'datetime.date'>, valid types: <class 'str'>",
    );
  });
});

describe('YAML is read as AWS CLI 2.9 reads it:', () => {
  it.each(Object.entries(recordedYaml))('%j', (text, expected) => {
    if (expected === null) {
      expect(() => parseYaml(text)).toThrow();
    } else {
      expect(pythonRepr(parseYaml(text))).toBe(expected);
    }
  });
});

it('is not taken in by YAML that grows', () => {
  const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh']) {
    lines.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`);
  }
  expect(() => parseYaml(lines.join('\n'))).toThrow();
  expect(() => parseYaml('['.repeat(50_000))).toThrow();
});
