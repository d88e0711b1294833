import { packageVersion } from '../../core/package-version.ts';
import type { Shape } from '../../model/shape.ts';
import { type OperationName, operationShapes, type ShapeName, shapes } from '../../model/shapes.ts';
import { inputOptions, skeletonOption } from '../arguments/cli-input.ts';
import { globalOptions } from '../arguments/global-options.ts';
import { kebabCase } from '../arguments/operation-names.ts';
import { type RequestOption, requestOptions, structure } from '../arguments/operation-options.ts';
import { type Operand, type OwnOption, sharedOptions } from '../arguments/own-options.ts';
import { pagingOptions } from '../output/paginated-call.ts';
import { definition, wrap } from '../output/text-layout.ts';
import {
  allCommandDescriptions,
  type CommandDescription,
  optionsOf,
} from './command-descriptions.ts';
import { memberDescriptions } from './member-descriptions.ts';
import { operationDescriptions, operationNames } from './operation-descriptions.ts';

const termColumn = 26;
const noBreakSpace = '\u00a0';

const environment = {
  PAIRMINT_STORE: 'the store, if --store is not given',
  PAIRMINT_ROOT_KEY_FILE: 'the root key file, if --root-key-file is not given',
  PAIRMINT_HOME: 'the folder of the default store and root key; ~/.pairmint by default',
  PAIRMINT_KERNEL: "the kernel: 'portable' uses no vectors, 'openssl' leaves all to OpenSSL",
  AWS_ENDPOINT_URL_KMS: 'the server, if --endpoint-url is not given; or AWS_ENDPOINT_URL',
  AWS_PROFILE: 'the profile, if --profile is not given',
  AWS_REGION: 'the region, if --region is not given',
  AWS_CLI_AUTO_PROMPT: 'on: ask for options on the terminal; on-partial: where some are wrong',
  AWS_PAGER: 'the program that long output is shown with on a terminal; empty for none',
} as const;

const exitCodeMeanings = {
  0: 'done',
  252: 'the command or its parameters are wrong',
  253: 'the store, the root key, the addon, a region or credentials are missing',
  254: 'the service refused the request',
  255: 'anything else',
  130: 'interrupted',
} as const;

interface OptionRow extends OwnOption {
  readonly choices?: readonly string[];
}

/** `pairmint help`. */
export function generalHelp(): string {
  const all = operationNames.map((name): [string, string] => [
    kebabCase(name),
    operationDescriptions[name]?.summary ?? '',
  ]);
  const missing = all.filter(([, summary]) => summary.endsWith('not offered'));
  const operations = all.filter((row) => !missing.includes(row));
  const commands = Object.entries(allCommandDescriptions).map(
    ([name, { summary }]): [string, string] => [name, summary],
  );
  commands.push(['help [operation]', 'show this text, or all about an operation or command']);
  commands.push(['version', 'show the version']);
  return document([
    `pairmint ${packageVersion()}: data key pairs compatible with AWS KMS, minted here`,
    `Usage\n  pairmint <operation> [options]\n  pairmint kms <operation> [options]\n  pairmint <command> [options]`,
    section('Operations', operations),
    section('Commands', commands),
    ["AWS's operations that are not offered", ...missing.map(([name]) => `  ${name}`)].join('\n'),
    section('Options of every operation and command', sharedOptions.map(optionRow)),
    section('Options of every operation', [
      ...[...inputOptions, skeletonOption].map(optionRow),
      ...globalOptions.map(optionRow),
    ]),
    section('Environment', Object.entries(environment)),
    section('Exit codes', Object.entries(exitCodeMeanings)),
    wrap('Options may be shortened as long as no other begins so. --help works everywhere.', 0),
  ]);
}

/** `pairmint help <operation>`, out of the model and our own words. */
export function operationHelp(operation: OperationName): string {
  const name = kebabCase(operation);
  const options = requestOptions(operation);
  const paging = pagingOptions(operation);
  const { summary = '', description = '', example = '' } = operationDescriptions[operation] ?? {};
  return document([
    title(name, summary),
    wrap(description, 2),
    `Synopsis\n  pairmint ${name}\n${synopsis(operation)}`,
    ...(options.length === 0 ? [] : [`Options\n${options.map(describeOption).join('\n')}`]),
    ...(paging.length === 0 ? [] : [section('Options of a list', paging.map(optionRow))]),
    section('Options of every operation', [...inputOptions, skeletonOption].map(optionRow)),
    `${commonOptions()}\n  What they mean: pairmint help`,
    `Output\n${describeOutput(operation)}`,
    `Example\n${formatExample(name, example)}`,
  ]);
}

