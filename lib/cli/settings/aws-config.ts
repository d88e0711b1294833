import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { GeneralError } from '../errors.ts';

/** A section's settings. Those of a subsection are named `kms.endpoint_url`. */
export type Section = ReadonlyMap<string, string>;

/** One profile of AWS's two configuration files. */
export interface Profile {
  readonly name: string;
  readonly config: Section;
  readonly credentials: Section;
  /** The section that `services` of the profile names, if any. */
  readonly services: Section | undefined;
}

const nothing: Section = new Map();

/**
 * Reads the profile `name` from the files that the AWS CLI reads; undefined if it does not exist.
 *
 * The SDK's own loader would take half as long to load as Node.js to start, and leaves out empty
 * settings, as in `cli_pager=`. Credentials are read by the SDK.
 *
 * @throws GeneralError if a file is malformed
 */
export function readProfile(name: string, env: NodeJS.ProcessEnv): Profile | undefined {
  const files = configFiles(env);
  const config = named(readSections(files.config));
  const own = config.get(`profile ${name}`);
  const credentials = readSections(files.credentials).get(name);
  if (own === undefined && credentials === undefined) return undefined;
  return {
    name,
    config: own ?? nothing,
    credentials: credentials ?? nothing,
    services: config.get(`services ${credentials?.get('services') ?? own?.get('services')}`),
  };
}

/** The paths of the two files; `shown` is the configuration's as the user named it. */
export function configFiles(env: NodeJS.ProcessEnv): {
  readonly config: string;
  readonly credentials: string;
  readonly shown: string;
} {
  const home = env.HOME || homedir();
  const expanded = (file: string) => file.replace(/^~(?=\/|$)/, home);
  const shown = env.AWS_CONFIG_FILE || '~/.aws/config';
  const credentials = env.AWS_SHARED_CREDENTIALS_FILE || '~/.aws/credentials';
  return { config: expanded(shown), credentials: expanded(credentials), shown };
}

/** The profiles that there are, in alphabetical order. */
export function profileNames(env: NodeJS.ProcessEnv): string[] {
  const files = configFiles(env);
  const inConfig = [...named(readSections(files.config)).keys()].flatMap(
    (title) => /^profile (.*)$/s.exec(title)?.[1] ?? [],
  );
  return [...new Set([...inConfig, ...readSections(files.credentials).keys()])].sort();
}

/** A setting of the profile, of whichever file; that of the credentials counts first. */
export function setting(profile: Profile | undefined, name: string): string | undefined {
  return profile?.credentials.get(name) ?? profile?.config.get(name);
}

function readSections(file: string): ReadonlyMap<string, Section> {
  const text = readText(file);
  return text === undefined ? new Map() : parseSections(text, file);
}

/** A file that cannot be read counts as none, whatever the reason. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Sections of the configuration by what they name: `[default]` is `[profile default]`, too. */
function named(sections: ReadonlyMap<string, Section>): ReadonlyMap<string, Section> {
  return new Map([...sections].map(([title, section]) => [nameOf(title), section]));
}

/** `profile "a b"` is the profile `a b`. */
export function nameOf(title: string): string {
  return title === 'default'
    ? 'profile default'
    : title.trim().replace(/^(profile|services)\s+(["']?)(.*)\2$/, '$1 $3');
}

/**
 * Reads the form of Python's configparser. Comments have lines of their own. A line that is
 * indented deeper than the setting above it belongs to that one, as a setting of its own where that
 * is empty.
 */
function parseSections(text: string, file: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Map<string, string>>();
  const failure = new GeneralError(`Unable to parse config file: ${file}`);
  let section: Map<string, string> | undefined;
  let above: { readonly key: string; readonly indent: number } | undefined;
  for (const line of text.split(/\r?\n/)) {
    const content = line.trim();
    if (/^(?:[#;].*)?$/.test(content)) continue;
    const indent = line.length - line.trimStart().length;
    if (section !== undefined && above !== undefined && indent > above.indent) {
      if (!append(section, above.key, content)) throw failure;
      continue;
    }
    const [, title] = /^\[(.+)\]/.exec(content) ?? [];
    if (title !== undefined) {
      if (sections.has(title)) throw failure;
      section = new Map();
      sections.set(title, section);
      above = undefined;
      continue;
    }
    const [, name = '', value = ''] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(content) ?? [];
    const key = name.toLowerCase();
    if (section === undefined || key === '' || section.has(key)) throw failure;
    section.set(key, value);
    above = { key, indent };
  }
  return sections;
}

/** Adds a line to the setting above it. Whether that may be. */
function append(section: Map<string, string>, above: string, content: string): boolean {
  const value = section.get(above);
  if (value !== '') {
    section.set(above, `${value}\n${content}`);
    return true;
  }
  const [, key, nested] = /^(.*?)\s*=\s*(.*)$/.exec(content) ?? [];
  section.set(`${above}.${key}`, nested ?? '');
  return nested !== undefined;
}
