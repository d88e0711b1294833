import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { choose, required } from '../arguments/usage.ts';
import type { ConfigureLine, Given } from '../command-line.ts';
import type { Context } from '../context.ts';
import { GeneralError, ParameterError, UnknownOptionsError } from '../errors.ts';
import type { ActionOf } from '../help/command-descriptions.ts';
import { configFiles, nameOf, readProfile, setting } from '../settings/aws-config.ts';
import { unknownProfile } from '../settings/setting-checks.ts';

interface Call {
  readonly given: Given;
  readonly context: Context;
}

type Action = (words: readonly string[], call: Call) => number;

const actions: Readonly<Record<ActionOf<'configure'>, Action>> = { list, get, set };

/** `configure list`, `get` and `set` of the AWS CLI, on the files that it reads, too. */
export function runConfigure({ given, action, words }: ConfigureLine, context: Context): number {
  return choose(actions, action, 'subcommand')(words, { given, context });
}

/** @throws UsageError if words are missing; UnknownOptionsError if there are more */
function take(words: readonly string[], names: readonly string[]): string[] {
  const missing = names.slice(words.length);
  if (missing.length > 0) throw required(...missing);
  const rest = words.slice(names.length);
  if (rest.length > 0) throw new UnknownOptionsError(rest);
  return [...words];
}

function namedProfile({ given, context: { env } }: Call): string | undefined {
  const { AWS_PROFILE, AWS_DEFAULT_PROFILE } = env;
  return (given.get('profile') as string | undefined) ?? (AWS_PROFILE || AWS_DEFAULT_PROFILE);
}

/** The settings of the profile that is named, or of the default one, which need not be there. */
function currentProfile(call: Call) {
  const name = namedProfile(call);
  const profile = readProfile(name ?? 'default', call.context.env);
  if (profile === undefined && name !== undefined) throw unknownProfile(name);
  return profile;
}

function get(words: readonly string[], call: Call): number {
  const [name = ''] = take(words, ['varname']);
  const { profile, variable } = scopeOf(name, call);
  const { stdout, stderr, env } = call.context;
  const settings = name.includes('.') ? readProfile(profile, env) : currentProfile(call);
  const value = setting(settings, variable);
  const isSection = [...(settings?.config.keys() ?? [])].some((key) =>
    key.startsWith(`${variable}.`),
  );
  if (isSection) {
    stderr.write(`varname (${name}) must reference a value, not a section or sub-section.`);
    return 1;
  }
  if (value === undefined) return 1;
  stdout.write(`${value}\n`);
  return 0;
}

/** `region`, `profile.NAME.region`, `NAME.region` and `s3.addressing_style` are all names. */
function scopeOf(name: string, call: Call): { profile: string; variable: string } {
  const [first = '', ...others] = name.split('.');
  const current = namedProfile(call) ?? 'default';
  if (others.length === 0) return { profile: current, variable: name };
  if (first === 'profile') {
    const [profile = '', ...variable] = others;
    return { profile, variable: variable.join('.') };
  }
  const isProfile = first === 'default' || readProfile(first, call.context.env) !== undefined;
  return isProfile
    ? { profile: first, variable: others.join('.') }
    : { profile: current, variable: name };
}

const inCredentialsFile = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'];

function set(words: readonly string[], call: Call): number {
  const [name = '', value = ''] = take(words, ['varname', 'value']);
  if (/[\r\n]/.test(name + value)) {
    throw new ParameterError('A setting of the configuration has no line ends in it.');
  }
  const [first = '', ...others] = name.split('.');
  const current = namedProfile(call) ?? 'default';
  // Unlike `get`, `set` takes no bare name of a profile.
  const { profile, variable } =
    first === 'profile' || first === 'default'
      ? scopeOf(name, call)
      : { profile: current, variable: [first, ...others].join('.') };
  const { config, credentials } = configFiles(call.context.env);
  const isSecret = inCredentialsFile.includes(variable);
  const quoted = /\s/.test(profile) ? `'${profile}'` : profile;
  const section = isSecret || profile === 'default' ? profile : `profile ${quoted}`;
  write(isSecret ? credentials : config, section, variable.split('.'), value);
  return 0;
}

function write(file: string, section: string, names: readonly string[], value: string): void {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new GeneralError((error as Error).message);
    }
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '', { mode: 0o600 });
    chmodSync(file, 0o600);
  }
  writeFileSync(file, withSetting(text, section, names, value));
}

