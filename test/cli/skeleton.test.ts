import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memberDescriptions } from '../../lib/cli/help/member-descriptions.ts';
import { operationNames } from '../../lib/cli/help/operation-descriptions.ts';
import { sampleResponse, skeleton } from '../../lib/cli/help/skeleton.ts';
import { findComplaints } from '../../lib/model/constraints.ts';
import { operationShapes } from '../../lib/model/shapes.ts';

type Recorded = Readonly<Record<string, { readonly input: string; readonly 'yaml-input': string }>>;

const recorded = JSON.parse(
  readFileSync(new URL('recorded/skeletons.json', import.meta.url), 'utf8'),
) as Recorded;

describe.each(operationNames)('the skeleton of %s', (operation) => {
  it('is the one of AWS CLI 2.9, byte for byte', () => {
    expect(skeleton(operation, 'input')).toBe(recorded[operation]?.input);
  });

  it('is that in YAML, too, but for the sentences', () => {
    const yaml = skeleton(operation, 'yaml-input');
    expect(withoutSentences(yaml)).toBe(recorded[operation]?.['yaml-input']);
  });

  it('of its output fits the model', () => {
    const { output } = operationShapes[operation];
    const response = sampleResponse(operation);
    expect(response === undefined).toBe(output === undefined);
    if (output !== undefined && response !== undefined) {
      expect(findComplaints(output, response)).toEqual([]);
    }
  });
});

it('of an output has texts named after their members, if that fits', () => {
  expect(sampleResponse('GenerateDataKeyPairWithoutPlaintext')).toEqual({
    PrivateKeyCiphertextBlob: new TextEncoder().encode('PrivateKeyCiphertextBlob'),
    PublicKey: new TextEncoder().encode('PublicKey'),
    KeyId: 'KeyId',
    KeyPairSpec: 'RSA_2048',
    KeyMaterialId: '0'.repeat(64),
  });
});

/** Our own sentences, one by one, so that no comment passes that is not one. */
function withoutSentences(yaml: string): string {
  return yaml.replace(
    /([A-Z]\w+):(.*?) # (\[REQUIRED\] )?(.*)$/gm,
    (_, member, value, mark, text) => {
      const sentence = memberDescriptions[member] ?? '';
      expect(sentence, member).not.toBe('');
      expect(text.startsWith(sentence), text).toBe(true);
      return `${member}:${value} # ${mark ?? ''}…${text.slice(sentence.length)}`;
    },
  );
}
