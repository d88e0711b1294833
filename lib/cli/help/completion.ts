import { dataKeyPairSpecs } from '../../model/key-specs.ts';
import type { StringShape, StructureShape } from '../../model/shape.ts';
import { type OperationName, operationShapes, type ShapeName, shapes } from '../../model/shapes.ts';
import { inputOptions, skeletonOption } from '../arguments/cli-input.ts';
import { globalOptions } from '../arguments/global-options.ts';
import { operations } from '../arguments/operation-names.ts';
import { optionSyntax, requestOptions } from '../arguments/operation-options.ts';
import { findCommand, type OwnOption, sharedOptions } from '../arguments/own-options.ts';
import { pagingOptions } from '../output/paginated-call.ts';
import { profileNames } from '../settings/aws-config.ts';
import {
  allCommandDescriptions,
  awsCommandDescriptions,
  type CommandDescription,
  optionsOf as optionsOfCommand,
} from './command-descriptions.ts';
import { memberDescriptions } from './member-descriptions.ts';

/** An option as completion offers it. One that takes no value has no `values`. */
export interface OptionHint {
  readonly name: string;
  readonly explanation: string;
  /** Its possible values; empty if they are not known. */
  readonly values?: readonly string[];
  /** Whether any number of values follows. */
  readonly isList?: boolean;
}

const otherCommands: ReadonlyMap<string, CommandDescription> = new Map(
  Object.entries(allCommandDescriptions),
);

const help: OptionHint = { name: '--help', explanation: 'show all about the operation or command' };

const globals: readonly OptionHint[] = [...[...globalOptions, ...sharedOptions].map(ofRow), help];

/** The regions where AWS has KMS. A store takes any other name, too. */
const regions: readonly string[] = [
  ...['af-south-1', 'ap-east-1', 'ap-east-2', 'ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3'],
  ...['ap-south-1', 'ap-south-2', 'ap-southeast-1', 'ap-southeast-2', 'ap-southeast-3'],
  ...['ap-southeast-4', 'ap-southeast-5', 'ap-southeast-7', 'ca-central-1', 'ca-west-1'],
  ...['eu-central-1', 'eu-central-2', 'eu-north-1', 'eu-south-1', 'eu-south-2', 'eu-west-1'],
  ...['eu-west-2', 'eu-west-3', 'il-central-1', 'me-central-1', 'me-south-1', 'mx-central-1'],
  ...['sa-east-1', 'us-east-1', 'us-east-2', 'us-west-1', 'us-west-2'],
];

interface Choices {
  readonly choices?: readonly string[];
}

/** The words that fit at `point` of a command line, whose first word is the program's name. */
export function complete(line: string, point: number): string[] {
  const words = splitWords(line.slice(0, point));
  const current = words.pop() ?? '';
  return candidatesAfter(words.slice(1), current).filter((word) => word.startsWith(current));
}

function candidatesAfter(words: readonly string[], current: string): readonly string[] {
  const commandAt = findCommand(words, ['kms', 'help']);
  const command = words[commandAt] ?? '';
  const operation = operations.get(command);
  const options = operation !== undefined ? optionsOf(operation) : optionsOfOther(command);
  const open = openOption(words, options);
  if (open !== undefined && (!current.startsWith('-') || open.isList !== true)) {
    return valuesAt(open, operation, current);
  }
  const left = options.map(({ name }) => name).filter((name) => !words.includes(name));
  if (current.startsWith('-')) return left;
  if (operation !== undefined) {
    return [...(words.length === commandAt + 1 ? ['help'] : []), ...(current === '' ? left : [])];
  }
  return otherCommands.has(command)
    ? operandsOf(command, words.slice(commandAt + 1))
    : commandsAfter(words);
}

/** The possible values of an option, or the keys that its shorthand may begin with. */
function valuesAt(
  { name, values = [] }: OptionHint,
  operation: OperationName | undefined,
  current: string,
): readonly string[] {
  if (name === '--profile') return profileNames(process.env);
  if (name === '--region') return regions;
  if (operation === undefined || values.length > 0) return values;
  if (name === '--query') return membersOf(operation, current);
  // The first key of the shorthand: shells divide words at the sign behind it.
  const shape = requestOptions(operation).find(({ option }) => option === name)?.shape;
  return Object.keys(elementOf(shape)?.members ?? {}).map((key) => `${key}=`);
}