/** The text with one setting replaced, or added behind the last one of its section. */
export function withSetting(
  text: string,
  section: string,
  [name = '', nested]: readonly string[],
  value: string,
): string {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const added =
    nested === undefined ? [`${name} = ${value}`] : [`${name} =`, `    ${nested} = ${value}`];
  const start = lines.findIndex((line) => isTitle(line, section));
  if (start === -1) return `${[...lines, `[${section}]`, ...added].join('\n')}\n`;
  const end = endOf(lines, start + 1, (line) => /^\s*\[/.test(line));
  const at = find(lines, { from: start + 1, to: end, name, isNested: false });
  if (at === -1) lines.splice(lastSetting(lines, start, end) + 1, 0, ...added);
  else if (nested === undefined) lines[at] = `${name} = ${value}`;
  else {
    const stop = Math.min(
      end,
      endOf(lines, at + 1, (line) => /^\S/.test(line)),
    );
    const inner = find(lines, { from: at + 1, to: stop, name: nested, isNested: true });
    const line = `    ${nested} = ${value}`;
    if (inner === -1) lines.splice(lastSetting(lines, at, stop) + 1, 0, line);
    else lines[inner] = line;
  }
  return `${lines.join('\n')}\n`;
}

function isTitle(line: string, section: string): boolean {
  const [, title] = /^\s*\[([^\]]+)\]/.exec(line) ?? [];
  return title !== undefined && nameOf(title) === nameOf(section);
}

function endOf(lines: readonly string[], from: number, ends: (line: string) => boolean): number {
  const found = lines.findIndex((line, index) => index >= from && ends(line));
  return found === -1 ? lines.length : found;
}

function find(
  lines: readonly string[],
  where: { from: number; to: number; name: string; isNested: boolean },
): number {
  return lines.findIndex((line, index) => {
    if (index < where.from || index >= where.to) return false;
    const [, indent = '', name] = /^(\s*)([^#;\s:=][^:=]*?)\s*[:=]/.exec(line) ?? [];
    return name === where.name && (indent !== '') === where.isNested;
  });
}

/** The last line before `end` that is neither empty nor a comment. */
function lastSetting(lines: readonly string[], start: number, end: number): number {
  let last = end - 1;
  while (last > start && /^\s*([#;].*)?$/.test(lines[last] ?? '')) last--;
  return last;
}

interface Shown {
  readonly value: string;
  readonly type: string;
  readonly location: string;
}

const notSet: Shown = { value: '<not set>', type: 'None', location: 'None' };

function list(words: readonly string[], call: Call): number {
  take(words, []);
  const { stdout } = call.context;
  const print = (name: string, { value, type, location }: Shown) =>
    stdout.write(
      `${name.padStart(10)} ${value.padStart(24)} ${type.padStart(16)}    ${location}\n`,
    );
  print('Name', { value: 'Value', type: 'Type', location: 'Location' });
  print('----', { value: '-----', type: '----', location: '--------' });
  print('profile', shownProfile(call));
  currentProfile(call);
  print('access_key', shownKey(call, 'aws_access_key_id'));
  print('secret_key', shownKey(call, 'aws_secret_access_key'));
  print('region', shownRegion(call));
  return 0;
}

function shownProfile({ given, context: { env } }: Call): Shown {
  const manual = given.get('profile') as string | undefined;
  if (manual !== undefined) return { value: manual, type: 'manual', location: '--profile' };
  const value = env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE;
  if (!value) return notSet;
  return { value, type: 'env', location: "['AWS_PROFILE', 'AWS_DEFAULT_PROFILE']" };
}

function shownKey(call: Call, name: string): Shown {
  const { env } = call.context;
  const mask = (value: string) => `${'*'.repeat(16)}${value.slice(-4)}`;
  // A profile on the command line beats credentials in the environment, as in requests.
  if (env.AWS_ACCESS_KEY_ID && !call.given.has('profile')) {
    return { value: mask(env[name.toUpperCase()] ?? ''), type: 'env', location: '' };
  }
  const profile = currentProfile(call);
  const fromCredentials = profile?.credentials.get(name);
  if (fromCredentials !== undefined) {
    return { value: mask(fromCredentials), type: 'shared-credentials-file', location: '' };
  }
  const fromConfig = profile?.config.get(name);
  if (fromConfig === undefined) return notSet;
  return { value: mask(fromConfig), type: 'config-file', location: '' };
}

function shownRegion(call: Call): Shown {
  const { env } = call.context;
  const value = env.AWS_REGION || env.AWS_DEFAULT_REGION;
  if (value) return { value, type: 'env', location: "['AWS_REGION', 'AWS_DEFAULT_REGION']" };
  const configured = setting(currentProfile(call), 'region');
  if (configured === undefined) return notSet;
  return { value: configured, type: 'config-file', location: configFiles(env).shown };
}
