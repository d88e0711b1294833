import { isUtf8 } from 'node:buffer';
import { cannotParse, ParameterError } from '../errors.ts';
import { JsonError, parseJson } from '../python/json.ts';
import { pythonType } from '../python/python-text.ts';
import { Dictionary, type Value } from '../python/value.ts';
import type { GivenValue, OptionSyntax } from './argument-parser.ts';
import type { OwnOption } from './own-options.ts';
import { loadParameterFile, ParameterFileError } from './parameter-file.ts';

/** The options that take a whole request. Written in full, either makes all others optional. */
export const inputOptions = [
  {
    name: '--cli-input-json',
    key: 'cliInputJson',
    takes: 'one',
    value: 'JSON',
    explanation: 'the whole request, or file://FILE; its members yield to the other options',
  },
  {
    name: '--cli-input-yaml',
    key: 'cliInputYaml',
    takes: 'one',
    value: 'YAML',
    explanation: 'the same in YAML',
  },
] as const satisfies readonly (OptionSyntax & OwnOption)[];

/** The option that asks for a request to fill in, see skeleton.ts. */
export const skeletonOption = {
  name: '--generate-cli-skeleton',
  key: 'generateCliSkeleton',
  takes: 'optional',
  otherwise: 'input',
  choices: ['input', 'output', 'yaml-input'],
  value: 'KIND',
  explanation: 'do nothing but print a request to fill in, or a sample of the output',
} as const satisfies OptionSyntax & OwnOption;

type InputOption = (typeof inputOptions)[number];

const readers: Readonly<Record<InputOption['key'], (text: string) => Promise<Value>>> = {
  cliInputJson: async (text) => withoutOrigin(readJson(text)),
  cliInputYaml: readYaml,
};

/**
 * Adds the members that the request has not from the text or file of `--cli-input-json` or
 * `--cli-input-yaml`, if one of them is given. Members stay whole: an encryption context of the
 * command line replaces the other. Types are not enforced here.
 *
 * Throws ParameterError, or GeneralError if the AWS CLI does.
 */
export async function mergeInput(
  given: ReadonlyMap<string, GivenValue>,
  request: Dictionary,
): Promise<Dictionary> {
  const options = inputOptions.filter(({ key }) => given.has(key));
  const [option] = options;
  if (option === undefined) return request;
  if (options.length > 1) {
    throw new ParameterError('Only one --cli-input- parameter may be specified.');
  }
  const input = await readers[option.key](load(option, String(given.get(option.key))));
  if (!(input instanceof Dictionary)) {
    const why = `Invalid type: expecting map, received ${pythonType(input)}`;
    throw cannotParse(option.name, why);
  }
  return new Dictionary([...request, ...[...input].filter(([member]) => !request.has(member))]);
}

function load({ name }: InputOption, text: string): string {
  try {
    const loaded = loadParameterFile(text) ?? text;
    return typeof loaded === 'string' ? loaded : decode(loaded);
  } catch (error) {
    if (error instanceof ParameterFileError) throw cannotParse(name, error.message);
    throw error;
  }
}

/** The bytes of `fileb://`. What is not UTF-8 becomes a character that neither format allows. */
function decode(bytes: Uint8Array): string {
  return isUtf8(bytes) ? new TextDecoder().decode(bytes) : '\0';
}

function readJson(text: string): Value {
  try {
    return parseJson(text);
  } catch (error) {
    // Without its dashes, as the AWS CLI names it.
    throw error instanceof JsonError
      ? cannotParse('cli-input-json', 'Invalid JSON received.')
      : error;
  }
}

async function readYaml(text: string): Promise<Value> {
  const { parseYaml, YamlError } = await import('./yaml-input.ts');
  try {
    return parseYaml(text);
  } catch (error) {
    throw error instanceof YamlError
      ? cannotParse('cli-input-yaml', 'Invalid YAML received.')
      : error;
  }
}

/**
 * Complaints call these dictionaries by their plain name, unlike those that an option was given.
 */
function withoutOrigin(value: Value): Value {
  if (Array.isArray(value)) return value.map(withoutOrigin);
  return value instanceof Dictionary
    ? new Dictionary([...value].map(([key, member]) => [key, withoutOrigin(member)]))
    : value;
}