/** The option that the next word is a value of. */
function openOption(
  words: readonly string[],
  options: readonly OptionHint[],
): OptionHint | undefined {
  const at = words.findLastIndex((word) => word.startsWith('--'));
  const option = options.find(({ name, values }) => name === words[at] && values !== undefined);
  return option?.isList === true || at === words.length - 1 ? option : undefined;
}

function commandsAfter(words: readonly string[]): readonly string[] {
  const isKms = words.includes('kms');
  const own = isKms ? [] : [...otherCommands.keys(), 'kms', 'version'];
  return [...operations.keys(), ...own, ...(words.includes('help') ? [] : ['help'])];
}

/** The options of an operation, its own first. */
export function optionsOf(operation: OperationName): readonly OptionHint[] {
  const members = requestOptions(operation);
  const syntax = optionSyntax(members).map(({ name, key, takes }) => {
    const explanation = memberDescriptions[key] ?? '';
    const shape = members.find(({ member }) => member === key)?.shape;
    return takes === 'nothing' || shape === undefined
      ? { name, explanation }
      : { name, explanation, values: valuesOf(key, shape), isList: takes === 'any' };
  });
  const rows = [...pagingOptions(operation), ...inputOptions, skeletonOption].map(ofRow);
  return [...syntax, ...rows, ...globals];
}

function valuesOf(member: string, name: keyof typeof shapes): readonly string[] {
  const shape = shapes[name];
  if (shape.type === 'list') return valuesOf('', shape.member);
  if (/^(?:Target|Source|Destination)?KeyId$|^AliasName$/.test(member)) return ['alias/'];
  return (shape as StringShape).enum ?? [];
}

/** The names of members with which a query may go on. */
function membersOf(operation: OperationName, query: string): readonly string[] {
  const [, path = '', prefix = ''] = /^((?:\w+(?:\[[^\]]*\])?\.)*)(\w*)$/.exec(query) ?? [];
  if (path + prefix !== query) return [];
  let shape = operationShapes[operation].output;
  for (const [name] of path.matchAll(/\w+(?=[[.])/g)) shape = memberOf(shape, name);
  const found = elementOf(shape);
  return Object.keys(found?.members ?? {}).map((name) => path + name);
}

function memberOf(name: ShapeName | undefined, member: string): ShapeName | undefined {
  const members = elementOf(name)?.members ?? {};
  return Object.hasOwn(members, member) ? members[member] : undefined;
}

/** The structure that a shape is, or that a list's items are. */
function elementOf(name: ShapeName | undefined): StructureShape | undefined {
  const shape = name && shapes[name];
  if (shape === undefined) return undefined;
  if (shape.type === 'list') return elementOf(shape.member);
  return shape.type === 'structure' ? shape : undefined;
}

/** The options of a command that is not an operation; none if there is no such command. */
function optionsOfOther(command: string): readonly OptionHint[] {
  const description = otherCommands.get(command);
  // Those of AWS's CLI take the options that an operation takes.
  if (description === undefined || Object.hasOwn(awsCommandDescriptions, command)) return globals;
  const options = optionsOfCommand(description);
  const choicesByOption: Readonly<Record<string, readonly string[]>> = {
    '--key-id': ['alias/'],
    '--key-pair-spec': dataKeyPairSpecs(),
  };
  return [
    ...options.map((row) => ofRow({ ...row, choices: choicesByOption[row.name] ?? [] })),
    help,
  ];
}

function operandsOf(command: string, words: readonly string[]): readonly string[] {
  const taken = words.filter(
    (word, index) =>
      !word.startsWith('-') &&
      openOption(words.slice(0, index), optionsOfOther(command)) === undefined,
  ).length;
  const operand = otherCommands.get(command)?.operands?.[taken];
  // A text stands for a value that only the user knows.
  const choices = Array.isArray(operand) ? operand : [];
  return taken === 0 ? [...choices, 'help'] : choices;
}

function ofRow({ name, value, choices = [], explanation }: OwnOption & Choices): OptionHint {
  return value === undefined ? { name, explanation } : { name, explanation, values: choices };
}

/** Words as shells see them, quotes left away. The last one is what is being written. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  const pattern = /(?:"((?:[^"\\]|\\.)*)(?:"|$)|'([^']*)(?:'|$)|\\(.?)|([^\s"'\\]+))|(\s+)/gs;
  let word = '';
  for (const [, double, single, escaped, plain, space] of text.matchAll(pattern)) {
    if (space !== undefined) {
      words.push(word);
      word = '';
    } else {
      word += double ?? single ?? escaped ?? plain ?? '';
    }
  }
  return [...words, word].slice(text.startsWith(' ') ? 1 : 0);
}
