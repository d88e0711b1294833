import { describe, expect, it } from 'vitest';
import { parseKnown } from '../../lib/cli/arguments/argument-parser.ts';
import { inputOptions, skeletonOption } from '../../lib/cli/arguments/cli-input.ts';
import { globalOptions } from '../../lib/cli/arguments/global-options.ts';
import { kebabCase } from '../../lib/cli/arguments/operation-names.ts';
import { requestOptions } from '../../lib/cli/arguments/operation-options.ts';
import { sharedOptions } from '../../lib/cli/arguments/own-options.ts';
import {
  allCommandDescriptions,
  type CommandDescription,
  optionsOf,
} from '../../lib/cli/help/command-descriptions.ts';
import { memberDescriptions } from '../../lib/cli/help/member-descriptions.ts';
import {
  operationDescriptions,
  operationNames,
} from '../../lib/cli/help/operation-descriptions.ts';
import { pagingOptions } from '../../lib/cli/output/paginated-call.ts';
import { operations } from '../../lib/operations/index.ts';
import { run } from './run.ts';

it('offers exactly the operations that exist', () => {
  expect([...operationNames].sort()).toEqual(Object.keys(operations).sort());
});

it('spells names as the AWS CLI does', () => {
  expect(kebabCase('GenerateDataKeyPairWithoutPlaintext')).toBe(
    'generate-data-key-pair-without-plaintext',
  );
  expect(kebabCase('ListResourceARNs')).toBe('list-resource-arns');
  expect(kebabCase('XksKeyId')).toBe('xks-key-id');
});

it('tells of every operation, command and option of all of them, in 80 columns', async () => {
  const { exitCode, stdout } = await run(['help']);
  expect(exitCode).toBe(0);
  const options = [...sharedOptions, ...inputOptions, skeletonOption, ...globalOptions];
  const names = [
    ...operationNames.map(kebabCase),
    ...Object.keys(allCommandDescriptions),
    'version',
  ];
  for (const name of [...names, ...options.map((option) => option.name)]) {
    expect(stdout).toMatch(new RegExp(`\n  ${name}[ \n]`));
  }
  expect(tooLong(stdout)).toEqual([]);
});

describe.each(operationNames)('help on %s', (operation) => {
  const name = kebabCase(operation);

  it('names every option, says which are required, and fits 80 columns', async () => {
    const { exitCode, stdout } = await run(['help', name]);
    expect(exitCode).toBe(0);
    for (const { option, member, isRequired } of requestOptions(operation)) {
      expect(stdout).toContain(`\n      ${isRequired ? '' : '['}${option}`);
      expect(memberDescriptions[member], member).toBeDefined();
    }
    for (const { name } of [...pagingOptions(operation), ...inputOptions, skeletonOption]) {
      expect(stdout.split(name).length, name).toBeGreaterThan(2);
    }
    for (const { name } of [...globalOptions, ...sharedOptions]) {
      expect(stdout).toMatch(new RegExp(`[ \n]${name}[ \n]`));
    }
    expect(tooLong(stdout)).toEqual([]);
  });

  it('has an example that the program accepts', async () => {
    const example = operationDescriptions[operation]?.example ?? '';
    // An operation that is not offered has nothing to show.
    if (operation.includes('CustomKeyStore')) return expect(example).toBe('');
    const inPlace = example.replace(/fileb:\/\/\S+/g, 'AQID').replace(/file:\/\/\S+/g, '{}');
    const words = inPlace.match(/"[^"]*"|\S+/g) ?? [];
    const { exitCode, stderr } = await run([
      name,
      ...words.map((word) => word.replaceAll('"', '')),
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });
});

describe.each(Object.entries<CommandDescription>(allCommandDescriptions))(
  'help on %s',
  (name, description) => {
    const { operands = [], examples } = description;
    const options = optionsOf(description);

    it('names every option and example and fits 80 columns', async () => {
      const { exitCode, stdout } = await run(['help', name]);
      expect(exitCode).toBe(0);
      for (const option of options) {
        expect(stdout).toContain(`\n  ${option.name}`);
      }
      expect(stdout.replaceAll(' \\\n     ', '')).toContain(
        `\n  pairmint ${name} ${examples[0]}`.trimEnd(),
      );
      expect(tooLong(stdout)).toEqual([]);
    });

    it.each(examples)('has examples that the program accepts: %j', (example) => {
      const [line = ''] = example.split(/ >>? /);
      const syntax = options.map((option) => {
        const takes = option.value === undefined ? 'nothing' : 'one';
        return { name: option.name, key: option.name, takes } as const;
      });
      const words = line.split(' ').filter((word) => word !== '');
      const { rest } = parseKnown({ options: syntax, abbreviations: false }, words);
      const accepted = rest.map((word, index) => {
        const operand = operands[index] ?? [];
        return typeof operand === 'string' || operand.includes(word);
      });
      expect(accepted).not.toContain(false);
    });
  },
);

function tooLong(text: string): string[] {
  return text.split('\n').filter((line) => line.length > 80);
}

const topic = 'create-key';
it.each([
  [['help', topic]],
  [['help', 'kms', topic]],
  [['kms', 'help', topic]],
  [[topic, 'help']],
  [[topic, '--help']],
  [[topic, '-h']],
  [['kms', topic, 'help']],
  [['kms', topic, '--bogus', '--help']],
])('is given by %j', async (args) => {
  const { exitCode, stdout, opened } = await run(args);
  expect({ exitCode, opened }).toEqual({ exitCode: 0, opened: [] });
  expect(stdout).toMatch(/^pairmint create-key: /);
});

it.each([[['init', 'help']], [['help', 'init']], [['init', '--help']]])(
  'is given on own commands by %j',
  async (args) => {
    const { exitCode, stdout } = await run(args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^pairmint init: /);
    expect(stdout).toContain('--region REGION');
  },
);

it('refuses an unknown topic', async () => {
  const { exitCode, stderr } = await run(['help', 'creat-key']);
  expect(exitCode).toBe(252);
  expect(stderr).toContain('maybe you meant:\n\n  * create-key\n');
});
