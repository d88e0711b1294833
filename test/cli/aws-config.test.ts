import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readProfile } from '../../lib/cli/settings/aws-config.ts';
import { temporaryFolder } from '../support/folders.ts';
import { configurations } from './configurations.ts';
import { run } from './run.ts';

const answers: Readonly<Record<string, string>> = {
  text: 'KEYMETADATA\tk\n',
  json: '{\n    "KeyMetadata": {\n        "KeyId": "k"\n    }\n}\n',
};

function configured(text: string): NodeJS.ProcessEnv {
  const file = path.join(temporaryFolder(), 'config');
  writeFileSync(file, text);
  return { AWS_CONFIG_FILE: file, AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
}

describe('AWS’s configuration file', () => {
  it.each(Object.entries(configurations))('may have %s', async (_, [text, output]) => {
    const { stdout, stderr } = await run(
      ['describe-key', '--key-id', 'k', '--profile', 'p'],
      async () => ({ KeyMetadata: { KeyId: 'k' } }),
      configured(text),
    );
    expect(stdout).toBe(answers[output] ?? '');
    if (!(output in answers)) expect(stderr).toContain(output);
  });

  it.each([
    ['[default]\noutput = text\n[profile default]\noutput = yaml\n', 'yaml'],
    ['[profile default]\noutput = yaml\n[default]\noutput = text\n', 'text'],
  ])('may say twice what is the default; the later counts: %j', (text, output) => {
    expect(readProfile('default', configured(text))?.config.get('output')).toBe(output);
  });

  it('counts as missing if it cannot be read', () => {
    const env = { AWS_CONFIG_FILE: temporaryFolder(), AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
    expect(readProfile('default', env)).toBe(undefined);
  });

  it('may have the endpoints of services in a section of their own', () => {
    const text =
      '[profile p]\nservices = dev\n[services dev]\nkms =\n  endpoint_url = http://a=b\n';
    const profile = readProfile('p', configured(text));
    expect(profile?.services?.get('kms.endpoint_url')).toBe('http://a=b');
  });
});