/** `pairmint help <command>`. */
export function commandHelp(name: string): string {
  const command = allCommandDescriptions[name] as CommandDescription;
  const { summary, description, operands = [], examples } = command;
  const options = optionsOf(command);
  return document([
    title([name, ...operands.map(operandText)].join(' '), summary),
    wrap(description, 2),
    ...(options.length === 0 ? [] : [section('Options', options.map(optionRow))]),
    ['Examples', ...examples.map((example) => formatExample(name, example))].join('\n'),
  ]);
}

function operandText(operand: Operand): string {
  return typeof operand === 'string' ? operand : operand.join('|');
}

function document(parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`;
}

function title(name: string, summary: string): string {
  return wrap(`pairmint ${name}: ${summary}`, 0);
}

/** In one line if it fits, otherwise an option a line, ready to be pasted. */
function formatExample(name: string, example: string): string {
  const line = `  pairmint ${name} ${example}`.trimEnd();
  return line.length <= 80 ? line : line.replaceAll(' --', ' \\\n      --');
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  const lines = rows.map(([term, explanation]) => definition(term, explanation, termColumn));
  return [title, ...lines].join('\n');
}

/** All global options and ours, without a word about them. */
function commonOptions(): string {
  const forms = [...globalOptions, ...sharedOptions].map((row) => optionRow(row)[0]);
  // Words that belong together stay on one line.
  return wrap(forms.map((form) => form.replaceAll(' ', noBreakSpace)).join(' '), 2).replaceAll(
    noBreakSpace,
    ' ',
  );
}

function optionRow({ name, value, choices, explanation }: OptionRow): [string, string] {
  const values = choices === undefined ? '' : ` (${choices.join(', ')})`;
  return [value === undefined ? name : `${name} ${value}`, explanation + values];
}

function synopsis(operation: OperationName): string {
  const whole = inputOptions.map(({ name }) => name).join(' | ');
  return [
    ...requestOptions(operation).map(synopsisLine),
    ...pagingOptions(operation).map(({ name }) => `      [${name} <value>]`),
    `      [${whole}]`,
    `      [${skeletonOption.name} <value>]`,
    '      [options of every operation]',
  ].join('\n');
}

function synopsisLine({ option, shape, isRequired }: RequestOption): string {
  const { type } = shapes[shape];
  const indent = ' '.repeat(6);
  if (type === 'boolean') {
    const [on, off] = [`[${option}`, `--no-${option.slice(2)}]`];
    const line = `${indent}${on} | ${off}`;
    return line.length <= 80 ? line : `${indent}${on} |\n${indent} ${off}`;
  }
  const form = `${option} <value>${type === 'list' ? ' ...' : ''}`;
  return indent + (isRequired ? form : `[${form}]`);
}

function describeOption({ member, option, shape, isRequired }: RequestOption): string {
  const { type } = shapes[shape];
  const traits = isRequired ? `(${type}, required)` : `(${type})`;
  const names = type === 'boolean' ? `${option} | --no-${option.slice(2)}` : option;
  const notes = [memberDescriptions[member] ?? '', ...formNotes(shapes[shape])];
  const lines = notes.filter((note) => note !== '').map((note) => wrap(note, 6));
  return [wrap(`${names} ${traits}`, 2), ...lines].join('\n');
}

/** How a value of the shape is written, and which are allowed. */
function formNotes(shape: Shape): string[] {
  switch (shape.type) {
    case 'string':
      return shape.enum === undefined ? [] : [`One of: ${shape.enum.join(', ')}.`];
    case 'blob':
      return ['Base64, or fileb://FILE for the bytes of a file.'];
    case 'integer':
      return shape.min === undefined ? [] : [`From ${shape.min} to ${shape.max}.`];
    case 'map':
      return ['As Name1=value,Name2=value, as a JSON object, or in a file: file://FILE.'];
    case 'structure':
      return [`As ${shorthandForm(shape.members)}, or as a JSON object.`];
    case 'list':
      return listNotes(shape.member);
    default:
      return [];
  }
}

function listNotes(member: ShapeName): string[] {
  const shape = shapes[member];
  if (shape.type === 'structure') {
    return [`Each as ${shorthandForm(shape.members)}, or as a JSON object.`];
  }
  return shape.type === 'string' ? formNotes(shape) : [];
}

function shorthandForm(members: Readonly<Record<string, ShapeName>>): string {
  return Object.entries(members)
    .map(([name, shape]) => `${name}=${shapes[shape].type}`)
    .join(',');
}

function describeOutput(operation: OperationName): string {
  const { output } = operationShapes[operation];
  if (output === undefined) return '  None.';
  const members = Object.entries(structure(output).members);
  const names = members.map(([name, shape]) => `${name} (${shapes[shape].type})`);
  return wrap(`${names.join(', ')}.`, 2);
}
